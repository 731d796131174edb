//! How long the certificate of a host with a name of its own lasts.

use std::time::Duration;

use peersync_server::metrics::{Measured, Metric, as_number};

/// The seconds of a day.
const DAY: i64 = 86_400;
/// For how long a host that has just started may lack a certificate. An address that moves, a record that its owner adds, and
/// an order take minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Returns the days until a certificate ends, at `now`; 0 after it has ended, and if there is still none. Both times are in
/// seconds since 1970, and `running` is how long the program has been running.
pub fn certificate_days(until: Option<i64>, now: i64, running: Duration) -> Option<Measured> {
    let left = match until {
        Some(until) => until.saturating_sub(now).max(0),
        None if running >= PATIENCE => 0,
        None => return None,
    };
    Some((Metric::CertificateDays, vec![as_number(u64::try_from(left / DAY).ok()?)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(until: Option<i64>, minutes: u64) -> Option<Vec<f64>> {
        let (metric, values) = certificate_days(until, 100 * DAY, Duration::from_secs(60 * minutes))?;
        assert_eq!(metric, Metric::CertificateDays);
        Some(values)
    }

    #[test]
    fn certificate_lasts_for_whole_days() {
        assert_eq!(days(Some(190 * DAY), 0), Some(vec![90.0]));
        assert_eq!(days(Some(101 * DAY - 1), 1000), Some(vec![0.0]));
        assert_eq!(days(Some(0), 0), Some(vec![0.0]), "it has ended");
    }

    #[test]
    fn host_that_gets_no_certificate_says_so_after_a_quarter_of_an_hour() {
        assert_eq!(days(None, 14), None);
        assert_eq!(days(None, 15), Some(vec![0.0]));
        assert_eq!(days(None, 100_000), Some(vec![0.0]));
    }
}
