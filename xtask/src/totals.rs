//! The number of tests in the output of a suite.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The tests that passed.
    pub passed: u64,
    /// The tests that failed.
    pub failed: u64,
    /// The tests that did not run.
    pub skipped: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Totals {
    /// Sums up the closing lines of all test runs of cargo and node in an output.
    pub fn read(output: &str) -> Self {
        let mut totals = Self::default();
        for line in output.lines() {
            if let Some(counts) = line.strip_prefix("test result: ") {
                totals += cargo(counts);
            } else if let Some(count) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
                totals += node(count);
            }
        }
        totals
    }

    /// Whether there were no tests.
    pub fn none(&self) -> bool {
        *self == Self::default()
    }
}

/// `ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s`
fn cargo(counts: &str) -> Totals {
    let mut totals = Totals::default();
    let parts = counts.split(['.', ';']).map(str::trim).filter_map(|part| part.split_once(' '));
    for (number, what) in parts {
        let number = number.parse().unwrap_or(0);
        match what {
            "passed" => totals.passed += number,
            "failed" => totals.failed += number,
            "ignored" => totals.skipped += number,
            _ => {}
        }
    }
    totals
}

/// `pass 12`, `fail 0`, `skipped 0`, after `# ` (TAP) or `ℹ ` (spec).
fn node(count: &str) -> Totals {
    let mut totals = Totals::default();
    let Some((what, number)) = count.split_once(' ') else { return totals };
    let Ok(number) = number.trim().parse() else { return totals };
    match what {
        "pass" => totals.passed = number,
        "fail" | "cancelled" => totals.failed = number,
        "skipped" | "todo" => totals.skipped = number,
        _ => {}
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn results_of_cargo_are_summed() {
        let output = "running 2 tests\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\
            test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 9 filtered out; finished in 1.00s\n";
        assert_eq!(Totals::read(output), Totals { passed: 15, failed: 2, skipped: 1 });
    }

    #[test]
    fn tap_and_spec_results_of_node_are_read() {
        assert_eq!(
            Totals::read("# tests 4\n# pass 3\n# fail 1\n# skipped 0\n"),
            Totals { passed: 3, failed: 1, skipped: 0 }
        );
        assert_eq!(
            Totals::read("ℹ pass 7\nℹ cancelled 1\nℹ todo 2\nℹ duration_ms 12.5\n"),
            Totals { passed: 7, failed: 1, skipped: 2 }
        );
    }

    #[test]
    fn other_output_has_no_results() {
        assert!(Totals::read("Compiling 12 passed\n# a title\n# pass the salt\n").none());
    }
}
