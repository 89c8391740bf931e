//! Whether a GPU computes at all what it should: each kernel against its twin, before anything is leased to it.
//!
//! The answers come from the CPU's plainest code, never from another GPU: adapters with one driver share its faults.

use protocol::digit_extraction::{HexConstant, HexTerms};

use super::{
    GpuEngine, GpuError,
    digit_extraction::sum,
    peak,
    shader::Shader,
    word_arithmetic::{edge_cases, on_gpu, word_arithmetic},
};
use crate::{control::Control, digit_extraction::reference_sum};

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
        let result =
            self.word_answers().and_then(|()| self.digit_answers()).and_then(|()| self.peak_answers());
        let result = result.and_then(|()| self.range_answers());
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

    fn peak_answers(&self) -> Result<(), GpuError> {
        let answers = peak::on_gpu(&self.device, 5, peak::MULTIPLIER, 130)?;
        let known: Vec<u32> = (0..130).map(|id| peak::integer_peak(id, 5, peak::MULTIPLIER)).collect();
        if answers == known { Ok(()) } else { Err(self.wrong(Shader::IntegerPeak, too_few())) }
    }

    pub(super) fn wrong(&self, kernel: Shader, difference: String) -> GpuError {
        GpuError::WrongAnswer { device: self.device_name().to_owned(), kernel: kernel.name(), difference }
    }
}

fn too_few() -> String {
    "its results are not those of its twin".to_owned()
}
