//! The words that settings and requests share, so that they often meet.

pub(super) const VARIABLES: &[&str] = &["plan", "age", "country", "email", "user type", "a", "price", "naïve", "0"];

pub(super) const TEXTS: &[&str] = &[
    "gold",
    "Gold",
    "GOLD",
    "free",
    "premium plan",
    "vip",
    "new-user",
    "a*b",
    "x@y.z",
    "bob@example.com",
    "https://example.com/?q=1",
    "日本",
    "España",
    "Straße",
    "ΕΛΛΆΔΑ",
    "ﬁ",
    "😀",
    "👩‍👩‍👧",
    "é",
    "",
    " ",
    "null",
    "true",
    "undefined",
    "(paren)",
    "lower(vip)",
    "line\nbreak",
    "\u{feff}bom",
];

pub(super) const NUMBERS: &[&str] = &[
    "0",
    "1",
    "5",
    "10",
    "11",
    "18",
    "99.5",
    "100",
    "123",
    "123.0",
    "123.456",
    "-5",
    "-0.5",
    "1e3",
    "0.0",
    "00",
    "08",
    "1.2.3",
    "v1.2",
    "12abc",
    "2021-01-05",
    "Infinity",
    "NaN",
    "1,5",
    "0x10",
    " 7 ",
    "100.",
    ".5",
];

pub(super) const JSON_NUMBERS: &[&str] =
    &["0", "1", "5", "-5", "10", "18", "99.5", "100", "123", "123.456", "0.1", "1e21", "5e-7", "1223123", "-0.5"];

/// Expressions of ECMAScript that end soon.
pub(super) const PATTERNS: &[&str] = &[
    "^gold$",
    "gold|free",
    "[A-Z]",
    "[a-z]+",
    "^\\d+$",
    "\\d{2,}",
    "^\\S+@\\S+\\.\\w+$",
    "(a|b)\\*",
    "^.$",
    "^..$",
    "\\bvip\\b",
    "(?=g)gold",
    "^(?!free)",
    "(.)\\1",
    "\\u00e9",
    "[^\\x00-\\x7f]",
    "12.*",
    "^12",
    "^$",
    "[",
    "(",
    "*",
    "a{2,1}",
    "\\",
    "\\p{L}",
    "(?<n>o)l",
    "é",
    "日",
    ".\\n",
    "\\s",
    "5$",
    "1|2",
];

pub(super) const GOALS: &[&str] = &["buy", "signup", "open cart", "Käufe", "g1"];

pub(super) const VARIATIONS: &[&str] =
    &["Control", "Variation-1", "Variation-2", "Tréatment 3", "Variation-4", "日本 5"];

pub(super) const VARIABLE_KEYS: &[&str] = &["title", "limit", "rate", "on", "theme", "größe"];
