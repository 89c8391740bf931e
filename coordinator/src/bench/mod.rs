//! Measurements that run inside the program, on an embedded cluster over real QUIC.

pub mod agreement;
pub mod load;
pub mod plot;
pub mod stages;
