//! The report: the results beside the goals.

use std::time::Duration;

use super::measure::{DISTURBED, Drain, Row};
use super::relays::Kind;

/// The maximum of resident bytes per idle connection.
const IDLE_BYTES: f64 = 10_000.0;
/// The maximum of the 99th percentile of latency at half load, in milliseconds.
const P99_MS: f64 = 5.0;
/// Messages per core-second, in multiples of FastAPI's.
const TIMES_FASTAPI: f64 = 5.0;
/// Messages per core-second, as a share of the bare relay's.
const SHARE_OF_BARE: f64 = 0.6;

/// The maximum duration of a drain. The server's own deadline is 8 s.
const DRAIN: Duration = Duration::from_secs(10);

/// One line of the verdict.
#[derive(Debug, PartialEq)]
pub struct Goal {
    /// The goal.
    pub what: String,
    /// The result.
    pub value: f64,
    /// Whether the result reaches the goal.
    pub reached: bool,
}

/// Everything that was measured, a relay a line.
pub fn table(rows: &[Row]) -> String {
    let heads = ["connects/s", "per core-s", "msgs/s", "msgs/core-s", "at msgs/s", "p50 ms", "p99 ms", "p99.9"];
    let mut text = line("", "idle: bytes each", &heads.map(str::to_owned));
    for row in rows {
        let idle: Vec<_> = row.idle.iter().map(|idle| format!("{:.0} at {}", idle.bytes, idle.connections)).collect();
        let (connects, throughput, latency) = (row.connects, row.throughput, row.latency);
        let whole = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"));
        let exact = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let cells = [
            whole(connects.map(|connects| connects.per_second)),
            whole(connects.map(|connects| connects.per_core_second)),
            whole(throughput.map(|throughput| throughput.per_second)),
            whole(throughput.map(|throughput| throughput.per_core_second)),
            whole(latency.map(|latency| latency.rate)),
            exact(latency.map(|latency| latency.p50)),
            exact(latency.map(|latency| latency.p99)),
            exact(latency.map(|latency| latency.p999)),
        ];
        text += &line(row.kind.name(), &idle.join(", "), &cells);
    }
    for row in rows.iter().filter(|row| row.disturbed > DISTURBED) {
        let (name, share) = (row.kind.name(), row.disturbed * 100.0);
        text +=
            &format!("{name}: other processes had {share:.0} % of the processors; its numbers are not to be trusted\n");
    }
    text
}

fn line(name: &str, idle: &str, cells: &[String; 8]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>11}")).collect();
    format!("{name:<18} {idle:>28}{cells}\n")
}

/// Returns the goals that were measured.
pub fn goals(rows: &[Row]) -> Vec<Goal> {
    let find = |kind: Kind| rows.iter().find(|row| row.kind == kind);
    let Some(ours) = find(Kind::Ours) else { return Vec::new() };
    let mut goals = Vec::new();
    let mut goal = |what: String, value: f64, reached: bool| goals.push(Goal { what, value, reached });
    for idle in &ours.idle {
        let what = format!("resident KB per idle connection at {}, at most {}", idle.connections, IDLE_BYTES / 1000.0);
        goal(what, idle.bytes / 1000.0, idle.bytes <= IDLE_BYTES);
    }
    if let Some(latency) = ours.latency {
        goal(format!("p99 in ms at half load, at most {P99_MS}"), latency.p99, latency.p99 <= P99_MS);
    }
    if let Some(ratio) = ratio(ours, find(Kind::FastApi)) {
        let what = format!("times FastAPI's messages per core-second, at least {TIMES_FASTAPI}");
        goal(what, ratio, ratio >= TIMES_FASTAPI);
    }
    if let Some(ratio) = ratio(ours, find(Kind::Bare)) {
        let what = format!("% of the bare relay's messages per core-second, at least {}", SHARE_OF_BARE * 100.0);
        goal(what, ratio * 100.0, ratio >= SHARE_OF_BARE);
    }
    goals
}

