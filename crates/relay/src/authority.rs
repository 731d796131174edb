//! Who may use the relay of a stack: whoever has the credentials that `POST /ticket` gives, unless the generation of the
//! account to which they were issued was withdrawn since.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use peersync_server::clock::Clock;
use peersync_server::secrets::LiveSecrets;
use peersync_server::store::Withdrawn;
use peersync_server::turn_credentials::{Holder, HolderKind, TURN_SECONDS, check_username, holder_of_user, password};

use crate::relay::{Authority, Grant};

/// The maximum number of allocations of a user: five devices or tabs, each in a full room of eight with four
/// allocations for each other person (UDP, TCP 3478, TCP 443, and TLS 443 on a host with a certificate).
const PER_USER: usize = 140;
/// The maximum number of allocations of all guests of a room: seven of them, each as a user's tab above, and as many
/// again from before they changed networks, until those expire.
const PER_ROOM: usize = 392;

/// By how many seconds the clock of whoever gives credentials out may be ahead.
const SKEW_SECONDS: i64 = 60;

/// The authority of a stack.
#[derive(Debug)]
pub struct StackAuthority {
    secrets: Arc<LiveSecrets>,
    clock: Clock,
    /// Whose credentials were withdrawn, with the time in seconds since 1970 when the last of them expires.
    withdrawn: Mutex<HashMap<Holder, i64>>,
}

impl StackAuthority {
    /// Returns the authority that follows these secrets.
    pub fn new(secrets: Arc<LiveSecrets>, clock: Clock) -> Self {
        Self { secrets, clock, withdrawn: Mutex::default() }
    }

    /// Grants nothing any more to these accounts in these generations. Returns whether one of them is new.
    pub fn withdraw(&self, accounts: &[Withdrawn]) -> bool {
        let Some(secrets) = self.secrets.known() else { return false };
        let now = self.clock.now();
        let keys = secrets.turn_secrets(now);
        let mut withdrawn = self.withdrawn.lock();
        let before = withdrawn.len();
        for Withdrawn { email, generation } in accounts {
            for holder in keys.iter().filter_map(|secret| holder_of_user(secret.reveal(), email, generation)) {
                withdrawn.entry(holder).or_insert(now.saturating_add(TURN_SECONDS));
            }
        }
        let grown = withdrawn.len() > before;
        withdrawn.retain(|_, end| *end > now);
        grown
    }
}

impl Authority for StackAuthority {
    fn grant(&self, username: &str) -> Option<Grant> {
        let now = self.clock.now();
        let holder = check_username(username, now)?;
        // Given out by a clock that differs: on a host whose clock is behind, others would be valid long after their time.
        if check_username(username, now.saturating_add(TURN_SECONDS + SKEW_SECONDS)).is_some() {
            return None;
        }
        if self.withdrawn.lock().contains_key(&holder) {
            return None;
        }
        let secrets = self.secrets.known()?;
        let passwords = secrets.turn_secrets(now).iter().map(|secret| password(secret.reveal(), username)).collect();
        Some(Grant { passwords, holder: number(holder), allocations: quota(holder.kind) })
    }

    fn is_withdrawn(&self, username: &str) -> bool {
        // Allocations outlive their credentials.
        check_username(username, 0).is_some_and(|holder| self.withdrawn.lock().contains_key(&holder))
    }
}

fn quota(kind: HolderKind) -> usize {
    match kind {
        HolderKind::User => PER_USER,
        HolderKind::Room => PER_ROOM,
    }
}

