//! The same way on moto, which has neither functions that run nor data planes; it does read back user data.
//!
//! What moto lacks, and what is therefore not asked here: running functions without Docker, API Gateway's and
//! CloudFront's data planes, response-headers policies, the distribution's access control, bucket versioning as the
//! Rust SDK reads it.

use peersync_tests::census::{census, difference};
use peersync_tests::emulator::{Emulator, Kind};
use peersync_tests::proxy::log::mutating;
use peersync_tests::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_comes_up_stays_as_it_is_and_goes() {
    let emulator = Emulator::start(Kind::Moto);
    let stage = Stage::new(&emulator).await;
    let before = census(&stage.clients).await;
    let up = stage.run(&["up", "--yes", "--no-check"]).await;
    println!("{}", up.result());
    assert_eq!(up.code, Some(0), "{}\n{}", up.stdout, up.stderr);
    stage.proxy().log.take();
    let second = stage.up().await;
    assert_eq!(mutating(&stage.proxy().log.take()), Vec::<String>::new(), "{:?}", second.done());
    stage.down().await;
    let left = difference(&before, &census(&stage.clients).await);
    assert!(left.is_empty(), "{}", left.join("\n"));
}
