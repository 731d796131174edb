//! The digests of what cannot carry tags, such as routes or a bucket's policy: all of them in one parameter of the stack,
//! by address.
//!
//! They serve the same purpose as the tag `peersync:digest` of the others: a plan tells by them who changed what. Nothing
//! is found by them, and nothing is lost with them but that. Whatever has no entry gets one from the next `up`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::kinds::{parameter_store, ssm_parameter};
use crate::stack::Stack;
use peersync_aws::Context as _;
use peersync_aws::retry::{Schedule, while_failing};
use peersync_engine::diff::DIGEST_TAG;
use peersync_engine::{
    Address, ApplyContext, Changes, FieldName, Fields, Live, OutputMap, Outputs, Progress, Resource, ResourceError,
    SharedReads, Tags, rule,
};

/// The digests by the addresses of their resources.
type Digests = BTreeMap<String, String>;

/// The place of the digests of one stack.
pub(crate) struct DigestStore {
    stack: Arc<Stack>,
    /// What is to be written: it gathers during a write, so that one call records the digests of many resources.
    pending: parking_lot::Mutex<Digests>,
    /// What this run has written; `None` before its first write. The lock is held during a write, because every write replaces
    /// all entries. Other runs are kept away by the lease.
    written: Mutex<Option<Digests>>,
}

impl DigestStore {
    /// Creates the place of this stack's digests.
    pub(crate) fn new(stack: &Arc<Stack>) -> Arc<Self> {
        Arc::new(Self { stack: stack.clone(), pending: parking_lot::Mutex::default(), written: Mutex::new(None) })
    }

    /// Returns the resource with its digest among its tags, if it has no place of its own for it.
    pub(crate) fn keep_for(self: &Arc<Self>, inner: Arc<dyn Resource>) -> Arc<dyn Resource> {
        let is_absent = self.stack.clients.absent.contains_key("ssm");
        if inner.keeps_digest() || is_absent { inner } else { Arc::new(Recorded { inner, store: self.clone() }) }
    }

    /// Returns the digest of a resource as its only tag; `None` at an emulator without parameters.
    async fn tags(&self, reads: &SharedReads, address: &Address) -> Result<Option<Tags>, ResourceError> {
        let text = match ssm_parameter::digests(&self.stack, reads).await {
            Err(error) if ssm_parameter::is_lacking(&self.stack, &error) => return Ok(None),
            text => text?,
        };
        let digest = parse(text.as_deref()).remove(&address.to_string());
        Ok(Some(digest.map(|digest| (DIGEST_TAG.to_owned(), digest)).into_iter().collect()))
    }

    /// Records the digest of a resource that was created or changed.
    async fn record(&self, progress: &Progress, address: &Address, digest: &str) -> Result<(), ResourceError> {
        match self.write(progress, address, digest).await {
            Err(error) if ssm_parameter::is_lacking(&self.stack, &error) => Ok(()),
            result => result,
        }
    }

    async fn write(&self, progress: &Progress, address: &Address, digest: &str) -> Result<(), ResourceError> {
        self.pending.lock().insert(address.to_string(), digest.to_owned());
        // Everybody who is ready now comes before the write.
        tokio::task::yield_now().await;
        let mut written = self.written.lock().await;
        if !self.pending.lock().contains_key(&address.to_string()) {
            // The write of another one has recorded this one too.
            return Ok(());
        }
        let mut digests = match written.as_ref() {
            Some(digests) => digests.clone(),
            None => self.read(progress).await?,
        };
        let pending = std::mem::take(&mut *self.pending.lock());
        digests.extend(pending.clone());
        let call = self.stack.clients.ssm.put_parameter().name(self.name()).value(text(&digests)).overwrite(true);
        let answer = call.description(self.stack.mark()).send().await.context("failed to record what was applied");
        match &answer {
            Ok(_) => *written = Some(digests),
            // The others write theirs themselves.
            Err(_) => {
                self.pending.lock().extend(pending);
                self.pending.lock().remove(&address.to_string());
            }
        }
        answer.map(|_| ())
    }

