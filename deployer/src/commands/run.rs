//! What every command that calls AWS shares: the report to the user, and the interrupt by which the user stops it.

use std::sync::Arc;

use super::{CommandError, Context};
use crate::config::Expiry;
use crate::deploy::{self, Survey, until_stopped};
use crate::engine::{Interrupt, Reporter};
use crate::report::{Audience, Report, words};
use crate::stack::Stack;

/// One run of a command.
pub(super) struct Run {
    pub(super) report: Arc<Report>,
    pub(super) interrupt: Interrupt,
}

impl Run {
    /// Starts a run: from now on Ctrl-C is handled.
    pub(super) fn new(context: &Context) -> Self {
        let audience = if context.json() { Audience::Program } else { Audience::Human };
        let report = Arc::new(Report::new(audience));
        let interrupt = deploy::listen(&report);
        Self { report, interrupt }
    }

    /// Returns the receiver of the engine's events.
    pub(super) fn reporter(&self) -> Arc<dyn Reporter> {
        self.report.reporter()
    }

    /// Returns the stack in its account.
    pub(super) async fn stack(&self, context: &Context, expires: Option<&Expiry>) -> Result<Arc<Stack>, CommandError> {
        let connected = self.report.attributed(context.stack(expires));
        until_stopped(&self.interrupt, connected).await?
    }

    /// Reads the stack, as far as it can be read.
    pub(super) async fn survey(&self, stack: &Arc<Stack>) -> Result<Survey, CommandError> {
        let survey = until_stopped(&self.interrupt, Survey::take(stack, &self.reporter())).await??;
        self.report.clear();
        if !survey.not_offered.is_empty() {
            let addresses: Vec<_> = survey.not_offered.iter().map(|(address, _)| address).collect();
            let what = words::list(&addresses, 12);
            self.report
                .warning(&format!("this endpoint does not offer some resources, which the stack does without: {what}"));
        }
        Ok(survey)
    }
}

/// Returns which stack it is and where: `peersync-dev in eu-central-1, account 123456789012`.
pub(super) fn heading(stack: &Stack) -> String {
    format!("{} in {}, account {}", stack.name(), stack.clients.region, stack.identity.account)
}
