//! The CloudWatch dashboard, to be read at a glance. `docs/dashboard.svg` is a picture of it.

mod body;
#[cfg(test)]
mod picture;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Kind, signal_instance};
use crate::permission::Permission;
use crate::stack::Stack;
use peersync_aws::{Context as _, NotFound as _};
use peersync_engine::{
    Address, ApplyContext, Changes, Field, FieldName, Fields, Live, LiveFields, OutputMap, Outputs, Ownership,
    Progress, Resource, ResourceError, SharedReads, rule,
};

/// The entry of this kind in `KINDS`.
pub const KIND: Kind = Kind { name: NAME, permissions, instances, search: None };
const NAME: &str = "dashboard";

const GONE: &[&str] = &["ResourceNotFound", "DashboardNotFoundError", "ResourceNotFoundException"];
/// The name, which did not include the region in earlier versions.
const DASHBOARD_NAME: FieldName = FieldName::new("name");
const BODY: FieldName = FieldName::new("body");

struct Dashboard {
    stack: Arc<Stack>,
    address: Address,
}

fn instances(stack: &Arc<Stack>) -> Vec<Arc<dyn Resource>> {
    vec![Arc::new(Dashboard { stack: stack.clone(), address: Address::new(NAME, "stack") })]
}

fn permissions(stack: &Stack) -> Vec<Permission> {
    let (partition, account) = (&stack.identity.partition, &stack.identity.account);
    let arn = |name: String| format!("arn:{partition}:cloudwatch::{account}:dashboard/{name}");
    vec![
        Permission::new(&["cloudwatch:PutDashboard"], vec![arn(name(stack))]),
        Permission::new(
            &["cloudwatch:DeleteDashboards", "cloudwatch:GetDashboard"],
            vec![arn(name(stack)), arn(stack.name())],
        ),
    ]
}

/// Returns the name of the dashboard; dashboards are global to the account.
fn name(stack: &Stack) -> String {
    stack.global("stack")
}

#[async_trait]
impl Resource for Dashboard {
    fn address(&self) -> &Address {
        &self.address
    }

    fn name(&self) -> Option<String> {
        Some(name(&self.stack))
    }

    fn dependencies(&self) -> Vec<Address> {
        rule!("dashboard-after-signal-instance", vec![signal_instance::address()])
    }

    fn enabled(&self) -> bool {
        self.stack.config.alarms.enabled
    }

    fn taggable(&self) -> bool {
        false
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let name = name(&self.stack);
        let (id, text, ownership) = match self.read(&name).await? {
            Some(text) => {
                let ownership = self.stack.ownership_by_mark(mark_of(&text).as_deref());
                (name, text, ownership)
            }
            None => match self.read(&self.stack.name()).await?.filter(|text| self.is_ours_of_earlier_version(text)) {
                Some(text) => (self.stack.name(), text, Ownership::Ours),
                None => return Ok(None),
            },
        };
        // A body that is not JSON is shown as text and replaced.
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Some(Live {
            fields: LiveFields::new().with(DASHBOARD_NAME, id.as_str()).with(BODY, body),
            id,
            ownership,
            ..Live::default()
        }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        let fields = Fields::new().with(DASHBOARD_NAME, name(&self.stack));
        fields.with(BODY, Field::known_or_unknown(self.body(outputs)))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        const SUMMARY: &str = "failed to set the dashboard";
        let body = self
            .body(context.outputs)
            .ok_or_else(|| ResourceError::new(SUMMARY).caused_by("the host that it shows is not known"))?;
        let call = self.stack.clients.cloudwatch.put_dashboard().dashboard_name(name(&self.stack));
        call.dashboard_body(body.to_string()).send().await.context(SUMMARY)?;
        Ok(OutputMap::new())
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let outputs = self.create(context).await?;
        if changes.has(DASHBOARD_NAME) {
            self.delete(context.progress, live).await?;
        }
        Ok(outputs)
    }

    async fn delete(&self, _: &Progress, live: &Live) -> Result<(), ResourceError> {
        let answer = self.stack.clients.cloudwatch.delete_dashboards().dashboard_names(&live.id).send().await;
        answer.found(GONE, "failed to delete the dashboard").map(|_| ())
    }
}

impl Dashboard {
    /// Reads the body of the dashboard with this name.
    async fn read(&self, name: &str) -> Result<Option<String>, ResourceError> {
        let answer = self.stack.clients.cloudwatch.get_dashboard().dashboard_name(name).send().await;
        let answer = answer.found(GONE, "failed to read the dashboard")?;
        Ok(answer.map(|answer| answer.dashboard_body.unwrap_or_default()))
    }

    /// Returns whether an earlier version, which did not write the region into name and mark, created the dashboard with
    /// this body for this stack: its graphs show a region.
    fn is_ours_of_earlier_version(&self, body: &str) -> bool {
        let region = self.stack.clients.region.as_str();
        mark_of(body).is_some_and(|mark| mark == self.stack.mark()) && region_of(body).as_deref() == Some(region)
    }

    /// Returns the desired body; `None` until the signaling host exists.
    fn body(&self, outputs: &Outputs) -> Option<Value> {
        outputs.get(&signal_instance::address(), "id").map(|host| body::body(&self.stack, host))
    }
}

/// Returns the region of the first graph.
fn region_of(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let mut widgets = body.get("widgets")?.as_array()?.iter();
    widgets.find_map(|widget| widget.get("properties")?.get("region")?.as_str().map(str::to_owned))
}

/// Returns the text of the first text widget, which holds the stack's mark because dashboards have no tags.
fn mark_of(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    let texts = body.get("widgets")?.as_array()?.iter();
    texts
        .filter(|widget| widget.get("type") == Some(&json!("text")))
        .find_map(|widget| widget.get("properties")?.get("markdown")?.as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::{Config, TurnProvider};
    use peersync_engine::OutputMap;
    use peersync_server::metrics::Metric;

    #[tokio::test]
    async fn relay_is_shown_if_the_host_has_one() {
        for (provider, is_shown) in [(TurnProvider::Host, true), (TurnProvider::None, false)] {
            let mut config = Config { stage: "test".to_owned(), ..Config::default() };
            config.turn.provider = Some(provider);
            let stack = Stack::for_tests(config).await;
            let dashboard = Dashboard { stack, address: Address::new(NAME, "stack") };
            let mut outputs = Outputs::default();
            outputs.insert(signal_instance::address(), OutputMap::new().with("id", "i-1"));
            let body = dashboard.body(&outputs).unwrap_or_default().to_string();
            assert_eq!(body.contains(Metric::RelayedBytes.name()), is_shown, "{provider:?}: {body}");
        }
    }

    #[test]
    fn mark_is_the_first_text_widget() {
        let body = json!({ "widgets": [
            { "type": "metric", "properties": { "region": "eu-central-1" } },
            { "type": "text", "properties": { "markdown": "PeerSync stack peersync-dev" } },
        ] });
        assert_eq!(mark_of(&body.to_string()).as_deref(), Some("PeerSync stack peersync-dev"));
        assert_eq!(region_of(&body.to_string()).as_deref(), Some("eu-central-1"));
        assert_eq!(mark_of("{}"), None);
        assert_eq!(mark_of("no JSON"), None);
    }
}