    /// Reads what earlier runs have recorded.
    async fn read(&self, progress: &Progress) -> Result<Digests, ResourceError> {
        // The next call may not find a new parameter.
        let is_transient =
            |error: &ResourceError| rule!("digests-visible-after-create", error.is(ssm_parameter::ABSENT));
        let parameter = while_failing(progress, Schedule::PROPAGATION, is_transient, || async {
            let call = self.stack.clients.ssm.get_parameter().name(self.name()).with_decryption(true);
            call.send().await.context("failed to read the digests")
        });
        Ok(parse(parameter.await?.parameter.and_then(|parameter| parameter.value).as_deref()))
    }

    fn name(&self) -> String {
        parameter_store::name(&self.stack, parameter_store::DIGESTS)
    }
}

/// A resource whose digest is kept in the parameter.
struct Recorded {
    inner: Arc<dyn Resource>,
    store: Arc<DigestStore>,
}

impl Recorded {
    async fn record(&self, context: &ApplyContext<'_>) -> Result<(), ResourceError> {
        match context.tags.get(DIGEST_TAG) {
            Some(digest) => self.store.record(context.progress, self.inner.address(), digest).await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Resource for Recorded {
    fn address(&self) -> &Address {
        self.inner.address()
    }

    fn name(&self) -> Option<String> {
        self.inner.name()
    }

    fn highlights(&self) -> &'static [FieldName] {
        self.inner.highlights()
    }

    fn dependencies(&self) -> Vec<Address> {
        let digests =
            rule!("digests-before-what-they-record", Some(parameter_store::address(parameter_store::DIGESTS)));
        self.inner.dependencies().into_iter().chain(digests).collect()
    }

    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn taggable(&self) -> bool {
        self.inner.taggable()
    }

    fn keeps_digest(&self) -> bool {
        true
    }

    fn replace_on(&self) -> &'static [(FieldName, &'static str)] {
        self.inner.replace_on()
    }

    fn refuse_on(&self) -> &'static [(FieldName, &'static str)] {
        self.inner.refuse_on()
    }

    fn create_before_destroy(&self) -> bool {
        self.inner.create_before_destroy()
    }

    fn leads_to(&self) -> Vec<Address> {
        self.inner.leads_to()
    }

    fn leads_elsewhere(&self, live: &Live, changes: &Changes) -> bool {
        self.inner.leads_elsewhere(live, changes)
    }

    fn keeps_former(&self, changes: &Changes) -> bool {
        self.inner.keeps_former(changes)
    }

    async fn observe(&self, reads: &SharedReads) -> Result<Option<Live>, ResourceError> {
        let (live, tags) = futures::join!(self.inner.observe(reads), self.store.tags(reads, self.inner.address()));
        let Some(live) = live? else { return Ok(None) };
        Ok(Some(Live { tags: tags?, ..live }))
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        self.inner.desired(outputs)
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        let outputs = self.inner.create(context).await?;
        self.record(context).await?;
        Ok(outputs)
    }

    async fn update(
        &self,
        context: &ApplyContext<'_>,
        live: &Live,
        changes: &Changes,
    ) -> Result<OutputMap, ResourceError> {
        let outputs =
            if changes.fields() { self.inner.update(context, live, changes).await? } else { live.outputs.clone() };
        if !self.inner.keeps_former(changes) {
            self.record(context).await?;
        }
        Ok(outputs)
    }

    async fn finish(&self, context: &ApplyContext<'_>, live: &Live, changes: &Changes) -> Result<(), ResourceError> {
        self.inner.finish(context, live, changes).await?;
        self.record(context).await
    }

    async fn delete(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.inner.delete(progress, live).await
    }

    async fn retire(&self, progress: &Progress, live: &Live) -> Result<(), ResourceError> {
        self.inner.retire(progress, live).await
    }
}

