//! A query, each value encoded.

use std::fmt::Write;

/// A query that is being written.
pub(super) struct Query(String);

impl Query {
    /// Behind a path.
    pub(super) fn of(path: String) -> Query {
        Query(path)
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        encode(value, &mut self.0);
    }

    /// Leaves it out where there is none.
    pub(super) fn add_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    pub(super) fn done(self) -> String {
        self.0
    }
}

/// As `encodeURIComponent` of JavaScript does it.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode(text, &mut encoded);
    encoded
}

fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => {
                into.push(char::from(byte));
            }
            byte => drop(write!(into, "%{byte:02X}")),
        }
    }
}
