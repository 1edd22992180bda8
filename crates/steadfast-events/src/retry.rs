//! What an answer of the collector means for what was sent.

use std::time::Duration;

/// What became of something that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The collector has it. Any 2xx says so, whatever the body is (quirk Q-134).
    Delivered,
    /// It may be had later: nothing was heard, or 408, 429 or 5xx; no sooner than the collector says.
    Later {
        /// The status that says so; `None` where nothing was heard.
        status: Option<u16>,
        /// What it says (`Retry-After`).
        after: Option<Duration>,
    },
    /// It is too much at once (413): it can be sent in parts (quirk Q-133).
    TooLarge,
    /// It will never be had.
    Refused {
        /// The status that says so.
        status: u16,
    },
}

impl Outcome {
    /// What a status means. The reference tries every status but 2xx again for 31 seconds (quirk Q-133).
    #[must_use]
    pub fn of(status: u16, after: Option<Duration>) -> Outcome {
        match status {
            200..=299 => Outcome::Delivered,
            408 | 429 | 500..=599 => Outcome::Later { status: Some(status), after },
            413 => Outcome::TooLarge,
            status => Outcome::Refused { status },
        }
    }
}

/// How long is waited before something is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// After a first failure: 1 second by default, as the reference. It doubles with each further one.
    pub first: Duration,
    /// At most: 60 seconds by default.
    pub longest: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}

impl BackOff {
    /// The pause after so many failures, half of it by this chance, so that those who failed together do not come back
    /// together.
    #[must_use]
    pub fn pause(self, failures: u32, chance: u64) -> Duration {
        let doubled = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        #[expect(clippy::cast_precision_loss, reason = "chance needs no more digits")]
        let part = (chance >> 40) as f64 / (1_u64 << 24) as f64;
        whole / 2 + (whole / 2).mul_f64(part)
    }
}
