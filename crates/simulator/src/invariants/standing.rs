//! Standing follows from what is written down: who is wrong too often is in quarantine, who is there gets no lease that
//! counts, comes back over right answers to known tasks only, and a restart changes none of it. Within the fault bound no
//! honest worker gets there.

use std::collections::BTreeMap;

use protocol::{
    audit::Hearing,
    ballot::{Ballot, ReplicaId},
    digest::Digest,
    domain::Engine,
    ledger::{CountedBallot, Decided, Entry, Record as Written},
    standing::{BrokenSeal, QuarantineReason},
    verdict::Verdict,
};
use verdict::{Machine, TEST_NUMBERS};

use super::{TaskKey, Violation, kinds::Kinds};
use crate::{
    scenario::{Quarantines, Scenario},
    values::{node_id, worker_name, worker_number},
};

const INVARIANT: &str = "standing follows from the ledger";
const NO_LEASE: &str = "who is in quarantine gets no lease that counts";

/// So many wrong answers in a row put an engine in quarantine.
const WRONG_IN_A_ROW: u32 = 3;
/// So many right ones let it back the first time.
const RIGHT_NEEDED: u32 = 8;

/// What the log says of one engine of a worker, counted plainly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Plain {
    right: u64,
    wrong: u64,
    wrong_in_a_row: u32,
    equivocations: u64,
    broken_seals: u64,
    in_quarantine: bool,
    quarantines: u32,
    right_in_a_row: u32,
    /// It said two things about one replica since it was let in or back.
    two_faced: bool,
    /// It revealed something else than it had committed to since then.
    seal_broken: bool,
}

/// What the log says of everybody.
#[derive(Debug, Default)]
pub(super) struct Standings {
    of: BTreeMap<(u32, Engine), Plain>,
    accepted: BTreeMap<TaskKey, Digest>,
    /// What was said of each task, by whom and as which replica, for what comes late.
    said: BTreeMap<(TaskKey, u32, u32), Digest>,
    pub(super) kinds: Kinds,
}

impl Standings {
    fn of_mut(&mut self, worker: u32, engine: Engine) -> &mut Plain {
        self.of.entry((worker, engine)).or_default()
    }

    fn answer(&mut self, worker: u32, engine: Engine, is_right: bool) {
        let plain = self.of_mut(worker, engine);
        if is_right {
            plain.right += 1;
        } else {
            plain.wrong += 1;
        }
        if !plain.in_quarantine {
            plain.wrong_in_a_row = if is_right { 0 } else { plain.wrong_in_a_row + 1 };
        }
    }

    fn equivocate(&mut self, worker: u32, engine: Engine) {
        self.of_mut(worker, engine).equivocations += 1;
        for engine in [Engine::Cpu, Engine::Gpu] {
            let plain = self.of_mut(worker, engine);
            plain.two_faced |= !plain.in_quarantine;
        }
    }

    fn broke_seal(&mut self, broken: &BrokenSeal) -> Result<(), Violation> {
        let said = &broken.ballot.ballot;
        let worker = worker_number(&said.worker);
        if broken.is_whole() {
            let what = format!("{} is said to have broken a seal that its ballot opens", worker_name(worker));
            return Err(Violation { invariant: INVARIANT, what });
        }
        self.of_mut(worker, said.domain.engine).broken_seals += 1;
        for engine in [Engine::Cpu, Engine::Gpu] {
            let plain = self.of_mut(worker, engine);
            plain.seal_broken |= !plain.in_quarantine;
        }
        Ok(())
    }

