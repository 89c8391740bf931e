//! The ledger on disk: what was appended is there after it is opened again, whatever happened to the disk between, or
//! somebody is told what is missing.

mod certificate;
mod commands;
mod crash;
mod damage;
mod disk;
mod faults;
mod figures;
mod log;
mod store;
mod verify;
mod writer;
