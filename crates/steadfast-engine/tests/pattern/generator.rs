//! Random patterns and texts, chosen to meet the odd corners of the syntax often.

/// A seeded source of random numbers (xorshift with a multiplied output).
#[derive(Debug)]
pub(crate) struct Generator {
    state: u64,
    /// Keeps to syntax that is valid in nearly all places, so that matching is tested too.
    tidy: bool,
}

impl Generator {
    /// Returns a generator whose whole output the seed decides.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, tidy: true }
    }

    /// Returns a pattern, which need not be valid.
    pub(crate) fn pattern(&mut self) -> String {
        self.tidy = self.below(10) < 7;
        match self.below(20) {
            0..=9 => self.capture_pattern(),
            10 => self.tokens(),
            11 | 12 => {
                let pattern = self.disjunction(3);
                self.damaged(&pattern)
            }
            _ => self.disjunction(3),
        }
    }

    /// Returns a short text, which shares its characters with the patterns.
    pub(crate) fn text(&mut self) -> String {
        let plain = self.below(3) > 0;
        let length = self.below(10);
        (0..length)
            .map(
                |_| {
                    if plain {
                        self.pick(&["a", "a", "a", "b", "b", "b", "c", "1"])
                    } else {
                        self.pick(TEXT_CHARACTERS)
                    }
                },
            )
            .collect()
    }

    /// Returns a valid pattern in which it matters what the groups hold.
    fn capture_pattern(&mut self) -> String {
        let body: String = (0..=self.below(2)).map(|_| self.capture_term(3)).collect();
        let tail = self.pick(&["", "\\1", "\\2", "\\1b", "\\2a", "(?:\\1|\\2)", "c", "\\1\\2c"]);
        match self.below(4) {
            0 => format!("{body}{tail}"),
            1 => format!("(?<={body}{tail})$"),
            2 => format!("^{body}{tail}"),
            _ => format!("^{body}{tail}$"),
        }
    }

    fn capture_term(&mut self, depth: u32) -> String {
        if depth == 0 || self.below(3) == 0 {
            let atom = self.pick(&["a", "a", "b", "b", "ab", ".", "\\1", "\\2", "\\3", "[^b]"]);
            let quantifier = self.pick(&["", "", "", "*", "+", "?", "*?", "{2}", "{1,2}?", "??"]);
            return format!("{atom}{quantifier}");
        }
        let open = self.pick(&["(", "(", "(", "(", "(", "(?:", "(?:", "(?:", "(?=", "(?!", "(?<=", "(?<!"]);
        let mut group = open.to_owned();
        for index in 0..=self.below(3) {
            if index > 0 {
                group.push('|');
            }
            for _ in 0..self.below(4) {
                group += &self.capture_term(depth - 1);
            }
        }
        group.push(')');
        if !open.starts_with("(?<") {
            group += self.pick(&[
                "", "", "*", "*", "+", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{2,}", "{0,2}?", "{2,3}", "{1}",
            ]);
        }
        group
    }

    fn disjunction(&mut self, depth: u32) -> String {
        let mut alternatives = vec![self.alternative(depth)];
        while self.below(4) == 0 {
            alternatives.push(self.alternative(depth));
        }
        alternatives.join("|")
    }

    fn alternative(&mut self, depth: u32) -> String {
        let terms = [0, 1, 1, 2, 2, 2, 3, 4][self.below(8)];
        (0..terms).map(|_| self.term(depth)).collect()
    }

    fn term(&mut self, depth: u32) -> String {
        let mut term = if depth > 0 && self.below(5) < 2 { self.group(depth - 1) } else { self.atom() };
        let fixed = term.starts_with("(?<") || matches!(&*term, "^" | "$" | "\\b" | "\\B");
        if self.below(5) < 2 && !(self.tidy && fixed) {
            let odd = !self.tidy && self.below(3) == 0;
            term += self.pick(if odd { ODD_QUANTIFIERS } else { QUANTIFIERS });
            if self.below(4) == 0 {
                term.push('?');
            }
        }
        term
    }

    fn group(&mut self, depth: u32) -> String {
        let open = self.pick(&["(", "(", "(", "(", "(", "(?:", "(?:", "(?=", "(?!", "(?<=", "(?<!"]);
        let open = match self.below(40) {
            0 if !self.tidy => "(?<n>",
            1 if !self.tidy => "(?<m>",
            _ => open,
        };
        format!("{open}{})", self.disjunction(depth))
    }

    fn atom(&mut self) -> String {
        match self.below(12) {
            0..=4 => self.pick(&["a", "a", "b", "b", "c", "ab", "1"]).to_owned(),
            5 => self.pick(&[".", ".", "^", "$", "\\b", "\\B"]).to_owned(),
            6 | 7 if self.tidy => self.pick(&["\\1", "\\1", "\\2", "\\3"]).to_owned(),
            6 | 7 => self.pick(REFERENCES).to_owned(),
            8 => self.pick(ESCAPES).to_owned(),
            9 if !self.tidy => self.pick(ODD_CHARACTERS).to_owned(),
            _ => self.class(),
        }
    }

    fn class(&mut self) -> String {
        let open = self.pick(&["[", "[", "[^"]);
        let members: String = (0..self.below(4))
            .map(|_| match self.below(4) {
                0 => self.pick(&["a-b", "a-c", "1-a", "-", "--a", "^", "[", "{", "("]),
                1 if !self.tidy => self.pick(CLASS_ESCAPES),
                2 => self.pick(ESCAPES),
                _ => self.pick(&["a", "b", "c", "1", "é", "😀", "\u{2028}", "-"]),
            })
            .collect();
        format!("{open}{members}]")
    }

    fn tokens(&mut self) -> String {
        (0..self.below(8))
            .map(|_| match self.below(12) {
                0 => self.pick(QUANTIFIERS),
                1 => self.pick(ESCAPES),
                2 => self.pick(REFERENCES),
                3 => self.pick(ODD_CHARACTERS),
                4 => self.pick(ODD_QUANTIFIERS),
                _ => self.pick(TOKENS),
            })
            .collect()
    }

    /// Returns the pattern with one or two characters removed, doubled, swapped or put in.
    fn damaged(&mut self, pattern: &str) -> String {
        let mut characters: Vec<char> = pattern.chars().collect();
        for _ in 0..=self.below(2) {
            if characters.is_empty() {
                break;
            }
            let at = self.below(characters.len());
            let other = self.below(characters.len());
            match self.below(4) {
                0 => drop(characters.remove(at)),
                1 => characters.insert(at, characters[other]),
                2 => characters.swap(at, other),
                _ => {
                    let token = self.pick(&["(", ")", "[", "]", "{", "}", "\\", "?", "*", "-"]);
                    characters.splice(at..at, token.chars());
                }
            }
        }
        characters.into_iter().collect()
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let high = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).map_or(0, |high| high % bound)
    }
}

