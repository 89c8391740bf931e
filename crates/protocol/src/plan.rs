//! From a job to its tasks. (stub being written)
