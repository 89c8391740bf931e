//! The ledger on disk: what was appended is there after it is opened again, and nothing that is not.

mod certificate;
mod log;
mod store;
mod writer;
