//! The resources of a stack and their dependencies, as a graph without cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use petgraph::algo::toposort;
use petgraph::graph::DiGraph;

use super::{Address, Resource};

/// A set of resources in which every dependency is present and none is circular.
#[derive(Clone)]
pub struct Graph {
    resources: BTreeMap<Address, Arc<dyn Resource>>,
    dependencies: BTreeMap<Address, BTreeSet<Address>>,
    order: Vec<Address>,
}

/// Why a set of resources is not a graph. This is always a bug in the program, never a problem of the configuration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum GraphError {
    /// Two resources have the same address.
    #[error("two resources have the address {0}")]
    Duplicate(Address),
    /// A resource depends on one that is not in the set.
    #[error("{0} depends on {1}, which is not part of the stack")]
    Missing(Address, Address),
    /// Resources depend on each other in a cycle.
    #[error("{0} is part of a dependency cycle")]
    Cycle(Address),
}

impl Graph {
    /// Builds the graph.
    ///
    /// # Errors
    /// Fails on duplicate addresses, missing dependencies and cycles.
    pub fn new(resources: Vec<Arc<dyn Resource>>) -> Result<Self, GraphError> {
        let mut by_address: BTreeMap<Address, Arc<dyn Resource>> = BTreeMap::new();
        for resource in resources {
            let address = resource.address().clone();
            if by_address.insert(address.clone(), resource).is_some() {
                return Err(GraphError::Duplicate(address));
            }
        }
        let dependencies: BTreeMap<Address, BTreeSet<Address>> = by_address
            .iter()
            .map(|(address, resource)| (address.clone(), resource.dependencies().into_iter().collect()))
            .collect();
        for (address, needed) in &dependencies {
            if let Some(missing) = needed.iter().find(|needed| !by_address.contains_key(*needed)) {
                return Err(GraphError::Missing(address.clone(), missing.clone()));
            }
        }
        let order = topological_order(&dependencies)?;
        Ok(Self { resources: by_address, dependencies, order })
    }

    /// Returns all addresses, each after everything that it depends on.
    pub fn order(&self) -> &[Address] {
        &self.order
    }

    /// Returns the resource with this address.
    pub fn resource(&self, address: &Address) -> Option<&Arc<dyn Resource>> {
        self.resources.get(address)
    }

    /// Returns the direct dependencies of a resource.
    pub fn dependencies(&self, address: &Address) -> impl Iterator<Item = &Address> {
        self.dependencies.get(address).into_iter().flatten()
    }

    /// Returns the direct dependents of a resource.
    pub fn dependents<'a>(&'a self, address: &'a Address) -> impl Iterator<Item = &'a Address> {
        self.dependencies.iter().filter(move |(_, needed)| needed.contains(address)).map(|(dependent, _)| dependent)
    }

    /// Returns the number of resources.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns whether the graph has no resources.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Returns the same graph with only the resources that `keep` selects. Dependencies on the others are dropped: if
    /// an emulator lacks a service, its resources are replaced by other means.
    pub fn restricted(&self, keep: impl Fn(&Address) -> bool) -> Self {
        let dependencies: BTreeMap<Address, BTreeSet<Address>> = self
            .dependencies
            .iter()
            .filter(|(address, _)| keep(address))
            .map(|(address, needed)| (address.clone(), needed.iter().filter(|needed| keep(needed)).cloned().collect()))
            .collect();
        Self {
            resources: self.resources.iter().filter(|(a, _)| keep(a)).map(|(a, r)| (a.clone(), r.clone())).collect(),
            dependencies,
            order: self.order.iter().filter(|address| keep(address)).cloned().collect(),
        }
    }
}

fn topological_order(dependencies: &BTreeMap<Address, BTreeSet<Address>>) -> Result<Vec<Address>, GraphError> {
    let mut graph = DiGraph::<&Address, ()>::new();
    let nodes: BTreeMap<&Address, _> = dependencies.keys().map(|address| (address, graph.add_node(address))).collect();
    for (address, needed) in dependencies {
        for dependency in needed {
            if let (Some(from), Some(to)) = (nodes.get(dependency), nodes.get(address)) {
                graph.add_edge(*from, *to, ());
            }
        }
    }
    match toposort(&graph, None) {
        Ok(order) => Ok(order.into_iter().filter_map(|index| graph.node_weight(index).map(|a| (*a).clone())).collect()),
        Err(cycle) => match graph.node_weight(cycle.node_id()) {
            Some(address) => Err(GraphError::Cycle((*address).clone())),
            None => Ok(Vec::new()),
        },
    }
}
