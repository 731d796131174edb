//! How keys on which two sides must agree are changed without a moment in which they do not.
//!
//! **Ticket key.** The functions sign, the signaling server verifies. A verifier accepts a key as soon as it has read
//! it; a signer uses it only [`SETTLED_SECONDS`] after it was written, when every verifier has read it, and the
//! previous one until then. The previous one is accepted for [`PREVIOUS_SECONDS`] after the rotation.
//!
//! **Origin key.** CloudFront sends it, functions and signaling server verify it. The deployer writes the new one, and
//! the one that CloudFront sends as the previous one; it changes CloudFront once both are known, and deletes the
//! previous one when the new one has reached the whole edge. So the previous one is valid as long as it exists.
//!
//! **TURN secret** of the relay on the host. As the ticket key, but credentials are valid for an hour, and so is the
//! previous secret.
//!
//! **Without a previous one**, after somebody deleted a parameter and the deployer created it again, a program accepts
//! the keys that it has read itself for another [`PREVIOUS_SECONDS`].

use super::{Secret, Secrets, SecretsError};
use crate::tickets::{TicketKey, TicketKeys};
use crate::turn_credentials::TURN_SECONDS;

/// What is appended to the name of a key for the parameter with the previous one.
pub const PREVIOUS: &str = "-previous";
/// The number of seconds after which every program has read a parameter that was written: a function uses none that is
/// older than that, and the signaling server reads them more often.
pub const SETTLED_SECONDS: i64 = 60;
/// The number of seconds for which the previous ticket key is accepted. The last ticket is signed with it
/// [`SETTLED_SECONDS`] after the rotation, or as much later by a function that has not read the new key until then, and
/// is valid for another minute; the rest is for clocks that differ.
pub const PREVIOUS_SECONDS: i64 = 600;
/// The number of seconds for which the previous TURN secret is accepted: the last credentials that it signs, as long after
/// the rotation as the last ticket, are valid for [`TURN_SECONDS`].
pub const TURN_PREVIOUS_SECONDS: i64 = TURN_SECONDS + PREVIOUS_SECONDS;
/// The maximum number of replaced keys of one kind that a program remembers.
const MAX_FORMER: usize = 4;

/// Keys that a program has read before and that were replaced since, the newest last, each with the second since 1970
/// at which it ends.
#[derive(Clone, Debug, Default)]
pub struct Former {
    origin_keys: Vec<(Secret, i64)>,
    ticket_keys: Vec<(Secret, i64)>,
    turn_secrets: Vec<(Secret, i64)>,
}

impl Secrets {
    /// Returns the keys by which the edge proves itself at the time `now` (in seconds since 1970). Without one there is
    /// no edge.
    pub fn origin_keys(&self, now: i64) -> Vec<&Secret> {
        let former = valid(&self.former.origin_keys, now);
        self.origin_key.iter().chain(&self.origin_key_previous).chain(former).collect()
    }

    /// Returns the keys for tickets of the stack `issuer` at the time `now` (in seconds since 1970).
    ///
    /// # Errors
    /// The key is missing, or is not one that the deployer generated.
    pub fn ticket_keys(&self, issuer: &str, now: i64) -> Result<TicketKeys, SecretsError> {
        let current = self.ticket_key.as_ref().ok_or(SecretsError::Missing("ticket-key"))?;
        let current = TicketKey::parse(current.reveal()).ok_or(SecretsError::Malformed("ticket-key"))?;
        let previous = self.ticket_key_previous.as_ref();
        let previous = previous.filter(|_| now < self.ticket_key_previous_written + PREVIOUS_SECONDS);
        let older = previous.into_iter().chain(valid(&self.former.ticket_keys, now).rev());
        let mut older: Vec<TicketKey> = older.filter_map(|key| TicketKey::parse(key.reveal())).collect();
        if now >= self.ticket_key_written + SETTLED_SECONDS || older.is_empty() {
            return Ok(TicketKeys::new(issuer, current, older));
        }
        // The first one is the previous one, or else the one that this program has used until now.
        let signing = older.remove(0);
        older.push(current);
        Ok(TicketKeys::new(issuer, signing, older))
    }

