//! The states of a [`Breaker`](super::Breaker), without clock, chance or storage.
//!
//! ```text
//!            N temporary failures in a row            the back-off is over: one call is the probe
//!   Closed ────────────────────────────────▶ Open ───────────────────────────────────────────────▶ Probing
//!     ▲                                       ▲                                                       │
//!     │                                       └────────── it failed, or was given up: a longer back-off┤
//!     └────────────────────────────────────────────────────────────────────────── it was answered ────┘
//! ```

use std::time::{Duration, Instant};

use super::BreakerOptions;
use crate::layer::A_YEAR;

/// What the calls to a storage came to, and whether it is called.
#[derive(Debug)]
pub(super) struct Circuit {
    options: BreakerOptions,
    state: State,
    /// Counts the times that it was closed: calls of an earlier time say nothing about this one.
    era: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, back_off: Duration },
    Probing { back_off: Duration },
}

/// Leave to call the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// As one of many, since the circuit was closed for this time.
    Ordinary { era: u64 },
    /// As the only one.
    Probe,
}

/// What a call says about the storage; of several records, the least says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    /// It can be reached, whatever it answered.
    Answered,
    /// It cannot.
    Failed,
    /// Nothing.
    Nothing,
}

/// No leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// For so long.
    For(Duration),
    /// Until the probe has its answer.
    Probing,
}

impl Circuit {
    pub(super) fn new(options: BreakerOptions) -> Circuit {
        Circuit { options, state: State::Closed { failures: 0 }, era: 0 }
    }

