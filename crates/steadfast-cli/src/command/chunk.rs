//! A stream cut into chunks of whole lines, read ahead by a thread of its own.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{self, Receiver};
use std::thread;

/// A line of more bytes than this is no call: it is passed over, so that memory stays bounded.
pub(super) const LONGEST_LINE: usize = 16 << 20;

/// How much is read at once, at most. A stream that comes slowly is cut where it pauses.
const READ: usize = 1 << 20;

/// Chunks that wait to be answered.
const WAITING: usize = 2;

/// What some editors put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A part of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Whole lines; the last one of the stream may lack its end.
    Lines(Vec<u8>),
    /// A line that is too long, passed over.
    LongLine,
}

/// Reads ahead in a thread that nobody waits for: when the answers cannot be written any more, the command ends,
/// although the stream may go on. The channel closes at the end of the stream, after an error.
pub(super) fn read_ahead(input: impl Read + Send + 'static) -> Receiver<io::Result<Chunk>> {
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    thread::spawn(move || {
        let mut chunks = Chunks::new(input);
        while let Some(chunk) = chunks.next().transpose() {
            let failed = chunk.is_err();
            if sender.send(chunk).is_err() || failed {
                break;
            }
        }
    });
    receiver
}

struct Chunks<R> {
    input: BufReader<R>,
    /// The beginning of a line whose end has not come yet.
    carried: Vec<u8>,
    /// Whether the line that is coming in is too long already.
    passing_over: bool,
    at_start: bool,
}

impl<R: Read> Chunks<R> {
    fn new(input: R) -> Self {
        let input = BufReader::with_capacity(READ, input);
        Chunks { input, carried: Vec::new(), passing_over: false, at_start: true }
    }

    /// The next chunk, as soon as there is one; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            let read = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let (all, at_end) = (read.len(), read.is_empty());
            if std::mem::take(&mut self.at_start) && read.starts_with(BYTE_ORDER_MARK) {
                self.input.consume(BYTE_ORDER_MARK.len());
            } else if at_end && self.passing_over {
                self.passing_over = false;
                return Ok(Some(Chunk::LongLine));
            } else if at_end {
                let rest = std::mem::take(&mut self.carried);
                return Ok((!rest.is_empty()).then_some(Chunk::Lines(rest)));
            } else if self.passing_over {
                let end = read.iter().position(|byte| *byte == b'\n');
                self.input.consume(end.map_or(all, |end| end + 1));
                if end.is_some() {
                    self.passing_over = false;
                    return Ok(Some(Chunk::LongLine));
                }
            } else if let Some(end) = read.iter().rposition(|byte| *byte == b'\n') {
                let mut lines = std::mem::take(&mut self.carried);
                lines.extend_from_slice(&read[..=end]);
                self.carried.extend_from_slice(&read[end + 1..]);
                self.input.consume(all);
                return Ok(Some(Chunk::Lines(lines)));
            } else {
                self.carried.extend_from_slice(read);
                self.input.consume(all);
                if self.carried.len() > LONGEST_LINE {
                    self.carried = Vec::new();
                    self.passing_over = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Chunk]) {
        let chunks: Vec<Chunk> = read_ahead(io::Cursor::new(text.to_owned())).iter().map_while(Result::ok).collect();
        assert_eq!(chunks, expected);
    }

    fn lines(text: &str) -> Chunk {
        Chunk::Lines(text.as_bytes().to_vec())
    }

    #[test]
    fn chunks_end_at_line_ends() {
        check("", &[]);
        check("a\nb\n", &[lines("a\nb\n")]);
        check("a\nb", &[lines("a\n"), lines("b")]);
        check("\u{feff}b", &[lines("b")]);
        let long = "x".repeat(READ * 2);
        check(&format!("{long}\ny"), &[lines(&format!("{long}\n")), lines("y")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let long = "x".repeat(LONGEST_LINE + READ);
        check(&format!("a\n{long}\nb\n"), &[lines("a\n"), Chunk::LongLine, lines("b\n")]);
        check(&long, &[Chunk::LongLine]);
    }
}