    /// Returns the secrets with which credentials for the TURN server are accepted at the time `now` (in seconds since
    /// 1970), the current one first.
    pub fn turn_secrets(&self, now: i64) -> Vec<&Secret> {
        let previous = self.turn_secret_previous.as_ref();
        let previous = previous.filter(|_| now < self.turn_secret_previous_written + TURN_PREVIOUS_SECONDS);
        let former = valid(&self.former.turn_secrets, now).rev();
        let mut accepted: Vec<&Secret> = Vec::new();
        for secret in self.turn_secret.iter().chain(previous).chain(former) {
            if !accepted.contains(&secret) {
                accepted.push(secret);
            }
        }
        accepted
    }

    /// Returns the secret that signs credentials for the TURN server at the time `now` (in seconds since 1970): the
    /// current one, once every verifier has read it.
    pub fn turn_signing_secret(&self, now: i64) -> Option<&Secret> {
        let settled = now >= self.turn_secret_written + SETTLED_SECONDS;
        let accepted = self.turn_secrets(now);
        let older = accepted.get(1).filter(|_| !settled);
        older.or(accepted.first()).copied()
    }

    /// Returns what holds after these secrets were read at the time `now`, when `old` held before. A parameter that is
    /// gone keeps its value: somebody has deleted it, and the deployer will create it again. So does a ticket key that
    /// is not one.
    pub(super) fn succeeding(mut self, old: &Self, now: i64) -> Self {
        if self.ticket_key.is_none() || (self.ticket_keys("", now).is_err() && old.ticket_keys("", now).is_ok()) {
            (self.ticket_key, self.ticket_key_written) = (old.ticket_key.clone(), old.ticket_key_written);
        }
        let end = now + PREVIOUS_SECONDS;
        self.former.ticket_keys = replaced(&old.former.ticket_keys, [&old.ticket_key, &self.ticket_key], now, end);
        keep(&mut self.origin_key, &old.origin_key);
        self.former.origin_keys = replaced(&old.former.origin_keys, [&old.origin_key, &self.origin_key], now, end);
        if self.turn_secret.is_none() {
            (self.turn_secret, self.turn_secret_written) = (old.turn_secret.clone(), old.turn_secret_written);
        }
        let end = now + TURN_PREVIOUS_SECONDS;
        self.former.turn_secrets = replaced(&old.former.turn_secrets, [&old.turn_secret, &self.turn_secret], now, end);
        keep(&mut self.smtp_pass, &old.smtp_pass);
        keep(&mut self.emailjs_private_key, &old.emailjs_private_key);
        keep(&mut self.turn_key_id, &old.turn_key_id);
        keep(&mut self.turn_api_token, &old.turn_api_token);
        keep(&mut self.tunnel_token, &old.tunnel_token);
        self
    }

    /// Returns the names of the secrets that are not the same in both, for the log.
    pub(super) fn differing(&self, other: &Self) -> Vec<&'static str> {
        let pairs = [
            ("smtp-pass", &self.smtp_pass, &other.smtp_pass),
            ("emailjs-private-key", &self.emailjs_private_key, &other.emailjs_private_key),
            ("turn-secret", &self.turn_secret, &other.turn_secret),
            ("turn-secret-previous", &self.turn_secret_previous, &other.turn_secret_previous),
            ("turn-key-id", &self.turn_key_id, &other.turn_key_id),
            ("turn-api-token", &self.turn_api_token, &other.turn_api_token),
            ("tunnel-token", &self.tunnel_token, &other.tunnel_token),
            ("origin-key", &self.origin_key, &other.origin_key),
            ("origin-key-previous", &self.origin_key_previous, &other.origin_key_previous),
            ("ticket-key", &self.ticket_key, &other.ticket_key),
            ("ticket-key-previous", &self.ticket_key_previous, &other.ticket_key_previous),
        ];
        pairs.into_iter().filter(|(_, one, other)| one != other).map(|(name, ..)| name).collect()
    }
}

