//! The command `up`: makes AWS match the configuration.
//!
//! At a terminal it asks for confirmation before it begins, unless `-y` is given. Without a terminal it requires `-y`
//! only if an existing resource is changed, replaced or deleted: creating missing resources and renewing the expiry
//! cannot harm anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::adopt::adopting;
use super::confirm::{can_ask, confirm};
use super::run::{Run, check_network, heading};
use super::{CommandError, Context, Exit, expiry, lease, relay};
use crate::cli::UpArgs;
use crate::report::{Status, Summary};
use peersync_engine::{Action, Outcome, Outputs, Plan, PlanOptions, Problem, Progress, ResourceError, Step, rule};
use peersync_operations::{DeployError, NeededDomain, ObservedStack, Patience, until_stopped};
use peersync_resources::check_program;
use peersync_resources::kinds::{cloudflare, s3_program, signal_instance};
use peersync_resources::quotas;
use peersync_resources::stack::{EXPIRES_TAG, NO_EXPIRY, Stack};

/// Runs the command.
///
/// # Errors
/// Fails without changing anything if the configuration has problems, AWS denies access, unmanaged resources are in the
/// way, the account's quotas do not suffice, another run is changing the stack, or the user does not confirm.
pub async fn run(context: &Context, args: &UpArgs) -> Result<Exit, CommandError> {
    context.config_with_secrets()?;
    expiry::check(context, args.expires.as_ref())?;
    let run = Run::new(context);
    run.name_configuration(context)?;
    let stack = adopting(run.filled_stack(context, args.expires.as_ref()).await?, &args.adopt)?;
    let observed = run.observe(&stack).await?.readable()?;
    check_network(&stack)?;
    let mut change = Change::of(&stack, observed)?;
    while !change.plan.is_empty() {
        agree_without_file(&run, &stack, &change.observed).await?;
        let counted = quotas::needed(&stack, &change.plan).await;
        change.show(&run, &stack)?;
        if let Some(short) = quotas::refusal(&counted) {
            return Err(short.into());
        }
        change.check_domain(&run, &stack, args).await?;
        quotas::warnings(&counted).iter().for_each(|warning| run.report.warning(warning));
        agree(&run, &stack, &change.plan, args).await?;
        // Whoever waits for the answer to a question keeps nobody else away: the lease is taken after it, and what was
        // confirmed is compared with what is then the case.
        let lease = lease::take(&run, &stack, "up", args.wait).await?;
        let next = under_lease(&run, &stack, args, &change).await;
        let ended = lease::give_back(&run, lease).await;
        match (next, ended) {
            (Ok(Next::Applied(applied)), ended) => return Ok(finish(&run, &stack, args, *applied, ended.err()).await),
            (Ok(Next::Changed(current)), Ok(())) => change = *current,
            (_, Err(lost)) => return Err(lost.into()),
            (Err(error), Ok(())) => return Err(error),
        }
    }
    let outputs = change.observed.outputs();
    let mut summary = Summary::new("up", stack.name(), Status::NothingToDo);
    summary.outputs = change.places(&stack, &outputs);
    if !args.no_check {
        summary.trouble = answers(&run, &stack, &outputs, Patience::Unchanged).await;
        if summary.trouble.is_some() && peersync_operations::is_on_its_way(&stack, &outputs).await {
            summary.trouble = answers(&run, &stack, &outputs, Patience::Changed).await;
        }
    }
    Ok(conclude(&run, summary))
}

/// What is to be done to the stack, and what it was planned from.
struct Change {
    observed: ObservedStack,
    options: PlanOptions,
    plan: Plan,
}

/// How it goes on once the lease is held.
enum Next {
    /// The plan was applied.
    Applied(Box<Applied>),
    /// The plan is another one than was confirmed, or there is nothing left to do.
    Changed(Box<Change>),
}

/// What an apply has done.
struct Applied {
    outcome: Outcome,
    outputs: BTreeMap<&'static str, String>,
}

impl Change {
    /// Plans. Resources that the stack does not manage are not changed.
    fn of(stack: &Stack, observed: ObservedStack) -> Result<Self, CommandError> {
        let options = observed.options(stack);
        let plan = observed.plan(&options);
        if !plan.conflicts.is_empty() {
            return Err(DeployError::Conflicts(plan.conflicts).into());
        }
        if let Some(refusal) = cloudflare::refusal(stack, &plan) {
            return Err(refusal.into());
        }
        Ok(Self { observed, options, plan })
    }

