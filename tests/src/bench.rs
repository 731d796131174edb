//! What the benchmarks of single programs share.

use std::time::Duration;

/// Prints whether a goal is reached, and returns it.
pub fn verdict(what: &str, reached: bool, numbers: &str) -> bool {
    println!("{what}: {numbers} {}", if reached { "(reached)" } else { "(NOT reached)" });
    reached
}

/// Returns the median; of an even number the later of the two in the middle.
pub fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
