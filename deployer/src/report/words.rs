//! The words that all renderers share.

use std::time::{Duration, SystemTime};

use peersync_engine::Action;

/// Said of a change in which nothing but the digest differs, or the record of the tags: an earlier version wrote none, or
/// somebody has removed it.
pub const ONLY_RECORDS: &str = "only the record of what was last applied changes";

/// Returns what is being done, such as `creating`.
pub fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "changing",
        Action::Replace => "replacing",
        Action::Delete => "deleting",
        Action::NoChange => "checking",
    }
}

/// Returns what was done, such as `created`.
pub fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "changed",
        Action::Replace => "replaced",
        Action::Delete => "deleted",
        Action::NoChange => "unchanged",
    }
}

/// Returns what is to be done, such as `create`.
pub fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "change",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::NoChange => "leave",
    }
}

/// Returns a duration as a person reads it: `0.3 s`, `12 s`, `2 min 05 s`.
pub fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        0..=9 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..=59 => format!("{seconds} s"),
        seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

/// Returns how long ago a moment was, in the largest unit of which that has at least two: `119 s`, `27 h`, `10 days`.
pub fn age(moment: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(moment).unwrap_or_default().as_secs();
    let units = [("days", 86_400), ("h", 3_600), ("min", 60)];
    let unit = units.into_iter().find(|(_, length)| seconds >= 2 * length);
    unit.map_or_else(|| format!("{seconds} s"), |(name, length)| format!("{} {name}", seconds / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let then = SystemTime::UNIX_EPOCH;
        let ages = [5, 119, 7_199, 100_000, 900_000].map(|seconds| age(then, then + Duration::from_secs(seconds)));
        assert_eq!(ages, ["5 s", "119 s", "119 min", "27 h", "10 days"]);
        assert_eq!(age(then + Duration::from_secs(9), then), "0 s", "clocks differ");
    }

    #[test]
    fn short_durations_are_more_exact() {
        let shown = [300, 9_960, 12_400, 59_999, 60_000, 125_000].map(|ms| elapsed(Duration::from_millis(ms)));
        assert_eq!(shown, ["0.3 s", "10.0 s", "12 s", "59 s", "1 min 00 s", "2 min 05 s"]);
    }
}