fn valid(former: &[(Secret, i64)], now: i64) -> impl DoubleEndedIterator<Item = &Secret> {
    former.iter().filter(move |(_, end)| now < *end).map(|(key, _)| key)
}

fn keep(new: &mut Option<Secret>, old: &Option<Secret>) {
    if new.is_none() {
        new.clone_from(old);
    }
}

/// Returns the former keys that are still valid, and until `end` the old one of `keys`, if the new one has replaced it.
fn replaced(former: &[(Secret, i64)], keys: [&Option<Secret>; 2], now: i64, end: i64) -> Vec<(Secret, i64)> {
    let [old, new] = keys;
    let mut former: Vec<_> = former.iter().filter(|(_, end)| now < *end).cloned().collect();
    if let Some(old) = old.as_ref().filter(|_| old != new) {
        former.push((old.clone(), end));
    }
    former.drain(..former.len().saturating_sub(MAX_FORMER));
    former
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;
    use crate::tickets::{Bearer, TicketError};

    const NOW: i64 = 1_800_000_000;

    fn key(letter: char) -> Option<Secret> {
        Some(Secret::new(format!("{}A", letter.to_string().repeat(42))))
    }

    fn signed(secrets: &Secrets, now: i64) -> String {
        let bearer = Bearer {
            subject: "a@example.org".into(),
            address: None,
            name: "A".into(),
            guest: false,
            generation: None,
            session: None,
            room: None,
        };
        secrets.ticket_keys("s", now).unwrap().issue(bearer, now).unwrap()
    }

    fn verified(secrets: &Secrets, ticket: &str, now: i64) -> Option<TicketError> {
        secrets.ticket_keys("s", now).unwrap().verify(ticket, now).err()
    }

    fn first() -> Secrets {
        Secrets { ticket_key: key('a'), origin_key: key('o'), ..Secrets::default() }
    }

    /// What a program reads after the rotation from `a` to `b` at `NOW`.
    fn rotated() -> Secrets {
        Secrets {
            ticket_key: key('b'),
            ticket_key_written: NOW,
            ticket_key_previous: key('a'),
            ticket_key_previous_written: NOW,
            ..first()
        }
    }

    #[test]
    fn new_ticket_key_signs_only_when_every_verifier_has_read_it() {
        let (before, after) = (first(), rotated());
        let early = signed(&after, NOW + SETTLED_SECONDS - 1);
        assert_eq!(verified(&before, &early, NOW + SETTLED_SECONDS - 1), None, "a verifier knows only the old key");
        let late = signed(&after, NOW + SETTLED_SECONDS);
        assert_eq!(verified(&before, &late, NOW + SETTLED_SECONDS), Some(TicketError::UnknownKey));
        assert_eq!(verified(&after, &late, NOW + SETTLED_SECONDS), None);
    }

    #[test]
    fn previous_ticket_key_is_accepted_for_ten_minutes() {
        let keys = rotated();
        for second in [0, SETTLED_SECONDS, PREVIOUS_SECONDS - 1] {
            assert_eq!(verified(&keys, &signed(&first(), NOW + second), NOW + second), None, "{second}");
        }
        let late = NOW + PREVIOUS_SECONDS;
        assert_eq!(verified(&keys, &signed(&first(), late), late), Some(TicketError::UnknownKey));
    }

    #[test]
    fn first_ticket_key_signs_at_once() {
        let new = Secrets { ticket_key_written: NOW, ..first() };
        assert_eq!(verified(&new, &signed(&new, NOW), NOW), None);
    }

    #[test]
    fn key_created_again_after_deletion_is_settled_like_a_rotation() {
        let gone = Secrets::default().succeeding(&first(), NOW - 30);
        assert_eq!(verified(&gone, &signed(&first(), NOW), NOW), None, "a deleted key stays in use");
        let again =
            Secrets { ticket_key: key('b'), ticket_key_written: NOW, origin_key: key('p'), ..Secrets::default() };
        let again = again.succeeding(&gone, NOW);
        assert_eq!(verified(&first(), &signed(&again, NOW + 59), NOW + 59), None, "others know only the old key");
        assert_eq!(verified(&first(), &signed(&again, NOW + 60), NOW + 60), Some(TicketError::UnknownKey));
        assert_eq!(verified(&again, &signed(&first(), NOW + 599), NOW + 599), None);
        assert_eq!(again.origin_keys(NOW + 599), [&key('p').unwrap(), &key('o').unwrap()]);
        assert_eq!(again.origin_keys(NOW + 600), [&key('p').unwrap()]);
    }

    #[test]
    fn previous_origin_key_is_valid_as_long_as_it_exists() {
        let changing = Secrets { origin_key: key('p'), origin_key_previous: key('o'), ..first() };
        assert_eq!(changing.origin_keys(NOW + 10 * PREVIOUS_SECONDS).len(), 2);
        let changed = Secrets { origin_key_previous: None, ..changing.clone() }.succeeding(&changing, NOW);
        assert_eq!(changed.origin_keys(NOW), [&key('p').unwrap()]);
    }

    #[test]
    fn ticket_key_of_another_form_does_not_replace_a_valid_one() {
        let broken = Secrets { ticket_key: Some(Secret::new("short")), ..first() }.succeeding(&first(), NOW);
        assert_eq!(verified(&broken, &signed(&first(), NOW), NOW), None);
    }

    #[test]
    fn turn_secret_is_rotated_without_a_gap() {
        let before = Secrets { turn_secret: key('a'), ..Secrets::default() };
        let after = Secrets {
            turn_secret: key('b'),
            turn_secret_written: NOW,
            turn_secret_previous: key('a'),
            turn_secret_previous_written: NOW,
            ..Secrets::default()
        };
        let (old, new) = (key('a').unwrap(), key('b').unwrap());
        assert_eq!(
            after.turn_signing_secret(NOW + SETTLED_SECONDS - 1),
            Some(&old),
            "not every relay knows the new one"
        );
        assert_eq!(after.turn_signing_secret(NOW + SETTLED_SECONDS), Some(&new));
        let last_use = NOW + SETTLED_SECONDS + TURN_SECONDS;
        assert_eq!(
            after.turn_secrets(last_use),
            [&new, &old],
            "credentials of an hour end while their secret is accepted"
        );
        assert_eq!(after.turn_secrets(NOW + TURN_PREVIOUS_SECONDS), [&new]);
        let read = after.clone().succeeding(&before, NOW);
        assert_eq!(read.turn_secrets(NOW), [&new, &old], "the one that was read before is the previous one");
        assert_eq!(before.turn_signing_secret(NOW), Some(&old));
        assert_eq!(Secrets::default().turn_signing_secret(NOW), None);
    }

    #[test]
    fn turn_secret_created_again_after_deletion_is_settled_like_a_rotation() {
        let before = Secrets { turn_secret: key('a'), ..Secrets::default() };
        let gone = Secrets::default().succeeding(&before, NOW - 30);
        assert_eq!(gone.turn_signing_secret(NOW), key('a').as_ref(), "a deleted secret stays in use");
        let again = Secrets { turn_secret: key('b'), turn_secret_written: NOW, ..Secrets::default() };
        let again = again.succeeding(&gone, NOW);
        assert_eq!(again.turn_signing_secret(NOW + 59), key('a').as_ref(), "others know only the old one");
        assert_eq!(again.turn_signing_secret(NOW + 60), key('b').as_ref());
    }

    #[test]
    fn number_of_former_keys_is_bounded() {
        let mut secrets = first();
        for letter in 'b'..'z' {
            secrets = Secrets { origin_key: key(letter), ..first() }.succeeding(&secrets, NOW);
        }
        assert_eq!(secrets.origin_keys(NOW).len(), 1 + MAX_FORMER);
    }

    #[test]
    fn log_names_what_differs() {
        assert_eq!(rotated().differing(&first()), ["ticket-key", "ticket-key-previous"]);
        assert!(first().differing(&first()).is_empty());
    }
}