    fn show(&self, run: &Run, stack: &Stack) -> Result<(), CommandError> {
        let unsuitable = unsuitable_programs(stack, &self.plan);
        let warnings = refuse(unsuitable, stack.clients.endpoint_url.is_some())?;
        run.report.plan(&heading(stack), &self.plan);
        warnings.iter().for_each(|warning| run.report.warning(warning));
        if let Some(note) = relay::note(&stack.config) {
            run.report.note(&note);
        }
        if let Some(note) = NeededDomain::of(stack, &self.observed).and_then(|needed| needed.note()) {
            run.report.note(&note);
        }
        Ok(())
    }

    /// Refuses to leave a way in for one whose domain does not lead to the host, or may have no certificate.
    async fn check_domain(&self, run: &Run, stack: &Stack, args: &UpArgs) -> Result<(), CommandError> {
        let needed = NeededDomain::of(stack, &self.observed);
        let Some(needed) = needed.filter(|_| !args.no_check) else { return Ok(()) };
        let busy = run.report.busy("checking the DNS records of the domain");
        let refusal = until_stopped(&run.interrupt, needed.refusal()).await;
        drop(busy);
        refusal?.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    fn places(&self, stack: &Stack, outputs: &Outputs) -> BTreeMap<&'static str, String> {
        let expires_at = self.options.tags.get(EXPIRES_TAG).cloned().filter(|at| at != NO_EXPIRY);
        peersync_operations::places(stack, outputs, expires_at)
    }

    async fn apply(self, run: &Run, stack: &Stack) -> Applied {
        run.report.expect(self.plan.pending().count());
        let (options, reporter) = (self.options.clone(), run.reporter());
        let outcome = self.observed.apply(&self.plan, options, &run.interrupt, &reporter).await;
        run.report.clear();
        let outputs = self.places(stack, &outcome.outputs);
        Applied { outcome, outputs }
    }
}

/// Reads the stack again, since until now another run could change it, and applies the plan that follows from that, if it
/// is the confirmed one or needs no confirmation.
async fn under_lease(run: &Run, stack: &Arc<Stack>, args: &UpArgs, confirmed: &Change) -> Result<Next, CommandError> {
    let observed = run.observe_again(stack, &confirmed.observed).await?.readable()?;
    let current = Change::of(stack, observed)?;
    if current.plan.is_empty() {
        return Ok(Next::Changed(Box::new(current)));
    }
    if rule!("confirmed-plan-is-compared", current.plan != confirmed.plan) {
        run.report.note("The stack has changed since the plan above was made. This is the plan now:");
        if must_ask(run, &current.plan, args.yes) || lacks_file(stack, &current.observed) {
            return Ok(Next::Changed(Box::new(current)));
        }
        current.show(run, stack)?;
        current.check_domain(run, stack, args).await?;
    }
    Ok(Next::Applied(Box::new(current.apply(run, stack).await)))
}

/// Checks that the stack answers, and reports how the run has ended.
async fn finish(run: &Run, stack: &Stack, args: &UpArgs, applied: Applied, lost: Option<DeployError>) -> Exit {
    let Applied { outcome, outputs } = applied;
    let mut trouble = lost.map(|lost| lost.problem());
    if trouble.is_none() && outcome.is_complete() && !args.no_check {
        trouble = answers(run, stack, &outcome.outputs, Patience::Changed).await;
    }
    let mut summary = Summary::new("up", stack.name(), Status::Done).with_outcome(outcome);
    summary.outputs = outputs;
    summary.trouble = trouble;
    conclude(run, summary)
}

/// Reports how the run has ended, and returns its exit status.
fn conclude(run: &Run, mut summary: Summary) -> Exit {
    if summary.trouble.is_some() {
        summary.status = Status::Failed;
    }
    let exit = if matches!(summary.status, Status::Done | Status::NothingToDo) { Exit::Done } else { Exit::Failed };
    run.report.summary(summary);
    exit
}

/// Asks before the defaults replace the configuration of a stack that was made with a file, even with `-y`: the file is
/// more likely to be in another folder than to be gone on purpose.
async fn agree_without_file(run: &Run, stack: &Stack, observed: &ObservedStack) -> Result<(), CommandError> {
    if !lacks_file(stack, observed) {
        return Ok(());
    }
    if can_ask(run) {
        return confirm(run, &format!("replace the configuration of {} by the defaults", heading(stack))).await;
    }
    Err(CommandError::usage("the stack was deployed with a configuration file, and none is here")
        .caused_by("no `peersync.toml` in this folder, and no `-c`")
        .hint("run it in the folder of the file, or name the file with `-c`; an empty file brings back the defaults"))
}

/// Returns whether the stack was made with a file, and this run has none.
fn lacks_file(stack: &Stack, observed: &ObservedStack) -> bool {
    !stack.has_file && observed.has_file()
}

