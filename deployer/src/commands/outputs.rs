//! The command `outputs`: prints the stack's URLs and names. `--output json` prints one flat object, for scripts.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::run::Run;
use super::{CommandError, Context, Exit};
use crate::cli::OutputsArgs;
use crate::report::outputs_text;
use peersync_engine::{Reporter, Silent};
use peersync_operations::{ObservedStack, places, until_stopped};

/// Runs the command.
///
/// # Errors
/// Fails if AWS denies access or the stack is not deployed.
pub async fn run(context: &Context, _: &OutputsArgs) -> Result<Exit, CommandError> {
    let run = Run::new(context);
    let stack = run.stack(context).await?;
    // The one line is all that a script gets: no events before it.
    let silent: Arc<dyn Reporter> = Arc::new(Silent);
    let reporter = if context.json() { silent } else { run.reporter() };
    let observed = until_stopped(&run.interrupt, ObservedStack::read(&stack, &reporter)).await??.readable()?;
    run.report.clear();
    if !observed.is_deployed() {
        return Err(
            CommandError::new(format!("{} is not deployed", stack.name())).hint("deploy it: `peersync-deploy up`")
        );
    }
    let places = places(&stack, &observed.outputs(), observed.expires_at());
    let mut object: Map<String, Value> = places.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    object.insert("event".to_owned(), json!("result"));
    object.insert("status".to_owned(), json!("done"));
    run.report.event(&Value::Object(object));
    run.report.data(&outputs_text(&places, run.report.style()));
    Ok(Exit::Done)
}
