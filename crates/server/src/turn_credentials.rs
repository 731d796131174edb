//! Credentials for a TURN server: short-lived, and verified by whoever knows the shared secret, without a call to the API.
//!
//! They have the form of the TURN REST API (draft-uberti-behave-turn-rest-00, section 2.2), so that coturn with
//! `use-auth-secret` accepts them as well as our own relay: the username is `{expiry}:{id}`, the password its HMAC-SHA1.
//! Our ids tell whom the traffic counts for, without telling who that is, and which generation of an account they were issued
//! to, so that the relay can end what rests on one that was withdrawn.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;

use crate::secret::Secret;

/// The lifetime of credentials in seconds. The draft recommends a day (section 2.2); an hour bounds what leaked ones can
/// use, and an open tab renews them before they expire.
pub const TURN_SECONDS: i64 = 3600;
/// The number of characters of an id: 96 bits in base64url.
const ID_CHARACTERS: usize = 16;
/// The bytes of an id that tell the holder. The other four tell generations of one account apart.
const HOLDER_BYTES: usize = 8;

/// Whom credentials are issued to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnHolder<'a> {
    /// The user with this email address, whose account has this generation.
    User {
        /// The key of the address.
        email: &'a str,
        /// The generation of the account.
        generation: &'a str,
    },
    /// All guests of the room with this id.
    Room(&'a str),
}

/// Credentials for a TURN server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnCredentials {
    /// `{expiry}:{id}`.
    pub username: String,
    /// The proof: the [`password`] of the username.
    pub password: Secret,
    /// When they expire, in seconds since 1970.
    pub expires: i64,
}

/// What a username tells about its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Whether it is a user or a room.
    pub kind: HolderKind,
    /// A number that is the same for all credentials of the holder until the secret is rotated, and different for any
    /// other holder.
    pub hash: u64,
    /// The same for all credentials that were issued to one generation of an account.
    pub generation: u32,
}

/// The kind of a [`Holder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HolderKind {
    /// A user, in however many tabs.
    User,
    /// The guests of a room together.
    Room,
}

impl HolderKind {
    /// The first character of an id.
    fn letter(self) -> char {
        match self {
            Self::User => 'u',
            Self::Room => 'r',
        }
    }
}

/// Returns credentials that expire [`TURN_SECONDS`] after `now` (in seconds since 1970).
pub fn turn_credentials(secret: &str, now: i64, holder: &TurnHolder<'_>) -> TurnCredentials {
    let expires = now.saturating_add(TURN_SECONDS);
    let username = format!("{expires}:{}", id(secret, holder));
    TurnCredentials { password: Secret::new(password(secret, &username)), username, expires }
}

/// Returns the holder of a username, or nothing if it has expired at the time `now` (in seconds since 1970) or is not
/// one of ours. It proves nothing without the [`password`].
pub fn check_username(username: &str, now: i64) -> Option<Holder> {
    let (expires, id) = username.split_once(':')?;
    if !expires.bytes().all(|byte| byte.is_ascii_digit()) || expires.parse::<i64>().ok()? <= now {
        return None;
    }
    let kind = match id.chars().next()? {
        'u' => HolderKind::User,
        'r' => HolderKind::Room,
        _ => return None,
    };
    let bytes = URL_SAFE_NO_PAD.decode(id.get(1..)?).ok()?;
    if bytes.len() != ID_CHARACTERS * 3 / 4 {
        return None;
    }
    let (hash, generation) = bytes.split_at_checked(HOLDER_BYTES)?;
    let (hash, generation) = (hash.try_into().ok()?, generation.try_into().ok()?);
    Some(Holder { kind, hash: u64::from_be_bytes(hash), generation: u32::from_be_bytes(generation) })
}

/// Returns the holder that usernames of this user tell whose account had this generation.
pub fn holder_of_user(secret: &str, email: &str, generation: &str) -> Option<Holder> {
    check_username(&format!("1:{}", id(secret, &TurnHolder::User { email, generation })), 0)
}

/// Returns the password of a username: its HMAC-SHA1 in base64.
pub fn password(secret: &str, username: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, username.as_bytes()))
}

