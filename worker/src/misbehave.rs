//! Drills: a worker that misbehaves on purpose, so that one can watch the cluster outvote and correct it.
//!
//! This is no back door. A misbehaving worker does what any broken or lying machine could do, with its own key, and
//! says at start that it does.

use std::{fmt, str::FromStr, time::Duration};

use compute::control::{Control, FaultDrill, SeriesDrill, Site};
use protocol::{
    constant::Formula,
    digit_extraction::Fraction,
    outcome::{Answer, Checksum, Outcome, RangeAnswer},
    task::TaskId,
};

/// What [`Misbehaviour::SeriesBitFlip`] turns over.
const SPOILT_TERMS: SeriesDrill = SeriesDrill { term: 1_000, bit: 17 };

/// How a worker misbehaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Misbehaviour {
    /// Every outcome is wrong.
    WrongAlways,
    /// This share of the outcomes is wrong, chosen by the task's id.
    WrongSometimes(f64),
    /// Its first outcomes are right, so many of them, and every later one is wrong: it earns trust and then spends it.
    WrongAfter(u64),
    /// Every outcome by this formula is wrong, in the same way in every worker that has this drill: a fault of the
    /// program, or of a library.
    WrongFormula(Formula),
    /// It takes leases and never answers.
    Silent,
    /// It answers so much later.
    Slow(Duration),
    /// It casts two different ballots for each replica.
    Equivocate,
    /// On sealed tasks, it commits each time to what it committed to first.
    Replay,
    /// One bit of what its GPU's kernels hand back is turned; what its CPU computes is right.
    GpuBitFlip,
    /// Its GPU is lost at the first task, as by a driver that resets it; the worker goes on with its CPU until the GPU is
    /// opened again.
    GpuLost,
    /// What it audits and finds right it calls wrong, and the other way round; what it computes is right.
    LyingAuditor,
    /// One bit of the stretch with the thousandth term of each series is turned where the engine's checks do not see it: once, or each
    /// time that these terms are computed.
    SeriesBitFlip {
        /// Whether each time.
        lasting: bool,
    },
    /// Its memory turns the same bit each time that a long computation merges two stretches of a series.
    BrokenMemory,
}

/// Why a text is no misbehaviour.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is no misbehaviour; known are wrong-always, wrong-sometimes=P with P from 0 to 1, wrong-after=N, wrong-formula=NAME, silent, \
     slow=DURATION (slow=5s), equivocate, replay, gpu-bit-flip, gpu-lost, lying-auditor, series-bit-flip, series-bit-flip=lasting and \
     broken-memory"
)]
pub struct UnknownMisbehaviour(String);

impl FromStr for Misbehaviour {
    type Err = UnknownMisbehaviour;

    fn from_str(text: &str) -> Result<Self, UnknownMisbehaviour> {
        let unknown = || UnknownMisbehaviour(text.to_owned());
        match text.split_once('=') {
            None => match text {
                "wrong-always" => Ok(Self::WrongAlways),
                "silent" => Ok(Self::Silent),
                "equivocate" => Ok(Self::Equivocate),
                "replay" => Ok(Self::Replay),
                "gpu-bit-flip" => Ok(Self::GpuBitFlip),
                "gpu-lost" => Ok(Self::GpuLost),
                "lying-auditor" => Ok(Self::LyingAuditor),
                "series-bit-flip" => Ok(Self::SeriesBitFlip { lasting: false }),
                "broken-memory" => Ok(Self::BrokenMemory),
                _ => Err(unknown()),
            },
            Some(("wrong-sometimes", share)) => {
                let share: f64 = share.parse().map_err(|_| unknown())?;
                if (0.0..=1.0).contains(&share) { Ok(Self::WrongSometimes(share)) } else { Err(unknown()) }
            }
            Some(("wrong-after", right)) => right.parse().map(Self::WrongAfter).map_err(|_| unknown()),
            Some(("wrong-formula", name)) => {
                let known = Formula::ALL.into_iter().find(|formula| formula.name() == name);
                known.map(Self::WrongFormula).ok_or_else(unknown)
            }
            Some(("series-bit-flip", "lasting")) => Ok(Self::SeriesBitFlip { lasting: true }),
            Some(("slow", delay)) => humantime::parse_duration(delay).map(Self::Slow).map_err(|_| unknown()),
            Some(_) => Err(unknown()),
        }
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAlways => f.write_str("wrong-always"),
            Self::WrongSometimes(share) => write!(f, "wrong-sometimes={share}"),
            Self::WrongAfter(right) => write!(f, "wrong-after={right}"),
            Self::WrongFormula(formula) => write!(f, "wrong-formula={formula}"),
            Self::Silent => f.write_str("silent"),
            Self::Slow(delay) => write!(f, "slow={}", humantime::format_duration(*delay)),
            Self::Equivocate => f.write_str("equivocate"),
            Self::Replay => f.write_str("replay"),
            Self::GpuBitFlip => f.write_str("gpu-bit-flip"),
            Self::GpuLost => f.write_str("gpu-lost"),
            Self::LyingAuditor => f.write_str("lying-auditor"),
            Self::SeriesBitFlip { lasting: false } => f.write_str("series-bit-flip"),
            Self::SeriesBitFlip { lasting: true } => f.write_str("series-bit-flip=lasting"),
            Self::BrokenMemory => f.write_str("broken-memory"),
        }
    }
}

impl Misbehaviour {
    /// Whether it is about a GPU, and needs one.
    pub fn needs_gpu(self) -> bool {
        matches!(self, Self::GpuBitFlip | Self::GpuLost)
    }

