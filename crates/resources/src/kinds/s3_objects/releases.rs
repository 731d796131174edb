//! Earlier releases in the bucket: they stay for a day after they were replaced, for pages that are still open.
//!
//! A mark beside the folder of a release, an empty object, says by its date since when the release is no longer the current
//! one. A later `up` that replaces pages anyway deletes those whose day is over. So they are no difference, and the plan does
//! not change with the time.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::primitives::DateTime;

use crate::kinds::bucket_objects::Listing;
use crate::pages::release;

/// How long a release stays after it was replaced, in seconds: a day, within which nobody leaves a call page open.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// What has to be done about earlier releases after a new one was uploaded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turnover {
    /// The keys of marks to write.
    pub(super) marks: Vec<String>,
    /// The keys of objects to delete.
    pub(super) expired: Vec<String>,
}

/// Returns the turnover from release `previous` to `current`, as far as these objects are the stack's. They must have been
/// listed after `current` was uploaded, since the date of the newest object counts as now: that of this computer may be wrong.
pub(super) fn turnover(objects: &Listing, previous: &str, current: &str) -> Turnover {
    let now = objects.values().filter_map(|object| object.modified).max();
    let mut all: BTreeMap<&str, BTreeSet<&String>> = BTreeMap::new();
    for key in objects.keys() {
        if let Some(id) = release::release_of(key) {
            all.entry(id).or_default().insert(key);
        }
    }
    let mut turnover = Turnover::default();
    for (id, keys) in all {
        let mark = release::mark_of(id);
        let marked = objects.get(&mark).and_then(|object| object.modified);
        if id == current {
            // It was an earlier release until now.
            turnover.expired.extend(objects.contains_key(&mark).then_some(mark));
        } else if id == previous || marked.is_none() {
            turnover.marks.push(mark);
        } else if is_over(marked, now) {
            turnover.expired.extend(keys.into_iter().cloned());
        }
    }
    turnover
}

fn is_over(replaced: Option<DateTime>, now: Option<DateTime>) -> bool {
    replaced.zip(now).is_some_and(|(replaced, now)| now.secs() - replaced.secs() >= KEPT_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::bucket_objects::Listed;

    const FIRST: &str = "1111111111111111";
    const SECOND: &str = "2222222222222222";
    const THIRD: &str = "3333333333333333";
    const DAY: i64 = KEPT_SECONDS;

    fn listing(objects: &[(String, i64)]) -> Listing {
        let listed = |seconds| Listed { entity_tag: String::new(), modified: Some(DateTime::from_secs(seconds)) };
        objects.iter().map(|(key, seconds)| (key.clone(), listed(*seconds))).collect()
    }

    fn script(release: &str) -> String {
        release::key_in(release, "main.js")
    }

    #[test]
    fn replaced_release_is_marked_and_stays_for_a_day_after_that() {
        let (old, mark) = (script(FIRST), release::mark_of(FIRST));
        // It was current for long.
        let objects = listing(&[(old.clone(), 0), (script(SECOND), 9 * DAY)]);
        let expected = Turnover { marks: vec![mark.clone()], expired: Vec::new() };
        assert_eq!(turnover(&objects, FIRST, SECOND), expected);

        let after = |seconds: i64| {
            let new = 9 * DAY + seconds;
            let objects = [(old.clone(), 0), (mark.clone(), 9 * DAY), (script(SECOND), 9 * DAY), (script(THIRD), new)];
            turnover(&listing(&objects), SECOND, THIRD)
        };
        let marks = vec![release::mark_of(SECOND)];
        assert_eq!(after(DAY - 1), Turnover { marks: marks.clone(), expired: Vec::new() });
        assert_eq!(after(DAY), Turnover { marks, expired: vec![mark.clone(), old.clone()] });
    }

    #[test]
    fn release_that_returns_is_current_and_its_day_begins_again() {
        let marks = [release::mark_of(FIRST), release::mark_of(SECOND)];
        let mut objects = vec![(script(FIRST), 2 * DAY), (marks[0].clone(), 0), (script(SECOND), 0)];
        let expected = Turnover { marks: vec![marks[1].clone()], expired: vec![marks[0].clone()] };
        assert_eq!(turnover(&listing(&objects), SECOND, FIRST), expected);
        // Its mark was not deleted, because that run was interrupted.
        objects.push((script(THIRD), 4 * DAY));
        assert!(turnover(&listing(&objects), FIRST, THIRD).marks.contains(&marks[0]));
        assert_eq!(turnover(&listing(&objects), FIRST, THIRD).expired, Vec::<String>::new());
    }

    #[test]
    fn files_of_versions_without_releases_stay_for_a_day_too() {
        let mark = release::mark_of(release::WITHOUT_FOLDER);
        let old = || [("js/api.js".to_owned(), 0), ("main.js".to_owned(), 0), ("index.html".to_owned(), 3 * DAY)];
        let mut objects = old().to_vec();
        objects.push((script(FIRST), 3 * DAY));
        assert_eq!(turnover(&listing(&objects), FIRST, FIRST), Turnover { marks: vec![mark.clone()], expired: vec![] });
        objects.extend([(mark.clone(), 3 * DAY), (script(SECOND), 4 * DAY)]);
        let expired = turnover(&listing(&objects), FIRST, SECOND).expired;
        assert_eq!(expired, ["js/api.js", "main.js", &mark]);
    }
}
