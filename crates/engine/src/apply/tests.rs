//! Invariants of the apply under random graphs, failures, hangs and interruptions.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::plan::{plan, plan_destroy};
use crate::simulation::{Fate, Fates, Simulated, World, repeated};
use crate::{Changes, Field, FieldName, Fields, SharedReads, Silent, Tags, observe};

/// One resource of a random configuration. Its dependencies, and what it leads to, are among the resources before it.
#[derive(Clone, Debug, Default)]
struct Node {
    dependencies: BTreeSet<usize>,
    leads: BTreeSet<usize>,
    setting: u8,
    enabled: bool,
    create_before_destroy: bool,
    keeps_former: bool,
}

fn address(index: usize) -> Address {
    Address::new("node", format!("{index:02}"))
}

fn graph_of(nodes: &[Node], world: &Arc<Mutex<World>>) -> Graph {
    // A resource can only be enabled if all its dependencies are.
    let mut enabled: Vec<bool> = Vec::new();
    for node in nodes {
        let all = node.dependencies.iter().all(|index| enabled[*index]);
        enabled.push(node.enabled && all);
    }
    let resources = nodes.iter().enumerate().map(|(index, node)| {
        Arc::new(Simulated {
            address: address(index),
            dependencies: node.dependencies.iter().map(|index| address(*index)).collect(),
            setting: node.setting.to_string(),
            enabled: enabled[index],
            create_before_destroy: node.create_before_destroy,
            leads_to: node.leads.iter().map(|index| address(*index)).collect(),
            keeps_former: node.keeps_former,
            world: world.clone(),
        })
    });
    let resources: Vec<Arc<Simulated>> = resources.collect();
    let wanted = resources.iter().filter(|one| one.enabled).map(|one| (one.address.clone(), one.setting.clone()));
    world.lock().wanted = wanted.collect();
    world.lock().leads = resources.iter().map(|one| (one.address.clone(), one.leads_to.clone())).collect();
    Graph::new(resources.into_iter().map(|one| one as Arc<dyn Resource>).collect()).unwrap()
}

fn options() -> PlanOptions {
    PlanOptions { tags: Tags::from([("stack".to_owned(), "test".to_owned())]), ..PlanOptions::default() }
}

async fn run(graph: &Graph, world: &Arc<Mutex<World>>, fates: &Fates, destroy: bool) -> Outcome {
    let interrupt = world.lock().begin(fates);
    if destroy {
        world.lock().wanted.clear();
    }
    let reporter: Arc<dyn Reporter> = Arc::new(Silent);
    let observation = observe(graph, &reporter).await;
    let plan = if destroy { plan_destroy(graph, &observation) } else { plan(graph, &observation, &options()) };
    assert!(plan.conflicts.is_empty(), "everything carries its tags: {:?}", plan.conflicts);
    let options = ApplyOptions { interrupt, ..ApplyOptions::new(options()) };
    apply(graph, &plan, &observation, &options, &reporter).await
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let others = |most| prop::collection::vec(any::<prop::sample::Index>(), 0..most);
    prop::collection::vec((others(4), others(3), 0..3u8, 0..8u8, 0..4u8), 1..14).prop_map(|raw| {
        raw.into_iter()
            .enumerate()
            .map(|(position, (dependencies, leads, setting, enabled, kind))| {
                let before = |others: &[prop::sample::Index]| -> BTreeSet<usize> {
                    others.iter().filter(|_| position > 0).map(|i| i.index(position.max(1))).collect()
                };
                Node {
                    dependencies: before(&dependencies),
                    leads: before(&leads),
                    setting,
                    enabled: enabled > 0,
                    create_before_destroy: kind == 0,
                    keeps_former: kind == 1,
                }
            })
            .collect()
    })
}

fn fates() -> impl Strategy<Value = Fates> {
    let fate = prop_oneof![
        6 => Just(Fate::Succeed),
        1 => Just(Fate::FailBefore),
        1 => Just(Fate::FailAfter),
        1 => Just(Fate::Hang),
        1 => Just(Fate::Stop),
        1 => Just(Fate::Abort),
    ];
    prop::collection::vec(fate, 0..20).prop_map(Fates)
}

