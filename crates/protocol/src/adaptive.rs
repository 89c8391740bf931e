//! Adaptive replication: how many others compute what a worker has answered, so that no more wrong values are accepted than
//! the policy allows, whatever those who lie have in mind.
//!
//! One worker answers. Only then is it drawn by lot whether the answer is checked, so nobody can foresee it. Where it is, as
//! many others compute the same as it takes for one of them to be honest with enough certainty; where any of them says
//! something else, workers are added until one side leads by so many that the other cannot be the honest one. The more
//! answers a worker has behind it, the less it is checked; `docs/policy.md` proves what that is worth:
//!
//! - *disputes*: of two sides with a difference of `lead` ballots, the smaller one is right with a probability of at most
//!   (π / (1 - π))^lead, where each worker that is drawn is faulty with a probability of π at most (the gambler's ruin; the
//!   sequential test of Wald, 1945). `lead` makes that a tenth of the error bound.
//! - *lies that slip through*: a worker with n answers behind it is caught at a lie with a probability of
//!   δ(n) = π / (π + 0.9 ε n) at least, and begins anew when it is. So at most (1 - δ) / δ = 0.9 ε n / π lies slip through, in
//!   expectation, until it is caught with n answers behind it, whenever and however often it lies. If those who lie give a
//!   share π of all answers, 0.9 ε of all accepted values are wrong in expectation.
//!
//! Everything is in whole numbers, rounded to the safe side.

use serde::{Deserialize, Serialize};

/// Parts of a whole for chances: a chance is a number below or equal to this.
pub const CHANCE_ONE: u64 = 1 << 32;
/// The most workers beside the first that check an answer.
pub const CHECKERS_MAX: u32 = 64;
/// The largest lead that is asked for.
const LEAD_MAX: u32 = 256;
/// A worker is new, and each of its answers checked, until it has given so many.
pub const NEW_ANSWERS: u64 = 10;
/// An answer is checked at least so often, whatever its worker has behind it.
const CHANCE_MIN: u64 = CHANCE_ONE / 4096;

const MILLION: u128 = 1_000_000;
/// Parts of a whole for probabilities.
const WHOLE: u128 = 1_000_000_000_000_000_000;

/// What adaptive replication assumes, and what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Adaptive {
    /// The share of all answers, and of the workers here at any time, that may lie together, in parts per million: assumed, above 0 and
    /// below half a million.
    pub faulty_ppm: u32,
    /// The bound on the share of wrong values among those that are accepted, in parts per million million.
    pub error_ppt: u64,
}

/// How an answer is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// By how many others.
    pub checkers: u32,
    /// With what chance, in parts of [`CHANCE_ONE`].
    pub chance: u64,
}

impl Adaptive {
    /// π in parts of a whole.
    fn faulty(&self) -> u128 {
        u128::from(self.faulty_ppm) * (WHOLE / MILLION)
    }

    /// The bound as a share of one, to be told to people.
    #[must_use]
    pub fn error_share(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of at most twelve digits")]
        let parts = self.error_ppt as f64;
        parts / 1e12
    }

    /// The share that is assumed, in percent, to be told to people.
    #[must_use]
    pub fn faulty_percent(&self) -> f64 {
        f64::from(self.faulty_ppm) / 1e4
    }

    /// By how many ballots one side of a dispute must lead.
    #[must_use]
    pub fn lead(&self) -> u32 {
        let (faulty, honest) = (self.faulty(), WHOLE.saturating_sub(self.faulty()).max(1));
        let bound = u128::from(self.error_ppt) * (WHOLE / (MILLION * MILLION)) / 10;
        let (mut odds, mut lead) = (WHOLE, 0);
        while odds > bound && lead < LEAD_MAX {
            // The share is below one half and a million parts are enough to say it.
            odds = (odds * (faulty / (WHOLE / MILLION))).div_ceil(honest / (WHOLE / MILLION));
            lead += 1;
        }
        lead
    }

    /// Whether so many ballots suffice for what they agree on, against so many others. One is enough where nobody contradicts
    /// it: what stands behind that are the checks of its worker, which its ballot does not show.
    #[must_use]
    pub fn suffices(&self, agreeing: u32, others: u32) -> bool {
        agreeing > 0 && (others == 0 || agreeing >= others.saturating_add(self.lead()))
    }

    /// The chance with which a worker that lies must be caught when it has given `answers` before, in parts of a whole.
    fn caught(&self, answers: u64) -> u128 {
        // The answer at hand counts: even the first of all has a part of the bound.
        let given = u128::from(answers.min(1 << 40)) + 1;
        let faulty = u128::from(self.faulty_ppm) * MILLION * 10;
        let allowed = 9 * u128::from(self.error_ppt) * given;
        (faulty * (WHOLE / MILLION)).div_ceil(faulty + allowed) * MILLION
    }