/// How many times as many messages per core-second ours relays.
pub fn ratio(ours: &Row, other: Option<&Row>) -> Option<f64> {
    Some(ours.throughput?.per_core_second / other?.throughput?.per_core_second)
}

impl Goal {
    /// For the reader.
    pub fn line(&self) -> String {
        format!("{} {}: {:.1}", if self.reached { "reached" } else { "MISSED " }, self.what, self.value)
    }
}

impl Drain {
    /// Returns whether every client was notified and the process ended in time.
    pub fn reached(&self) -> bool {
        self.notified == self.clients && self.took <= DRAIN
    }

    /// For the reader.
    pub fn line(&self) -> String {
        let Self { clients, notified, took, before, highest } = self;
        format!(
            "{} drain of {clients} clients: {:.1} s until the process was gone, {notified} notified before their goodbye; resident \
             {} MiB before, {} MiB at the highest",
            if self.reached() { "reached" } else { "MISSED " },
            took.as_secs_f64(),
            before.resident / 1024,
            highest / 1024
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::{Latency, Throughput};
    use super::super::measure::Idle;
    use super::*;

    fn row(kind: Kind, per_core_second: f64, bytes: f64, p99: f64) -> Row {
        Row {
            kind,
            idle: vec![Idle { connections: 10_000, bytes }],
            connects: None,
            throughput: Some(Throughput { per_second: 1.0, per_core_second }),
            latency: Some(Latency { rate: 1.0, p50: 0.1, p99, p999: 9.0 }),
            disturbed: 0.0,
        }
    }

    fn missed(ours: Row, bare: f64, fastapi: f64) -> Vec<String> {
        let rows = [ours, row(Kind::Bare, bare, 0.0, 0.0), row(Kind::FastApi, fastapi, 0.0, 0.0)];
        let goals = goals(&rows);
        assert_eq!(goals.len(), 4);
        goals.iter().filter(|goal| !goal.reached).map(Goal::line).collect()
    }

    #[test]
    fn every_goal_can_be_missed() {
        let ours = |per_core_second, bytes, p99| row(Kind::Ours, per_core_second, bytes, p99);
        assert!(missed(ours(60.0, 10_000.0, 5.0), 100.0, 12.0).is_empty());
        for (ours, bare, fastapi, what) in [
            (
                ours(60.0, 10_001.0, 5.0),
                100.0,
                12.0,
                "MISSED  resident KB per idle connection at 10000, at most 10: 10.0",
            ),
            (ours(60.0, 10_000.0, 5.1), 100.0, 12.0, "MISSED  p99 in ms at half load, at most 5: 5.1"),
            (
                ours(60.0, 10_000.0, 5.0),
                101.0,
                12.0,
                "MISSED  % of the bare relay's messages per core-second, at least 60: 59.4",
            ),
            (
                ours(60.0, 10_000.0, 5.0),
                100.0,
                12.1,
                "MISSED  times FastAPI's messages per core-second, at least 5: 5.0",
            ),
        ] {
            assert_eq!(missed(ours, bare, fastapi), [what]);
        }
    }

    #[test]
    fn busy_machine_is_reported() {
        let mut disturbed = row(Kind::Bare, 1.0, 1.0, 1.0);
        assert!(!table(std::slice::from_ref(&disturbed)).contains("other processes"));
        disturbed.disturbed = 0.2;
        assert!(table(&[disturbed]).contains("bare TCP, tokio: other processes had 20 % of the processors"));
    }

    #[test]
    fn unmeasured_parts_have_no_goal() {
        assert!(goals(&[row(Kind::Bare, 1.0, 1.0, 1.0)]).is_empty());
        let mut ours = row(Kind::Ours, 1.0, 1.0, 1.0);
        (ours.latency, ours.throughput) = (None, None);
        assert_eq!(goals(&[ours, row(Kind::Bare, 1.0, 1.0, 1.0)]).len(), 1);
    }
}