/// Returns what is wrong with the programs that the plan uploads.
fn unsuitable_programs(stack: &Stack, plan: &Plan) -> Vec<ResourceError> {
    let uploads = plan.pending().filter(|step| step.action != Action::Delete);
    uploads
        .filter_map(|step| Some((s3_program::program(stack, &step.address)?, &step.address.name)))
        .filter_map(|(one, name)| check_program(one, s3_program::architecture(stack, name)).err())
        .collect()
}

/// Refuses programs that do not run on AWS, before anything is created. An AWS emulator may run them all the same, on
/// this computer, so there it is only a warning.
fn refuse(unsuitable: Vec<ResourceError>, at_endpoint: bool) -> Result<Vec<String>, CommandError> {
    let sentence = |error: &ResourceError| {
        let causes: String = error.causes().iter().map(|cause| format!(": {cause}")).collect();
        format!("{error}{causes}; {}", error.hint.as_deref().unwrap_or_default())
    };
    if at_endpoint {
        return Ok(unsuitable.iter().map(sentence).collect());
    }
    unsuitable.into_iter().next().map_or(Ok(Vec::new()), |error| Err(error.into()))
}

async fn agree(run: &Run, stack: &Stack, plan: &Plan, args: &UpArgs) -> Result<(), CommandError> {
    if !must_ask(run, plan, args.yes) {
        return Ok(());
    }
    if can_ask(run) {
        lease::refuse_held(run, stack, args.wait).await?;
    }
    confirm(run, &format!("apply the plan above to {}", heading(stack))).await
}

fn must_ask(run: &Run, plan: &Plan, yes: bool) -> bool {
    let harmless = plan.pending().all(is_harmless);
    !(yes || plan.pending().all(Step::is_renewal) || (harmless && !can_ask(run)))
}

/// Returns whether a step cannot take anything away from anybody.
fn is_harmless(step: &Step) -> bool {
    step.action == Action::Create || step.is_renewal() || signal_instance::only_waits(step)
}

/// Checks that everything answers, and returns what went wrong, if anything.
async fn answers(run: &Run, stack: &Stack, outputs: &Outputs, patience: Patience) -> Option<Problem> {
    let progress = Progress::of_nobody(run.reporter());
    let busy = run.report.busy("checking that everything answers");
    let check = peersync_operations::check(stack, outputs, patience, &progress);
    let checked = until_stopped(&run.interrupt, check).await;
    drop(busy);
    match checked.and_then(|checked| checked) {
        Ok(urls) => {
            run.report.event(&serde_json::json!({ "event": "checked", "urls": urls }));
            None
        }
        // Everything is applied: stopping now only ends the wait.
        Err(DeployError::Stopped) => {
            run.report.warning("stopped while checking that everything answers; all changes are applied");
            None
        }
        Err(error) => Some(error.problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peersync_engine::{Address, Changes, FieldChange, Reason};

    fn step(action: Action, fields: &[&str]) -> Step {
        let change = |field: &&str| FieldChange {
            field: (*field).to_owned(),
            old: "2027-01-01T00:00:00Z".into(),
            new: "2027-01-02T00:00:00Z".into(),
            reason: Reason::Unknown,
        };
        let changes = Changes::from_iter(fields.iter().map(change));
        Step::new(Address::new("table", "Users"), action, changes)
    }

    #[test]
    fn unsuitable_programs_are_refused_on_aws_and_warned_about_on_emulators() {
        let unsuitable = || vec![ResourceError::new("the program `api` does not run").caused_by("glibc").hint("fix")];
        let refused = refuse(unsuitable(), false).err().map(|error| error.render());
        assert_eq!(refused.as_deref(), Some("error: the program `api` does not run\n  Caused by: glibc\nhint: fix"));
        let warned = refuse(unsuitable(), true).ok();
        assert_eq!(warned, Some(vec!["the program `api` does not run: glibc; fix".to_owned()]));
        assert_eq!(refuse(Vec::new(), false).ok(), Some(Vec::new()));
    }

    #[test]
    fn only_creations_and_expiry_renewals_are_harmless() {
        assert!(is_harmless(&step(Action::Create, &["ttl"])));
        assert!(is_harmless(&step(Action::Update, &["tags.peersync:expires-at", "tags.peersync:expires-by"])));
        assert!(!is_harmless(&step(Action::Update, &["tags.peersync:expires-at", "ttl"])));
        assert!(is_harmless(&step(Action::Update, &["ready"])));
        assert!(!is_harmless(&step(Action::Update, &["ready", "elastic_ip"])));
        assert!(!is_harmless(&step(Action::Replace, &["tags.peersync:expires-at"])));
        assert!(!is_harmless(&step(Action::Delete, &[])));
    }
}
