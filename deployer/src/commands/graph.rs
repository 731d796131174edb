//! The command `graph`: prints the resources and their dependencies as the source of a diagram, without calling AWS.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::{CommandError, Context, Exit, output};
use crate::cli::{GraphArgs, GraphFormat};
use peersync_engine::{Address, Graph};

/// Prints the graph.
///
/// # Errors
/// Fails if the configuration has problems.
pub async fn run(context: &Context, args: &GraphArgs) -> Result<Exit, CommandError> {
    let stack = context.offline_stack("000000000000", "us-east-1").await?;
    let graph = peersync_resources::catalog::graph(&stack)?;
    let graph = graph.restricted(|address| graph.resource(address).is_some_and(|resource| resource.enabled()));
    if context.json() {
        let edges: Vec<_> = edges(&graph).map(|(from, to)| json!({ "from": from, "needs": to })).collect();
        output::event(&json!({ "event": "result", "stack": stack.name(), "nodes": graph.order(), "edges": edges }));
        return Ok(Exit::Done);
    }
    output::data(&match args.format {
        GraphFormat::Mermaid => mermaid(&graph, &stack.name()),
        GraphFormat::Dot => dot(&graph, &stack.name()),
    });
    Ok(Exit::Done)
}

/// Returns each resource with each of its direct dependencies.
fn edges(graph: &Graph) -> impl Iterator<Item = (&Address, &Address)> {
    graph.order().iter().flat_map(|address| graph.dependencies(address).map(move |needed| (address, needed)))
}

fn by_kind(graph: &Graph) -> BTreeMap<&'static str, Vec<&Address>> {
    let mut kinds: BTreeMap<&'static str, Vec<&Address>> = BTreeMap::new();
    for address in graph.order() {
        kinds.entry(address.kind).or_default().push(address);
    }
    kinds.values_mut().for_each(|addresses| addresses.sort());
    kinds
}

fn mermaid(graph: &Graph, stack: &str) -> String {
    let mut text = format!("%% {stack}: arrows point from a resource to its dependencies\nflowchart LR\n");
    for (kind, addresses) in by_kind(graph) {
        let _ = writeln!(text, "  subgraph {kind}[\"{}\"]", kind.replace('_', " "));
        for address in addresses {
            let _ = writeln!(text, "    {}[\"{}\"]", mermaid_id(address), escaped(&address.name, "#quot;"));
        }
        text.push_str("  end\n");
    }
    for (from, to) in edges(graph) {
        let _ = writeln!(text, "  {} --> {}", mermaid_id(from), mermaid_id(to));
    }
    text
}

/// Returns an id for Mermaid, which allows no punctuation but underscores. Every other character becomes its code
/// between two underscores, so that different addresses have different ids.
fn mermaid_id(address: &Address) -> String {
    let name: String = address
        .name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:x}_", c as u32) })
        .collect();
    format!("{}__{name}", address.kind)
}

fn dot(graph: &Graph, stack: &str) -> String {
    let mut text = format!(
        "// Arrows point from a resource to its dependencies.\n\
         digraph \"{}\" {{\n  rankdir = LR;\n  node [shape = box];\n",
        escaped(stack, "\\\"")
    );
    for (kind, addresses) in by_kind(graph) {
        let _ = writeln!(text, "  subgraph \"cluster_{kind}\" {{\n    label = \"{}\";", kind.replace('_', " "));
        for address in addresses {
            let _ = writeln!(text, "    {} [label = \"{}\"];", dot_id(address), escaped(&address.name, "\\\""));
        }
        text.push_str("  }\n");
    }
    for (from, to) in edges(graph) {
        let _ = writeln!(text, "  {} -> {};", dot_id(from), dot_id(to));
    }
    text.push_str("}\n");
    text
}

fn dot_id(address: &Address) -> String {
    format!("\"{}\"", escaped(&address.to_string(), "\\\""))
}

fn escaped(text: &str, quote: &str) -> String {
    text.replace('"', quote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_different_resources_differ() {
        let names = ["a-b", "a_b", "a/b", "ab", "a.b"];
        let ids: std::collections::BTreeSet<String> =
            names.iter().map(|name| mermaid_id(&Address::new("object", *name))).collect();
        assert_eq!(ids.len(), names.len());
        assert!(ids.iter().all(|id| id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')));
    }
}
