//! Instances: they take time, protect the resources they use, and are launched once per client token.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::{Behave, Moments};
use crate::proxy::call::{Answer, Call, elements};
use crate::proxy::lock;

#[derive(Default)]
struct Held {
    /// Security groups of each instance that is not known to be terminated.
    groups: HashMap<String, Vec<String>>,
    /// Allocation of an address, by its association.
    associated: HashMap<String, (String, String)>,
    /// Addresses that were disassociated from an instance, which takes effect a moment later.
    taken_off: Moments,
    started: Moments,
    stopped: Moments,
    terminated: Moments,
}

/// Instances and the resources that they use.
pub(super) struct DependencyViolation {
    time: Duration,
    held: Mutex<Held>,
}

impl DependencyViolation {
    pub(super) fn new(time: Duration) -> Self {
        Self { time, held: Mutex::default() }
    }

    fn holds(&self, held: &Held, instance: &str) -> bool {
        !held.terminated.knows(instance) || held.terminated.within(instance, self.time)
    }

    fn delete_group(&self, call: &Call) -> Option<Answer> {
        let group = call.parameter("GroupId")?;
        let held = lock(&self.held);
        let holder = held.groups.iter().find(|(id, groups)| groups.contains(&group) && self.holds(&held, id));
        holder?;
        let message = format!("resource {group} has a dependent object");
        Some(Answer::error(call, 400, "DependencyViolation", &message))
    }

    fn release(&self, call: &Call) -> Option<Answer> {
        let allocation = call.parameter("AllocationId")?;
        let held = lock(&self.held);
        let holder = held.associated.values().find(|(one, instance)| *one == allocation && self.holds(&held, instance));
        if holder.is_none() && !held.taken_off.within(&allocation, self.time) {
            return None;
        }
        let message = format!("Address with allocation id {allocation} is in use.");
        Some(Answer::error(call, 400, "InvalidIPAddress.InUse", &message))
    }

    fn associate(&self, call: &Call) -> Option<Answer> {
        let instance = call.parameter("InstanceId")?;
        let held = lock(&self.held);
        let message = format!("The instance '{instance}' is not in a valid state for this operation.");
        let pending = held.started.within(&instance, self.time);
        pending.then(|| Answer::error(call, 400, "IncorrectInstanceState", &message))
    }

    fn start(&self, call: &Call) -> Option<Answer> {
        let instance = call.parameter("InstanceId.1")?;
        let message = format!("The instance '{instance}' is not in a state from which it can be started.");
        let stopping = lock(&self.held).stopped.within(&instance, self.time);
        stopping.then(|| Answer::error(call, 400, "IncorrectInstanceState", &message))
    }

    fn learn_instances(&self, call: &Call, answer: &Answer) {
        let parameters = call.parameters();
        let groups = parameters.iter().filter(|(key, _)| key.contains("SecurityGroupId")).map(|(_, id)| id.clone());
        let groups: Vec<String> = groups.collect();
        let mut held = lock(&self.held);
        for id in elements(&answer.text(), "instanceId") {
            held.groups.insert(id.to_owned(), groups.clone());
            held.started.set(id);
        }
    }

    /// Shows instances that have just started as pending, and those that have just been stopped or terminated as on
    /// their way.
    fn rewrite(&self, answer: &mut Answer) {
        let held = lock(&self.held);
        let rewritten = each_instance(&answer.text(), |id, part| {
            if held.terminated.within(id, self.time) {
                part.replacen("<name>terminated</name>", "<name>shutting-down</name>", 1)
            } else if held.stopped.within(id, self.time) {
                part.replacen("<name>stopped</name>", "<name>stopping</name>", 1)
            } else if held.started.within(id, self.time) {
                part.replacen("<name>running</name>", "<name>pending</name>", 1)
            } else {
                part.to_owned()
            }
        });
        drop(held);
        answer.set_body(rewritten);
    }

    /// An instance that runs is healthy only as long after that as it took.
    fn rewrite_status(&self, answer: &mut Answer) {
        let held = lock(&self.held);
        let rewritten = each_instance(&answer.text(), |id, part| {
            let early = held.started.within(id, self.time * 2);
            if early { part.replace("<status>ok</status>", "<status>initializing</status>") } else { part.to_owned() }
        });
        drop(held);
        answer.set_body(rewritten);
    }
}

/// Applies `change` to the part of an answer that describes each instance, with its id.
fn each_instance(text: &str, change: impl Fn(&str, &str) -> String) -> String {
    let mut parts = text.split("<instanceId>");
    let first = parts.next().unwrap_or_default().to_owned();
    let changed = |part: &str| change(part.split('<').next().unwrap_or_default(), part);
    parts.fold(first, |before, part| before + "<instanceId>" + &changed(part))
}

impl Behave for DependencyViolation {
    fn before(&self, call: &Call) -> Option<Answer> {
        match call.operation.as_str() {
            "DeleteSecurityGroup" => self.delete_group(call),
            "ReleaseAddress" => self.release(call),
            "AssociateAddress" => self.associate(call),
            "StartInstances" => self.start(call),
            _ => None,
        }
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if call.service != "ec2" || !answer.ok() {
            return;
        }
        match call.operation.as_str() {
            "RunInstances" => self.learn_instances(call, answer),
            "StartInstances" | "StopInstances" => {
                let mut held = lock(&self.held);
                let moments = if call.operation == "StartInstances" { &mut held.started } else { &mut held.stopped };
                for (_, id) in call.parameters().into_iter().filter(|(key, _)| key.starts_with("InstanceId")) {
                    moments.set(id);
                }
            }
            "TerminateInstances" => {
                let mut held = lock(&self.held);
                for (_, id) in call.parameters().into_iter().filter(|(key, _)| key.starts_with("InstanceId")) {
                    if !held.terminated.knows(&id) {
                        held.terminated.set(id);
                    }
                }
            }
            "AssociateAddress" => {
                let text = answer.text();
                let id = elements(&text, "associationId").first().map(|id| (*id).to_owned());
                let pair = call.parameter("AllocationId").zip(call.parameter("InstanceId"));
                if let Some((id, pair)) = id.zip(pair) {
                    lock(&self.held).associated.insert(id, pair);
                }
            }
            "DisassociateAddress" => {
                if let Some(id) = call.parameter("AssociationId") {
                    let mut held = lock(&self.held);
                    if let Some((allocation, _)) = held.associated.remove(&id) {
                        held.taken_off.set(allocation);
                    }
                }
            }
            _ => {}
        }
        match call.operation.as_str() {
            "RunInstances" | "DescribeInstances" | "TerminateInstances" => self.rewrite(answer),
            "DescribeInstanceStatus" => self.rewrite_status(answer),
            _ => {}
        }
    }
}

/// The answers by client token.
#[derive(Default)]
pub(super) struct ClientToken {
    answers: Mutex<HashMap<String, Answer>>,
}

impl Behave for ClientToken {
    fn before(&self, call: &Call) -> Option<Answer> {
        let token = call.parameter("ClientToken").filter(|_| call.is("ec2", "RunInstances"))?;
        lock(&self.answers).get(&token).cloned()
    }

    fn after(&self, call: &Call, answer: &mut Answer) {
        if let Some(token) = call.parameter("ClientToken").filter(|_| call.is("ec2", "RunInstances") && answer.ok()) {
            lock(&self.answers).insert(token, answer.clone());
        }
    }
}