const TEXT_CHARACTERS: &[&str] = &[
    "a", "b", "c", "k", "u", "x", "B", "1", "8", "0", "_", "-", " ", "\n", "\r", "\t", "\0", "\u{1}", "\u{8}",
    "\u{11}", "\u{1f}", "\\", "{", "}", "[", "]", "é", "ſ", "İ", "\u{a0}", "\u{2028}", "\u{2029}", "\u{feff}",
    "\u{180e}", "😀", "😁", "𝒜", "\u{ffff}", "n>", "<n>", "\u{85}", "\u{200b}", "(", ")", "|", ",", "*", "$", "^",
    "a{1,", "c1", "p{", "\u{17f}",
];

const QUANTIFIERS: &[&str] = &[
    "*",
    "*",
    "*",
    "+",
    "+",
    "+",
    "?",
    "?",
    "?",
    "{0}",
    "{1}",
    "{2}",
    "{3}",
    "{0,1}",
    "{0,2}",
    "{1,2}",
    "{2,3}",
    "{2,5}",
    "{0,}",
    "{1,}",
    "{2,}",
    "{3,4}",
    "{0,65535}",
    "{00002}",
    "{1,4294967296}",
];

const ODD_QUANTIFIERS: &[&str] = &[
    "{2,1}",
    "{,2}",
    "{",
    "{1",
    "{1,",
    "{}",
    "{9999999999999999999999}",
    "{ 1}",
    "{1,2}{3}",
    "{3000000000,2999999999}",
    "**",
    "{2147483647,2147483646}",
];

