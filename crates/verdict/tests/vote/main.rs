//! The rules of the vote, seen from outside: what is announced, who is corrected, who is asked.

mod accomplices;
mod adaptive;
mod audits;
mod behaviour;
mod cluster;
mod corrections;
mod counting;
mod faults;
mod inputs;
mod leases;
mod liveness;
mod lots;
mod pace;
mod properties;
mod restarts;
mod sealed;
mod spread;
mod standing;
