//! A stack as it was found, read all at once.

use std::sync::Arc;
use std::time::SystemTime;

use super::DeployError;
use super::leftovers::{self, Leftovers};
use peersync_engine::plan::{self, Plan, PlanOptions};
use peersync_engine::{
    Address, ApplyOptions, Graph, Interrupt, KnownTags, Live, Observation, Outcome, Outputs, Ownership, Reporter,
    Resource, ResourceError, Tags, apply, observe_after, rule,
};
use peersync_resources::catalog;
use peersync_resources::kinds::{dynamodb_table, log_group, s3_bucket, signal_instance};
use peersync_resources::stack::{
    BY_FILE, CONFIGURED_BY_TAG, CREATED_AT_TAG, CREATED_BY_TAG, EXPIRES_BY_TAG, EXPIRES_TAG, NO_EXPIRY, PROTECT_TAG,
    Stack, TaggedExpiry,
};

/// A stack as it was found.
pub struct ObservedStack {
    /// The resources that the target offers.
    pub graph: Graph,
    /// What was read.
    pub observation: Observation,
    /// The resources that the AWS emulator does not offer, each with its answer. They are left out of the graph.
    pub not_offered: Vec<(Address, ResourceError)>,
}

impl ObservedStack {
    /// Reads all resources of the stack at once, including those that its configuration does not describe. AWS's index of
    /// tags may be late: if anything is to be done, everything is read without it.
    ///
    /// # Errors
    /// Fails if the graph has mistakes. Resources that cannot be read are in the observation.
    pub async fn read(stack: &Arc<Stack>, reporter: &Arc<dyn Reporter>) -> Result<Self, DeployError> {
        let has_to_do = |observed: &Self| {
            let plan = observed.plan(&observed.options_without_renewal(stack));
            rule!("index-of-tags-may-be-late", !plan.is_empty())
        };
        Self::read_exactly_if(has_to_do, stack, reporter).await
    }

