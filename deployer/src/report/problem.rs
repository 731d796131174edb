//! The one form in which errors are shown to people.

use peersync_engine::Problem;

use super::Style;

/// Formats an error as `error:`, `Caused by:` and `hint:`.
pub fn render(problem: &Problem, style: Style) -> String {
    render_with(problem, "", style)
}

/// Formats an error with details, as of the places in a file, between its causes and its hint.
pub fn render_with(problem: &Problem, details: &str, style: Style) -> String {
    let mut text = format!("{} {}", style.red("error:"), problem.summary);
    for cause in &problem.causes {
        text.push_str("\n  Caused by: ");
        text.push_str(&cause.replace('\n', "\n    "));
    }
    if !details.is_empty() {
        text.push_str("\n\n");
        text.push_str(details.trim_end());
    }
    if let Some(hint) = &problem.hint {
        text.push_str(&format!("\n{} {hint}", style.cyan("hint:")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_cause_are_indented_and_details_precede_the_hint() {
        let problem = Problem {
            summary: "the file is invalid".to_owned(),
            causes: vec!["line one\nline two".to_owned()],
            hint: Some("correct it".to_owned()),
        };
        insta::assert_snapshot!(render_with(&problem, "1 | details\n", Style::PLAIN), @r"
        error: the file is invalid
          Caused by: line one
            line two

        1 | details
        hint: correct it
        ");
    }
}
