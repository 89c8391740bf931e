//! Whether a GPU computes at all what it should: each kernel against its twin, before anything is leased to it.
//!
//! The answers come from the CPU's plainest code, never from another GPU: adapters with one driver share its faults.

use protocol::digit_extraction::{HexConstant, HexTerms};
use rug::Integer;

use super::{
    GpuEngine, GpuError,
    digit_extraction::sum,
    peak,
    shader::Shader,
    word_arithmetic::{edge_cases, on_gpu, word_arithmetic},
};
use crate::{
    control::Control,
    digit_extraction::reference_sum,
    residues::{
        HypergeometricSeries, Modulus, Polynomial, Program, Step, reference_residue,
        reference_series_residues,
    },
};

/// Positions whose terms have short and long powers of two, and moduli below and above 2^32.
const POSITIONS: [u64; 3] = [20, 12_345_678, 100_000_000_000];
/// How many terms of each series are summed at each of them.
const TERMS: u64 = 70;

impl GpuEngine {
    /// Computes what is known with every kernel.
    ///
    /// # Errors
    /// [`GpuError::WrongAnswer`], or whatever else is wrong with the device; it is out of service afterwards.
    pub fn check_known_answers(&self) -> Result<(), GpuError> {
        let result = self
            .word_answers()
            .and_then(|()| self.digit_answers())
            .and_then(|()| self.residue_answers())
            .and_then(|()| self.peak_answers());
        result.map_err(|error| self.device.fail(error))
    }

    fn word_answers(&self) -> Result<(), GpuError> {
        let cases = edge_cases();
        let answers = on_gpu(&self.device, &cases)?;
        for (operands, answer) in cases.iter().zip(&answers) {
            let known = word_arithmetic(operands);
            if *answer != known {
                let difference = format!("{operands:x?} gave {answer:x?}, and should give {known:x?}");
                return Err(self.wrong(Shader::WordArithmetic, difference));
            }
        }
        if answers.len() == cases.len() { Ok(()) } else { Err(self.wrong(Shader::WordArithmetic, too_few())) }
    }

    fn digit_answers(&self) -> Result<(), GpuError> {
        for constant in HexConstant::ALL {
            // Every width is compiled on its own, for narrow and wide moduli.
            let widths: &[u32] = if constant == HexConstant::Pi { &[64, 128, 192, 256] } else { &[128] };
            for formula in constant.formulas() {
                let Some(series) = constant.series(*formula) else { continue };
                for (after, fraction_bits) in
                    POSITIONS.iter().flat_map(|after| widths.iter().map(|bits| (*after, *bits)))
                {
                    let series = series.clone();
                    let first_term = series.terms(after, fraction_bits) / 2;
                    let end_term = first_term + TERMS;
                    self.digit_answer(&HexTerms { series, after, first_term, end_term, fraction_bits })?;
                }
            }
        }
        Ok(())
    }

    fn digit_answer(&self, task: &HexTerms) -> Result<(), GpuError> {
        // A series whose denominators are too large at a position has no answer there, on the CPU neither.
        let Ok(known) = reference_sum(task) else { return Ok(()) };
        let answer = sum(self, task, &Control::default())?;
        if answer == known {
            return Ok(());
        }
        let difference = format!(
            "{} terms from {} after {} digits gave {answer}, and should give {known}",
            task.end_term - task.first_term,
            task.first_term,
            task.after
        );
        Err(self.wrong(Shader::DigitExtraction, difference))
    }

    fn residue_answers(&self) -> Result<(), GpuError> {
        let (moduli, control) = (known_moduli(), Control::default());
        let programs = known_programs();
        let rows = self.residues(&programs, &moduli, &control)?;
        for (program, row) in programs.iter().zip(&rows) {
            let known: Vec<u64> = moduli.iter().map(|modulus| reference_residue(program, modulus)).collect();
            if *row != known {
                let difference = format!("{:?} gave {row:?}, and should give {known:?}", program.steps());
                return Err(self.wrong(Shader::Residues, difference));
            }
        }
        for series in known_series() {
            let answer = self.series_residues(&series, 7..207, &moduli, &control)?;
            let known = reference_series_residues(&series, 7..207, &moduli);
            if answer != known {
                let difference =
                    format!("terms 7 to 206 of {series:?} gave {answer:?}, and should give {known:?}");
                return Err(self.wrong(Shader::SeriesResidues, difference));
            }
        }
        Ok(())
    }

    fn peak_answers(&self) -> Result<(), GpuError> {
        let answers = peak::on_gpu(&self.device, 5, peak::MULTIPLIER, 130)?;
        let known: Vec<u32> = (0..130).map(|id| peak::integer_peak(id, 5, peak::MULTIPLIER)).collect();
        if answers == known { Ok(()) } else { Err(self.wrong(Shader::IntegerPeak, too_few())) }
    }

    fn wrong(&self, kernel: Shader, difference: String) -> GpuError {
        GpuError::WrongAnswer { device: self.device_name().to_owned(), kernel: kernel.name(), difference }
    }
}

/// The smallest, those around 2^32, one of 61 bits, and the two largest primes below 2^63.
fn known_moduli() -> Vec<Modulus> {
    let values = [3, 5, 4_294_967_291, 4_294_967_311, (1 << 61) - 1, (1 << 63) - 165, (1 << 63) - 25];
    values.into_iter().filter_map(|value| Modulus::new(value).ok()).collect()
}

/// Every step, long constants and exponents, and a stack as deep as the kernel's.
fn known_programs() -> Vec<Program> {
    let tower = |exponent: Integer| vec![Step::Constant(Integer::from(-7)), Step::Power(exponent)];
    let long: Integer = (Integer::from(1) << 700) - 12_345_u32;
    let mut deep: Vec<Step> = (0..32).map(|value| Step::Constant(Integer::from(value - 16))).collect();
    deep.extend([Step::Multiply, Step::Subtract, Step::Add].into_iter().cycle().take(31));
    let all = [
        vec![Step::Constant(Integer::new())],
        vec![Step::Constant(-long.clone()), Step::Constant(long.clone()), Step::Negate, Step::Subtract],
        tower(Integer::new()),
        tower(Integer::from(u64::MAX)),
        tower(long),
        deep,
    ];
    all.into_iter().filter_map(|steps| Program::new(steps).ok()).collect()
}

/// pi's series, and one that has all that a kernel can take.
fn known_series() -> Vec<HypergeometricSeries> {
    let all = |signs: i64| Polynomial::new((1..=9).map(|power| signs * (1_i64 << (6 * power)) - power));
    let full = match (all(-1), all(1), all(3), all(-5)) {
        (Ok(p), Ok(q), Ok(a), Ok(b)) => Some(HypergeometricSeries { p, q, a, b }),
        _ => None,
    };
    std::iter::once(HypergeometricSeries::chudnovsky()).chain(full).collect()
}

fn too_few() -> String {
    "its results are not those of its twin".to_owned()
}
