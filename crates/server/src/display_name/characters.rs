//! Which characters of a name are visible where they stand.
//!
//! Joiners and variation selectors are invisible by themselves, but several scripts and most emoji need them: they are
//! accepted only behind a character that they change.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, Script};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::InvalidName;

/// The maximum number of accents on one letter: Vietnamese has 2, pointed Arabic and Hebrew have 3.
const ACCENTS: usize = 4;
/// The same for Burmese and Tibetan, whose syllables stack letters that Unicode counts as accents.
const STACKED_LETTERS: usize = 6;
const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Returns the text with one plain space in place of each run of spaces, and none at the ends.
///
/// # Errors
/// It has a line break or another control character.
pub(super) fn with_plain_spaces(text: &str) -> Result<String, InvalidName> {
    if text.chars().any(char::is_control) {
        return Err(InvalidName::Invisible);
    }
    let is_space = |character| category(character) == GeneralCategory::SpaceSeparator;
    Ok(text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

/// Checks each character by what stands around it.
///
/// # Errors
/// A character is invisible, or a letter has too many accents.
pub(super) fn check(name: &str) -> Result<(), InvalidName> {
    let mut base = None;
    let mut accents = 0;
    let mut before = ' ';
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        match kind(character) {
            Kind::Invisible => return Err(InvalidName::Invisible),
            Kind::Space => base = None,
            Kind::Visible => (base, accents) = (Some(character), 0),
            Kind::Accent => {
                accents += 1;
                let base = base.ok_or(InvalidName::Accents)?;
                if accents > most_accents(base) {
                    return Err(InvalidName::Accents);
                }
            }
            Kind::SpacingMark if base.is_none() => return Err(InvalidName::Accents),
            Kind::SpacingMark => {}
            Kind::Selector => {
                if !base.is_some_and(|base| has_variants(base, character)) || kind(before) == Kind::Selector {
                    return Err(InvalidName::Invisible);
                }
            }
            Kind::Joiner => {
                let joins = base.is_some_and(|base| is_joined(base, character)) && kind(before) != Kind::Joiner;
                let next = characters.peek().map(|next| kind(*next));
                if !joins || !matches!(next, Some(Kind::Visible | Kind::Accent | Kind::SpacingMark)) {
                    return Err(InvalidName::Invisible);
                }
            }
        }
        before = character;
    }
    Ok(())
}

/// What a character is for a reader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Visible,
    Space,
    /// A mark above, below or around a letter.
    Accent,
    /// A mark beside a letter, such as many vowels of Indian scripts.
    SpacingMark,
    /// Chooses a form of the character before it.
    Selector,
    Joiner,
    Invisible,
}

fn kind(character: char) -> Kind {
    match character {
        ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => return Kind::Joiner,
        '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            return Kind::Selector;
        }
        ' ' => return Kind::Space,
        _ if is_blank(character) => return Kind::Invisible,
        _ => {}
    }
    match category(character) {
        GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark => Kind::Accent,
        GeneralCategory::SpacingMark => Kind::SpacingMark,
        GeneralCategory::Control
        | GeneralCategory::Format
        | GeneralCategory::LineSeparator
        | GeneralCategory::ParagraphSeparator
        | GeneralCategory::PrivateUse
        | GeneralCategory::SpaceSeparator
        | GeneralCategory::Surrogate
        // Noncharacters too.
        | GeneralCategory::Unassigned => Kind::Invisible,
        _ => Kind::Visible,
    }
}

/// Returns whether fonts show nothing for a character that Unicode counts as visible: fillers, the empty Braille
/// pattern, the object replacement, the null notehead, and blanks of the Egyptian and Khitan scripts.
fn is_blank(character: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || matches!(character, '\u{2800}' | '\u{fffc}' | '\u{1d159}' | '\u{13441}' | '\u{13442}' | '\u{16fe4}')
}

fn most_accents(base: char) -> usize {
    if matches!(script(base), Script::Myanmar | Script::Tibetan) { STACKED_LETTERS } else { ACCENTS }
}

/// Returns whether the selector belongs to the script of the character: text and emoji forms of symbols, digits and
/// signs, variants of ideographs, and forms of Mongolian letters.
fn has_variants(base: char, selector: char) -> bool {
    match selector {
        '\u{180b}'..='\u{180f}' => script(base) == Script::Mongolian,
        '\u{fe0e}' | '\u{fe0f}' => script(base) == Script::Common,
        _ => script(base) == Script::Han,
    }
}

/// Returns whether a joiner behind the character changes what is shown: emoji, and scripts with connected letters.
fn is_joined(base: char, joiner: char) -> bool {
    match script(base) {
        Script::Common => joiner == ZERO_WIDTH_JOINER && is_symbol(base),
        Script::Latin
        | Script::Greek
        | Script::Cyrillic
        | Script::Armenian
        | Script::Georgian
        | Script::Hebrew
        | Script::Thai
        | Script::Lao
        | Script::Han
        | Script::Hiragana
        | Script::Katakana
        | Script::Hangul
        | Script::Bopomofo => false,
        _ => true,
    }
}

fn is_symbol(character: char) -> bool {
    matches!(category(character), GeneralCategory::OtherSymbol | GeneralCategory::ModifierSymbol)
}

fn category(character: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(character)
}

fn script(character: char) -> Script {
    CodePointMapData::<Script>::new().get(character)
}
