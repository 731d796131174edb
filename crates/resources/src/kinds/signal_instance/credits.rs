//! CPU credits: what a host of a type that shares its processors may use of them.

use aws_sdk_ec2::types::{CreditSpecificationRequest, Instance as Found, InstanceCreditSpecificationRequest};

use super::GONE;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{Failure, FieldName, LiveField, ResourceError};

/// What the host may use of its processors beyond its share. Absent for types that have them whole.
pub(super) const CREDITS: FieldName = FieldName::new("cpu_credits");
/// The host uses what it has saved. The default of the newer types lets it use any share, and AWS charges for that.
const STANDARD: &str = "standard";

/// Returns whether a type shares its processors, and saves and spends credits for them: all types of the families T.
fn is_burstable(instance_type: &str) -> bool {
    let family = instance_type.split('.').next().unwrap_or_default();
    family.strip_prefix('t').is_some_and(|generation| generation.starts_with(|c: char| c.is_ascii_digit()))
}

/// Returns the wanted value of the field; `None` for types that have no credits.
pub(super) fn wanted(instance_type: &str) -> Option<&'static str> {
    is_burstable(instance_type).then_some(STANDARD)
}

/// Returns how a new host is to use credits.
pub(super) fn of_launch(instance_type: &str) -> Option<CreditSpecificationRequest> {
    wanted(instance_type).map(|credits| CreditSpecificationRequest::builder().cpu_credits(credits).build())
}

/// Reads how a host uses credits; `None` if its type has none. The field is unreadable on an emulator that does not tell.
pub(super) async fn view(stack: &Stack, instance: &Found) -> Result<Option<LiveField>, ResourceError> {
    if !instance.instance_type().is_some_and(|one| is_burstable(one.as_str())) {
        return Ok(None);
    }
    let id = instance.instance_id().unwrap_or_default();
    let answer = stack.clients.ec2.describe_instance_credit_specifications().instance_ids(id).send().await;
    let answer = match answer.found(GONE, "failed to read the CPU credits of the signaling host") {
        Err(error) if error.failure == Failure::NotOffered => None,
        answer => answer?,
    };
    let credits = answer.and_then(|answer| answer.instance_credit_specifications?.into_iter().next()?.cpu_credits);
    Ok(Some(credits.map_or(LiveField::Unreadable, LiveField::known)))
}

/// Makes a host use what it has saved.
pub(super) async fn change(stack: &Stack, id: &str) -> Result<(), ResourceError> {
    let credits = InstanceCreditSpecificationRequest::builder().instance_id(id).cpu_credits(STANDARD).build();
    let call = stack.clients.ec2.modify_instance_credit_specification().instance_credit_specifications(credits);
    call.send().await.context("failed to change the CPU credits of the signaling host").map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn only_types_that_share_their_processors_have_credits() {
        for burstable in ["t2.micro", "t3.micro", "t3a.small"] {
            assert_eq!(wanted(burstable), Some("standard"), "{burstable}");
        }
        for other in ["m7i.large", "c6in.large", "trn1.2xlarge"] {
            assert_eq!(wanted(other), None, "{other}");
        }
    }
}
