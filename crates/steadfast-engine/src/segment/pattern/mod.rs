//! Scratch shim; the real one is written elsewhere.
use std::fmt;

#[derive(Debug)]
pub(crate) struct Pattern(regress::Regex);
#[derive(Debug)]
pub(crate) struct PatternError(String);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    Match,
    NoMatch,
    GaveUp,
}
impl fmt::Display for PatternError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
impl Pattern {
    pub(crate) fn parse(source: &str) -> Result<Pattern, PatternError> {
        regress::Regex::from_unicode(source.encode_utf16().map(u32::from), "")
            .map(Pattern)
            .map_err(|error| PatternError(error.to_string()))
    }
    pub(crate) fn search(&self, text: &str) -> Search {
        if text.len() > 10_000_000 {
            return Search::GaveUp;
        }
        let units: Vec<u16> = text.encode_utf16().collect();
        if self.0.find_from_ucs2(&units, 0).next().is_some() { Search::Match } else { Search::NoMatch }
    }
}
