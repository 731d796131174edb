//! The actual state of a host in the form in which it is compared.

use aws_sdk_ec2::types::{
    Address as ElasticAddress, HttpTokensState, Instance as Found, InstanceAttributeName, InstanceStateName,
};
use serde_json::{Value, json};

use super::{GONE, IMAGE_TAG, NEWEST_IMAGE, USER_DATA, compressed, relay_files, user_data};
use crate::stack::Stack;
use peersync_aws::NotFound as _;
use peersync_engine::{Failure, Live, LiveField, ResourceError, Tags};

/// Returns the image. The id alone does not tell whether the deployer chose it; the tag does.
pub(super) fn image_view(instance: &Found, tags: &Tags) -> String {
    let image = instance.image_id().unwrap_or_default();
    let newest = tags.get(IMAGE_TAG).is_some_and(|tag| tag == &format!("newest {image}"));
    if newest { NEWEST_IMAGE.to_owned() } else { image.to_owned() }
}

/// Reads the user data. The field is unreadable on an emulator that does not return it: a host always has some.
pub(super) async fn user_data_view(stack: &Stack, id: &str) -> Result<LiveField, ResourceError> {
    let call = stack.clients.ec2.describe_instance_attribute().instance_id(id);
    let answer = call.attribute(InstanceAttributeName::UserData).send().await;
    let encoded = match answer.found(GONE, "failed to read the user data of the signaling host") {
        Err(error) if error.failure == Failure::NotOffered => None,
        answer => answer?.and_then(|answer| answer.user_data?.value).filter(|encoded| !encoded.is_empty()),
    };
    let text = encoded.and_then(|encoded| compressed::decoded(&encoded));
    Ok(text.map_or(LiveField::Unreadable, |text| LiveField::known(user_data::parts(&text))))
}

/// Returns the SHA-256 of each program that the host was made for, by name, as far as its user data is known.
pub fn programs(host: &Live) -> Vec<(&'static str, String)> {
    let Some(LiveField::Known(files)) = host.fields.field(USER_DATA) else { return Vec::new() };
    let programs = [("signal", "SIGNAL_SHA256"), ("relay", "RELAY_SHA256")];
    let value = |name: &str| variable(files, user_data::INSTALL_ENVIRONMENT, name);
    programs.into_iter().filter_map(|(program, name)| Some((program, value(name)?))).collect()
}

/// Returns whether a host has no certificate for the domain, as far as its user data is known.
pub fn lacks_domain(host: &Live, domain: &str) -> bool {
    let Some(LiveField::Known(files)) = host.fields.field(USER_DATA) else { return false };
    is_without(files, domain)
}

/// Returns whether a host with this user data has no certificate for the domain.
pub(super) fn is_without(files: &Value, domain: &str) -> bool {
    let own = variable(files, relay_files::ENVIRONMENT, relay_files::DOMAIN);
    own.is_none_or(|own| !own.eq_ignore_ascii_case(domain))
}

/// Returns a variable of an environment file in user data.
pub(super) fn variable(files: &Value, path: &str, name: &str) -> Option<String> {
    let environment = files.get(path)?.get("content")?.as_str()?;
    let line = environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=\""))?;
    Some(line.trim_end_matches('"').to_owned())
}

/// Returns the id of the instance profile. It is unreadable on an emulator that tells of a profile without one.
pub(super) fn profile_id(instance: &Found) -> LiveField {
    match instance.iam_instance_profile() {
        Some(profile) => profile.id().map_or(LiveField::Unreadable, LiveField::known),
        None => LiveField::known(Value::Null),
    }
}

/// Returns the ids of the volumes of a host.
pub(super) fn volumes(instance: &Found) -> Vec<String> {
    let devices = instance.block_device_mappings().iter();
    devices.filter_map(|device| Some(device.ebs()?.volume_id()?.to_owned())).collect()
}

pub(super) fn profile_name(instance: &Found) -> Option<&str> {
    instance.iam_instance_profile()?.arn()?.rsplit('/').next()
}

pub(super) fn groups_view(instance: &Found) -> Value {
    let mut groups: Vec<&str> = instance.security_groups().iter().filter_map(|group| group.group_id()).collect();
    groups.sort_unstable();
    json!(groups)
}

pub(super) fn metadata_view(instance: &Found) -> LiveField {
    let Some(options) = instance.metadata_options() else { return LiveField::Unreadable };
    let tokens = if options.http_tokens() == Some(&HttpTokensState::Required) { "token required" } else { "no token" };
    let hops = options.http_put_response_hop_limit().unwrap_or_default();
    LiveField::known(format!("{tokens}, {hops} hop{}", if hops == 1 { "" } else { "s" }))
}

pub(super) fn address_view(addresses: &[ElasticAddress], instance: &str) -> Value {
    let held = addresses.iter().find(|address| address.instance_id() == Some(instance));
    json!(held.and_then(|address| address.allocation_id()))
}

pub(super) fn state_view(instance: &Found) -> &'static str {
    match instance.state().and_then(|state| state.name()) {
        Some(InstanceStateName::Pending | InstanceStateName::Running) => "running",
        _ => "stopped",
    }
}

#[cfg(test)]
mod tests {
    use peersync_config::Ingress;
    use peersync_engine::LiveFields;

    use super::super::tests::files;
    use super::*;

    #[tokio::test]
    async fn host_is_known_by_the_domain_of_its_certificate() {
        for (ingress, domain, lacks) in [
            (Ingress::Cloudfront, None, true),
            (Ingress::Cloudfront, Some("signal.example.org"), false),
            (Ingress::Direct, Some("signal.example.org"), false),
            (Ingress::Direct, Some("calls.example.org"), true),
            (Ingress::Cloudflare, Some("signal.example.org"), true),
        ] {
            let fields = LiveFields::new().with(USER_DATA, files(ingress, domain).await);
            let host = Live { fields, ..Live::default() };
            assert_eq!(lacks_domain(&host, "signal.example.org"), lacks, "{ingress:?} {domain:?}");
        }
        let unread = Live { fields: LiveFields::new().with(USER_DATA, LiveField::Unreadable), ..Live::default() };
        assert!(!lacks_domain(&unread, "signal.example.org"));
    }
}
