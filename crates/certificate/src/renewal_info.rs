//! When the authority suggests to renew a certificate (RFC 9773): at a moment in a window that it may change, and at once if it
//! has revoked the certificate.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use instant_acme::{Account, AccountCredentials, CertificateIdentifier, Error, RenewalInfo};
use tokio::time::timeout;
use tracing::info;

use crate::authority::Authority;

/// The shortest and the longest time, in seconds, for which an authority can ask not to be asked again (RFC 9773, section
/// 4.3.2).
const SHORTEST: i64 = 60;
const LONGEST: i64 = 86_400;
/// When one that has not answered is asked again, in seconds (RFC 9773, section 4.3.3).
const AFTER_FAILURE: i64 = 6 * 3600;
/// How long it may take to answer.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the authority has suggested for a certificate.
#[derive(Debug)]
struct Suggestion {
    of: CertificateIdentifier<'static>,
    /// When to renew it, in seconds since 1970, if that is known.
    at: Option<i64>,
    /// When the authority may be asked again.
    again: i64,
}

/// The last suggestion of an authority.
#[derive(Debug, Default)]
pub(crate) struct Suggestions(Option<Suggestion>);

impl Suggestions {
    /// Returns when the authority wants this certificate to be renewed; `None` if it does not say. It is asked as often as it
    /// allows, and what it has said holds while it does not answer.
    pub(crate) async fn of(
        &mut self,
        authority: &Authority,
        account: AccountCredentials,
        certificate: &CertificateIdentifier<'static>,
        now: i64,
    ) -> Option<i64> {
        let known = self.0.as_ref().filter(|known| known.of == *certificate);
        let before = known.and_then(|known| known.at);
        // A clock that was set back is no reason to wait longer.
        if known.is_some_and(|known| (1..=LONGEST).contains(&(known.again - now))) {
            return before;
        }
        // A connection that is dead must not keep the certificate from being renewed.
        let asked = timeout(DEADLINE, ask(authority, account, certificate)).await;
        let (at, pause) = match asked.unwrap_or(Err(Error::Str("no answer in time"))) {
            Ok((at, pause)) => (Some(at), pause),
            Err(error) => {
                info!(target: "certificate", %error, "the authority suggests no time of renewal");
                (before, AFTER_FAILURE)
            }
        };
        self.0 = Some(Suggestion { of: certificate.clone(), at, again: now.saturating_add(pause) });
        at
    }
}

/// Asks the authority, and returns when to renew the certificate, and for how many seconds not to ask again.
async fn ask(
    authority: &Authority,
    account: AccountCredentials,
    certificate: &CertificateIdentifier<'_>,
) -> Result<(i64, i64), Error> {
    let account = Account::builder_with_http(Box::new(authority.client()?)).from_credentials(account).await?;
    let (info, pause) = account.renewal_info(certificate).await?;
    let at = moment(&info, certificate).ok_or(Error::Str("a window that ends after its start"))?;
    Ok((at, seconds(pause).clamp(SHORTEST, LONGEST)))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Returns the moment in the window at which to renew; `None` if there is no window.
fn moment(info: &RenewalInfo, certificate: &CertificateIdentifier<'_>) -> Option<i64> {
    let window = &info.suggested_window;
    within(window.start.unix_timestamp(), window.end.unix_timestamp(), &certificate.serial)
}

/// Returns a moment between two, which must differ from certificate to certificate and be the same at each look: it is chosen
/// by the serial number, most of which is random (Baseline Requirements of the CA/Browser Forum, section 7.1).
fn within(start: i64, end: i64, serial: &str) -> Option<i64> {
    let serial = URL_SAFE_NO_PAD.decode(serial).ok()?;
    let share = serial.iter().rev().take(4).fold(0_u32, |share, byte| (share << 8) | u32::from(*byte));
    let length = end.checked_sub(start).filter(|length| *length > 0)?;
    let chosen = (i128::from(length) * i128::from(share)) >> 32;
    start.checked_add(i64::try_from(chosen).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Option<i64> {
        within(1000, 2000, &URL_SAFE_NO_PAD.encode(bytes))
    }

    #[test]
    fn moment_is_in_the_window_and_chosen_by_the_serial_number() {
        assert_eq!(of(&[0x5a, 0, 0, 0, 0]), Some(1000));
        assert_eq!(of(&[0x5a, 0, 0, 0, 0x80]), Some(1500));
        assert_eq!(of(&[0x5a, 0xff, 0xff, 0xff, 0xff]), Some(1999));
        assert_eq!(of(&[0x80]), Some(1000), "a short one");
        assert_eq!(within(i64::MIN, i64::MAX, "AAAA"), None);
    }

    #[test]
    fn window_that_ends_before_it_starts_is_none() {
        for (start, end) in [(2000, 1000), (1000, 1000)] {
            assert_eq!(within(start, end, "WgAAAAA"), None);
        }
    }
}
