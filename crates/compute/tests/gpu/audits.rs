//! Audits whose series are summed by a kernel: they find what the processor finds.

use std::ops::Range;

use compute::{
    audit::{Finding, SeriesSums, audit, audit_by},
    control::Control,
    engine::{gpu::GpuEngine, run_on_cpu_with_witness},
    residues::{HypergeometricSeries, Modulus, SeriesResiduesError, StretchResidues},
};
use protocol::{
    constant::{Constant, Formula},
    outcome::Outcome,
    task::Task,
};

use crate::adapters::engines;

struct OnGpu<'e>(&'e GpuEngine);

impl SeriesSums for OnGpu<'_> {
    fn series_residues(
        &self,
        series: &HypergeometricSeries,
        stretch: Range<u64>,
        moduli: &[Modulus],
        control: &Control,
    ) -> Result<Vec<StretchResidues>, SeriesResiduesError> {
        Ok(self.0.series_residues(series, stretch, moduli, control).expect("the GPU stays in service"))
    }
}

#[test]
fn an_audit_by_a_gpu_finds_what_one_by_the_processor_finds() {
    for engine in engines() {
        for (constant, formula) in [
            (Constant::Pi, Formula::Chudnovsky),
            (Constant::E, Formula::FactorialSeries),
            (Constant::Zeta3, Formula::Wedeniwski),
        ] {
            let task = Task::Digits { constant, decimals: 3000 };
            let (outcome, witness) =
                run_on_cpu_with_witness(&task, formula, &Control::default()).expect("computed");
            let Outcome::Digits(text) = outcome else { panic!("{outcome:?}") };
            let witness = witness.expect("a sum of series has one");
            let (whole, pieces) = (witness.to_bytes(), witness.pieces());
            let changed =
                format!("{}{}", &text[..text.len() - 1], if text.ends_with('1') { "2" } else { "1" });
            for (text, is_right) in [(&text, true), (&changed, false)] {
                let outcome = Outcome::Digits(text.clone()).to_bytes();
                let evidence = (outcome.as_slice(), Some(&pieces[..]));
                let (seed, control) = ([9; 32], Control::default());
                let on_gpu = audit_by(&OnGpu(&engine), &task, formula, evidence, &seed, &control);
                let on_processor = audit(&task, formula, &outcome, Some(&whole), &seed, &control);
                assert_eq!(on_gpu, on_processor, "{constant} by {formula}");
                assert_eq!(matches!(on_gpu, Ok(Finding::Passed { .. })), is_right);
            }
        }
    }
}
