//! Commands in messages, written out so that they work when they are pasted.

/// The name of this program, as messages begin a command.
const PROGRAM: &str = "peersync-deploy";

/// How this program was called.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    /// The options that choose the stack, each followed by its value: `--stage`, `pr-7`.
    pub options: Vec<String>,
    /// All arguments.
    pub arguments: Vec<String>,
}

impl Invocation {
    /// Adds the options to each command of this program that a text names in backquotes, so that it means the same
    /// stack.
    pub fn complete(&self, text: &str) -> String {
        if self.options.is_empty() {
            return text.to_owned();
        }
        text.replace(&format!("`{PROGRAM} "), &format!("`{PROGRAM} {} ", quoted(&self.options)))
    }

    /// Returns the command that does the same once more.
    pub fn again(&self) -> String {
        format!("{PROGRAM} {}", quoted(&self.arguments))
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
    }

    #[test]
    fn repeated_command_is_quoted_for_a_shell() {
        let mut arguments = words("down -y -c");
        arguments.extend(["my calls.toml".to_owned(), "it's".to_owned()]);
        let invocation = Invocation { arguments, ..Invocation::default() };
        assert_eq!(invocation.again(), r"peersync-deploy down -y -c 'my calls.toml' 'it'\''s'");
    }
}
