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
        Self::of(by_address, dependencies)
    }

    fn of(
        by_address: BTreeMap<Address, Arc<dyn Resource>>,
        dependencies: BTreeMap<Address, BTreeSet<Address>>,
    ) -> Result<Self, GraphError> {
        for (address, needed) in &dependencies {
            if let Some(missing) = needed.iter().find(|needed| !by_address.contains_key(*needed)) {
                return Err(GraphError::Missing(address.clone(), missing.clone()));
            }
        }
        let order = topological_order(&dependencies)?;
        Ok(Self { resources: by_address, dependencies, order })
    }

    /// Returns the graph with further resources, to be deleted. Whatever depends on a resource of their kind depends on them
    /// too, so that they are deleted only when it is deleted or has changed.
    ///
    /// # Errors
    /// Fails like [`Graph::new`].
    pub fn extended(&self, leftovers: Vec<Arc<dyn Resource>>) -> Result<Self, GraphError> {
        let (mut resources, mut dependencies) = (self.resources.clone(), self.dependencies.clone());
        let mut added = Vec::new();
        for resource in leftovers {
            let address = resource.address().clone();
            let present = |needed: &Address| resources.contains_key(needed);
            dependencies.insert(address.clone(), resource.dependencies().into_iter().filter(present).collect());
            if resources.insert(address.clone(), resource).is_some() {
                return Err(GraphError::Duplicate(address));
            }
            added.push(address);
        }
        for needed in dependencies.values_mut() {
            let kinds: BTreeSet<&str> = needed.iter().map(|address| address.kind).collect();
            let of_these: Vec<Address> = added.iter().filter(|one| kinds.contains(one.kind)).cloned().collect();
            needed.extend(of_these);
        }
        Self::of(resources, dependencies)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::Simulated;

    fn resource(address: &Address, dependencies: &[&Address]) -> Arc<dyn Resource> {
        Arc::new(Simulated {
            address: address.clone(),
            dependencies: dependencies.iter().map(|address| (*address).clone()).collect(),
            setting: String::new(),
            enabled: true,
            create_before_destroy: false,
            leads_to: Vec::new(),
            keeps_former: false,
            world: Arc::default(),
        })
    }

    #[test]
    fn whatever_depends_on_a_kind_depends_on_its_leftovers() -> Result<(), GraphError> {
        let [group, bucket, site] = ["group", "bucket", "site"].map(|kind| Address::new(kind, "one"));
        let [old, older] = ["old", "older"].map(|name| Address::new("bucket", name));
        let absent = Address::new("policy", "one");
        let graph = Graph::new(vec![resource(&group, &[]), resource(&bucket, &[&group]), resource(&site, &[&bucket])])?;
        // An emulator may lack a kind that a leftover depends on.
        let graph = graph.extended(vec![resource(&old, &[&group, &absent]), resource(&older, &[])])?;
        assert_eq!(graph.dependents(&old).collect::<Vec<_>>(), [&site]);
        assert_eq!(graph.dependents(&older).collect::<Vec<_>>(), [&site]);
        assert_eq!(graph.dependencies(&old).collect::<Vec<_>>(), [&group]);
        assert_eq!(graph.extended(vec![resource(&old, &[])]).err(), Some(GraphError::Duplicate(old)));
        Ok(())
    }
}
