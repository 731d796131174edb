//! Zones without capacity for an instance.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::Behave;
use crate::proxy::call::{Answer, Call, between};
use crate::proxy::lock;

/// Capacity in the last zone alone. The first one does not even have the type.
#[derive(Default)]
pub(super) struct CapacityByZone {
    /// The zone of each subnet that was described.
    zones: Mutex<BTreeMap<String, String>>,
}

impl Behave for CapacityByZone {
    fn before(&self, call: &Call) -> Option<Answer> {
        if !call.is("ec2", "RunInstances") {
            return None;
        }
        let refuse = |code, message: &str| Some(Answer::error(call, 400, code, message));
        const FULL: &str = "We currently do not have sufficient capacity in the Availability Zone you requested.";
        let subnet = call.parameter("NetworkInterface.1.SubnetId").or_else(|| call.parameter("SubnetId"));
        let zones = lock(&self.zones);
        let zone = subnet.and_then(|subnet| zones.get(&subnet));
        match zone {
            None => refuse("InsufficientInstanceCapacity", FULL),
            zone if zone == zones.values().max() => None,
            zone if zone == zones.values().min() => refuse(
                "Unsupported",
                "Your requested instance type is not supported in your requested Availability Zone.",
            ),
            Some(_) => refuse("InsufficientInstanceCapacity", FULL),
        }
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if !call.is("ec2", "DescribeSubnets") || !answer.ok() {
            return;
        }
        let text = answer.text();
        for part in text.split("<subnetId>").skip(1) {
            let id = part.split('<').next().unwrap_or_default().to_owned();
            if let Some(zone) = between(part, "<availabilityZone>", "<") {
                lock(&self.zones).insert(id, zone.to_owned());
            }
        }
    }
}
