//! The name of a stack, which is formed from its name and its stage and is the prefix of every resource's name.

/// How the name of a stack is formed from its name and its stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// Two different pairs never give the same name: between the two are more hyphens than anywhere within them.
    #[default]
    Unique,
    /// Always one hyphen, so that `a-b` with `c` and `a` with `b-c` give the same name. Earlier versions named stacks like
    /// that, and a resource with data cannot be renamed; stacks that have such names keep them.
    OneHyphen,
}

impl Naming {
    /// Returns the name of the stack with this name and this stage.
    ///
    /// With [`Naming::Unique`] it is `{name}-{stage}` unless that would be ambiguous: a name without a hyphen ends at the
    /// first one. Otherwise the separator is one hyphen longer than the longest run of hyphens in name and stage, so
    /// that it is the only run of its length.
    pub fn stack_name(self, name: &str, stage: &str) -> String {
        let hyphens = match self {
            Self::OneHyphen => 1,
            Self::Unique if !name.contains('-') && longest_run(stage) <= 1 => 1,
            Self::Unique => longest_run(name).max(longest_run(stage)) + 1,
        };
        format!("{name}{}{stage}", "-".repeat(hyphens))
    }
}

/// Returns the length of the longest run of hyphens.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '-').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Naming::{OneHyphen, Unique};

    #[test]
    fn names_without_hyphens_keep_the_form_that_every_version_gave_them() {
        for stage in ["dev", "pr-7", "feature-login-page"] {
            assert_eq!(Unique.stack_name("peersync", stage), OneHyphen.stack_name("peersync", stage));
        }
        assert_eq!(Unique.stack_name("peersync", "dev-2"), "peersync-dev-2");
    }

    #[test]
    fn hyphen_in_the_name_lengthens_the_separator() {
        assert_eq!(Unique.stack_name("peersync-dev", "2"), "peersync-dev--2");
        assert_eq!(Unique.stack_name("peersync", "a--b"), "peersync---a--b");
        assert_eq!(Unique.stack_name("a---b", "c"), "a---b----c");
        assert_eq!(OneHyphen.stack_name("peersync-dev", "2"), "peersync-dev-2");
    }

    /// Returns a strategy for text of few different characters, so that equal results are likely.
    fn part() -> impl Strategy<Value = String> {
        "[a][a-]{0,6}[a]".prop_map(|text| text)
    }

    proptest! {
        #[test]
        fn different_pairs_of_name_and_stage_give_different_names(
            (name, stage) in (part(), part()),
            (other_name, other_stage) in (part(), part()),
            cut in 0_usize..16,
        ) {
            let joined = Unique.stack_name(&name, &stage);
            let same = (&name, &stage) == (&other_name, &other_stage);
            prop_assert_eq!(joined == Unique.stack_name(&other_name, &other_stage), same);
            // The most likely to collide: another division of the same text.
            if let Some((before, after)) = joined.split_at_checked(cut) {
                let (before, after) = (before.trim_end_matches('-'), after.trim_start_matches('-'));
                if before != name && !before.is_empty() && !after.is_empty() {
                    prop_assert_ne!(&joined, &Unique.stack_name(before, after));
                }
            }
        }
    }
}