/// Returns the kind and keyed hashes of holder and generation: without the secret, nobody can find out whose it is by hashing
/// the addresses that they know.
fn id(secret: &str, holder: &TurnHolder<'_>) -> String {
    let (kind, name, generation) = match holder {
        TurnHolder::User { email, generation } => (HolderKind::User, email, generation),
        TurnHolder::Room(room) => (HolderKind::Room, room, &""),
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let hash = hmac::sign(&key, format!("turn holder {}:{name}", kind.letter()).as_bytes());
    let generation = hmac::sign(&key, format!("turn generation {name}\n{generation}").as_bytes());
    let bytes: Vec<u8> = hash.as_ref().iter().take(HOLDER_BYTES).chain(generation.as_ref()).copied().collect();
    let id = URL_SAFE_NO_PAD.encode(bytes);
    format!("{}{}", kind.letter(), id.get(..ID_CHARACTERS).unwrap_or(&id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]
    use super::*;
    use proptest::prelude::*;

    fn account(email: &str) -> TurnHolder<'_> {
        TurnHolder::User { email, generation: "first" }
    }

    /// Those with which the draft's own example, and any other implementation, can be compared.
    #[test]
    fn password_is_the_hmac_sha1_of_the_username_in_base64() {
        // printf 1700003600:ada | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(password("north", "1700003600:ada"), "xnSlQG4JwD6eDlwPBFdbTt6sTJk=");
    }

    #[test]
    fn username_is_the_expiry_and_an_id_without_the_address() {
        let credentials = turn_credentials("north", 1_700_000_000, &account("ada@example.org"));
        let (expires, id) = credentials.username.split_once(':').unwrap();
        assert_eq!((expires, credentials.expires), ("1700003600", 1_700_003_600));
        assert!(id.starts_with('u') && id.len() == 1 + ID_CHARACTERS, "{id}");
        assert!(!format!("{credentials:?}").contains(credentials.password.reveal()));
    }

    #[test]
    fn malformed_usernames_are_refused() {
        let id = "uAAAAAAAAAAAAAAAA";
        assert!(check_username(&format!("1000:{id}"), 999).is_some());
        for expires in ["", "+1000", "-1000", " 1000", "1e3", "99999999999999999999", "1000:"] {
            assert_eq!(check_username(&format!("{expires}:{id}"), 0), None, "{expires}");
        }
        for id in ["", "u", "xAAAAAAAAAAAAAAAA", "uAAAAAAAAAAAAAAA", "uAAAAAAAAAAAAAAAAAA", "uAAAAAAAAAAAAAA+=", "ü"] {
            assert_eq!(check_username(&format!("1000:{id}"), 0), None, "{id}");
        }
        assert_eq!(check_username("1000", 0), None);
    }

    fn holder_of(secret: &str, now: i64, holder: &TurnHolder<'_>) -> Holder {
        check_username(&turn_credentials(secret, now, holder).username, now).unwrap()
    }

    proptest! {
        #[test]
        fn username_is_valid_for_exactly_an_hour(now in 0..1_i64 << 40, late in 0..10_000_i64, name in ".*") {
            let username = turn_credentials("north", now, &account(&name)).username;
            prop_assert_eq!(check_username(&username, now + late).is_some(), late < TURN_SECONDS);
        }

        #[test]
        fn holder_is_the_same_in_all_of_its_credentials_alone(one in ".*", other in ".*", now in 0..1_i64 << 40) {
            let user = holder_of("north", now, &account(&one));
            prop_assert_eq!(user.kind, HolderKind::User);
            prop_assert_eq!(user, holder_of("north", now + 5000, &account(&one)));
            prop_assert_eq!(user == holder_of("north", now, &account(&other)), one == other);
            let room = holder_of("north", now, &TurnHolder::Room(&one));
            prop_assert_eq!(room.kind, HolderKind::Room);
            prop_assert_ne!(user.hash, room.hash, "a room named like a user has a quota of its own");
        }

        #[test]
        fn username_tells_the_generation_of_the_account(email in ".*", first in "[a-z]{4}", second in "[a-z]{5}") {
            let of = |generation| holder_of("north", 1000, &TurnHolder::User { email: &email, generation });
            prop_assert_eq!(Some(of(&first)), holder_of_user("north", &email, &first));
            prop_assert_ne!(of(&first), of(&second));
            prop_assert_eq!(of(&first).hash, of(&second).hash, "the quota is the user's");
        }

        #[test]
        fn password_depends_on_secret_and_username(secret in "[a-z]{8}", other in "[a-z]{8}", name in ".*") {
            let credentials = turn_credentials(&secret, 0, &TurnHolder::Room(&name));
            let (username, proof) = (&credentials.username, credentials.password.reveal());
            prop_assert_eq!(password(&secret, username), proof);
            prop_assert_eq!(password(&other, username) == proof, secret == other);
            prop_assert_ne!(password(&secret, &format!("9{username}")), proof, "a later expiry needs another password");
        }

        #[test]
        fn no_text_makes_the_check_panic(text in ".*", number in "[0-9]{0,25}", id in "[ur][A-Za-z0-9_-]{0,20}") {
            let _ = check_username(&text, 0);
            let _ = check_username(&format!("{number}:{id}"), 0);
        }
    }
}
