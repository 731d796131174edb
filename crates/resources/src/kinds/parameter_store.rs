//! What everybody shares who reads or writes the stack's parameters in Parameter Store: their names, the form of generated
//! keys, and the previous value of a key that is being changed.

use aws_sdk_ssm::types::{ParameterType, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::diff::DIGEST_TAG;
use peersync_engine::{Address, ResourceError, Tags};
use peersync_server::secrets::PREVIOUS;

/// The name of the kind of parameters.
pub(super) const KIND_NAME: &str = "ssm_parameter";
/// The key by which the edge proves itself.
pub const ORIGIN_KEY: &str = "origin-key";
/// The digests of the resources that cannot carry tags. They are no secret.
pub const DIGESTS: &str = "digests";
/// The value of [`DIGESTS`] while nothing was recorded yet.
pub const NO_DIGESTS: &str = "{}";
/// The key that signs tickets.
pub const TICKET_KEY: &str = "ticket-key";
/// The secret that the API shares with the relay on the host.
pub const TURN_SECRET: &str = "turn-secret";
/// The secret that the API shares with a TURN server of the owner's. It is another parameter, so that functions that tell the
/// one relay never sign with the secret of the other.
pub const TURN_SERVER_SECRET: &str = "turn-server-secret";
/// The token with which the host runs its named tunnel.
pub const TUNNEL_TOKEN: &str = "tunnel-token";
/// Where the tunnel and the DNS record of the stack are at Cloudflare: the domain, and earlier ones. It is no secret.
pub const CLOUDFLARE: &str = "cloudflare";
/// The length of a generated key in bytes, which is the output length of HMAC-SHA-256.
const KEY_BYTES: usize = 32;
/// The error codes of a parameter that exists already.
pub(super) const EXISTS: &[&str] = &["ParameterAlreadyExists"];

/// Returns the address of a parameter: `smtp-pass`, `emailjs-private-key`, `turn-secret`, `turn-server-secret`,
/// `turn-key-id`, `turn-api-token`, `tunnel-token`, `ticket-key`, `origin-key`, `digests` or `cloudflare`. Generated keys have the secret
/// output `value`.
pub fn address(part: &str) -> Address {
    Address::new(KIND_NAME, part)
}

/// Returns the name of a parameter.
pub(crate) fn name(stack: &Stack, part: &str) -> String {
    format!("{}/{part}", stack.parameter_prefix())
}

/// Returns the name of the parameter with the previous value of a key, from the name of that with the current one.
pub fn previous(part: &str) -> String {
    format!("{part}{PREVIOUS}")
}

/// Returns whether a generated key has a parameter with its previous value after a rotation.
pub(super) fn has_previous(part: &str) -> bool {
    [ORIGIN_KEY, TICKET_KEY, TURN_SECRET].contains(&part)
}

/// Returns a new key.
pub(super) fn new_key() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; KEY_BYTES]>())
}

/// Returns whether a value has the form of a generated key.
pub(super) fn is_key(value: &str) -> bool {
    URL_SAFE_NO_PAD.decode(value).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

/// Writes the previous value of a key, which the programs accept beside the current one. `tags` are those of a resource
/// of the stack.
pub(super) async fn put_previous(stack: &Stack, part: &str, value: &str, tags: &Tags) -> Result<(), ResourceError> {
    const SUMMARY: &str = "failed to keep the previous value of the key";
    let tags: Tags = tags.iter().filter(|(key, _)| *key != DIGEST_TAG).map(|(k, v)| (k.clone(), v.clone())).collect();
    let tags = sdk_tags!(try Tag, tags).context(SUMMARY)?;
    let call = || {
        let call = stack.clients.ssm.put_parameter().name(name(stack, &previous(part))).value(value);
        call.r#type(ParameterType::SecureString).description(stack.mark())
    };
    // Tags can be given only to a new parameter.
    let created = call().set_tags(Some(tags)).send().await;
    if created.found(EXISTS, SUMMARY)?.is_none() {
        call().overwrite(true).send().await.context(SUMMARY)?;
    }
    Ok(())
}

/// Deletes the previous value of a key. Succeeds if it does not exist.
pub(super) async fn delete_previous(stack: &Stack, part: &str) -> Result<(), ResourceError> {
    let call = stack.clients.ssm.delete_parameters().names(name(stack, &previous(part)));
    call.send().await.context("failed to delete the previous value of the key").map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::{is_key, new_key};

    #[test]
    fn key_is_recognised_by_its_form() {
        assert!(is_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") && is_key(&new_key()));
        assert_ne!(new_key(), new_key());
        for other in ["AAAA", "not base64url!", ""] {
            assert!(!is_key(other), "{other}");
        }
    }
}
