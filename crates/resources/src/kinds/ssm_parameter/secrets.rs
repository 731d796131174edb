//! The parameters as people see them: secrets with a name, an origin and an age, some of which can be rotated.

use super::source::is_generated;
use super::{
    CLOUDFLARE, DIGESTS, ORIGIN_KEY, PARTS, Source, cloudfront_distribution, find, is_key, name, new_key,
    parameter_store, source,
};
use crate::kinds::parameter_store::{TURN_SECRET, TURN_SERVER_SECRET};
use crate::stack::Stack;
use aws_sdk_ssm::types::ParameterType;
use peersync_aws::Context as _;
use peersync_config::{Config, TurnProvider};
use peersync_engine::{OutputMap, ResourceError, Tags};
use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE};

/// Where the value of a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The environment variable that the configuration names; `None` if it no longer names one.
    Environment {
        /// The variable.
        variable: Option<String>,
    },
    /// The deployer has generated it.
    Generated,
    /// Cloudflare has, for the tunnel that `up` has created.
    Cloudflare,
}

/// A secret of the stack, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretState {
    /// Its name, such as `ticket-key`.
    pub name: &'static str,
    /// Where its value comes from.
    pub origin: Origin,
    /// Whether the configuration needs it.
    pub enabled: bool,
    /// When it was last written, in seconds since 1970; `None` if it does not exist.
    pub written: Option<i64>,
}

/// Returns the names of all secrets, except for what the host keeps for itself.
pub fn names() -> impl Iterator<Item = &'static str> {
    let others = [&parameter_store::previous(ORIGIN_KEY), DIGESTS, ACME_ACCOUNT, ACME_CERTIFICATE, CLOUDFLARE];
    let others = others.map(str::to_owned);
    PARTS.into_iter().filter(move |part| !others.iter().any(|other| other == part))
}

/// Returns the key of the configuration that names the variable with this secret, such as `password under
/// [mail.smtp]`; `None` if the deployer generates the secret.
pub fn configured_key(config: &Config, name: &str) -> Option<&'static str> {
    // Whoever has a server of their own means that one's.
    let name =
        if name == TURN_SECRET && config.turn_provider() == TurnProvider::Own { TURN_SERVER_SECRET } else { name };
    match source(config, name) {
        Source::Configured(key, _) => Some(key),
        _ => None,
    }
}

/// Returns whether a secret is one that Cloudflare has generated.
pub fn is_of_cloudflare(config: &Config, name: &str) -> bool {
    matches!(source(config, name), Source::Tunnel)
}

/// Returns all secrets with their ages. Their values are not decrypted.
///
/// # Errors
/// They cannot be read.
pub async fn states(stack: &Stack) -> Result<Vec<SecretState>, ResourceError> {
    let found = find(stack, false).await?;
    let state = |part: &'static str| {
        let parameter_name = name(stack, part);
        let parameter = found.iter().find(|found| found.name() == Some(&parameter_name));
        let (origin, enabled) = match source(&stack.config, part) {
            Source::Configured(_, secret) => {
                let variable = secret(&stack.config).map(|secret| secret.env.clone());
                let enabled = variable.is_some();
                (Origin::Environment { variable }, enabled)
            }
            Source::Tunnel => (Origin::Cloudflare, true),
            _ => (Origin::Generated, is_generated(&stack.config, part)),
        };
        let written = parameter.map(|one| one.last_modified_date.map_or(0, |moment| moment.secs()));
        SecretState { name: part, origin, enabled, written }
    };
    Ok(names().map(state).collect())
}

/// Gives a generated key a new value and keeps the previous one, which stays valid: that of the ticket key for ten
/// minutes, that of the TURN secret for more than an hour, that of the origin key until the distribution sends the new
/// one. Returns the outputs of the parameter.
///
/// # Errors
/// The parameter cannot be read or written.
pub async fn rotate(stack: &Stack, part: &str, tags: &Tags) -> Result<OutputMap, ResourceError> {
    let ssm = &stack.clients.ssm;
    let answer = ssm.get_parameter().name(name(stack, part)).with_decryption(true).send().await;
    let current = answer.context("failed to read the key")?.parameter.and_then(|parameter| parameter.value);
    // After an interrupted rotation, the distribution still sends the one before that.
    let sent = if part == ORIGIN_KEY { cloudfront_distribution::sent_key(stack).await? } else { None };
    if let Some(previous) = sent.or(current).filter(|value| is_key(value)) {
        parameter_store::put_previous(stack, part, &previous, tags).await?;
    }
    let new = new_key();
    let call = ssm.put_parameter().name(name(stack, part)).value(&new).overwrite(true);
    let call = call.r#type(ParameterType::SecureString).description(stack.mark());
    call.send().await.context("failed to write the new key")?;
    Ok(OutputMap::new().with("name", name(stack, part)).with_secret("value", new))
}
