//! What the benchmarks of single programs say in common.

use std::time::Duration;

/// Says whether a goal is reached, and returns it.
pub fn verdict(what: &str, reached: bool, numbers: &str) -> bool {
    println!("{what}: {numbers} {}", if reached { "(reached)" } else { "(NOT reached)" });
    reached
}

/// The one in the middle; of an even number the later of the two.
pub fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}
