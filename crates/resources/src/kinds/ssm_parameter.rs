//! Encrypted secrets in Parameter Store: those of the configuration, and keys that the deployer generates once. One more
//! parameter is no secret: it holds the digests of the resources that cannot carry tags. Another one records where the
//! tunnel of the stack is at Cloudflare. In two others the host keeps its
//! certificate and what belongs to it, so that the next host has them; they are created here, and never compared.
//!
//! An existing key is never generated again: the plan compares only its form, so that a rotation, by the deployer or by
//! hand, is not drift. While a key changes, a second parameter holds the previous one; for the origin key that is a
//! resource which is never wanted, so that `up` deletes what an interrupted rotation has left.

mod search;
mod secrets;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ssm::types::{Parameter as Found, ParameterType, ResourceTypeForTagging, Tag};

use self::source::{PARTS, Source, source};
use super::parameter_store::{
    self, CLOUDFLARE, DIGESTS, EXISTS, KIND_NAME, NO_DIGESTS, ORIGIN_KEY, TUNNEL_TOKEN, has_previous, is_key, name,
    new_key, previous,
};
use super::{Kind, cloudflare_places, cloudfront_distribution, exchange_tags};
use crate::permission::{Condition, Permission};
use crate::stack::Stack;
use peersync_aws::{Clients, Context as _, NotFound as _};
use peersync_config::Secret;
use peersync_engine::{
    Address, ApplyContext, Changes, Failure, Field, FieldName, Fields, Live, LiveField, LiveFields, Output, OutputMap,
    Outputs, Progress, Resource, ResourceError, SharedReads, Tags, rule,
};
use peersync_server::access::NOTHING_KEPT;

pub use self::secrets::{Origin, SecretState, configured_key, is_of_cloudflare, names, rotate, states};
pub use super::parameter_store::address;

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: Some(&search::Parameters) };
const NAME: &str = KIND_NAME;

const TYPE: FieldName = FieldName::new("type");
/// The value of a configured secret.
const VALUE: FieldName = FieldName::new("value");
/// The present domain of the tunnel, with its account if the configuration names one.
const PLACE: FieldName = FieldName::new("place");
/// The form of a generated key, in place of its value.
const FORM: FieldName = FieldName::new("form");

/// The desired value of the field `form` of generated keys.
const KEY_FORM: &str = "a random key";
/// The value of the field `form` if the parameter does not hold a key.
const OTHER_FORM: &str = "changed by hand";
/// The error codes for a parameter that does not exist.
pub(crate) const ABSENT: &[&str] = &["ParameterNotFound", "InvalidResourceId"];

struct Parameter {
    stack: Arc<Stack>,
    address: Address,
    name: String,
    source: Source,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    let resource = |part| {
        let (address, name, source) = (address(part), name(stack, part), source(&stack.config, part));
        Arc::new(Parameter { stack: stack.clone(), address, name, source }) as Arc<dyn Resource>
    };
    PARTS.into_iter().map(resource).collect()
}

/// The number of names that one call reads at most.
const AT_ONCE: usize = 10;

/// Reads all parameters with few calls at once. Those that do not exist are ignored.
async fn find(stack: &Stack, decrypted: bool) -> Result<Vec<Found>, ResourceError> {
    let read = PARTS.chunks(AT_ONCE).map(|parts| async move {
        let names = parts.iter().map(|part| name(stack, part)).collect();
        let call = stack.clients.ssm.get_parameters().set_names(Some(names)).with_decryption(decrypted);
        let answer = call.send().await.context("failed to read the parameters")?;
        Ok::<_, ResourceError>(answer.parameters.unwrap_or_default())
    });
    Ok(futures::future::try_join_all(read).await?.concat())
}

/// Returns the digests of the resources that cannot carry tags, as they are stored; `None` if the parameter does not
/// exist.
pub(crate) async fn digests(stack: &Stack, reads: &SharedReads) -> Result<Option<String>, ResourceError> {
    value_of(stack, reads, DIGESTS).await
}

/// Returns whether an emulator does not offer parameters. One on this computer may also answer what AWS never would.
pub(crate) fn is_lacking(stack: &Stack, error: &ResourceError) -> bool {
    let clients = &stack.clients;
    clients.lack(error) || (clients.emulated && error.failure == Failure::Other)
}