    fn decided(&mut self, decided: &Decided, scenario: &Scenario) {
        let task = TaskKey { job: decided.job, index: decided.index };
        for [first, _] in &decided.equivocations {
            self.equivocate(worker_number(&first.ballot.worker), first.ballot.domain.engine);
        }
        let Verdict::Accepted(accepted) = &decided.verdict else { return };
        self.accepted.insert(task, *accepted);
        let ballots = || decided.ballots.iter().map(|counted| &counted.ballot.ballot);
        let audits = || decided.audits.iter().map(|counted| &counted.ballot.ballot);
        for said in ballots().chain(audits()) {
            self.said.insert((task, worker_number(&said.worker), said.replica.number), said.digest);
        }
        let hearing = scenario.policy.audit_rule().map(|rule| Hearing::new(rule, ballots(), audits()));
        for said in ballots() {
            let is_struck = hearing.as_ref().is_some_and(|hearing| hearing.is_struck(&said.worker));
            let worker = worker_number(&said.worker);
            self.answer(worker, said.domain.engine, said.digest == *accepted && !is_struck);
        }
    }

    /// A ballot that was not heard before counts; another one for the same replica contradicts it.
    fn late(&mut self, counted: &CountedBallot) {
        let Ballot { replica, worker, digest, domain, audit, .. } = &counted.ballot.ballot;
        let (task, worker) = (TaskKey::of(replica), worker_number(worker));
        let Some(accepted) = self.accepted.get(&task).copied() else { return };
        match self.said.insert((task, worker, replica.number), *digest) {
            None if audit.is_none() => self.answer(worker, domain.engine, *digest == accepted),
            Some(before) if before != *digest => self.equivocate(worker, domain.engine),
            None | Some(_) => {}
        }
    }

    /// A record is written down.
    pub(super) fn written(&mut self, record: &Written, scenario: &Scenario) -> Result<(), Violation> {
        match record {
            Written::Decided(decided) => self.decided(decided, scenario),
            Written::Late(counted) => self.late(counted),
            Written::Enrolled(enrolment) => self.kinds.enrolled(enrolment),
            Written::Located(fault) if scenario.quarantines == Quarantines::Kept => self.kinds.located(fault),
            Written::SealBroken(broken) => self.broke_seal(broken)?,
            Written::Quarantined(quarantined) => {
                let worker = worker_number(&quarantined.worker);
                self.check_grounds(worker, quarantined.engine, quarantined.reason, scenario)?;
                let plain = self.of_mut(worker, quarantined.engine);
                (plain.in_quarantine, plain.right_in_a_row) = (true, 0);
                (plain.two_faced, plain.seal_broken) = (false, false);
                plain.quarantines += 1;
            }
            Written::Tested(tested) => {
                let said = &tested.counted.ballot.ballot;
                let known = self.accepted.get(&TaskKey::of(&said.replica));
                let (worker, is_right) = (worker_number(&said.worker), known == Some(&said.digest));
                let plain = self.of_mut(worker, said.domain.engine);
                if plain.in_quarantine {
                    plain.right_in_a_row = if is_right { plain.right_in_a_row + 1 } else { 0 };
                } else {
                    self.kinds.tested(worker, said.domain.engine, is_right);
                }
            }
            Written::Readmitted { worker, engine } => {
                let worker = worker_number(worker);
                let plain = self.of_mut(worker, *engine);
                if !plain.in_quarantine || plain.right_in_a_row < RIGHT_NEEDED {
                    let (who, right) = (worker_name(worker), plain.right_in_a_row);
                    let what = format!("{who} is let back after {right} right answers in a row");
                    return Err(Violation { invariant: INVARIANT, what });
                }
                (plain.in_quarantine, plain.wrong_in_a_row) = (false, 0);
                self.kinds.readmitted(worker, *engine);
            }
            _ => {}
        }
        Ok(())
    }

