//! Fingerprints of nodes: as they are made, and of one node that is made again.

use protocol::trace::Fingerprint;

use super::{Node, Range, Tree, Wanted};
use crate::{
    constants::{
        factors::Sieve, keeping::Keeping, long::Checks, number::Number, progress::Progress, terms::Terms,
    },
    control::{Control, Interrupted},
    residues::{HypergeometricSeries, ReducedSeries},
    trace::SumTerms,
};

impl Tree<'_, '_> {
    /// Notes a node where somebody may ask for it.
    pub(super) fn note(&self, range: Range, node: &Node) {
        if let Some(noting) = self.noting.as_ref().filter(|noting| noting.notes(range.terms())) {
            let (left, _) = range.halves();
            noting.note((range.from, range.to), left.to, self.fingerprint(node));
        }
    }

    fn fingerprint(&self, Node { p, qb, b, t, .. }: &Node) -> Fingerprint {
        let prime = self.checks.prime();
        let residue =
            |number: &Number| prime.leave(self.checks.form_of_shifted(&number.mantissa, number.exponent));
        Fingerprint([p, qb, b, t].map(residue))
    }

    /// What the node over `from..to` is called and what its parent wants of it, if there is such a node.
    fn find(&self, (from, to): (u64, u64)) -> Option<(Range, Wanted)> {
        let series = self.series;
        let mut range = Range { from: series.first, to: series.first + self.count, depth: 0 };
        let mut wanted = Wanted::NOTHING;
        while (range.from, range.to) != (from, to) {
            if range.terms() < 2 || from < range.from || to > range.to {
                return None;
            }
            let (left, right) = range.halves();
            let (wants_left, wants_right) = self.wanted_of_halves(range, wanted);
            (range, wanted) = if to <= left.to { (left, wants_left) } else { (right, wants_right) };
        }
        Some((range, wanted))
    }
}

/// Makes a node of a sum again, from its terms, and gives its fingerprint; none where the sum has no such node.
///
/// # Errors
/// [`Interrupted`] when `control` is cancelled, or the machine computes wrongly and notices it.
pub(crate) fn fingerprint_again(
    sum: &SumTerms,
    (from, to): (u64, u64),
    control: &Control,
) -> Result<Option<Fingerprint>, Interrupted> {
    let SumTerms { series, count, keep, prime } = sum;
    let checks = Checks::modulo(control, *prime);
    let terms = Terms::new(series, series.first + count);
    let sieve = Sieve::new(terms.sieve_limit());
    let reduced = ReducedSeries::new(&HypergeometricSeries::from(series), checks.prime());
    let tree = Tree {
        series,
        count: *count,
        terms,
        sieve,
        reduced,
        checks: &checks,
        progress: Progress::tree(control, (to.saturating_sub(from)).max(1), 0, 1000),
        keep: *keep,
        // Nothing of an earlier run is used: that is what is in doubt.
        keeping: Keeping::NONE,
        noting: None,
    };
    let Some((range, wanted)) = tree.find((from, to)) else { return Ok(None) };
    Ok(Some(tree.fingerprint(&tree.split(range, wanted)?)))
}