/// Returns the value of a parameter that is no secret; `None` if it does not exist. The calls are those that read all
/// parameters.
pub(super) async fn value_of(stack: &Stack, reads: &SharedReads, part: &str) -> Result<Option<String>, ResourceError> {
    let found = reads.get(NAME, find(stack, true)).await?;
    let name = name(stack, part);
    Ok(found.into_iter().find(|found| found.name() == Some(&name)).and_then(|found| found.value))
}

/// What is read from the distribution is among the permissions of its kind: an emulator without CloudFront still offers
/// parameters.
fn permissions(stack: &Stack) -> Vec<Permission> {
    let ours = || vec![stack.arn("ssm", &format!("parameter{}/*", stack.parameter_prefix()))];
    vec![
        Permission::new(&["ssm:GetParameter", "ssm:GetParameters", "ssm:ListTagsForResource"], ours()),
        // Only the first value of a parameter comes with tags.
        Permission::new(
            &["ssm:PutParameter", "ssm:DeleteParameters", "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource"],
            ours(),
        )
        .only(Condition::Named),
    ]
}

#[async_trait]
impl Resource for Parameter {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(self.name.clone())
    }

    /// Whatever the configuration says, the token of a tunnel goes before the tunnel does.
    fn dependencies(&self) -> Vec<Address> {
        let of_tunnel = rule!("tunnel-token-after-tunnel", self.address.name == TUNNEL_TOKEN);
        of_tunnel.then(cloudflare_places::tunnel).into_iter().collect()
    }

    fn enabled(&self) -> bool {
        match self.source {
            Source::Configured(_, secret) => secret(&self.stack.config).is_some(),
            Source::Generated => source::is_generated(&self.stack.config, &self.address.name),
            Source::Digests | Source::Tunnel => true,
            Source::Places => cloudflare_places::Place::wanted(&self.stack).is_some(),
            Source::Previous => false,
            Source::Host => self.stack.config.signaling.has_certificate(),
        }
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let found = reads.get(NAME, find(&self.stack, true)).await?;
        let Some(parameter) = found.into_iter().find(|found| found.name() == Some(&self.name)) else {
            return Ok(None);
        };
        let version = parameter.last_modified_date().map(|time| format!("{} of {time:?}", parameter.version()));
        // There are few enough for their own service.
        let no_index = std::future::ready(None);
        let Some(tags) = reads.tags(&self.address, version, no_index, self.tags()).await? else { return Ok(None) };
        let value = parameter.value.as_deref().unwrap_or_default();
        let fields = || LiveFields::new().with(TYPE, parameter.r#type.as_ref().map(ParameterType::as_str));
        let fields = match self.source {
            Source::Configured(..) | Source::Tunnel => fields().with(VALUE, LiveField::secret(value)),
            Source::Places => fields().with(PLACE, cloudflare_places::present(value)),
            Source::Generated | Source::Previous => fields().with(FORM, form(value)),
            Source::Digests => LiveFields::new(),
            Source::Host => fields(),
        };
        Ok(Some(Live {
            id: self.name.clone(),
            fields,
            ownership: self.stack.ownership(&tags),
            tags: Some(tags),
            outputs: self.outputs(value),
        }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let fields = Fields::new().with(TYPE, self.parameter_type().as_str());
        match self.source {
            Source::Configured(_, secret) => {
                let secret = secret(&self.stack.config);
                let not_given = || Field::NotGiven(secret.map_or_else(String::new, not_set));
                fields.with(VALUE, secret.and_then(Secret::value).map_or_else(not_given, Field::secret))
            }
            Source::Tunnel if !self.stack.cloudflare.has_token() => fields
                .with(VALUE, Field::NotGiven("Cloudflare was not asked, because there is no API token".to_owned())),
            Source::Tunnel => {
                let token = outputs.get(&cloudflare_places::tunnel(), "token");
                fields.with(VALUE, token.map_or(Field::Unknown, Field::secret))
            }
            Source::Places => {
                let place = cloudflare_places::Place::wanted(&self.stack).map(|place| place.to_string());
                fields.with(PLACE, place.unwrap_or_default())
            }
            Source::Generated | Source::Previous => fields.with(FORM, KEY_FORM),
            // Whatever is in it: what is missing is recorded again, and secrets are in none of the digests.
            Source::Digests => Fields::new(),
            // Whatever is in it: that is the host's.
            Source::Host => fields,
        }
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let ssm = &self.stack.clients.ssm;
        let value = self.value(context.outputs, "").await?;
        let tags = sdk_tags!(try Tag, context.tags).context("failed to create the parameter")?;
        let call = ssm.put_parameter().name(&self.name).value(&value).r#type(self.parameter_type());
        let answer = call.description(self.stack.mark()).set_tags(Some(tags)).send().await;
        let exists: &[&str] = rule!("parameter-create-survives-lost-answer", EXISTS);
        if answer.found(exists, "failed to create the parameter")?.is_some() {
            return Ok(self.outputs(&value));
        }
        // The response to an earlier attempt was lost, so the value that it stored is the valid one.
        let answer = ssm.get_parameter().name(&self.name).with_decryption(true).send().await;
        let parameter = answer.context("failed to read the parameter")?.parameter;
        Ok(self.outputs(parameter.and_then(|parameter| parameter.value).as_deref().unwrap_or(&value)))
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let ssm = &self.stack.clients.ssm;
        let mut outputs = live.outputs.clone();
        if changes.has_any(&[TYPE, VALUE, FORM, PLACE]) {
            let before = live.outputs.get("value");
            let value = match before.filter(|_| !changes.has_any(&[FORM, PLACE])) {
                Some(kept) => kept.value().to_owned(),
                None => self.value(context.outputs, before.map_or("", Output::value)).await?,
            };
            let call = ssm.put_parameter().name(&self.name).value(&value).overwrite(true);
            let call = call.r#type(self.parameter_type()).description(self.stack.mark());
            call.send().await.context("failed to change the parameter")?;
            outputs = self.outputs(&value);
        }
        let kind = ResourceTypeForTagging::Parameter;
        let remove = |keys| async {
            let call = ssm.remove_tags_from_resource().resource_type(kind.clone()).resource_id(&self.name);
            let answer = call.set_tag_keys(Some(keys)).send().await;
            answer.context("failed to remove tags of the parameter").map(|_| ())
        };
        let put = async {
            let tags = sdk_tags!(try Tag, context.tags).context("failed to tag the parameter")?;
            let call = ssm.add_tags_to_resource().resource_type(kind.clone()).resource_id(&self.name);
            call.set_tags(Some(tags)).send().await.context("failed to tag the parameter").map(|_| ())
        };
        exchange_tags(changes, remove, put).await?;
        Ok(outputs)
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        // This call ignores names that do not exist.
        let mut names = vec![live.id.clone()];
        if has_previous(&self.address.name) {
            names.push(previous(&live.id));
        }
        if matches!(self.source, Source::Previous) {
            cloudfront_distribution::until_deployed(&self.stack, progress).await?;
        }
        let call = self.stack.clients.ssm.delete_parameters().set_names(Some(names));
        call.send().await.context("failed to delete the parameter").map(|_| ())
    }
}

/// Reads the tags of a parameter; `None` if it does not exist.
async fn read_tags(clients: &Clients, name: &str) -> Result<Option<Tags>, ResourceError> {
    let call = clients.ssm.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
    let answer = call.resource_id(name).send().await.found(ABSENT, "failed to read the tags of the parameter")?;
    let tags = answer.map(|answer| answer.tag_list.unwrap_or_default());
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

impl Parameter {
    async fn tags(&self) -> Result<Option<Tags>, ResourceError> {
        read_tags(&self.stack.clients, &self.name).await
    }

    fn parameter_type(&self) -> ParameterType {
        match self.source {
            Source::Digests | Source::Places => ParameterType::String,
            _ => ParameterType::SecureString,
        }
    }

    /// Returns the value of a new parameter, or another one in place of `before`.
    ///
    /// # Errors
    /// The environment variable of a configured secret is not set.
    async fn value(&self, outputs: &Outputs, before: &str) -> Result<String, ResourceError> {
        match self.source {
            Source::Tunnel => outputs.require(&cloudflare_places::tunnel(), "token").map(str::to_owned),
            Source::Places => {
                let place = cloudflare_places::Place::wanted(&self.stack);
                Ok(place.map(|place| cloudflare_places::recorded_with(&place, before)).unwrap_or_default())
            }
            Source::Generated | Source::Previous => {
                // Somebody has deleted the parameter: the key that the edge sends is still right, and everybody knows it.
                let sent = if self.address.name == ORIGIN_KEY { self.sent_key().await? } else { None };
                Ok(sent.unwrap_or_else(new_key))
            }
            Source::Digests => Ok(NO_DIGESTS.to_owned()),
            Source::Host => Ok(NOTHING_KEPT.to_owned()),
            Source::Configured(field, secret) => {
                let secret = secret(&self.stack.config);
                secret.and_then(Secret::value).map(str::to_owned).ok_or_else(|| {
                    let variable = secret.map_or("", |secret| &secret.env);
                    ResourceError::new(format!("the environment variable {variable} is not set"))
                        .hint(format!("{field} takes its value from {variable}: set it and run the command again"))
                })
            }
        }
    }

    /// Returns the key that the distribution sends, if it exists and sends one.
    async fn sent_key(&self) -> Result<Option<String>, ResourceError> {
        if self.stack.clients.absent.contains_key("cloudfront") {
            return Ok(None);
        }
        let sent = cloudfront_distribution::sent_key(&self.stack).await?;
        Ok(rule!("origin-key-is-taken-from-the-edge", sent, without: None))
    }

    /// Returns the outputs that other resources need. Configured secrets are not among them; only programs read them.
    fn outputs(&self, value: &str) -> OutputMap {
        let outputs = OutputMap::new().with("name", &self.name);
        match self.source {
            Source::Generated | Source::Host => outputs.with_secret("value", value),
            Source::Places => outputs.with("value", value),
            Source::Configured(..) | Source::Previous | Source::Digests | Source::Tunnel => outputs,
        }
    }
}

/// Says that the environment variable of a secret is not set.
fn not_set(secret: &Secret) -> String {
    format!("{} is not set", secret.env)
}

fn form(value: &str) -> &'static str {
    if is_key(value) { KEY_FORM } else { OTHER_FORM }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::parameter_store::{TURN_SECRET, TURN_SERVER_SECRET};
    use peersync_config::{Config, TurnProvider};
    use peersync_server::access::{ACME_ACCOUNT, ACME_CERTIFICATE};
    use peersync_server::secrets::PREVIOUS;

    #[test]
    fn host_keeps_its_certificate_while_it_has_a_name_of_its_own() {
        for part in [ACME_ACCOUNT, ACME_CERTIFICATE] {
            assert!(matches!(source(&Config::default(), part), Source::Host), "{part}");
            assert!(PARTS.contains(&part) && names().all(|name| name != part), "{part}");
        }
    }

    #[test]
    fn previous_key_belongs_to_a_generated_one() {
        let config = Config::default();
        for part in PARTS.iter().filter(|part| matches!(source(&config, part), Source::Previous)) {
            let key = part.strip_suffix(PREVIOUS).unwrap_or_default();
            assert!(names().any(|name| name == key) && configured_key(&config, key).is_none(), "{part}");
        }
    }

    #[test]
    fn keys_that_keep_their_previous_value_are_the_generated_ones() {
        let config = Config::default();
        let generated = PARTS.into_iter().filter(|part| matches!(source(&config, part), Source::Generated));
        assert!(generated.clone().all(has_previous) && generated.count() == 3);
    }

    #[test]
    fn relay_of_the_host_and_another_server_have_secrets_of_their_own() {
        let mut config = Config::default();
        config.turn.secret = Some(Secret::from_env("TURN_SECRET"));
        for (provider, generated, configured) in [
            (TurnProvider::Host, true, false),
            (TurnProvider::Own, false, true),
            (TurnProvider::Cloudflare, false, false),
            (TurnProvider::None, false, false),
        ] {
            config.turn.provider = Some(provider);
            assert!(matches!(source(&config, TURN_SECRET), Source::Generated), "{provider:?}");
            assert_eq!(source::is_generated(&config, TURN_SECRET), generated, "{provider:?}");
            let Source::Configured(_, secret) = source(&config, TURN_SERVER_SECRET) else { panic!("{provider:?}") };
            assert_eq!(secret(&config).is_some(), configured, "{provider:?}");
        }
    }
}
