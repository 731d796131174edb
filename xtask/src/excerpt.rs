//! The lines of a suite's output that say what failed, for the end of a long run.

/// The number of lines that follow one that reports a failure.
const FOLLOWING: usize = 4;
/// The maximum number of lines of one suite.
const LINES: usize = 30;
/// The maximum length of a line in characters.
const WIDTH: usize = 300;

/// Returns the lines that report failures, each with those that follow it; the last lines if none is recognized.
pub fn excerpt(output: &str) -> Vec<String> {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut chosen = Vec::new();
    let mut until = 0;
    for (number, line) in lines.iter().enumerate() {
        if reports_failure(line) {
            until = number + 1 + FOLLOWING;
        }
        if number < until {
            chosen.push(*line);
        }
    }
    if chosen.is_empty() {
        chosen = lines.split_at(lines.len().saturating_sub(FOLLOWING)).1.to_vec();
    }
    chosen.into_iter().take(LINES).map(|line| line.chars().take(WIDTH).collect()).collect()
}

/// Recognizes the compiler, Rust's and node's tests, and programs that begin their last words with "error".
fn reports_failure(line: &str) -> bool {
    let line = line.trim_start();
    ["error", "Error", "not ok", "✖"].iter().any(|start| line.starts_with(start)) || line.contains(" panicked at ")
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn failures_come_with_the_lines_that_explain_them() {
        let output =
            "Compiling a\nerror[E0308]: mismatched types\n --> a.rs:1:2\n  |\n1 | x\n  | ^ here\nlater\nCompiling b\n";
        let expected = ["error[E0308]: mismatched types", " --> a.rs:1:2", "  |", "1 | x", "  | ^ here"];
        assert_eq!(excerpt(output), expected);
        let output =
            "test a ... ok\n\nthread 'a' (7) panicked at x.rs:1:2:\nassertion failed\n\n  left: 1\n right: 2\n";
        let expected = ["thread 'a' (7) panicked at x.rs:1:2:", "assertion failed", "  left: 1", " right: 2"];
        assert_eq!(excerpt(output), expected);
    }

    #[test]
    fn unknown_output_is_cut_to_its_end() {
        let long = "x".repeat(1000);
        let output = format!("1\n2\n3\n4\n5\n{long}\n");
        assert_eq!(excerpt(&output), ["3", "4", "5", &"x".repeat(300)]);
        assert_eq!(excerpt(""), Vec::<String>::new());
    }
}
