//! Calls between networks of every kind connect, by the best way that is open.
//!
//! Needs: python, node, chromium, firefox, namespaces, coturn.
//!
//! Threads: 2, because each test has two or three browsers.
//!
//! Alone.

mod lab;
mod line;
pub(crate) mod namespace;
mod pair;
mod person;
mod product;
mod relay;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::join;

use self::lab::{Lab, LetsOut, Nat, PAGES, SERVER, SERVER_V6, Speaks, Uplink};
use self::pair::Pair;
use self::person::Browser::{Chromium, Firefox};
use self::person::{Person, Way};
use self::product::Service;
use self::relay::SeparateRelay;

const CABLE: Uplink = Uplink::Cable { mtu: 1500 };

#[track_caller]
fn assert_direct(way: &Way, kinds: &[&str]) {
    let allowed = |kind: &str| kinds.contains(&kind);
    assert!(allowed(&way.local.kind) && allowed(&way.remote.kind), "{way:?} is not of {kinds:?}");
}

/// Asserts that this side reaches the relay by a protocol and port, and that the other side is relayed too.
#[track_caller]
fn assert_relayed(way: &Way, protocol: &str, port: &str) {
    assert!(way.local.kind == "relay" && way.remote.kind == "relay", "{way:?} is not relayed");
    assert_eq!(way.local.relay_protocol, protocol, "{way:?}");
    assert!(way.local.url.contains(port), "{way:?} does not use {port}");
}