/// Returns the same nodes with other settings and other enabled ones, as after a change of the configuration.
fn changed(nodes: &[Node], seeds: &[u8]) -> Vec<Node> {
    let changes = nodes.iter().zip(seeds.iter().cycle());
    changes.map(|(node, seed)| Node { setting: seed % 3, enabled: seed % 8 > 0, ..node.clone() }).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn entities(world: &Arc<Mutex<World>>) -> BTreeMap<Address, BTreeMap<String, String>> {
    let world = world.lock();
    world.entities.iter().map(|(address, entity)| (address.clone(), entity.fields.clone())).collect()
}

fn check_run(world: &Arc<Mutex<World>>) {
    let world = world.lock();
    assert_eq!(repeated(&world.calls), Vec::<String>::new(), "nothing is done twice in one run");
    assert_eq!(world.violations, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn apply_converges_after_any_interruptions(
        first in nodes(),
        seeds in prop::collection::vec(any::<u8>(), 14),
        disturbances in prop::collection::vec(fates(), 0..4),
    ) {
        runtime().block_on(async {
            let second = changed(&first, &seeds);
            let undisturbed = Arc::new(Mutex::new(World::default()));
            prop_assert!(run(&graph_of(&second, &undisturbed), &undisturbed, &Fates::default(), false).await.is_complete());

            let world = Arc::new(Mutex::new(World::default()));
            run(&graph_of(&first, &world), &world, &Fates::default(), false).await;
            check_run(&world);
            for fates in &disturbances {
                run(&graph_of(&second, &world), &world, fates, false).await;
                check_run(&world);
            }
            let graph = graph_of(&second, &world);
            prop_assert!(run(&graph, &world, &Fates::default(), false).await.is_complete());
            check_run(&world);
            prop_assert_eq!(entities(&world), entities(&undisturbed));

            let last = run(&graph, &world, &Fates::default(), false).await;
            prop_assert!(last.done.is_empty());
            prop_assert!(world.lock().calls.is_empty(), "nothing is left to do");
            Ok(())
        })?;
    }

    #[test]
    fn destroy_deletes_all_in_reverse_order(nodes in nodes(), disturbances in prop::collection::vec(fates(), 0..3)) {
        runtime().block_on(async {
            let world = Arc::new(Mutex::new(World::default()));
            let graph = graph_of(&nodes, &world);
            run(&graph, &world, &Fates::default(), false).await;
            for fates in &disturbances {
                run(&graph, &world, fates, true).await;
                check_no_orphans(&graph, &world);
            }
            prop_assert!(run(&graph, &world, &Fates::default(), true).await.is_complete());
            prop_assert!(world.lock().entities.is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn failure_skips_exactly_its_dependents(nodes in nodes(), victim in any::<prop::sample::Index>()) {
        runtime().block_on(async {
            let nodes: Vec<Node> = nodes.into_iter().map(|node| Node { enabled: true, ..node }).collect();
            let world = Arc::new(Mutex::new(World::default()));
            let graph = graph_of(&nodes, &world);
            let fates = Fates(vec![Fate::Succeed; victim.index(nodes.len())].into_iter().chain([Fate::FailBefore]).collect());
            let outcome = run(&graph, &world, &fates, false).await;
            prop_assert_eq!(outcome.failed.len(), 1);
            let failed = &outcome.failed[0].address;
            let expected: BTreeSet<Address> = dependents_of(&graph, failed);
            let skipped: BTreeSet<Address> = outcome.skipped.iter().map(|skipped| skipped.address.clone()).collect();
            prop_assert_eq!(&skipped, &expected);
            prop_assert_eq!(outcome.done.len() + skipped.len() + 1, nodes.len(), "the others are finished");
            Ok(())
        })?;
    }
}

/// Checks that everything left still has its dependencies: nothing was deleted before its dependents.
fn check_no_orphans(graph: &Graph, world: &Arc<Mutex<World>>) {
    let world = world.lock();
    for address in world.entities.keys() {
        for dependency in graph.dependencies(address) {
            assert!(world.entities.contains_key(dependency), "{dependency} was deleted before {address}");
        }
    }
}

fn dependents_of(graph: &Graph, address: &Address) -> BTreeSet<Address> {
    let mut found = BTreeSet::new();
    let mut open = vec![address.clone()];
    while let Some(next) = open.pop() {
        for dependent in graph.dependents(&next) {
            if found.insert(dependent.clone()) {
                open.push(dependent.clone());
            }
        }
    }
    found
}

/// A resource that uses an output of another one, which it does not declare as a dependency.
struct Undeclared {
    address: Address,
    other: Address,
}

/// The field that needs the output.
const BORROWED: FieldName = FieldName::new("borrowed");

#[async_trait]
impl Resource for Undeclared {
    fn address(&self) -> &Address {
        &self.address
    }

    fn dependencies(&self) -> Vec<Address> {
        Vec::new()
    }

    async fn observe(&self, _: &SharedReads) -> Result<Option<Live>, ResourceError> {
        Ok(None)
    }

    fn desired(&self, outputs: &Outputs) -> Fields {
        Fields::new().with(BORROWED, Field::known_or_unknown(outputs.get(&self.other, "value")))
    }

    async fn create(&self, context: &ApplyContext<'_>) -> Result<OutputMap, ResourceError> {
        context.outputs.require(&self.other, "value").map(|_| OutputMap::new())
    }

    async fn update(&self, _: &ApplyContext<'_>, live: &Live, _: &Changes) -> Result<OutputMap, ResourceError> {
        Ok(live.outputs.clone())
    }

    async fn delete(&self, _: &Progress, _: &Live) -> Result<(), ResourceError> {
        Ok(())
    }
}

/// Whether the other resource is finished first must not matter: a forgotten dependency would be a race.
#[tokio::test]
async fn undeclared_dependency_fails_even_if_its_output_is_known() {
    let world = Arc::new(Mutex::new(World::default()));
    let node = Node { enabled: true, ..Node::default() };
    let other = graph_of(std::slice::from_ref(&node), &world).resource(&address(0)).unwrap().clone();
    assert!(run(&Graph::new(vec![other.clone()]).unwrap(), &world, &Fates::default(), false).await.is_complete());

    let undeclared = Address::new("undeclared", "node");
    let careless = Arc::new(Undeclared { address: undeclared.clone(), other: address(0) });
    let graph = Graph::new(vec![other, careless]).unwrap();
    let reporter: Arc<dyn Reporter> = Arc::new(Silent);
    let observation = observe(&graph, &reporter).await;
    assert!(observation.get(&address(0)).is_some(), "the output is known before the apply");
    let planned = plan(&graph, &observation, &options());
    let step = planned.steps.iter().find(|step| step.address == undeclared).unwrap();
    assert_eq!(step.changes.iter().next().unwrap().new, "(known after apply)");
    for parallelism in [1, 64] {
        let options = ApplyOptions { parallelism, ..ApplyOptions::new(options()) };
        let outcome = apply(&graph, &planned, &observation, &options, &reporter).await;
        assert!(outcome.outputs.get(&address(0), "value").is_some());
        let [failed] = outcome.failed.as_slice() else { panic!("{} steps failed", outcome.failed.len()) };
        assert_eq!(failed.address, undeclared);
        assert_eq!(failed.error.to_string(), "node.00 has no output `value`");
    }
}
