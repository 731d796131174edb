//! The checks of the account's quotas, and of what a stack costs beyond the free tier.

use super::Check;
use peersync_engine::{Failure, Graph, Observation, PlanOptions, ResourceError, plan};
use peersync_resources::Stack;
use peersync_resources::quotas::{self, Counted};

/// Checks whether the quotas suffice for what `up` would create.
pub(super) async fn checks(stack: &Stack, graph: &Graph, observation: &Observation) -> Vec<Check> {
    let options = PlanOptions { tags: stack.tags(), ..PlanOptions::default() };
    let plan = plan::plan(graph, observation, &options);
    let (counted, dashboards) = futures::join!(quotas::all(stack, &plan), quotas::dashboards(stack));
    let dashboards = dashboards.ok().and_then(cost);
    counted.into_iter().filter_map(|counted| check(&counted)).chain(dashboards).collect()
}

/// Says what the dashboards of the account cost, if they are more than are free.
fn cost(dashboards: usize) -> Option<Check> {
    let charged = dashboards.checked_sub(quotas::FREE_DASHBOARDS).filter(|charged| *charged > 0)?;
    let found = format!(
        "the account has {dashboards} dashboards: {} are free, and {charged} cost 3 dollars a month each",
        quotas::FREE_DASHBOARDS
    );
    Some(Check::warn(
        "cost",
        found,
        "each stack has one: `peersync-deploy list --all-regions` shows which nobody needs",
    ))
}

fn check(counted: &Result<Counted, ResourceError>) -> Option<Check> {
    const NAME: &str = "quotas";
    Some(match counted {
        Ok(counted) if counted.is_short() && counted.is_default => Check::warn(NAME, counted.text(), counted.hint()),
        Ok(counted) if counted.is_short() => Check::fail(NAME, counted.text(), counted.hint()),
        Ok(counted) => Check::ok(NAME, counted.text()),
        // An emulator has no quotas, and what may not be read is among the permissions.
        Err(error) if matches!(error.failure, Failure::NotOffered | Failure::Denied) => return None,
        Err(error) => Check::warn(NAME, error.to_string(), "`up` works without this; run the command again"),
    })
}

#[cfg(test)]
mod tests {
    use super::cost;

    #[test]
    fn dashboards_cost_from_the_fourth_on() {
        assert_eq!(cost(3), None);
        assert!(cost(5).is_some_and(|check| check.line().contains("2 cost 3 dollars a month each")));
    }
}
