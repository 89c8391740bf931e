//! The texts of the kernels: one file each, with what several share, put together here.
//!
//! A line `//!include NAME` in a shader stands for the file `shaders/NAME`, once in a module. `shared/word64.wgsl` is no
//! file but a choice: 64-bit words from 32-bit limbs, or on the adapter's own 64-bit integers. Everything above them is
//! written once, so both variants are the same kernel.

use std::fmt;

/// How 64-bit words are computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variant {
    /// On pairs of 32-bit limbs: WebGPU's baseline.
    Base,
    /// On the adapter's 64-bit integers.
    Native,
}

impl Variant {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Base, Self::Native];

    /// What an adapter must offer.
    pub(super) fn features(self) -> wgpu::Features {
        match self {
            Self::Base => wgpu::Features::empty(),
            Self::Native => wgpu::Features::SHADER_INT64,
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "32-bit",
            Self::Native => "64-bit",
        })
    }
}

/// How many invocations stand in a workgroup, in every kernel: the most that is good for every vendor.
pub const WORKGROUP_INVOCATIONS: u32 = 64;

/// A kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shader {
    /// Partial sums of digit extraction.
    DigitExtraction,
    /// Integer expressions modulo many numbers.
    Residues,
    /// Stretches of a hypergeometric series modulo many numbers.
    SeriesResidues,
    /// Every routine of the shared arithmetic.
    WordArithmetic,
    /// Nothing but 32-bit multiplications and additions: what an adapter can do at most.
    IntegerPeak,
}

impl Shader {
    /// All kernels.
    pub const ALL: [Self; 5] = [
        Self::DigitExtraction,
        Self::Residues,
        Self::SeriesResidues,
        Self::WordArithmetic,
        Self::IntegerPeak,
    ];

    /// The name of the file, without its ending.
    pub fn name(self) -> &'static str {
        match self {
            Self::DigitExtraction => "digit_extraction",
            Self::Residues => "residues",
            Self::SeriesResidues => "series_residues",
            Self::WordArithmetic => "word_arithmetic",
            Self::IntegerPeak => "integer_peak",
        }
    }

    /// The whole text of the module.
    pub fn source(self, variant: Variant) -> String {
        let text = match self {
            Self::DigitExtraction => include_str!("../../../../../shaders/digit_extraction.wgsl"),
            Self::Residues => include_str!("../../../../../shaders/residues.wgsl"),
            Self::SeriesResidues => include_str!("../../../../../shaders/series_residues.wgsl"),
            Self::WordArithmetic => include_str!("../../../../../shaders/word_arithmetic.wgsl"),
            Self::IntegerPeak => include_str!("../../../../../shaders/integer_peak.wgsl"),
        };
        composed(text, variant)
    }
}

/// What the shaders include.
fn shared(name: &str, variant: Variant) -> Option<&'static str> {
    Some(match (name, variant) {
        ("shared/word64.wgsl", Variant::Base) => {
            include_str!("../../../../../shaders/shared/word64_base.wgsl")
        }
        ("shared/word64.wgsl", Variant::Native) => {
            include_str!("../../../../../shaders/shared/word64_native.wgsl")
        }
        ("shared/modulus.wgsl", _) => include_str!("../../../../../shaders/shared/modulus.wgsl"),
        ("shared/montgomery.wgsl", _) => include_str!("../../../../../shaders/shared/montgomery.wgsl"),
        ("shared/montgomery32.wgsl", _) => include_str!("../../../../../shaders/shared/montgomery32.wgsl"),
        _ => return None,
    })
}

/// The text with its includes in their places. An include that nothing answers stays a comment, and the names that it
/// should have brought are then missing, which the tests and the compiler see.
fn composed(text: &str, variant: Variant) -> String {
    let mut module = String::with_capacity(2 * text.len());
    for line in text.lines() {
        match line.strip_prefix("//!include ").and_then(|name| shared(name.trim(), variant)) {
            Some(included) => module.push_str(included),
            None => module.push_str(line),
        }
        module.push('\n');
    }
    module
}
