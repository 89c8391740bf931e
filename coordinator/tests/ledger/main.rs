//! The ledger on disk: what was appended is there after it is opened again, whatever happened to the disk between, or
//! somebody is told what is missing.

mod certificate;
mod crash;
mod damage;
mod disk;
mod log;
mod store;
mod writer;