#[tokio::test(flavor = "multi_thread")]
async fn same_network_connects_by_host_addresses() {
    let Some(lab) = Lab::open() else { return };
    let home = lab.router(Nat::KeepsPorts);
    let service = Service::start(&lab, &[]).await;
    let (_call, adas, bobs) = Pair::meet(&lab, &service, (&home, Chromium), (&home, Firefox)).await;
    for way in [adas, bobs] {
        // A check may arrive before the candidate that tells where it comes from.
        assert_direct(&way, &["host", "prflx"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_homes_connect_directly() {
    let Some(lab) = Lab::open() else { return };
    let (one, other) = (lab.router(Nat::KeepsPorts), lab.router(Nat::KeepsPorts));
    let service = Service::start(&lab, &[]).await;
    let (_call, adas, bobs) = Pair::meet(&lab, &service, (&one, Chromium), (&other, Firefox)).await;
    for way in [adas, bobs] {
        assert_direct(&way, &["srflx", "prflx"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn home_and_symmetric_nat_connect() {
    let Some(lab) = Lab::open() else { return };
    let (home, office) = (lab.router(Nat::KeepsPorts), lab.router(Nat::Symmetric));
    let service = Service::start(&lab, &[]).await;
    Pair::meet(&lab, &service, (&home, Firefox), (&office, Chromium)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_symmetric_nats_are_relayed_by_udp() {
    let Some(lab) = Lab::open() else { return };
    let (one, other) = (lab.router(Nat::Symmetric), lab.router(Nat::Symmetric));
    let service = Service::start(&lab, &[]).await;
    let (_call, adas, _) = Pair::meet(&lab, &service, (&one, Chromium), (&other, Firefox)).await;
    assert_relayed(&adas, "udp", ":3478");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_udp_is_relayed_by_tcp() {
    let Some(lab) = Lab::open() else { return };
    let office = lab.special_router(Nat::KeepsPorts, LetsOut::NoUdp, CABLE);
    let home = lab.router(Nat::KeepsPorts);
    let service = Service::start(&lab, &[]).await;
    let (_call, adas, _) = Pair::meet(&lab, &service, (&office, Chromium), (&home, Firefox)).await;
    assert_relayed(&adas, "tcp", ":3478");
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_open_443_alone_are_relayed_by_it() {
    let Some(lab) = Lab::open() else { return };
    let one = lab.special_router(Nat::KeepsPorts, LetsOut::Only443, CABLE);
    let other = lab.special_router(Nat::KeepsPorts, LetsOut::Only443, CABLE);
    let service = Service::start(&lab, &["--relay-port", "3478,443"]).await;
    let (_call, adas, _) = Pair::meet(&lab, &service, (&one, Chromium), (&other, Firefox)).await;
    assert_relayed(&adas, "tcp", ":443");
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_alone_and_both_protocols_connect() {
    let Some(lab) = Lab::open() else { return };
    let service = Service::start_for_both_protocols(&lab).await;
    let (one, other) = (lab.router(Nat::KeepsPorts), lab.router(Nat::KeepsPorts));
    let (adas, bobs) = (one.computer(Speaks::V6), other.computer(Speaks::Both));
    let room = service.room(&lab);
    let by_v6 = room.replace(SERVER, &format!("[{SERVER_V6}]"));
    Pair::meet_in(&by_v6, &room, (adas, Chromium), (bobs, Firefox)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_packets_and_a_bad_line_keep_the_picture_moving() {
    let Some(lab) = Lab::open() else { return };
    let tunnel = lab.special_router(Nat::KeepsPorts, LetsOut::All, Uplink::Cable { mtu: 1280 });
    let mobile = lab.special_router(Nat::KeepsPorts, LetsOut::All, Uplink::Line { delay: 40, loss: 0.03 });
    let service = Service::start(&lab, &[]).await;
    let (mut call, ..) = Pair::meet(&lab, &service, (&tunnel, Chromium), (&mobile, Firefox)).await;
    // Still, after the bandwidth has been found.
    for _ in 0..3 {
        call.see_each_other().await;
    }
}

/// The better of two moves counts, because a busy machine delays everything.
#[tokio::test(flavor = "multi_thread")]
async fn another_network_interrupts_a_call_for_a_moment() {
    let Some(lab) = Lab::open() else { return };
    let [home, mobile, office, other] = [(); 4].map(|()| lab.router(Nat::KeepsPorts));
    let service = Service::start(&lab, &[]).await;
    let (mut call, ..) = Pair::meet(&lab, &service, (&home, Chromium), (&other, Firefox)).await;
    let computer = Arc::clone(&call.adas);
    let mut shortest = Duration::MAX;
    for (from, to, router) in [("eth0", "eth1", &mobile), ("eth1", "eth2", &office)] {
        let move_to_another = async {
            computer.ip(&format!("link set {from} down"));
            computer.ip(&format!("addr flush dev {from}"));
            router.plug(&computer, to, Speaks::V4);
        };
        shortest = shortest.min(call.interruption(move_to_another).await);
    }
    assert!(shortest <= Duration::from_secs(3), "the picture stood still for {shortest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_relay_interrupts_a_call_for_a_moment() {
    let Some(lab) = Lab::open() else { return };
    let (one, other) = (lab.router(Nat::Symmetric), lab.router(Nat::Symmetric));
    let mut relay = SeparateRelay::start(&lab);
    let service = Service::start_with_separate_relay(&lab).await;
    let (mut call, adas, _) = Pair::meet(&lab, &service, (&one, Chromium), (&other, Firefox)).await;
    assert_relayed(&adas, "udp", ":3478");
    let interruption = call.interruption(async { relay.restart(&lab) }).await;
    assert!(interruption <= Duration::from_secs(5), "the picture stood still for {interruption:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_behind_one_router_and_a_third_elsewhere_see_each_other() {
    let Some(lab) = Lab::open() else { return };
    let service = Service::start(&lab, &[]).await;
    let (office, home) = (lab.router(Nat::Symmetric), lab.router(Nat::KeepsPorts));
    let computers = (office.computer(Speaks::V4), office.computer(Speaks::V4), home.computer(Speaks::V4));
    let (mut ada, mut bob, mut cleo) = join!(
        Person::arrive(&computers.0, Chromium, "Ada"),
        Person::arrive(&computers.1, Chromium, "Bob"),
        Person::arrive(&computers.2, Firefox, "Cleo"),
    );
    let room = service.room(&lab);
    for person in [&mut ada, &mut bob, &mut cleo] {
        person.join(&room).await;
    }
    join!(ada.sees(2), bob.sees(2), cleo.sees(2));
}

/// What the start prints is what a phone opens.
#[tokio::test(flavor = "multi_thread")]
async fn second_computer_signs_in_at_the_printed_address_and_is_reachable() {
    let Some(lab) = Lab::open() else { return };
    let service = Service::start(&lab, &[]).await;
    let printed = service.product.ready["network_url"].as_str().expect("an address is printed").to_owned();
    assert_eq!(printed, format!("https://{SERVER}:{PAGES}"));
    let home = lab.router(Nat::KeepsPorts);
    let computer = home.computer(Speaks::V4);
    let mut ada = Person::arrive(&computer, Firefox, "Ada").await;
    let email = "ada@example.org";
    ada.ask(json!({ "do": "open", "url": format!("{printed}/signup.html") })).await;
    ada.ask(json!({ "do": "fill", "label": "Name", "text": "Ada" })).await;
    ada.ask(json!({ "do": "fill", "label": "Email", "text": email })).await;
    ada.ask(json!({ "do": "press", "label": "Sign up" })).await;
    ada.ask(json!({ "do": "text", "text": "Check your email" })).await;
    let code = service.clerk(&lab, &["code", email]);
    ada.ask(json!({ "do": "fill", "label": "Code from the email", "text": code })).await;
    ada.ask(json!({ "do": "press", "label": "Continue" })).await;
    ada.ask(json!({ "do": "text", "text": "You can be reached" })).await;
}
