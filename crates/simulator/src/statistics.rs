//! What chance alone would give: the binomial tail, and how far a measured rate may be from it.

/// The probability that at least `needed` of `drawn` independent heads are wrong, where each is with `probability`.
///
/// This is how often a wrong value wins where a fraction of all workers say the same lie and the electorate is drawn at
/// random: the honest limit of counting heads.
#[must_use]
pub fn binomial_tail(drawn: u32, needed: u32, probability: f64) -> f64 {
    let mut term = (1.0 - probability).powi(i32::try_from(drawn).unwrap_or(i32::MAX));
    let mut tail = if needed == 0 { term } else { 0.0 };
    if probability >= 1.0 {
        return 1.0;
    }
    for wrong in 0..drawn {
        term *= f64::from(drawn - wrong) / f64::from(wrong + 1) * probability / (1.0 - probability);
        if wrong + 1 >= needed {
            tail += term;
        }
    }
    tail.min(1.0)
}

/// A rate over worlds of the same size, with its standard error. The tasks of one world share their workers, so worlds,
/// and not tasks, are what is independent (a cluster sample).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ClusteredRate {
    worlds: f64,
    tasks: f64,
    hits: f64,
    hits_squared: f64,
}

impl ClusteredRate {
    /// Takes in a world with so many hits among so many tasks; every world must have the same number of tasks.
    pub fn add(&mut self, hits: u32, tasks: u32) {
        self.worlds += 1.0;
        self.tasks += f64::from(tasks);
        self.hits += f64::from(hits);
        self.hits_squared += f64::from(hits) * f64::from(hits);
    }

    /// Hits a task.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.tasks > 0.0 { self.hits / self.tasks } else { 0.0 }
    }

    /// The standard deviation of [`ClusteredRate::rate`]; nothing below two worlds.
    #[must_use]
    pub fn standard_error(&self) -> Option<f64> {
        if self.worlds < 2.0 {
            return None;
        }
        let mean = self.hits / self.worlds;
        let variance = (self.hits_squared / self.worlds - mean * mean) * self.worlds / (self.worlds - 1.0);
        Some((variance.max(0.0) / self.worlds).sqrt() * self.worlds / self.tasks)
    }

    /// How many standard errors the rate is above `expected`.
    #[must_use]
    pub fn deviation_from(&self, expected: f64) -> Option<f64> {
        let error = self.standard_error().filter(|error| *error > 0.0)?;
        Some((self.rate() - expected) / error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_what_the_closed_form_says() {
        // p^2 (3 - 2p) for three heads.
        for probability in [0.0, 0.1, 0.2, 0.5, 0.9, 1.0] {
            let closed = probability * probability * (3.0 - 2.0 * probability);
            assert!((binomial_tail(3, 2, probability) - closed).abs() < 1e-12, "{probability}");
        }
        assert!((binomial_tail(5, 3, 0.1) - 0.008_56).abs() < 1e-6);
        assert!((binomial_tail(5, 3, 0.2) - 0.057_92).abs() < 1e-6);
    }

    #[test]
    fn the_error_of_worlds_that_do_not_differ_is_nothing_and_grows_with_their_difference() {
        let rate_of = |hits: &[u32]| {
            let mut rate = ClusteredRate::default();
            for hits in hits {
                rate.add(*hits, 10);
            }
            rate
        };
        assert_eq!(rate_of(&[3, 3, 3]).standard_error(), Some(0.0));
        // Means 0.2 and 0.4 have a standard deviation of 0.1414 and their mean one of 0.1.
        let error = rate_of(&[2, 4]).standard_error().expect("two worlds");
        assert!((error - 0.1).abs() < 1e-12, "{error}");
        assert_eq!(rate_of(&[2]).standard_error(), None);
        let deviation = rate_of(&[2, 4]).deviation_from(0.2).expect("two worlds that differ");
        assert!((deviation - 1.0).abs() < 1e-12, "{deviation}");
    }
}
