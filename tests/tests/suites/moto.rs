//! The same way on moto, which has neither functions that run nor data planes; it does read back user data.
//!
//! What moto lacks, and what is therefore not asked here: running functions without Docker, API Gateway's and
//! CloudFront's data planes, response-headers policies, the distribution's access control, bucket versioning as the
//! Rust SDK reads it (so that nothing can be planned or deleted once the bucket is there), uploads into a bucket whose
//! policy denies plain HTTP, and so the host that fetches one of them and the functions that are made from another.

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::stage::Stage;

/// What moto refuses: it applies a bucket policy's "deny" without looking at its condition, and ours denies plain HTTP.
/// Which of them fail, if any, hangs on whether the policy is there first; host and functions
/// need the programs.
const REFUSED: [&str; 4] = ["s3_objects.site", "s3_program.api", "s3_program.signal", "signal_instance.signal"];

fn only_what_moto_refuses(failed: &[String], stderr: &str) {
    let others: Vec<&String> = failed.iter().filter(|address| !REFUSED.contains(&address.as_str())).collect();
    assert!(others.is_empty(), "{others:?}\n{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_comes_up() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = Stage::new(&emulator).await;
    let before = census(&stage.clients).await;
    let up = stage.run(&["up", "--yes", "--no-check"]).await;
    only_what_moto_refuses(&up.failed(), &up.stderr);
    assert!(up.done().len() > 35, "the rest comes up: {:?}", up.done());
    let made = difference(&before, &census(&stage.clients).await);
    assert!(made.len() > 35, "{made:?}");
}
