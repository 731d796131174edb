//! What every command that calls AWS shares: the report to the user, and the interrupt by which the user stops it.

use peersync_engine::text;
use std::sync::Arc;

use peersync_resources::{Artifacts, check_architectures};
use serde_json::json;

use super::{CommandError, Context, interrupt};
use crate::artifacts;
use crate::report::{Audience, Report};
use peersync_aws::Identity;
use peersync_config::Expiry;
use peersync_engine::{Interrupt, Reporter};
use peersync_operations::{DeployError, ObservedStack, until_stopped};
use peersync_resources::kinds::signal_instance;
use peersync_resources::stack::Stack;

/// Said by a development build before it builds the server programs.
pub(super) const BUILDING: &str = "Building the server programs, since this is a development build …";

/// One run of a command.
pub(super) struct Run {
    pub(super) report: Arc<Report>,
    pub(super) interrupt: Interrupt,
}

impl Run {
    /// Starts a run: from now on Ctrl-C is handled.
    pub(super) fn new(context: &Context) -> Self {
        let audience = if context.json() { Audience::Program } else { Audience::Human };
        let report = Arc::new(Report::new(audience, context.invocation()));
        let interrupt = interrupt::listen(&report);
        Self { report, interrupt }
    }

    /// Returns the receiver of the engine's events.
    pub(super) fn reporter(&self) -> Arc<dyn Reporter> {
        self.report.reporter()
    }

    /// Says which configuration holds, as the first line of a command.
    pub(super) fn name_configuration(&self, context: &Context) -> Result<(), CommandError> {
        let loaded = context.loaded()?;
        let stage = &loaded.config.stage;
        self.report.event(&json!({ "event": "configuration", "file": loaded.file, "stage": stage }));
        if !self.report.is_json() {
            self.report.note(&match &loaded.file {
                Some(file) => format!("Configuration: {file}, stage {stage}"),
                None => format!("Configuration: no peersync.toml here, so the defaults; stage {stage}"),
            });
        }
        Ok(())
    }

    /// Says where a command looks that works on all stacks of a place, as its first line: a `peersync.toml` that happens to
    /// be here may name the region.
    pub(super) fn name_place(
        &self,
        context: &Context,
        region: Option<&str>,
        identity: &Identity,
    ) -> Result<(), CommandError> {
        let account = &identity.account;
        self.report.note(&match region {
            Some(region) => format!("Region: {region} (from {}), account {account}", context.region_source()?),
            None => format!("All regions of account {account}"),
        });
        Ok(())
    }

    /// The stack in its account, for a command that does not compare it with the server programs.
    pub(super) async fn stack(&self, context: &Context) -> Result<Arc<Stack>, CommandError> {
        self.connect(context, None, artifacts::without_programs()).await
    }

    /// The stack in its account with everything that is uploaded into it. It is an error if there are no programs for the
    /// processors that the configuration chooses.
    pub(super) async fn filled_stack(
        &self,
        context: &Context,
        expires: Option<&Expiry>,
    ) -> Result<Arc<Stack>, CommandError> {
        // Errors of the configuration come before a build that takes its time.
        let config = context.config()?;
        let artifacts = artifacts::all(|| self.report.note(BUILDING))?;
        check_architectures(&artifacts.programs, config)?;
        self.connect(context, expires, artifacts).await
    }

    async fn connect(
        &self,
        context: &Context,
        expires: Option<&Expiry>,
        artifacts: &'static Artifacts,
    ) -> Result<Arc<Stack>, CommandError> {
        let connected = self.report.attributed(context.stack(expires, artifacts));
        until_stopped(&self.interrupt, connected).await?
    }

    /// Reads the stack, as far as it can be read.
    pub(super) async fn observe(&self, stack: &Arc<Stack>) -> Result<ObservedStack, CommandError> {
        self.observed(stack, ObservedStack::read(stack, &self.reporter())).await
    }

    /// Reads the stack again, to find out whether it is still as it was.
    pub(super) async fn observe_again(
        &self,
        stack: &Arc<Stack>,
        before: &ObservedStack,
    ) -> Result<ObservedStack, CommandError> {
        self.observed(stack, ObservedStack::read_again(before, stack, &self.reporter())).await
    }

    async fn observed(
        &self,
        stack: &Stack,
        read: impl Future<Output = Result<ObservedStack, DeployError>>,
    ) -> Result<ObservedStack, CommandError> {
        let observed = until_stopped(&self.interrupt, read).await??;
        self.report.clear();
        if !observed.not_offered.is_empty() {
            let addresses: Vec<_> = observed.not_offered.iter().map(|(address, _)| address).collect();
            let what = text::list(&addresses, 12);
            self.report
                .warning(&format!("this endpoint does not offer some resources, which the stack does without: {what}"));
        }
        if let Some(host) = observed.host() {
            let looked = self.report.attributed(signal_instance::find_newer_image(stack, host));
            until_stopped(&self.interrupt, looked).await??;
        }
        Ok(observed)
    }
}

/// Checks that a host can be launched in the network that was read with the stack.
///
/// # Errors
/// Says what is missing there, before anything is created.
pub(super) fn check_network(stack: &Stack) -> Result<(), CommandError> {
    let problem = stack.network.get().and_then(|network| network.problem.clone());
    problem.map_or(Ok(()), |problem| Err(problem.into()))
}

/// Returns which stack it is and where: `peersync-dev in eu-central-1, account 123456789012`.
pub(super) fn heading(stack: &Stack) -> String {
    format!("{} in {}, account {}", stack.name(), stack.clients.region, stack.identity.account)
}
