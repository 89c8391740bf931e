//! Times of contenders that take turns: medians, and ratios of what ran in the same round.

/// The times of some contenders over some rounds, in seconds.
#[derive(Debug, Clone, Default)]
pub struct Rounds {
    /// One row a round, one column a contender; a contender that did not run is `None`.
    rows: Vec<Vec<Option<f64>>>,
}

impl Rounds {
    /// Adds a round: the seconds of each contender, always in the same order.
    pub fn push(&mut self, seconds: Vec<Option<f64>>) {
        self.rows.push(seconds);
    }

    /// The median time of a contender, if it ran.
    #[must_use]
    pub fn median(&self, contender: usize) -> Option<f64> {
        median(self.rows.iter().filter_map(|row| *row.get(contender)?).collect())
    }

    /// The median over the rounds of one contender's time divided by another's, if both ran.
    #[must_use]
    pub fn ratio(&self, contender: usize, baseline: usize) -> Option<f64> {
        let pairs = self.rows.iter().filter_map(|row| Some((*row)[contender]? / (*row)[baseline]?));
        median(pairs.collect())
    }
}

/// The value below which this fraction of the others lies (the nearest rank); `None` of nothing. `sorted` goes up.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank is a whole number within the length"
)]
pub fn quantile(sorted: &[f64], fraction: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * fraction).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

/// The middle value, or the mean of the two middle ones; `None` of nothing.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[values.len() / 2 - 1], upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(vec![9.0, 1.0, 5.0, 6.0]), Some(5.5));
    }

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), Some(100.0));
        assert_eq!(quantile(&values, 0.99), Some(198.0));
        assert_eq!(quantile(&values, 1.0), Some(200.0));
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn a_ratio_compares_within_rounds_and_skips_who_did_not_run() {
        let mut rounds = Rounds::default();
        rounds.push(vec![Some(1.0), Some(2.0), None]);
        rounds.push(vec![Some(10.0), Some(20.0), None]);
        rounds.push(vec![Some(4.0), Some(4.0), None]);
        assert_eq!(rounds.ratio(1, 0), Some(2.0));
        assert_eq!(rounds.median(0), Some(4.0));
        assert_eq!(rounds.median(2), None);
        assert_eq!(rounds.ratio(2, 0), None);
    }
}
