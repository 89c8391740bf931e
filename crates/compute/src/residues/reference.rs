//! The definitions to the letter, in GMP's integers: what every engine is held to.

use std::ops::Range;

use rug::Integer;

use super::{
    modulus::Modulus,
    program::{Program, Step},
    series::HypergeometricSeries,
    stretch::StretchResidues,
};

/// The residue of a program, each step reduced by division.
pub fn reference_residue(program: &Program, modulus: &Modulus) -> u64 {
    let m = Integer::from(modulus.value());
    let mut stack: Vec<Integer> = Vec::new();
    for step in program.steps() {
        // A checked program finds its operands.
        let mut operand = || stack.pop().unwrap_or_default();
        let value = match step {
            Step::Constant(value) => value.clone(),
            Step::Negate => -operand(),
            Step::Power(exponent) => operand().pow_mod(exponent, &m).unwrap_or_default(),
            Step::Add => operand() + operand(),
            Step::Subtract => -(operand() - operand()),
            Step::Multiply => operand() * operand(),
        };
        stack.push(value.modulo(&m));
    }
    stack.pop().and_then(|value| value.to_u64()).unwrap_or(0)
}

/// P, Q, B and T as integers, one term after the other, and only then their residues.
pub fn reference_series_residues(
    series: &HypergeometricSeries,
    stretch: Range<u64>,
    moduli: &[Modulus],
) -> Vec<StretchResidues> {
    let (mut p, mut q, mut b, mut t) = (Integer::from(1), Integer::from(1), Integer::from(1), Integer::new());
    for k in stretch {
        let (q_at, b_at) = (series.q.at(k), series.b.at(k));
        p *= series.p.at(k);
        t *= &q_at;
        t *= &b_at;
        t += Integer::from(&p * &b) * series.a.at(k);
        q *= q_at;
        b *= b_at;
    }
    let residue = |value: &Integer, modulus: &Modulus| {
        value.clone().modulo(&Integer::from(modulus.value())).to_u64().unwrap_or(0)
    };
    let all = moduli.iter().map(|modulus| StretchResidues {
        p: residue(&p, modulus),
        q: residue(&q, modulus),
        b: residue(&b, modulus),
        t: residue(&t, modulus),
    });
    all.collect()
}