    /// Whether a call may be made now.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Pass, Refused> {
        match self.state {
            State::Closed { .. } => Ok(Pass::Ordinary { era: self.era }),
            State::Open { until, .. } if now < until => Err(Refused::For(until - now)),
            State::Open { back_off, .. } => {
                self.state = State::Probing { back_off };
                Ok(Pass::Probe)
            }
            State::Probing { .. } => Err(Refused::Probing),
        }
    }

    /// What came of a call that was made. `jitter`, from 0 to 1, shortens a back-off that begins with it, to half of it at
    /// most: many processes that lost a storage at one moment do not come back at one.
    pub(super) fn told(&mut self, pass: Pass, said: Said, now: Instant, jitter: f64) {
        match (pass, self.state) {
            (Pass::Ordinary { era }, State::Closed { failures }) if era == self.era => match said {
                Said::Answered => self.state = State::Closed { failures: 0 },
                Said::Failed if failures.saturating_add(1) >= self.options.failures => {
                    self.open(self.options.back_off, now, jitter);
                }
                Said::Failed => self.state = State::Closed { failures: failures + 1 },
                Said::Nothing => {}
            },
            // It was called before the storage failed so often: the probe knows better.
            (Pass::Ordinary { .. }, _) => {}
            (Pass::Probe, State::Probing { back_off }) => match said {
                Said::Answered => {
                    self.era += 1;
                    self.state = State::Closed { failures: 0 };
                }
                Said::Failed => self.open(back_off.saturating_mul(2), now, jitter),
                // The next call is the probe.
                Said::Nothing => self.state = State::Open { until: now, back_off },
            },
            (Pass::Probe, State::Closed { .. } | State::Open { .. }) => {}
        }
    }

    fn open(&mut self, back_off: Duration, now: Instant, jitter: f64) {
        let back_off = back_off.min(self.options.longest).min(A_YEAR);
        let until = now + (back_off - (back_off / 2).mul_f64(jitter.clamp(0.0, 1.0)));
        self.state = State::Open { until, back_off };
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// The time that calls pass in without a question, if nothing is counted: then neither is an answer.
    pub(super) fn calm(&self) -> Option<u64> {
        matches!(self.state, State::Closed { failures: 0 }).then_some(self.era)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPTIONS: BreakerOptions =
        BreakerOptions { failures: 3, back_off: Duration::from_secs(1), longest: Duration::from_secs(5) };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A circuit that is open since `start`.
    fn open(start: Instant) -> Circuit {
        let mut circuit = Circuit::new(OPTIONS);
        for _ in 0..3 {
            let pass = circuit.admit(start).unwrap();
            circuit.told(pass, Said::Failed, start, 0.0);
        }
        circuit
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let start = Instant::now();
        let mut circuit = Circuit::new(OPTIONS);
        for said in [Said::Failed, Said::Failed, Said::Answered, Said::Failed, Said::Nothing, Said::Failed] {
            let pass = circuit.admit(start).unwrap();
            circuit.told(pass, said, start, 0.0);
        }
        let pass = circuit.admit(start).unwrap();
        circuit.told(pass, Said::Failed, start, 0.0);
        assert_eq!(circuit.admit(start + ms(999)), Err(Refused::For(ms(1))));
    }

    #[test]
    fn one_probe_goes_through_and_the_back_off_grows_to_its_limit() {
        let mut now = Instant::now();
        let mut circuit = open(now);
        for seconds in [1, 2, 4, 5, 5] {
            assert_eq!(circuit.admit(now), Err(Refused::For(ms(seconds * 1_000))));
            now += ms(seconds * 1_000);
            assert_eq!(circuit.admit(now), Ok(Pass::Probe));
            assert_eq!(circuit.admit(now), Err(Refused::Probing));
            circuit.told(Pass::Probe, Said::Failed, now, 0.0);
        }
        now += ms(5_000);
        assert_eq!(circuit.admit(now), Ok(Pass::Probe));
        circuit.told(Pass::Probe, Said::Answered, now, 0.0);
        assert_eq!(circuit.admit(now), Ok(Pass::Ordinary { era: 1 }));
    }

    #[test]
    fn calls_of_an_earlier_time_say_nothing() {
        let start = Instant::now();
        let mut circuit = Circuit::new(OPTIONS);
        let early = circuit.admit(start).unwrap();
        for _ in 0..3 {
            circuit.told(early, Said::Failed, start, 0.0);
        }
        circuit.told(early, Said::Answered, start, 0.0);
        assert!(circuit.admit(start).is_err(), "an answer that was late closes nothing");
        let later = start + ms(1_000);
        assert_eq!(circuit.admit(later), Ok(Pass::Probe));
        circuit.told(Pass::Probe, Said::Answered, later, 0.0);
        for _ in 0..9 {
            circuit.told(early, Said::Failed, later, 0.0);
        }
        assert_eq!(circuit.calm(), Some(1), "a failure that was late opens nothing");
    }

    #[test]
    fn the_longest_of_all_durations_is_one() {
        let now = Instant::now();
        let options = BreakerOptions { failures: 0, back_off: Duration::MAX, longest: Duration::MAX };
        for jitter in [0.0, 1.0] {
            let mut circuit = Circuit::new(options);
            let pass = circuit.admit(now).unwrap();
            circuit.told(pass, Said::Failed, now, jitter);
            assert!(matches!(circuit.admit(now), Err(Refused::For(left)) if left >= A_YEAR / 2));
        }
    }

    #[test]
    fn a_probe_that_says_nothing_gives_its_turn_away() {
        let start = Instant::now();
        let mut circuit = open(start);
        let later = start + ms(1_000);
        assert_eq!(circuit.admit(later), Ok(Pass::Probe));
        circuit.told(Pass::Probe, Said::Nothing, later, 0.0);
        assert_eq!(circuit.admit(later), Ok(Pass::Probe));
    }

    /// What happens to a circuit.
    #[derive(Debug, Clone)]
    enum Step {
        Begin,
        /// The oldest or the newest call under way ends.
        End {
            oldest: bool,
            said: Said,
            jitter: f64,
        },
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let said = prop_oneof![1 => Just(Said::Answered), 3 => Just(Said::Failed), 1 => Just(Said::Nothing)];
        let end =
            (any::<bool>(), said, 0.0..=1.0).prop_map(|(oldest, said, jitter)| Step::End { oldest, said, jitter });
        let step = prop_oneof![3 => Just(Step::Begin), 3 => end, 1 => (0_u64..3_000).prop_map(Step::Pass)];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// However calls overlap: it opens only after so many failures in a row, never lets a call through before half of
        /// the back-off is over, never two probes at once, and never stays shut for longer than the longest back-off.
        #[test]
        fn it_keeps_its_word_however_calls_overlap(steps in steps()) {
            let mut now = Instant::now();
            let mut circuit = Circuit::new(OPTIONS);
            let mut under_way: Vec<Pass> = Vec::new();
            // Failures without an answer between them, of calls that began while it was closed; none while it is not.
            let (mut in_a_row, mut opened): (u32, Option<Instant>) = (0, None);
            for step in steps {
                match step {
                    Step::Pass(millis) => now += ms(millis),
                    Step::Begin => match circuit.admit(now) {
                        Ok(Pass::Probe) => {
                            let since = opened.expect("it was open");
                            prop_assert!(now >= since + OPTIONS.back_off / 2);
                            prop_assert!(!under_way.contains(&Pass::Probe));
                            under_way.push(Pass::Probe);
                        }
                        Ok(pass) => {
                            prop_assert!(opened.is_none());
                            under_way.push(pass);
                        }
                        Err(Refused::Probing) => prop_assert!(under_way.contains(&Pass::Probe)),
                        Err(Refused::For(left)) => {
                            prop_assert!(!under_way.contains(&Pass::Probe));
                            prop_assert!(now + left <= opened.expect("it was open") + OPTIONS.longest);
                        }
                    },
                    Step::End { oldest, said, jitter } => {
                        let Some(place) = under_way.len().checked_sub(1).map(|last| if oldest { 0 } else { last }) else {
                            continue;
                        };
                        let pass = under_way.remove(place);
                        circuit.told(pass, said, now, jitter);
                        match (pass, said) {
                            (Pass::Probe, Said::Answered) => (in_a_row, opened) = (0, None),
                            (Pass::Probe, Said::Failed) => opened = Some(now),
                            (Pass::Probe, Said::Nothing) => {}
                            (Pass::Ordinary { era }, Said::Failed) if opened.is_none() && era == circuit.era => {
                                in_a_row += 1;
                                opened = (in_a_row == OPTIONS.failures).then_some(now);
                            }
                            (Pass::Ordinary { era }, Said::Answered) if opened.is_none() && era == circuit.era => in_a_row = 0,
                            (Pass::Ordinary { .. }, _) => {}
                        }
                        prop_assert_eq!(circuit.is_closed(), opened.is_none());
                    }
                }
            }
        }
    }
}