/// Returns a number for each holder. A user and a room with the same hash would share it, so the last bit tells them
/// apart.
fn number(holder: Holder) -> u64 {
    holder.hash & !1 | u64::from(holder.kind == HolderKind::Room)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;
    use peersync_server::secrets::{Secret, Secrets};
    use peersync_server::turn_credentials::{TurnHolder, turn_credentials};

    fn authority(secret: &str, now: i64) -> Arc<StackAuthority> {
        let secrets = Secrets { turn_secret: Some(Secret::new(secret)), ..Secrets::default() };
        Arc::new(StackAuthority::new(Arc::new(LiveSecrets::fixed(secrets)), Clock::fixed(now)))
    }

    fn user(email: &str) -> TurnHolder<'_> {
        TurnHolder::User { email, generation: "first" }
    }

    #[test]
    fn credentials_of_a_ticket_are_accepted_for_an_hour() {
        let given = turn_credentials("north", 1000, &user("ada@example.org"));
        let grant = authority("north", 1000).grant(&given.username).unwrap();
        assert_eq!(grant.passwords, [given.password.reveal()]);
        assert!(authority("north", 4599).grant(&given.username).is_some());
        assert_eq!(authority("north", 4600).grant(&given.username), None);
        let other = authority("south", 1000).grant(&given.username).unwrap();
        assert_ne!(other.passwords, grant.passwords, "another stack's credentials prove nothing");
    }

    #[test]
    fn both_secrets_are_accepted_while_one_takes_the_place_of_the_other() {
        let secrets = Secrets {
            turn_secret: Some(Secret::new("new")),
            turn_secret_written: 1000,
            turn_secret_previous: Some(Secret::new("old")),
            turn_secret_previous_written: 1000,
            ..Secrets::default()
        };
        let authority = Arc::new(StackAuthority::new(Arc::new(LiveSecrets::fixed(secrets)), Clock::fixed(1010)));
        for secret in ["new", "old"] {
            let given = turn_credentials(secret, 1010, &TurnHolder::Room("r"));
            let passwords = authority.grant(&given.username).unwrap().passwords;
            assert!(passwords.iter().any(|password| password == given.password.reveal()), "{secret}");
        }
    }

    #[test]
    fn user_and_room_are_different_holders_with_their_own_quotas() {
        let authority = authority("north", 0);
        let grant = |holder: TurnHolder<'_>| authority.grant(&turn_credentials("north", 0, &holder).username).unwrap();
        let (of_user, room) = (grant(user("a")), grant(TurnHolder::Room("a")));
        assert_ne!(of_user.holder, room.holder);
        assert_eq!((of_user.allocations, room.allocations), (PER_USER, PER_ROOM));
        assert_eq!(grant(TurnHolder::User { email: "a", generation: "second" }).holder, of_user.holder);
    }

    #[test]
    fn withdrawn_generation_of_an_account_is_granted_nothing_and_its_successor_is() {
        let secrets = Secrets { turn_secret: Some(Secret::new("north")), ..Secrets::default() };
        let clock = Clock::fixed(1000);
        let authority = Arc::new(StackAuthority::new(Arc::new(LiveSecrets::fixed(secrets)), clock.clone()));
        let issued = |email, generation| {
            turn_credentials("north", clock.now(), &TurnHolder::User { email, generation }).username
        };
        let (old, new) = (issued("ada@example.org", "first"), issued("ada@example.org", "second"));
        let (bob, room) = (issued("bob@example.org", "first"), turn_credentials("north", 1000, &TurnHolder::Room("r")));
        let account = [Withdrawn { email: "ada@example.org".to_owned(), generation: "first".to_owned() }];
        assert!(authority.withdraw(&account));
        assert!(!authority.withdraw(&account), "it is known");
        assert_eq!(authority.grant(&old), None);
        for username in [&new, &bob, &room.username] {
            assert!(authority.grant(username).is_some() && !authority.is_withdrawn(username));
        }
        // An allocation may live longer than the credentials that it was made with.
        clock.forward(TURN_SECONDS - 1);
        assert!(authority.is_withdrawn(&old));
        clock.forward(1);
        authority.withdraw(&[]);
        assert!(authority.withdrawn.lock().is_empty(), "credentials from before have expired");
    }
}