    /// Reads the same to remove the stack, for which it is enough whose the resources are. What else their tags say, such
    /// as that the stack is protected, is read without the index if it would keep the stack.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn read_for_removal(stack: &Arc<Stack>, reporter: &Arc<dyn Reporter>) -> Result<Self, DeployError> {
        let is_kept = |observed: &Self| rule!("removal-believes-no-late-protection", observed.is_protected());
        Self::read_exactly_if(is_kept, stack, reporter).await
    }

    /// Reads the stack, and once more without AWS's index of tags if something would follow from what that told.
    async fn read_exactly_if(
        follows: impl Fn(&Self) -> bool,
        stack: &Arc<Stack>,
        reporter: &Arc<dyn Reporter>,
    ) -> Result<Self, DeployError> {
        let observed = Self::read_after(KnownTags::default(), stack, reporter).await?;
        if observed.observation.known_tags.are_indexed() && follows(&observed) {
            return Self::read_after(KnownTags::exact(), stack, reporter).await;
        }
        Ok(observed)
    }

    /// Reads the stack again, to find out whether it is still as it was. What has tags that are slow to read is asked for
    /// them only if it is another one than before: whoever changes tags changes those of everything, and if anything else
    /// differs, everything is read.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn read_again(
        before: &Self,
        stack: &Arc<Stack>,
        reporter: &Arc<dyn Reporter>,
    ) -> Result<Self, DeployError> {
        let again = Self::read_after(before.observation.known_tags.clone(), stack, reporter).await?;
        let is_same = again.observation.live == before.observation.live && again.observation.errors.is_empty();
        if is_same { Ok(again) } else { Self::read_after(KnownTags::exact(), stack, reporter).await }
    }

    async fn read_after(
        known: KnownTags,
        stack: &Arc<Stack>,
        reporter: &Arc<dyn Reporter>,
    ) -> Result<Self, DeployError> {
        let read = Self::of_after(catalog::graph(stack)?, known, stack, reporter);
        let (mut observed, mut leftovers) = futures::join!(read, Leftovers::find(stack));
        observed.observation.errors.append(&mut leftovers.errors);
        let leftovers = leftovers.beside(stack, &observed.observation);
        for leftover in &leftovers {
            observed.observation.live.insert(leftover.address().clone(), Some(leftover.live().clone()));
        }
        let leftovers = leftovers.into_iter().map(|leftover| Arc::new(leftover) as Arc<dyn Resource>);
        observed.graph = observed.graph.extended(leftovers.collect())?;
        Ok(observed)
    }

    /// Reads these resources of the stack at once. Those that cannot be read are in the observation.
    pub async fn of(graph: Graph, stack: &Stack, reporter: &Arc<dyn Reporter>) -> Self {
        Self::of_after(graph, KnownTags::default(), stack, reporter).await
    }

    async fn of_after(graph: Graph, known: KnownTags, stack: &Stack, reporter: &Arc<dyn Reporter>) -> Self {
        let mut observation = observe_after(&graph, known, reporter).await;
        let errors = std::mem::take(&mut observation.errors).into_iter();
        let (left_out, errors): (Vec<_>, Vec<_>) = errors.partition(|(_, error)| leftovers::is_left_out(stack, error));
        observation.errors = errors;
        let is_left_out = |address: &Address| left_out.iter().any(|(left_out, _)| left_out == address);
        let graph = if left_out.is_empty() { graph } else { graph.restricted(|address| !is_left_out(address)) };
        Self { graph, observation, not_offered: left_out }
    }

    /// Returns the stack if everything could be read.
    ///
    /// # Errors
    /// Returns what could not be read, and why.
    pub fn readable(mut self) -> Result<Self, DeployError> {
        if self.observation.errors.is_empty() {
            return Ok(self);
        }
        Err(DeployError::Unreadable(std::mem::take(&mut self.observation.errors)))
    }

    /// Returns the options with which `up` plans: with the stack's tags, those of its expiry included.
    pub fn options(&self, stack: &Stack) -> PlanOptions {
        let mut tags = self.tags(stack);
        tags.extend(stack.lifetime.tags(self.tagged_expiry().as_ref()));
        PlanOptions { tags, adopt: stack.adopt.clone() }
    }

    /// Returns the options with which `plan` and `status` compare: as for `up`, but a duration that starts again with
    /// each `up` is no difference.
    pub fn options_without_renewal(&self, stack: &Stack) -> PlanOptions {
        let mut tags = self.tags(stack);
        tags.extend(stack.lifetime.tags_without_renewal(self.tagged_expiry().as_ref()));
        PlanOptions { tags, adopt: stack.adopt.clone() }
    }

    /// Returns the tags of the stack, and those that say who created it and when: now, if it does not exist yet. A stack of
    /// an earlier version does not tell.
    fn tags(&self, stack: &Stack) -> Tags {
        let mut tags = stack.tags();
        if self.is_deployed() {
            let origin = [CREATED_BY_TAG, CREATED_AT_TAG].into_iter();
            tags.extend(origin.filter_map(|key| Some((key.to_owned(), self.our_tags(key).min()?.to_owned()))));
        } else {
            tags.extend(stack.origin_tags(SystemTime::now()));
        }
        tags
    }

    /// Plans to bring everything to the desired state.
    pub fn plan(&self, options: &PlanOptions) -> Plan {
        plan::plan(&self.graph, &self.observation, options)
    }

    /// Plans to delete everything that the stack manages.
    pub fn plan_destroy(&self) -> Plan {
        plan::plan_destroy(&self.graph, &self.observation)
    }

    /// Returns when the stack expires; `None` if it does not.
    pub fn expires_at(&self) -> Option<String> {
        self.tagged_expiry().map(|expiry| expiry.at).filter(|at| at != NO_EXPIRY)
    }

    /// Returns the latest expiry that one of the stack's resources names, and who set it: an interrupted change leaves
    /// different ones.
    fn tagged_expiry(&self) -> Option<TaggedExpiry> {
        let tags = self.ours().filter_map(|(_, live)| live.tags.as_ref());
        let expiries = tags.filter_map(|tags| {
            Some(TaggedExpiry { at: tags.get(EXPIRES_TAG)?.clone(), by: tags.get(EXPIRES_BY_TAG).cloned() })
        });
        expiries.max_by(|one, other| (&one.at, &one.by).cmp(&(&other.at, &other.by)))
    }

    /// Returns whether a file configured the stack when it was last deployed.
    pub fn has_file(&self) -> bool {
        self.our_tags(CONFIGURED_BY_TAG).any(|value| value == BY_FILE)
    }

    /// Returns the tables whose deletion protection is on although the stack is not protected: somebody has switched it
    /// on by hand.
    pub fn protected_tables(&self) -> Vec<&Address> {
        let tables = self.ours().filter(|(_, live)| dynamodb_table::is_protected(live));
        tables.map(|(address, _)| address).collect()
    }

    /// Returns the ids of the buckets that were adopted with files in them, which a removal leaves.
    pub fn kept_buckets(&self) -> impl Iterator<Item = &str> {
        let kept = self.ours().filter(|(_, live)| live.tags.as_ref().is_some_and(s3_bucket::keeps_files));
        kept.map(|(_, live)| live.id.as_str())
    }

    /// Returns whether any of the stack's resources has the tag for protection.
    pub fn is_protected(&self) -> bool {
        self.our_tags(PROTECT_TAG).any(|value| value == "true")
    }

    /// Returns whether any of the stack's resources exist. What lacks any tag is a log group that late lines have created
    /// again after a removal.
    pub fn is_deployed(&self) -> bool {
        self.ours().any(|(address, live)| !log_group::is_one(address) || live.tags != Some(Tags::new()))
    }

    /// Returns the stack's resources that exist.
    pub fn ours(&self) -> impl Iterator<Item = (&Address, &Live)> {
        let live = self.observation.live.iter().filter_map(|(address, live)| Some((address, live.as_ref()?)));
        live.filter(|(_, live)| live.ownership == Ownership::Ours)
    }

    /// Returns the signaling host, if the stack has one.
    pub fn host(&self) -> Option<&Live> {
        let host = self.observation.get(&signal_instance::address())?;
        (host.ownership == Ownership::Ours).then_some(host)
    }

    /// Returns the outputs of the stack's resources.
    pub fn outputs(&self) -> Outputs {
        let mut outputs = Outputs::default();
        for (address, live) in self.ours() {
            outputs.insert(address.clone(), live.outputs.clone());
        }
        outputs
    }

    /// Applies a plan that was made from this stack.
    pub async fn apply(
        &self,
        plan: &Plan,
        options: PlanOptions,
        interrupt: &Interrupt,
        reporter: &Arc<dyn Reporter>,
    ) -> Outcome {
        let options = ApplyOptions { interrupt: interrupt.clone(), ..ApplyOptions::new(options) };
        apply(&self.graph, plan, &self.observation, &options, reporter).await
    }

    fn our_tags<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.ours().filter_map(move |(_, live)| live.tags.as_ref()?.get(key).map(String::as_str))
    }
}
