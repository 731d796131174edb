//! What the roles may do, and which parameters there are, at every moment of the runs of a proxy's log; and what of that the
//! programs need on the way in that they serve.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// An action, and the end of the resource or a part of the condition with which it is granted.
pub type Need = (&'static str, &'static str);

/// What the function `rooms` needs if it tells the relay of the host.
pub const RELAYED: Need = ("ssm:GetParameters", "/turn-secret");

#[derive(Debug, Default)]
pub struct Rights {
    /// The rights by the names of the roles: actions, resources and conditions.
    granted: BTreeMap<String, BTreeSet<(String, String, String)>>,
    /// The names of the parameters.
    parameters: BTreeSet<String>,
}

impl Rights {
    /// A policy is being put: nobody can rely on what only one of both grants.
    pub fn changing(&mut self, role: &str, policy: &str) {
        let new = rights(policy);
        if let Some(granted) = self.granted.get_mut(role) {
            granted.retain(|right| new.contains(right));
        }
    }

    /// A policy was put.
    pub fn changed(&mut self, role: &str, policy: &str) {
        self.granted.insert(role.to_owned(), rights(policy));
    }

    pub fn stored(&mut self, parameter: &str) {
        self.parameters.insert(parameter.to_owned());
    }

    pub fn deleted(&mut self, parameter: &str) {
        self.parameters.remove(parameter);
    }

    /// Returns whether the role whose name ends so has what it needs.
    pub fn suffice(&self, role: &str, (action, what): Need) -> bool {
        let mut roles = self.granted.iter().filter(|(name, _)| name.ends_with(&format!("-{role}")));
        let is_it = |(granted, resource, condition): &(String, String, String)| {
            granted == action && (resource.ends_with(what) || condition.contains(what))
        };
        let is_there = || !action.starts_with("ssm:") || self.parameters.iter().any(|name| name.ends_with(what));
        roles.any(|(_, granted)| granted.iter().any(is_it)) && is_there()
    }
}

/// Returns what a host with this user data needs of its role.
pub fn needs(user_data: &str) -> Vec<Need> {
    let has = |variable: &str| user_data.contains(variable);
    let all: [(bool, Need); 6] = [
        (has("INGRESS=\\\"cloudfront\\\""), ("ssm:GetParameters", "/origin-key")),
        (has("EDGE_PORT=\\\""), ("ssm:GetParameters", "/origin-key")),
        (has("RELAY_DOMAIN=\\\""), ("ssm:GetParameters", "/acme-certificate")),
        (has("RELAY_DOMAIN=\\\""), ("ssm:PutParameter", "/acme-account")),
        (has("TUNNEL_METRICS=\\\""), ("dynamodb:UpdateItem", "signal-address")),
        (has("HEALTH_URL=\\\""), ("ssm:GetParameters", "/tunnel-token")),
    ];
    all.into_iter().filter(|(needed, _)| *needed).map(|(_, need)| need).collect()
}

fn rights(policy: &str) -> BTreeSet<(String, String, String)> {
    let policy: Value = serde_json::from_str(policy).expect("a policy is JSON");
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let mut rights = BTreeSet::new();
    for statement in policy["Statement"].as_array().into_iter().flatten() {
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                rights.insert((action.clone(), resource, statement["Condition"].to_string()));
            }
        }
    }
    rights
}
