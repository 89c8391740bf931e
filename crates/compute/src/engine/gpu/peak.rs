//! How many 32-bit integer operations an adapter issues at most: the measure of what the other kernels reach.

use std::time::Instant;

use super::{
    GpuEngine, GpuError,
    device::{Device, KernelName},
    shader::{Shader, Variant, WORKGROUP_INVOCATIONS},
};

/// Odd, so that no chain sinks to zero.
pub(super) const MULTIPLIER: u32 = 0x9e37_79b1;
/// Additions and multiplications of one invocation in one round.
const OPERATIONS_PER_ROUND: u64 = 32;
/// A dispatch that takes at least this long measures the adapter and not its start.
const LONG_ENOUGH_S: f64 = 0.05;

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntegerPeak {
    /// 32-bit additions and multiplications a second; a fused one counts as two.
    pub operations_per_s: f64,
}

impl GpuEngine {
    /// Measures the adapter's integer peak, in some tenths of a second.
    ///
    /// # Errors
    /// Whatever is wrong with the device.
    pub fn measure_integer_peak(&self) -> Result<IntegerPeak, GpuError> {
        let result = measure(&self.device);
        result.map_err(|error| self.device.fail(error))
    }
}

/// How many 32-bit multiplications the kernel `digit_extraction` has in its text for one term with this modulus, where a
/// power of two has `exponent_bits` bits and a fraction `limbs` limbs: the share of the peak that a rate comes to is a
/// share of these. Additions, comparisons and shifts are not counted.
pub fn multiplications_per_term(variant: Variant, modulus: u64, exponent_bits: u32, limbs: u32) -> u32 {
    // A product's high half takes four more on the baseline; on 64-bit integers a wide product is one.
    let (limb_high, low, high, square) = match variant {
        Variant::Base => (4, 7, 20, 15),
        Variant::Native => (1, 3, 4, 3),
    };
    let steps = exponent_bits.saturating_sub(3);
    let progression = 2 * low;
    if u32::try_from(modulus).is_ok() {
        let (inverse, reduce) = (7, 1 + limb_high);
        return progression + inverse + steps * 2 * reduce + 2 * limbs + (2 * limbs - 1) * reduce;
    }
    let (inverse, reduce) = (7 + 2 * low, low + high);
    progression + inverse + steps * (square + reduce) + limbs * low + (limbs - 1) * reduce
}

/// How many 32-bit multiplications one product modulo a 64-bit number has in the kernels' text.
pub fn multiplications_per_product(variant: Variant) -> u32 {
    // A wide product, a low one and a high one; see above.
    match variant {
        Variant::Base => 20 + 7 + 20,
        Variant::Native => 4 + 3 + 4,
    }
}

fn measure(device: &Device) -> Result<IntegerPeak, GpuError> {
    // Enough invocations for the largest GPU to hide its latencies.
    let invocations = 4096 * WORKGROUP_INVOCATIONS;
    let mut rounds = 1;
    let mut best = 0.0_f64;
    // Each dispatch is twice as long as the one before until one is long enough; then the best of three counts.
    let mut long = 0;
    while long < 3 && rounds < 1 << 24 {
        let start = Instant::now();
        on_gpu(device, rounds, MULTIPLIER, invocations)?;
        let elapsed_s = start.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let operations = (u64::from(rounds) * u64::from(invocations) * OPERATIONS_PER_ROUND) as f64;
        if elapsed_s >= LONG_ENOUGH_S {
            best = best.max(operations / elapsed_s);
            long += 1;
        } else {
            rounds *= 2;
        }
    }
    Ok(IntegerPeak { operations_per_s: best })
}

/// What the kernel computes, on the GPU, for the invocations from 0 on.
pub(super) fn on_gpu(
    device: &Device,
    rounds: u32,
    multiplier: u32,
    invocations: u32,
) -> Result<Vec<u32>, GpuError> {
    let kernel = KernelName { shader: Shader::IntegerPeak, digits: None, series: None };
    let input = [rounds.to_le_bytes(), multiplier.to_le_bytes()].concat();
    let workgroups = invocations.div_ceil(WORKGROUP_INVOCATIONS);
    device.land(device.launch(kernel, &input, u64::from(invocations) * 4, workgroups)?)
}

/// The twin of the kernel: what the invocation with this number computes.
pub(super) fn integer_peak(id: u32, rounds: u32, multiplier: u32) -> u32 {
    let lane = |lane: u32| {
        let seed = id.wrapping_add(lane);
        let mut chains: [u32; 4] =
            std::array::from_fn(|chain| seed.wrapping_add(4 * u32::try_from(chain).unwrap_or(0)));
        for _ in 0..rounds {
            for chain in 0..4 {
                let next = chains[(chain + 1) % 4];
                chains[chain] = chains[chain].wrapping_mul(multiplier).wrapping_add(next);
            }
        }
        chains.iter().fold(0, |mixed, chain| mixed ^ chain)
    };
    (0..4).map(lane).fold(0, |mixed, part| mixed ^ part)
}