    fn check_grounds(
        &mut self,
        worker: u32,
        engine: Engine,
        reason: QuarantineReason,
        scenario: &Scenario,
    ) -> Result<(), Violation> {
        let plain = *self.of_mut(worker, engine);
        let has_grounds = !plain.in_quarantine
            && match reason {
                QuarantineReason::Equivocated => plain.two_faced,
                QuarantineReason::WrongInARow(answers) => {
                    plain.wrong_in_a_row == answers && answers >= WRONG_IN_A_ROW
                }
                QuarantineReason::BrokeSeal => plain.seal_broken,
                QuarantineReason::Lasting(_) | QuarantineReason::Kind { .. } => {
                    self.kinds.has_grounds(worker, engine, &reason)
                }
                QuarantineReason::ErrorRate { wrong, answers } => {
                    // More than a tenth for certain means that many in what was seen.
                    wrong <= plain.wrong && answers <= plain.right + plain.wrong && 10 * wrong > answers
                }
            };
        let is_honest = scenario.members.get(worker as usize).is_some_and(|m| !m.behaviour.is_faulty());
        let what = if !has_grounds {
            format!(
                "{} is put in quarantine because {reason}, and the log has {plain:?}",
                worker_name(worker)
            )
        } else if is_honest && scenario.keeps_fault_bound() {
            format!("{} is honest, and is put in quarantine because {reason}", worker_name(worker))
        } else {
            return Ok(());
        };
        Err(Violation { invariant: INVARIANT, what })
    }

    /// A worker gets a lease for one of its engines.
    pub(super) fn check_lease(
        &self,
        worker: u32,
        engine: Engine,
        replica: &ReplicaId,
    ) -> Result<(), Violation> {
        let in_quarantine = self.of.get(&(worker, engine)).is_some_and(|plain| plain.in_quarantine);
        let is_test = replica.number >= TEST_NUMBERS;
        let is_held = self.kinds.is_held(worker, engine);
        let (who, index) = (worker_name(worker), replica.index);
        let what = match (in_quarantine, is_test) {
            (false, false) if is_held => {
                format!("the {engine} of {who} is held back, and is leased task {index}")
            }
            (false, true) if is_held => return Ok(()),
            (true, false) => format!("{who} is in quarantine with its {engine}, and is leased task {index}"),
            (false, true) => format!("{who} is in no quarantine, and is given task {index} as a test"),
            _ => return Ok(()),
        };
        Err(Violation { invariant: NO_LEASE, what })
    }

    /// The coordinator crashed, and this is what is left of its log.
    pub(super) fn rebuild(&mut self, entries: &[Entry], scenario: &Scenario) -> Result<(), Violation> {
        *self = Self::default();
        entries.iter().try_for_each(|entry| self.written(&entry.record, scenario))
    }

    /// What the machine knows is what the log says.
    pub(super) fn check(&self, machine: &Machine, scenario: &Scenario) -> Result<(), Violation> {
        if scenario.quarantines == Quarantines::LeftOut {
            return Ok(());
        }
        self.kinds.check(machine, |worker, engine| {
            self.of.get(&(worker, engine)).is_none_or(|plain| !plain.in_quarantine)
        })?;
        for ((worker, engine), plain) in &self.of {
            let record = machine.standing(&node_id(*worker)).map(|standing| *standing.with(*engine));
            let record = record.unwrap_or_default();
            let (total, quarantine) = (record.total, record.quarantine);
            let right_in_a_row = quarantine.map_or(plain.right_in_a_row, |it| it.right_in_a_row);
            let sins = (record.equivocations, record.broken_seals);
            let known = (total.right, total.wrong, sins, quarantine.is_some(), right_in_a_row);
            let sins = (plain.equivocations, plain.broken_seals);
            let expected = (plain.right, plain.wrong, sins, plain.in_quarantine, plain.right_in_a_row);
            let is_due = plain.two_faced || plain.seal_broken || plain.wrong_in_a_row >= WRONG_IN_A_ROW;
            if known != expected || (is_due && !plain.in_quarantine) {
                let who = worker_name(*worker);
                let what =
                    format!("of the {engine} of {who} the machine knows {record:?}, the log {plain:?}");
                return Err(Violation { invariant: INVARIANT, what });
            }
        }
        Ok(())
    }
}
