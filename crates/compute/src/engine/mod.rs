//! Runs tasks. (being written)
