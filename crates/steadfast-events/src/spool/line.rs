//! One line of a segment.

use std::io::{self, BufRead};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::record;
use crate::event::{Account, Event};

/// What the first line of a segment says.
const HEADER: &str = "h steadfast-events 1";

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line<'a> {
    /// The form of what follows.
    Header,
    /// The events that follow are this account's.
    Account(&'a str),
    /// An event: its number, the sum of its account's line, and the rest of it.
    Event(u64, u32, &'a str),
    /// These need not be sent any more.
    Settled(Vec<RangeInclusive<u64>>),
}

impl<'a> Line<'a> {
    /// What a line says, without the line feed; `None` when it is damaged, or of a form that is not known here.
    pub(super) fn parse(line: &'a [u8]) -> Option<Line<'a>> {
        let line = std::str::from_utf8(line).ok()?;
        let (sum, content) = line.split_at_checked(8)?;
        let content = content.strip_prefix(' ')?;
        if u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(content.as_bytes()) {
            return None;
        }
        if content == HEADER {
            return Some(Line::Header);
        }
        let (kind, rest) = content.split_once(' ')?;
        Some(match kind {
            "a" => Line::Account(rest),
            "e" => {
                let (number, rest) = rest.split_once(' ')?;
                let (account, rest) = rest.split_once(' ')?;
                Line::Event(number.parse().ok()?, u32::from_str_radix(account, 16).ok()?, rest)
            }
            "s" => {
                let range = |text: &str| {
                    let (first, last) = text.split_once('-').unwrap_or((text, text));
                    Some(first.parse().ok()?..=last.parse().ok()?)
                };
                Line::Settled(rest.split(',').map(range).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
}

fn write(content: &str, into: &mut Vec<u8>) {
    into.extend_from_slice(format!("{:08x} ", crc32fast::hash(content.as_bytes())).as_bytes());
    into.extend_from_slice(content.as_bytes());
    into.push(b'\n');
}

/// Adds the first line of a segment.
pub(super) fn write_header(into: &mut Vec<u8>) {
    write(HEADER, into);
}

/// Adds the line of an account.
pub(super) fn write_account(account: &Account, into: &mut Vec<u8>) {
    write(&format!("a {}", record::account_as_json(account)), into);
}

/// What the events of an account name it by.
pub(super) fn sum_of(account: &Account) -> u32 {
    crc32fast::hash(record::account_as_json(account).to_string().as_bytes())
}

/// Adds the line of an event, of an account with this sum.
pub(super) fn write_event(number: u64, account: u32, event: &Event, into: &mut Vec<u8>) {
    write(&format!("e {number} {account:08x} {}", record::event_as_json(event)), into);
}

/// Adds the line of an event as it was read.
pub(super) fn write_event_again(number: u64, account: &Account, json: &str, into: &mut Vec<u8>) {
    write(&format!("e {number} {:08x} {json}", sum_of(account)), into);
}

/// Adds a line for these, which are in order.
pub(super) fn write_settled(numbers: &[u64], into: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    let together = numbers.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    let ranges = together.filter_map(|range| Some((range.first()?, range.last()?)));
    let texts = ranges.map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") });
    write(&format!("s {}", texts.collect::<Vec<_>>().join(",")), into);
}

/// What was found while a segment was read.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// An event of the account that is given beside it.
    Event {
        /// Its number.
        number: u64,
        /// The rest, which takes longer to read: [`record::event_from_json`].
        json: &'a str,
        /// Where the line after it begins.
        after: u64,
    },
    /// These need not be sent any more.
    Settled(&'a [RangeInclusive<u64>]),
    /// A line that says nothing any more.
    Damaged,
}

/// Reads on from a place up to the end; what has no line feed yet is not read. `false` says that this is enough. An event whose
/// account's line is damaged is damaged with it: it is nobody else's.
pub(super) fn read(
    mut from: impl BufRead,
    mut at: u64,
    mut account: Option<Arc<Account>>,
    mut each: impl FnMut(Option<&Arc<Account>>, Found<'_>) -> bool,
) -> io::Result<()> {
    let mut line = Vec::new();
    let mut of_account = account.as_deref().map(sum_of);
    loop {
        line.clear();
        at += from.read_until(b'\n', &mut line)? as u64;
        let Some(content) = line.strip_suffix(b"\n") else { return Ok(()) };
        let goes_on = match Line::parse(content) {
            Some(Line::Header) => true,
            Some(Line::Account(json)) => match record::account_from_json(json) {
                Some(new) => {
                    // One account is one value, also in the next segment.
                    let known = account.take().filter(|known| **known == new);
                    account = Some(known.unwrap_or_else(|| Arc::new(new)));
                    of_account = Some(crc32fast::hash(json.as_bytes()));
                    true
                }
                None => each(None, Found::Damaged),
            },
            Some(Line::Event(number, sum, json)) => match account.as_ref().filter(|_| of_account == Some(sum)) {
                Some(account) => each(Some(account), Found::Event { number, json, after: at }),
                None => each(None, Found::Damaged),
            },
            Some(Line::Settled(ranges)) => each(None, Found::Settled(&ranges)),
            None => each(None, Found::Damaged),
        };
        if !goes_on {
            return Ok(());
        }
    }
}