/// Reads the value of the parameter. What is not in its form records nothing.
fn parse(text: Option<&str>) -> Digests {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Returns the value of the parameter.
fn text(digests: &Digests) -> String {
    serde_json::json!(digests).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_config::Config;
    use peersync_engine::diff::compare;
    use peersync_engine::{Field, LiveField, Reason, digest};
    use serde_json::json;

    #[test]
    fn value_that_was_changed_by_hand_records_nothing() {
        let digests = Digests::from([("api_routes.api".to_owned(), "2.abcdefghi".to_owned())]);
        assert_eq!(parse(Some(&text(&digests))), digests);
        for other in [None, Some(parameter_store::NO_DIGESTS), Some(""), Some("theirs"), Some("[1]"), Some("{\"a\":1}")]
        {
            assert!(parse(other).is_empty(), "{other:?}");
        }
    }

    #[tokio::test]
    async fn every_resource_keeps_its_digest() {
        let stack = Stack::for_tests(Config::default()).await;
        let graph = crate::catalog::graph(&stack).expect("the resources form a graph");
        let resources = graph.order().iter().filter_map(|address| graph.resource(address));
        let without: Vec<_> =
            resources.filter(|one| !one.keeps_digest()).map(|one| one.address().to_string()).collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[tokio::test]
    async fn emulator_without_parameters_does_without_digests() {
        let mut stack = Stack::clone(&*Stack::for_tests(Config::default()).await);
        stack.clients.absent.insert("ssm", "the endpoint does not list it".to_owned());
        let graph = crate::catalog::graph(&Arc::new(stack)).expect("the resources form a graph");
        let resources = || graph.order().iter().filter_map(|address| graph.resource(address));
        assert!(resources().any(|one| !one.keeps_digest()));
        let digests = parameter_store::address(parameter_store::DIGESTS);
        assert!(resources().all(|one| !one.dependencies().contains(&digests)));
    }

    /// Returns every resource of the graph that cannot carry tags, with its desired fields.
    async fn untagged() -> Vec<(Address, Fields)> {
        let stack = Stack::for_tests(Config::default()).await;
        let graph = crate::catalog::graph(&stack).expect("the resources form a graph");
        let mut outputs = Outputs::default();
        for address in graph.order() {
            let of_this = ["id", "arn", "host"].map(|name| (name, format!("{name} of {address}")));
            let of_this = of_this.into_iter().fold(OutputMap::new(), |all, (name, value)| all.with(name, value));
            outputs.insert(address.clone(), of_this);
        }
        let resources = graph.order().iter().filter_map(|address| graph.resource(address));
        let untagged = resources.filter(|one| !one.taggable());
        untagged.map(|one| (one.address().clone(), one.desired(&outputs))).collect()
    }

    /// Returns the reasons for the first field, if `applied` was applied last, `live` is in AWS and `wanted` is desired.
    fn reasons(name: &str, applied: Option<&Fields>, live: &Fields, wanted: &Fields) -> Vec<Reason> {
        let digest = applied.map(|fields| digest::encode(fields).expect("every field is known"));
        let tags: Tags = digest.map(|digest| (DIGEST_TAG.to_owned(), digest)).into_iter().collect();
        let actual = live.iter().filter_map(|(name, field)| match field {
            Field::Known(value) => Some((name.clone(), LiveField::Known(value.clone()))),
            _ => None,
        });
        let live = Live { fields: actual.collect(), tags: Some(tags), ..Live::default() };
        let changes = compare(&live, wanted, &Tags::new());
        changes.iter().filter(|change| change.field == name).map(|change| change.reason).collect()
    }

    #[tokio::test]
    async fn plan_tells_who_changed_what_cannot_carry_tags() {
        let untagged = untagged().await;
        let kinds: std::collections::BTreeSet<&str> = untagged.iter().map(|(address, _)| address.kind).collect();
        assert_eq!(kinds.len(), 12, "{kinds:?}");
        for (address, desired) in untagged {
            // What is only deleted has no fields.
            let Some(name) = desired.keys().next().cloned() else { continue };
            let with = |value: &str| {
                let mut fields = desired.clone();
                fields.insert(name.clone(), Field::Known(json!(value)));
                fields
            };
            let mut before = desired.clone();
            before.remove(&name);
            let (theirs, newer) = (with("theirs"), with("newer"));
            let rows = [
                ("nothing changed", Some(&desired), &desired, &desired, None),
                ("the configuration", Some(&desired), &desired, &newer, Some(Reason::Configuration)),
                ("somebody in AWS", Some(&desired), &theirs, &desired, Some(Reason::Drift)),
                ("both", Some(&desired), &theirs, &newer, Some(Reason::Both)),
                ("a version without the field", Some(&before), &theirs, &desired, Some(Reason::Configuration)),
                ("a version without digests", None, &theirs, &desired, Some(Reason::Unknown)),
            ];
            for (what, applied, live, wanted, expected) in rows {
                let reasons = reasons(&name, applied, live, wanted);
                assert_eq!(reasons, Vec::from_iter(expected), "{address}, {name}: {what}");
            }
        }
    }
}
