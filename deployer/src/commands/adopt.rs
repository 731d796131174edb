//! The option `--adopt` of `up` and `plan`.

use std::sync::Arc;

use super::CommandError;
use peersync_engine::Address;
use peersync_operations::DeployError;
use peersync_resources::catalog;
use peersync_resources::stack::Stack;

/// Returns the stack that adopts the resources with these addresses.
///
/// # Errors
/// Fails for an address that the stack does not have.
pub(super) fn adopting(stack: Arc<Stack>, addresses: &[String]) -> Result<Arc<Stack>, CommandError> {
    if addresses.is_empty() {
        return Ok(stack);
    }
    let graph = catalog::graph(&stack).map_err(DeployError::from)?;
    let find = |text: &String| graph.order().iter().find(|address| address.to_string() == *text).cloned();
    let adopt = addresses.iter().map(|text| find(text).ok_or_else(|| unknown(text, graph.order())));
    let adopt = adopt.collect::<Result<_, _>>()?;
    Ok(Arc::new(Stack { adopt, ..Arc::unwrap_or_clone(stack) }))
}

fn unknown(text: &str, addresses: &[Address]) -> CommandError {
    let error = CommandError::usage("the stack has no resource with this address").caused_by(format!("--adopt {text}"));
    let kind = text.split('.').next().unwrap_or_default();
    let similar: Vec<String> =
        addresses.iter().filter(|address| address.kind == kind).map(ToString::to_string).collect();
    error.hint(match similar.as_slice() {
        [] => "write the address as the error message names it, for example `--adopt s3_bucket.site`; \
               `peersync-deploy graph` shows all"
            .to_owned(),
        similar => format!("of this kind the stack has {}", similar.join(", ")),
    })
}
