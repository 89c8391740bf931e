//! Adaptive replication in the lean model, step by step as in the machine: one answers, a lot is drawn, others check, and what
//! passes confirms what its worker had answered alone.

use protocol::{
    adaptive::{Adaptive, CHANCE_ONE},
    domain::Engine,
};

use super::Model;
use crate::values::node_id;

impl Model {
    pub(super) fn adaptive(&mut self, rule: &Adaptive) {
        let Some(author) = self.draw(&[]) else {
            self.report.undecided += 1;
            return;
        };
        let credit = self.standings.get(&node_id(author)).map_or(0, |it| it.with(Engine::Cpu).credit);
        let check = rule.check(credit);
        self.report.work_permille += 1000;
        let is_lie = self.is_faulty(author) && self.lies(&[author], CHANCE_ONE - check.chance);
        if self.chance.among(0..=CHANCE_ONE - 1) >= check.chance {
            self.alone[author as usize].push(is_lie);
            return;
        }
        if self.resolve(rule, author, is_lie, check.checkers) {
            self.confirm(author);
        }
    }

    /// Others compute what a worker has answered, until all of so many agree or one side leads by enough. Whether its answer
    /// was accepted.
    fn resolve(&mut self, rule: &Adaptive, author: u32, is_lie: bool, checkers: u32) -> bool {
        let (lead, ballots_max) = (rule.lead(), rule.lead().saturating_mul(4).max(9));
        let mut voters = vec![author];
        let mut lies = u32::from(is_lie);
        // On what an honest worker has answered, only those lie who always do.
        let others_lie = is_lie || (self.lean.lying == super::Lying::Always);
        let accepted = loop {
            let all = u32::try_from(voters.len()).unwrap_or(u32::MAX);
            let (more, fewer) = (lies.max(all - lies), lies.min(all - lies));
            let has_won = if fewer == 0 { all > checkers } else { more - fewer >= lead };
            if has_won {
                break Some(lies > all - lies);
            }
            let Some(voter) = self.draw(&voters).filter(|_| all < ballots_max) else { break None };
            voters.push(voter);
            lies += u32::from(others_lie && self.is_faulty(voter));
            self.report.work_permille += 1000;
        };
        let Some(accepted) = accepted else {
            self.report.undecided += 1;
            // Nobody knows who was right: its author begins anew.
            self.standings.doubted(node_id(author), Engine::Cpu);
            self.reopen(rule, author);
            return false;
        };
        self.accept(accepted);
        for (place, voter) in voters.into_iter().enumerate() {
            let said = if place == 0 { is_lie } else { others_lie && self.is_faulty(voter) };
            self.note(voter, said == accepted);
            if said != accepted {
                self.reopen(rule, voter);
            }
        }
        if is_lie == accepted {
            self.standings.credit(node_id(author), Engine::Cpu);
        }
        is_lie == accepted
    }

    fn confirm(&mut self, author: u32) {
        for is_lie in std::mem::take(&mut self.alone[author as usize]) {
            self.accept(is_lie);
            self.standings.answered(node_id(author), Engine::Cpu, true);
            self.standings.credit(node_id(author), Engine::Cpu);
        }
    }

    fn reopen(&mut self, rule: &Adaptive, worker: u32) {
        for is_lie in std::mem::take(&mut self.alone[worker as usize]) {
            self.report.reopened += 1;
            self.resolve(rule, worker, is_lie, rule.check(0).checkers);
        }
    }

    /// At the end, the last answer of each worker that stands alone is checked, and another one that is drawn.
    pub(super) fn last_checks(&mut self, rule: &Adaptive, worker: u32) {
        let checkers = rule.check(u64::MAX).checkers;
        let Some(last) = self.alone[worker as usize].pop() else { return };
        let mut checked = vec![last];
        let others = self.alone[worker as usize].len();
        if let Some(most) = others.checked_sub(1) {
            let drawn = usize::try_from(self.chance.among(0..=most as u64)).unwrap_or(0);
            checked.push(self.alone[worker as usize].swap_remove(drawn));
        }
        let mut passed = true;
        for is_lie in checked {
            passed &= self.resolve(rule, worker, is_lie, checkers);
        }
        if passed {
            self.confirm(worker);
        } else {
            self.reopen(rule, worker);
        }
    }
}
