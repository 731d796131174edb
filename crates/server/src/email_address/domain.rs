//! Domains in any language.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup, Script};
use icu_properties::{CodePointMapData, CodePointSetData};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// Returns the domain in lower case and ASCII, or `None` if it is not one on the internet: at least two labels of
/// letters, digits and inner hyphens, the last one not a number.
pub(super) fn to_ascii(domain: &str) -> Option<String> {
    if !is_shown_as_it_is(domain) {
        return None;
    }
    // Two hyphens in the third and fourth place are allowed: such domains exist.
    let ascii =
        Uts46::new().to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify);
    let ascii = ascii.ok()?.into_owned();
    let (_, last) = ascii.rsplit_once('.')?;
    (last.len() >= 2 && last.bytes().any(|byte| byte.is_ascii_alphabetic())).then_some(ascii)
}

/// Returns whether people see what it is: no invisible character, and no label that mixes the alphabets whose letters
/// look alike.
fn is_shown_as_it_is(domain: &str) -> bool {
    let (categories, ignorable) =
        (CodePointMapData::<GeneralCategory>::new(), CodePointSetData::new::<DefaultIgnorableCodePoint>());
    let letters = GeneralCategoryGroup::Letter.union(GeneralCategoryGroup::Mark).union(GeneralCategoryGroup::Number);
    let visible = |character: char| {
        is_dot(character)
            || character == '-'
            || letters.contains(categories.get(character)) && !ignorable.contains(character)
    };
    domain.is_ascii() || domain.chars().all(visible) && !domain.split(is_dot).any(mixes_alphabets)
}

/// Returns whether IDNA reads the character as a dot.
fn is_dot(character: char) -> bool {
    matches!(character, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

fn mixes_alphabets(label: &str) -> bool {
    let scripts = CodePointMapData::<Script>::new();
    let alike = [Script::Latin, Script::Greek, Script::Cyrillic];
    let used = |script: &&Script| label.chars().any(|character| scripts.get(character) == **script);
    alike.iter().filter(used).count() > 1
}
