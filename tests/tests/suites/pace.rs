//! Requests at AWS's documented rates: the deployer keeps to them by itself, so that nothing is ever refused, and spends few.

use std::collections::BTreeMap;

use peersync_tests::deployer;
use peersync_tests::emulator::Emulator;
use peersync_tests::proxy::Settings;
use peersync_tests::proxy::behaviour::Behaviour;
use peersync_tests::proxy::log::{Record, mutating};
use peersync_tests::stage::{DOWN, Stage, UP};

/// The most requests of a command to each service that has rates which it could reach. A change that needs more of them
/// should be worth it.
const BUDGET: [(&str, [usize; 3]); 6] = [
    // First `up`, second `up`, `down`.
    ("apigateway", [12, 5, 24]),
    ("cloudfront", [18, 7, 30]),
    ("iam", [30, 25, 90]),
    ("logs", [35, 5, 30]),
    ("monitoring", [25, 5, 25]),
    ("ssm", [32, 6, 26]),
];

/// What AWS takes every twenty seconds: a `down` that follows an `up` sooner than people do repeats it.
const RARE: &str = "apigateway:UpdateAccount";

/// Runs a command that keeps to the rates, and returns its requests.
async fn paced(stage: &Stage, arguments: &[&str]) -> Vec<Record> {
    let mut command = stage.command(arguments);
    command.env("PEERSYNC_PACED", "1");
    deployer::run(command).await.expect(0);
    stage.proxy().log.take()
}

#[tokio::test(flavor = "multi_thread")]
async fn first_up_second_up_and_down_are_never_refused() {
    let settings = Settings { behaviours: vec![Behaviour::Rates], ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for (number, arguments) in [UP, UP, DOWN].into_iter().enumerate() {
        let records = paced(&stage, &arguments).await;
        let refused = records.iter().filter(|one| one.by.is_some()).map(Record::action);
        let refused: Vec<String> = refused.filter(|action| number != 2 || action != RARE).collect();
        assert_eq!(refused, Vec::<String>::new(), "{arguments:?}");
        assert_eq!(number == 1, mutating(&records).is_empty(), "only the second `up` changes nothing");
        for record in records {
            counts.entry(record.service).or_default()[number] += 1;
        }
    }
    let over = BUDGET.iter().filter_map(|(service, most)| {
        let sent = counts.get(*service).copied().unwrap_or_default();
        sent.iter().zip(most).any(|(sent, most)| sent > most).then(|| format!("{service}: {sent:?} of {most:?}"))
    });
    assert_eq!(over.collect::<Vec<_>>(), Vec::<String>::new());
}

/// Somebody else uses up the account's rates: the calls are repeated, and the run is only slower.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_refused_because_of_others_succeed_later() {
    let settings = Settings { behaviours: vec![Behaviour::Rates], ..Settings::default() };
    let stage = Stage::with(Emulator::shared(), settings).await;
    // Without its own pace, the deployer is that somebody.
    stage.up().await;
    let refused = stage.proxy().log.take().into_iter().filter(|record| record.by.is_some()).count();
    assert!(refused > 0, "the rates were reached");
    stage.plan(0).await;
}
