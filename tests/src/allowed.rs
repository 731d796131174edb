//! How fast a run could be at AWS's rates: the shortest time for the requests that it sent.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use peersync_aws::rates::{BucketName, Rate, buckets};

use crate::proxy::log::{Record, span};

/// Returns the time that the rates allow for these requests, which were sent as fast as they were answered.
///
/// A run has parts that follow each other: it reads, takes the lease and reads again, changes, and reads what is left. A
/// part takes as long as its requests did, or as the bucket takes that has to refill most often for it.
pub fn allowed(records: &[Record]) -> Duration {
    let mut account = Account::default();
    parts(records).iter().map(|part| account.part(part).time).sum()
}

/// Returns a line for each part of a run: how long it took, and what the rates allow for the same requests if they were sent
/// as fast as in the other run.
pub fn explained(paced: &[Record], unhindered: &[Record]) -> Vec<String> {
    let mut account = Account::default();
    let names = ["reading", "reading again", "changing", "looking what is left"];
    let of_both = parts(paced).into_iter().zip(parts(unhindered)).zip(names);
    let line = |((paced, unhindered), name): ((Vec<Record>, Vec<Record>), &str)| {
        let part = account.part(&unhindered);
        let slowest = part
            .slowest
            .map_or_else(String::new, |(bucket, time)| format!(", {} ms of them for {bucket}", time.as_millis()));
        let (took, time) = (span(&paced).as_millis(), part.time.as_millis());
        format!("{name}: {took} ms for {} requests; {time} ms are allowed{slowest}", paced.len())
    };
    of_both.map(line).collect()
}

/// What the rates allow for one part of a run.
struct Part {
    time: Duration,
    /// The bucket that has to refill most often, and how long that takes, if one has to.
    slowest: Option<(String, Duration)>,
}

/// The requests before the lease, under it before the first change, until the last change, and after it.
fn parts(records: &[Record]) -> [Vec<Record>; 4] {
    let changes = || records.iter().filter(|record| record.mutating && !record.of_lease);
    let never = records.iter().map(|record| record.ended).max();
    let lease = records.iter().filter(|record| record.of_lease && record.mutating).map(|record| record.began).min();
    let ends: [Option<Instant>; 3] = [
        lease.or(never),
        changes().map(|record| record.began).min().or(never),
        changes().map(|record| record.ended).max().or(never),
    ];
    let mut parts = [const { Vec::new() }; 4];
    for record in records {
        let part = ends.iter().filter(|end| end.is_some_and(|end| record.began >= end)).count();
        parts[part].push(record.clone());
    }
    parts
}

/// The buckets of an account of which nobody else makes use.
#[derive(Default)]
struct Account(HashMap<BucketName, (f64, &'static Rate)>);

impl Account {
    /// Takes the requests of one part from the buckets, and lets the time for it pass.
    fn part(&mut self, records: &[Record]) -> Part {
        let slowest = self.slowest(records);
        let time = slowest.as_ref().map_or(Duration::ZERO, |(_, time)| *time).max(span(records));
        self.refill(time);
        Part { time, slowest }
    }

    /// Takes the requests from the buckets, and returns that which has to refill most often, with the time for it.
    fn slowest(&mut self, records: &[Record]) -> Option<(String, Duration)> {
        for record in records {
            for (name, rate) in buckets(&record.service, &record.operation) {
                self.0.entry(name).or_insert((rate.burst, rate)).0 -= 1.0;
            }
        }
        let missing = |tokens: f64, rate: &Rate| (-tokens).max(0.0) / rate.per_second;
        let times = self.0.iter().map(|(name, (tokens, rate))| (name, rate, missing(*tokens, rate)));
        let (name, rate, time) = times.max_by(|one, other| one.2.total_cmp(&other.2)).filter(|found| found.2 > 0.0)?;
        let operation = name.1.as_deref().unwrap_or("several operations");
        Some((format!("{}:{operation}", rate.service), Duration::from_secs_f64(time)))
    }

    fn refill(&mut self, time: Duration) {
        for (tokens, rate) in self.0.values_mut() {
            *tokens = rate.burst.min(*tokens + time.as_secs_f64() * rate.per_second);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(operation: &str, mutating: bool, of_lease: bool, zero: Instant, began: u64) -> Record {
        let at = |milliseconds| zero + Duration::from_millis(milliseconds);
        let (began, ended) = (at(began), at(began + 50));
        let (service, path) = ("monitoring".to_owned(), String::new());
        Record {
            service,
            operation: operation.to_owned(),
            path,
            mutating,
            of_lease,
            began,
            ended,
            status: None,
            by: None,
            kept: None,
        }
    }

    #[test]
    fn each_part_takes_its_own_time_or_that_of_the_slowest_bucket() {
        let zero = Instant::now();
        let alarms = |number, began| (0..number).map(move |_| record("PutMetricAlarm", true, false, zero, began));
        let tags = |number, began| (0..number).map(move |_| record("ListTagsForResource", false, false, zero, began));
        let lease = || std::iter::once(record("PutParameter", true, true, zero, 100));
        let near = |records: Vec<Record>, seconds: f64| {
            let time = allowed(&records).as_secs_f64();
            assert!((time - seconds).abs() < 0.01, "{time} s instead of {seconds} s");
        };
        // Nothing waits.
        near(tags(3, 0).collect(), 0.05);
        // 16 alarms, three at once, and three a second.
        near(alarms(16, 0).collect(), 13.0 / 3.0);
        // 16 tags, ten at once; then 16 more from an empty bucket; then the alarms, which were not asked for before.
        let both = tags(16, 0).chain(lease()).chain(tags(16, 160)).chain(alarms(6, 300));
        near(both.collect(), 0.6 + 1.6 + 1.0);
    }
}
