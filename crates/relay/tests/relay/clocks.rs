//! The clock of the host is set while somebody is relayed.

use std::sync::Arc;
use std::time::Instant;

use peersync_relay::client::{Answer, Ask, Asker};
use peersync_relay::{Limits, Relay, Settings, StackAuthority};
use peersync_server::clock::Clock;
use peersync_server::secrets::{LiveSecrets, Secret, Secrets};
use peersync_server::turn_credentials::{TurnHolder, turn_credentials};

use crate::world::{RELAY, udp};

const SECRET: &str = "north";
const DAY: i64 = 86_400;

/// Asks, and again with the nonce.
fn ask(relay: &mut Relay<Arc<StackAuthority>>, asker: &mut Asker, address: &str, ask: &Ask) -> Answer {
    let mut once = |asker: &mut Asker| {
        let (request, mut out) = (asker.ask(ask), Vec::new());
        relay.handle(Instant::now(), udp(address), &request, &mut out).unwrap();
        asker.read(&out).unwrap()
    };
    let first = once(asker);
    if matches!(first.code(), Some(401 | 438)) { once(asker) } else { first }
}

#[test]
fn clock_that_is_set_ends_no_allocation_and_lets_no_expired_credentials_in() {
    for wrong in [DAY, -DAY] {
        let clock = Clock::fixed(100 * DAY);
        let secrets = Secrets { turn_secret: Some(Secret::new(SECRET)), ..Secrets::default() };
        let authority = Arc::new(StackAuthority::new(Arc::new(LiveSecrets::fixed(secrets)), clock.clone()));
        let settings = Settings { realm: "relay.test".to_owned(), address: RELAY, limits: Limits::default() };
        let mut relay = Relay::new(settings, authority, Instant::now());
        let asker = |given: i64| {
            let credentials = turn_credentials(SECRET, given, &TurnHolder::Room("r"));
            Asker::new(&credentials.username, credentials.password.reveal())
        };
        let (mut ada, mut old) = (asker(clock.now()), asker(clock.now() - 2 * 3600));
        let allocated = ask(&mut relay, &mut ada, "192.0.2.1:4000", &Ask::Allocate(None));
        assert_eq!(allocated.refused, None);
        clock.set_by(wrong);
        for asked in [Ask::Refresh(600), Ask::Permit(vec![allocated.relayed.unwrap()])] {
            assert_eq!(ask(&mut relay, &mut ada, "192.0.2.1:4000", &asked).refused, None, "{wrong} {asked:?}");
        }
        assert_eq!(ask(&mut relay, &mut old, "192.0.2.2:4000", &Ask::Allocate(None)).code(), Some(401), "{wrong}");
        clock.set_by(-wrong);
        assert_eq!(ask(&mut relay, &mut ada, "192.0.2.1:4000", &Ask::Refresh(600)).refused, None);
        assert_eq!(ask(&mut relay, &mut asker(clock.now()), "192.0.2.3:4000", &Ask::Allocate(None)).refused, None);
    }
}