const REFERENCES: &[&str] = &[
    "\\1",
    "\\1",
    "\\1",
    "\\2",
    "\\2",
    "\\3",
    "\\4",
    "\\9",
    "\\10",
    "\\k<n>",
    "\\k<n>",
    "\\k<m>",
    "\\k<o>",
    "\\k",
    "\\k<n",
    "\\k<\\u006e>",
    "\\01",
    "\\18",
    "\\11",
];

const ESCAPES: &[&str] = &[
    "\\0",
    "\\00",
    "\\08",
    "\\7",
    "\\8",
    "\\9",
    "\\12",
    "\\101",
    "\\141",
    "\\377",
    "\\400",
    "\\777",
    "\\x61",
    "\\x6",
    "\\x",
    "\\u0061",
    "\\u006",
    "\\u",
    "\\u{61}",
    "\\u{2}",
    "\\u{1F600}",
    "\\u{}",
    "\\uD83D",
    "\\uDE00",
    "\\uD83D\\uDE00",
    "\\ca",
    "\\cA",
    "\\c1",
    "\\c_",
    "\\c",
    "\\c]",
    "\\cé",
    "\\t",
    "\\n",
    "\\v",
    "\\f",
    "\\r",
    "\\a",
    "\\e",
    "\\z",
    "\\_",
    "\\-",
    "\\/",
    "\\^",
    "\\$",
    "\\.",
    "\\*",
    "\\(",
    "\\)",
    "\\[",
    "\\]",
    "\\{",
    "\\}",
    "\\|",
    "\\\\",
    "\\é",
    "\\😀",
    "\\p{L}",
    "\\P",
    "\\d",
    "\\D",
    "\\s",
    "\\S",
    "\\w",
    "\\W",
    "\\\n",
    "\\\u{2028}",
];

const CLASS_ESCAPES: &[&str] = &[
    "\\d",
    "\\D",
    "\\s",
    "\\S",
    "\\w",
    "\\W",
    "\\b",
    "\\B",
    "\\k",
    "\\d-a",
    "a-\\d",
    "\\w-\\s",
    "\\b-a",
    "\\0-\\x20",
    "\\uD83D-\\uDE00",
    "\\c1-a",
    "\\c-a",
    "\\]",
    "\\-",
    "a-\\-",
    "\\1",
    "\\8",
    "\\c_",
    "é-ſ",
    "\\u2000-\\u3000",
    "\\p{L}",
    "\\q",
    "\\u{61}",
];

const ODD_CHARACTERS: &[&str] = &[
    "{", "}", "]", "-", ",", "<", ">", "=", "!", ":", "/", "\\", "\n", "\r", "\u{2028}", "\0", "é", "ſ", "😀",
    "\u{feff}", " ", "{1}", "{1,", "a{,1}", "k", "u", "x", "_",
];

const TOKENS: &[&str] = &[
    "(",
    ")",
    "(?",
    "(?:",
    "(?=",
    "(?!",
    "(?<",
    "(?<=",
    "(?<!",
    "(?<n>",
    "(?<m>",
    "(?<>",
    "(?<1>",
    "(?<n1>",
    "(?<é>",
    "(?<😀>",
    "(?<𝒜>",
    "(?<\\u{1d49c}>",
    "(?<\\ud835\\udc9c>",
    "(?<\\u006e>",
    "(?<\\ud835>",
    "(?<a\\x>",
    "(?<$_\u{200d}>",
    "(?<\u{200d}>",
    "(?<a b>",
    "(?<n",
    "(?i)",
    "(?i:",
    "(?-i:",
    "(?#",
    "(?>",
    "(?P<n>",
    "|",
    "^",
    "$",
    "[",
    "]",
    "[^",
    "[]",
    "[^]",
    "a",
    "b",
    ".",
    ")",
    "\\",
    "\\k<𝒜>",
    "\\k<\\u{1d49c}>",
    "(a)",
    "(?:a)",
    "(?<n>a)",
    "++",
    "?+",
];
