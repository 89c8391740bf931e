//! What the benchmarks share: contenders that take turns, each in a process of its own, and the medians and ratios of
//! their times.
//!
//! Turns instead of blocks, because the speed of a machine drifts: a ratio within one round compares what ran under the
//! same conditions. A process each, because a peak of memory belongs to one contender only if nobody else ran in it.

pub mod cluster;
pub mod contender;
pub mod program;
pub mod timing;
