//! Residues of integer expressions: the CPU twin of the kernel `residues`.
//!
//! Several moduli run side by side through the same steps, as one waits most of the time for its own products.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use rug::{Integer, integer::Order};

use super::{
    modulus::{Modulus, product, sum},
    program::{Program, Step},
};
use crate::control::{Cancelled, Control};

/// Moduli that run side by side.
const LANES: usize = 8;
/// Most products between two looks at the control: some milliseconds.
const PRODUCTS_AT_ONCE_MAX: u64 = 1 << 18;

/// The residue of each program modulo each of `moduli`: a row for each program, in the order of `moduli`, on the rayon
/// pool of the caller.
///
/// # Errors
/// [`Cancelled`] when it was asked to stop.
pub fn residues(
    programs: &[Program],
    moduli: &[Modulus],
    control: &Control,
) -> Result<Vec<Vec<u64>>, Cancelled> {
    let groups = moduli.len().div_ceil(LANES) as u64;
    let (all, done) = (groups * programs.len() as u64, AtomicU64::new(0));
    programs
        .par_iter()
        .map(|program| {
            let limbs = Limbs::of(program);
            let rows: Result<Vec<Vec<u64>>, Cancelled> = moduli
                .par_chunks(LANES)
                .map(|moduli| {
                    let row = if let Ok(moduli) = <&[Modulus; LANES]>::try_from(moduli) {
                        limbs.run(moduli, control)?.to_vec()
                    } else {
                        let each = moduli.iter().map(|modulus| limbs.run(&[*modulus], control));
                        each.map(|residue| residue.map(|[residue]| residue)).collect::<Result<_, _>>()?
                    };
                    let so_far = done.fetch_add(1, Ordering::Relaxed) + 1;
                    control.set_permille(u16::try_from(so_far * 1000 / all).unwrap_or(1000));
                    Ok(row)
                })
                .collect();
            Ok(rows?.concat())
        })
        .collect()
}

/// The residues of one program modulo a few numbers, which run side by side on this thread, without telling progress.
///
/// # Errors
/// [`Cancelled`] when it was asked to stop.
pub(crate) fn residues_side_by_side<const N: usize>(
    program: &Program,
    moduli: &[Modulus; N],
    control: &Control,
) -> Result<[u64; N], Cancelled> {
    Limbs::of(program).run(moduli, control)
}

/// A program whose constants are words.
struct Limbs<'p>(Vec<WordStep<'p>>);

enum WordStep<'p> {
    /// The words of its magnitude, the highest first.
    Constant {
        words: Vec<u64>,
        is_negative: bool,
    },
    /// The words of the exponent, the highest first.
    Power(Vec<u64>),
    Other(&'p Step),
}

fn words(value: &Integer) -> Vec<u64> {
    value.to_digits(Order::Msf)
}

impl<'p> Limbs<'p> {
    fn of(program: &'p Program) -> Self {
        let steps = program.steps().iter().map(|step| match step {
            Step::Constant(value) => WordStep::Constant { words: words(value), is_negative: *value < 0 },
            Step::Power(exponent) => WordStep::Power(words(exponent)),
            other => WordStep::Other(other),
        });
        Self(steps.collect())
    }

    fn run<const N: usize>(&self, moduli: &[Modulus; N], control: &Control) -> Result<[u64; N], Cancelled> {
        let mut lanes = Lanes::new(moduli, control);
        let mut stack: Vec<[u64; N]> = Vec::new();
        for step in &self.0 {
            match step {
                WordStep::Constant { words, is_negative } => {
                    let value = lanes.constant(words)?;
                    stack.push(if *is_negative { lanes.difference(&[0; N], &value) } else { value });
                }
                WordStep::Power(exponent) => {
                    let base = stack.pop().unwrap_or([0; N]);
                    stack.push(lanes.power(&base, exponent)?);
                }
                WordStep::Other(Step::Negate) => {
                    let value = stack.pop().unwrap_or([0; N]);
                    stack.push(lanes.difference(&[0; N], &value));
                }
                WordStep::Other(step) => {
                    // A checked program finds its operands.
                    let right = stack.pop().unwrap_or([0; N]);
                    let left = stack.pop().unwrap_or([0; N]);
                    stack.push(match step {
                        Step::Add => lanes.sum(&left, &right),
                        Step::Subtract => lanes.difference(&left, &right),
                        _ => lanes.product(&left, &right),
                    });
                }
            }
        }
        let result = stack.pop().unwrap_or([0; N]);
        Ok(std::array::from_fn(|lane| moduli[lane].leave(result[lane])))
    }
}

/// Moduli side by side, and how long it is since the control was looked at.
struct Lanes<'m, const N: usize> {
    moduli: &'m [Modulus; N],
    values: [u64; N],
    inverses: [u64; N],
    squares: [u64; N],
    control: &'m Control,
    products: u64,
}

impl<'m, const N: usize> Lanes<'m, N> {
    fn new(moduli: &'m [Modulus; N], control: &'m Control) -> Self {
        Self {
            moduli,
            values: std::array::from_fn(|lane| moduli[lane].value()),
            inverses: std::array::from_fn(|lane| moduli[lane].inverse()),
            squares: std::array::from_fn(|lane| moduli[lane].square()),
            control,
            products: 0,
        }
    }

    #[inline]
    fn product(&self, left: &[u64; N], right: &[u64; N]) -> [u64; N] {
        std::array::from_fn(|lane| product(left[lane], right[lane], self.values[lane], self.inverses[lane]))
    }

    fn sum(&self, left: &[u64; N], right: &[u64; N]) -> [u64; N] {
        std::array::from_fn(|lane| sum(left[lane], right[lane], self.values[lane]))
    }

    fn difference(&self, left: &[u64; N], right: &[u64; N]) -> [u64; N] {
        std::array::from_fn(|lane| sum(left[lane], self.values[lane] - right[lane], self.values[lane]))
    }

    fn spend(&mut self, products: u64) -> Result<(), Cancelled> {
        self.products += products;
        if self.products >= PRODUCTS_AT_ONCE_MAX {
            self.products = 0;
            self.control.check()?;
        }
        Ok(())
    }

    /// The forms of a magnitude: v 2^64 + word for each word, where a product with R^2 mod m is one with R.
    fn constant(&mut self, words: &[u64]) -> Result<[u64; N], Cancelled> {
        let mut form = [0; N];
        for word in words {
            self.spend(2)?;
            let shifted = self.product(&form, &self.squares);
            form = self.sum(&shifted, &self.product(&[*word; N], &self.squares));
        }
        Ok(form)
    }

    /// Square and multiply, from the highest bit.
    fn power(&mut self, base: &[u64; N], exponent: &[u64]) -> Result<[u64; N], Cancelled> {
        let mut result: [u64; N] = std::array::from_fn(|lane| self.moduli[lane].one());
        let mut begun = false;
        for word in exponent {
            self.spend(2 * u64::from(u64::BITS))?;
            for bit in (0..u64::BITS).rev() {
                if begun {
                    result = self.product(&result, &result);
                }
                if word >> bit & 1 == 1 {
                    result = self.product(&result, base);
                    begun = true;
                }
            }
        }
        Ok(result)
    }
}
