//! What a whole run prints, with the engine working on a simulated provider.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use parking_lot::Mutex;

use super::sink::tests::Written;
use super::*;
use peersync_engine::plan::{PlanOptions, plan};
use peersync_engine::simulation::{Fate, Fates, Simulated, World};
use peersync_engine::{Address, ApplyOptions, Graph, Outcome, Resource, Tags, apply, observe};

/// A graph in which `b` needs `a`, `c` needs `b`, and `d` is independent.
fn graph(world: &Arc<Mutex<World>>) -> Graph {
    let resource = |name: &str, dependency: Option<&str>| {
        Arc::new(Simulated {
            address: Address::new("node", name),
            dependencies: dependency.map(|name| Address::new("node", name)).into_iter().collect(),
            setting: "1".to_owned(),
            enabled: true,
            create_before_destroy: false,
            leads_to: Vec::new(),
            keeps_former: false,
            world: world.clone(),
        }) as Arc<dyn Resource>
    };
    Graph::new(vec![resource("a", None), resource("b", Some("a")), resource("c", Some("b")), resource("d", None)])
        .unwrap()
}

/// Applies the graph to an empty world in which the calls have these fates.
fn run(fates: &[Fate], reporter: &Arc<dyn Reporter>) -> Outcome {
    let world = Arc::new(Mutex::new(World::default()));
    let graph = graph(&world);
    let interrupt = world.lock().begin(&Fates(fates.to_vec()));
    let options = PlanOptions { tags: Tags::from([("stack".to_owned(), "test".to_owned())]), ..PlanOptions::default() };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        let observation = observe(&graph, reporter).await;
        let plan = plan(&graph, &observation, &options);
        let options = ApplyOptions { interrupt, ..ApplyOptions::new(options) };
        apply(&graph, &plan, &observation, &options, reporter).await
    })
}

/// Replaces every duration in the text with `TIME`.
fn without_times(text: &str) -> String {
    let lines = text.lines().map(|line| match line.rsplit_once(" in ") {
        Some((what, time)) if time.ends_with(" s") || time.ends_with(" s.") => format!("{what} in TIME"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn lines_of(fates: &[Fate]) -> String {
    let written = Written::default();
    let reporter: Arc<dyn Reporter> = Plain::new(written.sink(), Style::PLAIN);
    let outcome = run(fates, &reporter);
    let summary = Summary::new("up", "test-dev", Status::Done).with_outcome(outcome);
    let problems = summary.problems(Style::PLAIN);
    without_times(&format!("{}---\n{problems}\n---\n{}", written.text(), summary.text(Style::PLAIN)))
}

#[test]
fn a_failure_is_shown_once_and_the_others_finish() {
    insta::assert_snapshot!(lines_of(&[Fate::FailBefore]));
}

#[test]
fn a_stop_finishes_steps_in_flight_and_lists_the_rest() {
    insta::assert_snapshot!(lines_of(&[Fate::Stop]));
}

#[test]
fn json_reports_every_event_as_one_line() {
    let written = Written::default();
    let reporter: Arc<dyn Reporter> = Arc::new(Json::new(written.sink(), Invocation::default()));
    run(&[Fate::FailBefore], &reporter);
    let events: Vec<String> = written
        .text()
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{} {} {}", text("event"), text("address"), text("action")).trim_end().to_owned()
        })
        .collect();
    insta::assert_snapshot!(events.join("\n"));
}
