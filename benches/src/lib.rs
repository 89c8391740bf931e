//! What the benchmarks share: timing in pairs, medians and ratios.