    /// The control under which a computation runs, where it is not the usual one.
    pub fn control(self) -> Option<Control> {
        let spoilt = FaultDrill { site: Site::Merge, number: 0, bit: 7, repeats: true, noticed: true };
        match self {
            Self::BrokenMemory => Some(Control::with_drill(spoilt)),
            Self::SeriesBitFlip { .. } => Some(Control::with_series_drill(SPOILT_TERMS)),
            _ => None,
        }
    }

    /// The control under which a part of a computation is made again, where it is not the usual one.
    pub fn control_again(self) -> Option<Control> {
        if self == (Self::SeriesBitFlip { lasting: false }) { None } else { self.control() }
    }

    /// Whether it lies about this task, computed by this formula after so many others.
    pub fn lies_about(self, task: &TaskId, formula: Formula, others: u64) -> bool {
        match self {
            Self::WrongAlways => true,
            Self::WrongSometimes(share) => {
                let draw = u16::from_le_bytes([task.0.0[0], task.0.0[1]]);
                f64::from(draw) < share * 65_536.0
            }
            Self::WrongAfter(right) => others >= right,
            Self::WrongFormula(wrong) => wrong == formula,
            Self::Silent
            | Self::Slow(_)
            | Self::Equivocate
            | Self::Replay
            | Self::GpuBitFlip
            | Self::GpuLost
            | Self::LyingAuditor
            | Self::SeriesBitFlip { .. }
            | Self::BrokenMemory => false,
        }
    }
}

/// A well-formed outcome that is wrong.
pub fn falsified(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Digits(text) => Outcome::Digits(with_a_wrong_digit(text)),
        Outcome::HexSum(sum) => Outcome::HexSum(with_a_wrong_bit(sum)),
        Outcome::Answers(answers) => {
            let mut answers = answers.clone();
            if let Some(answer) = answers.first_mut() {
                *answer = opposite(answer);
            }
            Outcome::Answers(answers)
        }
        Outcome::Range(RangeAnswer::Counterexample { checksum, .. }) => {
            Outcome::Range(RangeAnswer::AllTrue { checksum: *checksum })
        }
        Outcome::Range(RangeAnswer::AllTrue { checksum } | RangeAnswer::Unsettled { checksum, .. }) => {
            Outcome::Range(RangeAnswer::Counterexample { value: 0, checksum: *checksum })
        }
        Outcome::Range(RangeAnswer::Refused { value, .. }) => {
            Outcome::Range(RangeAnswer::Counterexample { value: *value, checksum: Checksum([0; 16]) })
        }
    }
}

/// Turns the last bit of the first hexadecimal digit.
fn with_a_wrong_bit(sum: &Fraction) -> Fraction {
    let mut limbs = sum.limbs();
    if let Some(highest) = limbs.last_mut() {
        *highest ^= 1 << 60;
    }
    Fraction::from_limbs(&limbs)
}

/// Changes the digit in the middle.
fn with_a_wrong_digit(text: &str) -> String {
    let middle = text.len() / 2;
    let at =
        text.bytes().enumerate().skip(middle).find(|(_, byte)| byte.is_ascii_digit()).map_or(0, |(at, _)| at);
    let changed = |(place, character): (usize, char)| match character.to_digit(10) {
        Some(digit) if place == at => char::from_digit((digit + 1) % 10, 10).unwrap_or(character),
        _ => character,
    };
    text.chars().enumerate().map(changed).collect()
}

fn opposite(answer: &Answer) -> Answer {
    match answer {
        Answer::False { checksum, .. } => Answer::True { checksum: *checksum },
        Answer::True { checksum } | Answer::Agrees { checksum, .. } => {
            Answer::False { parts_after: None, checksum: *checksum }
        }
        Answer::Value { .. } | Answer::Refused(_) => Answer::True { checksum: Checksum([0; 16]) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_survives_its_own_text() {
        for text in [
            "wrong-always",
            "wrong-sometimes=0.25",
            "wrong-after=100",
            "wrong-formula=chudnovsky",
            "silent",
            "slow=5s",
            "equivocate",
            "replay",
            "gpu-bit-flip",
            "gpu-lost",
            "lying-auditor",
            "series-bit-flip",
            "series-bit-flip=lasting",
            "broken-memory",
        ] {
            let kind: Misbehaviour = text.parse().expect("a known kind");
            assert_eq!(kind.to_string(), text);
        }
    }

    #[test]
    fn an_unknown_kind_is_refused_with_the_known_ones() {
        for text in [
            "lazy",
            "wrong-formula=lazy",
            "wrong-sometimes=2",
            "wrong-after=soon",
            "series-bit-flip=once",
            "slow=soon",
            "wrong-sometimes",
        ] {
            let error = text.parse::<Misbehaviour>().expect_err("no such kind");
            assert!(error.to_string().contains("known are wrong-always"), "{error}");
        }
    }

    #[test]
    fn a_falsified_outcome_is_well_formed_and_different() {
        let checksum = Checksum([1; 16]);
        for outcome in [
            Outcome::Digits("3.14159".to_owned()),
            Outcome::HexSum(Fraction::from_limbs(&[1, 2])),
            Outcome::Answers(vec![Answer::True { checksum }, Answer::False { parts_after: None, checksum }]),
            Outcome::Range(RangeAnswer::AllTrue { checksum }),
        ] {
            let wrong = falsified(&outcome);
            assert_ne!(wrong, outcome);
            assert_eq!(Outcome::from_bytes(&wrong.to_bytes(), 1 << 20), Ok(wrong));
        }
    }
}
