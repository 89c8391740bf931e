//! The numbers of a task's replicas: consecutive, from one that differs in each life of the coordinator.
//!
//! A machine that is made again from its ledger does not know what it had leased, and workers may still speak about that.
//! With other numbers they cannot be taken to speak about what is leased now.

use super::{Issued, Tally};

impl Tally {
    fn place(&self, number: u32) -> Option<usize> {
        usize::try_from(number.checked_sub(self.rules.first_number)?).ok()
    }

    /// The replica with this number, if it was leased in this life.
    pub(crate) fn replica(&self, number: u32) -> Option<&Issued> {
        self.issued.get(self.place(number)?)
    }

    pub(super) fn replica_mut(&mut self, number: u32) -> Option<&mut Issued> {
        let place = self.place(number)?;
        self.issued.get_mut(place)
    }

    /// Numbers the replicas from here on; only before the first one.
    pub(crate) fn number_from(&mut self, first_number: u32) {
        if self.issued.is_empty() {
            self.rules.first_number = first_number;
        }
    }
}
