//! What the simulator shows: the machine keeps its promises in every world, a planted bug is found, and the same seed
//! gives the same world.

mod campaigns;
mod lean;
mod planted;
mod worlds;
