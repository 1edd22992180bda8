//! Texts as PostgreSQL can hold them, and keys as its indexes can.

use std::borrow::Cow;
use std::fmt::Write;

use sha2::{Digest, Sha256};

/// What begins the three characters that stand for one of 0 to 3.
const LEAD: char = '\u{1}';
const LAST_ESCAPED: char = '\u{3}';
/// A key of at most so many bytes is stored as it is: two of them fit into an index.
const LONGEST_KEY: usize = 1_000;
/// So many bytes of a longer one are its beginning.
const BEGINNING: usize = 900;
/// What stands between the beginning and the digest, and in no text that is whole.
const CUT: &str = "\u{1}\u{1}";

/// A text without the characters 0 to 3, in the same order of bytes as before.
///
/// Each of them becomes 1 and two of 2 and 3. Since neither of those two begins a character's form, a text occurs in
/// another one where, and only where, its form does in the other's.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    text.chars().for_each(|character| push_escaped(&mut escaped, character));
    Cow::Owned(escaped)
}

/// The text of this form; none if it is no form of a text.
pub(super) fn unescaped(escaped: &str) -> Option<String> {
    if !escaped.contains(is_escaped) {
        return Some(escaped.to_owned());
    }
    let mut text = String::with_capacity(escaped.len());
    let mut characters = escaped.chars();
    while let Some(character) = characters.next() {
        match character {
            LEAD => text.push(match (characters.next()?, characters.next()?) {
                ('\u{2}', '\u{2}') => '\0',
                ('\u{2}', '\u{3}') => '\u{1}',
                ('\u{3}', '\u{2}') => '\u{2}',
                ('\u{3}', '\u{3}') => '\u{3}',
                _ => return None,
            }),
            other if is_escaped(other) => return None,
            other => text.push(other),
        }
    }
    Some(text)
}

/// A text as a part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key<'t> {
    /// What is compared.
    pub(super) short: Cow<'t, str>,
    /// The whole text, where the other is not.
    pub(super) long: Option<Cow<'t, str>>,
}

/// A text as a part of a key, in the order of bytes; of those with the same long beginning, in that of their digests.
pub(super) fn key(text: &str) -> Key<'_> {
    let whole = escaped(text);
    if whole.len() <= LONGEST_KEY {
        return Key { short: whole, long: None };
    }
    let mut short = String::with_capacity(BEGINNING + CUT.len() + 64);
    for character in text.chars() {
        let before = short.len();
        push_escaped(&mut short, character);
        if short.len() > BEGINNING {
            short.truncate(before);
            break;
        }
    }
    short.push_str(CUT);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a text does not fail.
        let _ = write!(short, "{byte:02x}");
    }
    Key { short: Cow::Owned(short), long: Some(whole) }
}

/// The text of a part of a key; none if it is none.
pub(super) fn of_key(short: &str, long: Option<&str>) -> Option<String> {
    match long {
        None => unescaped(short),
        Some(long) => unescaped(long).filter(|text| key(text).short == short),
    }
}

fn push_escaped(escaped: &mut String, character: char) {
    match character {
        '\0' => escaped.push_str("\u{1}\u{2}\u{2}"),
        '\u{1}' => escaped.push_str("\u{1}\u{2}\u{3}"),
        '\u{2}' => escaped.push_str("\u{1}\u{3}\u{2}"),
        '\u{3}' => escaped.push_str("\u{1}\u{3}\u{3}"),
        other => escaped.push(other),
    }
}

fn is_escaped(character: char) -> bool {
    character <= LAST_ESCAPED
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of up to four of these characters.
    fn texts() -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut longest = texts.clone();
        for _ in 0..4 {
            let longer =
                |text: &String| ['\0', '\u{1}', '\u{2}', '\u{3}', '\u{4}', 'é'].map(|last| format!("{text}{last}"));
            longest = longest.iter().flat_map(longer).collect();
            texts.extend_from_slice(&longest);
        }
        texts
    }

    #[test]
    fn every_text_comes_back_and_no_two_are_one() {
        let texts = texts();
        let mut forms: Vec<_> = texts.iter().map(|text| escaped(text)).collect();
        for (text, form) in texts.iter().zip(&forms) {
            assert!(!form.contains('\0'), "{text:?}");
            assert_eq!(unescaped(form).as_ref(), Some(text));
        }
        forms.sort();
        forms.dedup();
        assert_eq!(forms.len(), texts.len());
    }

    #[test]
    fn the_order_of_bytes_stays() {
        let mut by_text = texts();
        let mut by_form = by_text.clone();
        by_text.sort();
        by_form.sort_by(|one, other| escaped(one).cmp(&escaped(other)));
        assert_eq!(by_text, by_form);
    }

    #[test]
    fn what_is_no_form_is_no_text() {
        for wrong in ["\u{2}", "\u{1}", "a\u{1}\u{2}", "\u{1}\u{1}\u{2}", "\u{1}\u{2}a", "\u{3}\u{3}"] {
            assert_eq!(unescaped(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_long_key_is_short_enough_and_comes_back() {
        for fill in ["x", "é", "日", "🎯", "\0", "a\0"] {
            let long = fill.repeat(12_000 / fill.len());
            let (one, other) = (key(&long), format!("{long}!"));
            let other = key(&other);
            assert!(one.short.len() <= LONGEST_KEY && one.short != other.short, "{fill:?}");
            assert_eq!(of_key(&one.short, one.long.as_deref()).as_deref(), Some(&*long));
            assert_eq!(of_key(&one.short, other.long.as_deref()), None, "a long text beside the key of another");
            assert_eq!(of_key(&one.short, None), None, "a key that is cut and nothing beside it");
        }
        let longest = "x".repeat(LONGEST_KEY);
        assert_eq!(key(&longest), Key { short: Cow::Borrowed(&*longest), long: None });
    }
}
