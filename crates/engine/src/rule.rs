//! Named rules: the waits, the repeated calls and the orders that only show when something goes wrong.
//!
//! [`rule!`](crate::rule!) gives an expression a name. In a normal build it is the expression itself, and costs
//! nothing. In a build with the feature `rules`, the one rule that the environment variable [`WITHOUT`] names is
//! switched off, so that `cargo xtask rules` can show for each rule that the test in `tests/rules.toml` fails without
//! it.
//!
//! ```
//! use peersync_engine::rule;
//!
//! # fn is_absent() -> bool { true }
//! # fn release() -> Result<(), String> { Ok(()) }
//! # fn run() -> Result<(), String> {
//! // A condition; without the rule it is false, the default of its type.
//! if rule!("example-condition", is_absent()) { /* repeat the call */ }
//! // A list; without the rule it is empty.
//! let transient: &[&str] = rule!("example-list", &["OperationAborted"]);
//! // A value; without the rule it is the one after `without:`.
//! let attempts = rule!("example-value", 5, without: 1);
//! // Statements; without the rule they are skipped.
//! rule!("example-statements" => {
//!     release()?;
//! });
//! # assert_eq!((transient.len(), attempts), (1, 5));
//! # Ok(()) }
//! # run().unwrap();
//! ```
//!
//! The parts become `if` expressions, never closures, so `?`, `return` and `.await` work in all of them.

/// The environment variable that names the rule to switch off, in a build with the feature `rules`.
pub const WITHOUT: &str = "PEERSYNC_WITHOUT_RULE";

/// Gives an expression or a block of statements a name, under which `cargo xtask rules` can switch it off.
///
/// - `rule!("name", value)`: without the rule, the default of the value's type.
/// - `rule!("name", value, without: other)`: without the rule, `other`.
/// - `rule!("name" => { statements })`: without the rule, nothing. The block has no value.
///
/// The name is in `tests/rules.toml`, and in the code exactly once.
#[cfg(not(feature = "rules"))]
#[macro_export]
macro_rules! rule {
    ($name:literal => $statements:block) => {
        $statements
    };
    ($name:literal, $value:expr, without: $other:expr $(,)?) => {
        $value
    };
    ($name:literal, $value:expr $(,)?) => {
        $value
    };
}

/// Gives an expression or a block of statements a name, and switches it off if [`WITHOUT`](crate::rule::WITHOUT) is
/// that name.
#[cfg(feature = "rules")]
#[macro_export]
macro_rules! rule {
    ($name:literal $($rest:tt)+) => {
        $crate::rule_that_holds!($crate::rule::holds($name) => $($rest)+)
    };
}

/// A rule with a condition in place of its name.
#[cfg(any(test, feature = "rules"))]
#[doc(hidden)]
#[macro_export]
macro_rules! rule_that_holds {
    ($holds:expr => => $statements:block) => {
        if $holds $statements
    };
    ($holds:expr => , $value:expr, without: $other:expr $(,)?) => {
        if $holds { $value } else { $other }
    };
    ($holds:expr => , $value:expr $(,)?) => {
        if $holds { $value } else { ::core::default::Default::default() }
    };
}

/// Whether the rule with this name is not switched off.
#[cfg(feature = "rules")]
#[must_use]
pub fn holds(name: &str) -> bool {
    static OFF: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    OFF.get_or_init(|| std::env::var(WITHOUT).ok()).as_deref() != Some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failure here is the test's failure")]

    async fn fetch(value: u8) -> Result<u8, String> {
        if value > 0 { Ok(value) } else { Err("zero".to_owned()) }
    }

    fn is_in(list: &[&str], name: &str) -> bool {
        list.contains(&name)
    }

    #[tokio::test]
    async fn a_named_expression_is_the_expression() {
        assert!(rule!("test-condition", is_in(&["a"], "a")));
        assert_eq!(rule!("test-value", 5, without: 1), 5);
        assert!(is_in(rule!("test-list", &["a", "b"]), "b"));
        assert_eq!(rule!("test-awaited", fetch(3).await.unwrap()), 3);
        let mut steps = Vec::new();
        rule!("test-block" => {
            steps.push(fetch(1).await.unwrap());
        });
        assert_eq!(steps, [1]);
    }

    #[tokio::test]
    async fn a_rule_that_does_not_hold_gives_the_default_or_the_other_value() {
        for holds in [true, false] {
            let condition = rule_that_holds!(holds =>, 1 < 2);
            let value = rule_that_holds!(holds =>, 5, without: 1);
            let list = is_in(rule_that_holds!(holds =>, &["a", "b"]), "b");
            let option = rule_that_holds!(holds =>, Some("address"));
            assert_eq!(
                (condition, value, list, option.is_some()),
                if holds { (true, 5, true, true) } else { (false, 1, false, false) }
            );
        }
    }

    #[tokio::test]
    async fn a_block_of_a_rule_that_does_not_hold_is_skipped() {
        async fn steps(holds: bool, value: u8) -> Result<Vec<u8>, String> {
            let mut steps = Vec::new();
            rule_that_holds!(holds => => {
                steps.push(fetch(value).await?);
            });
            let guarded = match value {
                9 if rule_that_holds!(holds =>, true) => 90,
                other => other,
            };
            steps.push(guarded);
            Ok(steps)
        }
        assert_eq!(steps(true, 9).await, Ok(vec![9, 90]));
        assert_eq!(steps(false, 9).await, Ok(vec![9]));
        assert!(steps(true, 0).await.is_err());
        assert_eq!(steps(false, 0).await, Ok(vec![0]));
    }

    /// Runs itself in a process of its own, whose environment switches a rule off.
    #[cfg(feature = "rules")]
    #[test]
    fn the_environment_switches_one_rule_off() {
        if std::env::var_os(super::WITHOUT).is_some() {
            assert_eq!((rule!("test-off", 1), rule!("test-on", 1)), (0, 1));
            return;
        }
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "rule::tests::the_environment_switches_one_rule_off"]);
        assert!(again.env(super::WITHOUT, "test-off").status().unwrap().success());
    }
}
