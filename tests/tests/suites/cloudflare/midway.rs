//! What goes wrong at Cloudflare after the first change: one clear error, and the next `up` continues.

use std::collections::BTreeSet;

use peersync_tests::cloudflare::{Fault, READING_TOKEN, TOKEN};
use peersync_tests::deployer::{self, Run};
use peersync_tests::stage::{DOWN, UP};

use super::{RECORD, TUNNEL, World};

/// Returns the one error of a run that has failed at this resource.
#[track_caller]
fn error(run: &Run, address: &str) -> String {
    assert_eq!(run.failed(), [address], "{}", run.printed());
    run.result()["failures"][0].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn up_continues_after_cloudflare_went_down_between_two_changes() {
    let world = World::new().await;
    for (first, address, left) in [("PUT /accounts/", TUNNEL, (1, 0)), ("POST /zones/", RECORD, (1, 0))] {
        world.cloudflare.state().faults = vec![Fault::DownFrom(first)];
        let run = world.run(&UP, 1).await;
        let error = error(&run, address);
        assert!(error.contains("HTTP 503") && error.contains("https://www.cloudflarestatus.com"), "{error}");
        assert!(error.contains("it continues where it stopped"), "{error}");
        assert!(!run.printed().contains(TOKEN), "the token is shown");
        world.cloudflare.state().faults.clear();
        assert_eq!(world.left(), left, "{first}");
    }
    world.up().await;
    assert_eq!(world.left(), (1, 1));
    world.settled().await;
    world.run(&DOWN, 0).await;
    assert_eq!(world.left(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn token_that_may_only_read_is_named_with_what_it_lacks_and_another_one_continues() {
    let world = World::new().await;
    let mut command = world.cloudflare.of(world.stage.command(&UP));
    command.env("CLOUDFLARE_API_TOKEN", READING_TOKEN);
    let run = deployer::run(command).await.expect(1);
    let error = error(&run, TUNNEL);
    assert!(error.contains("10000 Authentication error") && error.contains("Cloudflare Tunnel / Edit"), "{error}");
    assert!(!run.printed().contains(READING_TOKEN), "the token is shown");
    assert_eq!(world.left(), (0, 0));
    let done: BTreeSet<String> = run.done().into_iter().collect();
    assert!(!done.iter().any(|step| step.contains("signal_instance")), "a host without its tunnel: {done:?}");
    world.up().await;
    assert_eq!(world.left(), (1, 1));
    world.settled().await;
}