    /// The probability that all of so many workers are faulty, in parts of a whole.
    fn all_faulty(&self, workers: u32) -> u128 {
        (0..workers).fold(WHOLE, |all, _| (all * u128::from(self.faulty_ppm)).div_ceil(MILLION))
    }

    /// How an answer of a worker is checked that has given so many before: by as few others as suffice, and no more often
    /// than it takes.
    #[must_use]
    pub fn check(&self, answers: u64) -> Check {
        let caught = self.caught(answers);
        let is_enough = |checkers: &u32| WHOLE - self.all_faulty(*checkers) >= caught;
        let checkers = (1..CHECKERS_MAX).find(is_enough).unwrap_or(CHECKERS_MAX);
        let honest = WHOLE - self.all_faulty(checkers);
        let chance = (caught / MILLION * u128::from(CHANCE_ONE)).div_ceil((honest / MILLION).max(1));
        let chance = u64::try_from(chance).unwrap_or(CHANCE_ONE).saturating_add(1);
        let least = if answers < NEW_ANSWERS { CHANCE_ONE } else { CHANCE_MIN };
        Check { checkers, chance: chance.clamp(least, CHANCE_ONE) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: Adaptive = Adaptive { faulty_ppm: 10_000, error_ppt: 1_000_000 };
    const LARGE: Adaptive = Adaptive { faulty_ppm: 350_000, error_ppt: 1_000_000 };

    #[test]
    fn the_lead_is_what_logarithms_say() {
        // ln(10^7) / ln(99) = 3.5 and ln(10^7) / ln(65 / 35) = 26.04.
        assert_eq!((SMALL.lead(), LARGE.lead()), (4, 27));
    }

    #[test]
    fn new_workers_are_checked_always_and_by_many_and_old_ones_seldom_and_by_one() {
        assert_eq!(SMALL.check(0), Check { checkers: 3, chance: CHANCE_ONE });
        assert_eq!(LARGE.check(NEW_ANSWERS - 1), Check { checkers: 11, chance: CHANCE_ONE });
        assert!(SMALL.check(NEW_ANSWERS).chance < CHANCE_ONE);
        let old = SMALL.check(1_000_000);
        assert_eq!(old.checkers, 1);
        // π / (π + 0.9 ε n) / (1 - π) = 0.01 / 0.91 / 0.99.
        let percent = old.chance * 10_000 / CHANCE_ONE;
        assert_eq!(percent, 111);
        assert_eq!(SMALL.check(u64::MAX), SMALL.check(1 << 50));
    }

    proptest! {
        /// A lie is caught as often as the proof needs it: drawn, and one checker honest.
        #[test]
        fn whatever_is_asked_for_a_lie_is_caught_often_enough(
            faulty_ppm in 1u32..500_000, error in 3u32..10, answers in 0u64..1 << 34,
        ) {
            let rule = Adaptive { faulty_ppm, error_ppt: 10u64.pow(12 - error) };
            let Check { checkers, chance } = rule.check(answers);
            let faulty = f64::from(faulty_ppm) / 1e6;
            #[expect(clippy::cast_precision_loss, reason = "the reference is in floats")]
            let (chance, given) = (chance as f64 / CHANCE_ONE as f64, (answers + 1) as f64);
            let caught = chance * (1.0 - faulty.powi(i32::try_from(checkers).expect("few")));
            let needed = faulty / (faulty + 0.9 * 10f64.powi(-i32::try_from(error).expect("few")) * given);
            prop_assert!(checkers == CHECKERS_MAX || caught >= needed - 1e-9, "{caught} of {needed}");
            prop_assert!(chance <= 1.0);
        }

        #[test]
        fn more_answers_never_mean_more_checking(
            faulty_ppm in 1u32..500_000, error_ppt in 1_000u64..1_000_000_000, answers in 0u64..1 << 30,
        ) {
            let rule = Adaptive { faulty_ppm, error_ppt };
            let (before, after) = (rule.check(answers), rule.check(answers + 1 + answers / 8));
            prop_assert!(after.checkers <= before.checkers);
            if after.checkers == before.checkers {
                prop_assert!(after.chance <= before.chance);
            }
        }

        #[test]
        fn the_side_that_trails_by_the_lead_is_right_with_less_than_a_tenth_of_the_bound(
            faulty_ppm in 1u32..480_000, error in 3u32..10,
        ) {
            let error_bound = 10f64.powi(-i32::try_from(error).expect("few"));
            let rule = Adaptive { faulty_ppm, error_ppt: 10u64.pow(12 - error) };
            let odds = f64::from(faulty_ppm) / f64::from(1_000_000 - faulty_ppm);
            let lead = i32::try_from(rule.lead()).expect("small");
            prop_assert!(rule.lead() == LEAD_MAX || odds.powi(lead) <= error_bound / 10.0 * 1.000_001);
            prop_assert!(lead <= 1 || odds.powi(lead - 1) > error_bound / 10.0 * 0.999);
        }
    }
}
