//! Commands in messages, written out so that they work when they are pasted.

use peersync_engine::Problem;

/// The name of this program, as messages begin a command.
const PROGRAM: &str = "peersync-deploy";
/// The option that names the stage.
const STAGE: &str = "--stage";
/// The command that goes by a stage only if it is named.
const TEARDOWN: &str = "teardown";
/// How hints ask for the same command once more.
const AGAIN: &str = "run the command again";

/// How this program was called.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The options that choose the stack, each followed by its value: `--stage`, `pr-7`.
    pub options: Vec<String>,
    /// All arguments.
    pub arguments: Vec<String>,
}

impl Invocation {
    /// Returns how this process was called, with these options to repeat.
    pub fn of_this_process(options: Vec<String>) -> Self {
        let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
        Self { options, arguments }
    }

    /// Writes out the commands of this program in a text, so that they can be pasted: one in backquotes gets the options,
    /// unless it has them, so that it means the same stack, and "run the command again" names the command.
    pub fn complete(&self, text: &str) -> String {
        let mut parts = text.split('`');
        let mut completed = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            completed.push('`');
            completed.push_str(&self.with_options(part));
        }
        if self.arguments.is_empty() {
            return completed;
        }
        completed.replace(AGAIN, &format!("run `{}` again", self.again()))
    }

    /// Writes out the commands that the hint of a problem names.
    pub fn completed(&self, problem: Problem) -> Problem {
        Problem { hint: problem.hint.map(|hint| self.complete(&hint)), ..problem }
    }

    /// Returns the part of a text between two backquotes with the options, if it is a command of this program without
    /// them.
    fn with_options(&self, part: &str) -> String {
        let names = || self.options.iter().step_by(2);
        let has_options = |rest: &str| rest.split(' ').any(|word| names().any(|name| name == word));
        match part.strip_prefix(PROGRAM).and_then(|rest| rest.strip_prefix(' ')) {
            Some(rest) if !self.options.is_empty() && !has_options(rest) && part != self.again() => {
                format!("{PROGRAM} {} {rest}", quoted(&self.options))
            }
            _ => part.to_owned(),
        }
    }

    /// Returns the invocation with the options for one stage, whichever was named.
    pub fn for_stage(&self, stage: &str) -> Self {
        let mut options = vec![STAGE.to_owned(), stage.to_owned()];
        let others = self.options.chunks(2).filter(|pair| pair.first().is_none_or(|name| name != STAGE));
        options.extend(others.flatten().cloned());
        Self { options, ..self.clone() }
    }

    /// Returns the command that does the same once more, also where `PEERSYNC_STAGE` has another value.
    pub fn again(&self) -> String {
        let is_stage = |argument: &String| {
            let rest = argument.strip_prefix(STAGE);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        let goes_by_it = !self.arguments.iter().any(|argument| is_stage(argument) || argument == TEARDOWN);
        let stage = self.options.chunks(2).find(|pair| goes_by_it && pair.first().is_some_and(|name| name == STAGE));
        let words: Vec<String> = stage.unwrap_or_default().iter().chain(&self.arguments).cloned().collect();
        format!("{PROGRAM} {}", quoted(&words))
    }
}

/// Returns the words as a shell reads them.
fn quoted(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_@%+=:,./-".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn commands_in_a_hint_get_the_options_of_the_run() {
        let invocation = Invocation { options: words("--stage pr-7"), ..Invocation::default() };
        let text = "run `peersync-deploy up`, then `peersync-deploy logs login`; `up` alone is a word";
        assert_eq!(
            invocation.complete(text),
            "run `peersync-deploy --stage pr-7 up`, then `peersync-deploy --stage pr-7 logs login`; `up` alone is a word"
        );
        assert_eq!(Invocation::default().complete(text), text);
        assert_eq!(invocation.complete(&invocation.complete(text)), invocation.complete(text), "once is enough");
    }

    #[test]
    fn repeated_command_is_quoted_for_a_shell() {
        let mut arguments = words("down -y -c");
        arguments.extend(["my calls.toml".to_owned(), "it's".to_owned()]);
        let invocation = Invocation { arguments, ..Invocation::default() };
        assert_eq!(invocation.again(), r"peersync-deploy down -y -c 'my calls.toml' 'it'\''s'");
    }

    #[test]
    fn command_gets_the_options_though_a_stage_is_called_like_it() {
        let invocation = Invocation { options: words("--stage up"), ..Invocation::default() };
        assert_eq!(invocation.complete("`peersync-deploy up`"), "`peersync-deploy --stage up up`");
    }

    #[test]
    fn command_to_run_again_is_named() {
        let invocation = Invocation { options: words("--stage pr-7"), arguments: words("--stage pr-7 up -y") };
        let text = "see what it is doing, then run the command again";
        let expected = "see what it is doing, then run `peersync-deploy --stage pr-7 up -y` again";
        assert_eq!(invocation.complete(text), expected);
        assert_eq!(invocation.complete(expected), expected);
        let invocation = Invocation { options: words("--config a.toml"), arguments: words("-c a.toml up") };
        let whole = "Run `peersync-deploy -c a.toml up` again to continue from here.";
        assert_eq!(invocation.complete(whole), whole, "it has the options, in their short form");
    }

    #[test]
    fn stage_of_the_environment_is_part_of_the_command_to_run_again() {
        let of = |options: &str, arguments: &str| {
            Invocation { options: words(options), arguments: words(arguments) }.again()
        };
        assert_eq!(of("--stage pr-7", "down -y"), "peersync-deploy --stage pr-7 down -y");
        assert_eq!(of("--stage pr-7", "down --stage pr-7"), "peersync-deploy down --stage pr-7");
        assert_eq!(of("--stage pr-7", "down --stage=pr-7"), "peersync-deploy down --stage=pr-7");
        assert_eq!(of("--stage pr-7", "teardown --expired"), "peersync-deploy teardown --expired", "it removes all");
        assert_eq!(of("--region eu-west-1", "up"), "peersync-deploy up", "the region is given among the arguments");
    }

    #[test]
    fn invocation_for_a_stage_means_that_stage_alone() {
        let invocation = Invocation { options: words("--stage pr-7 --region eu-west-1"), ..Invocation::default() };
        assert_eq!(invocation.for_stage("pr-8").options, words("--stage pr-8 --region eu-west-1"));
        assert_eq!(Invocation::default().for_stage("pr-8").options, words("--stage pr-8"));
    }
}
