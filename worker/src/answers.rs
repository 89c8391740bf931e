//! Ballots that nobody recorded, kept for a coordinator that comes back.
//!
//! A coordinator that crashed leases its open tasks anew. A worker that has computed one of them, and whose ballot went
//! down with the coordinator, signs its answer again for the new lease instead of computing it again.

use std::collections::{BTreeMap, VecDeque};

use protocol::{ballot::Ballot, bundle::Said, constant::Formula, domain::Engine, job::JobId, message::Lease};

/// Most answers that are kept; the oldest go first.
const ANSWERS_MAX: usize = 4096;

/// What an answer answers: a task of a job, computed in one way.
type Question = (JobId, u64, Engine, Formula);

/// What was said and not recorded.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_question: BTreeMap<Question, Said<Ballot>>,
    order: VecDeque<Question>,
}

impl Answers {
    /// Keeps a ballot that was cast for a replica that the coordinator no longer knows.
    pub(crate) fn keep(&mut self, said: Said<Ballot>) {
        let Ballot { replica, domain, .. } = &said.ballot;
        let question = (replica.job, replica.index, domain.engine, domain.formula);
        if self.by_question.insert(question, said).is_none() {
            self.order.push_back(question);
        }
        if self.order.len() > ANSWERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_question.remove(&oldest);
        }
    }

    /// The answer to a lease, if it was given before: what to say for the new replica. A coordinator leases a task again
    /// only after it has lost what was said, so an answer is used once.
    pub(crate) fn take(&mut self, lease: &Lease) -> Option<Said<Ballot>> {
        let question = (lease.replica.job, lease.replica.index, lease.engine, lease.formula);
        if self.by_question.get(&question)?.ballot.replica.task != lease.replica.task {
            return None;
        }
        let mut said = self.by_question.remove(&question)?;
        self.order.retain(|other| *other != question);
        said.ballot.replica = lease.replica;
        Some(said)
    }

    /// Forgets what `stands` no longer vouches for.
    pub(crate) fn retain(&mut self, stands: impl Fn(&Said<Ballot>) -> bool) {
        self.by_question.retain(|_, said| stands(said));
        let by_question = &self.by_question;
        self.order.retain(|question| by_question.contains_key(question));
    }
}

#[cfg(test)]
mod tests {
    use protocol::{
        ballot::ReplicaId,
        digest::{Digest, Domain},
        domain::FailureDomain,
        identity::SecretKey,
        task::TaskId,
    };

    use super::*;

    fn replica(index: u64, number: u32) -> ReplicaId {
        ReplicaId { job: JobId([1; 16]), index, task: TaskId::of_bytes(&index.to_le_bytes()), number }
    }

    fn cast(index: u64) -> Said<Ballot> {
        let key = SecretKey::from_seed(&[3; 32]);
        let domain = FailureDomain {
            operator: "alice".to_owned(),
            engine: Engine::Cpu,
            formula: Formula::Direct,
            device: "a processor".to_owned(),
            build: "1".to_owned(),
        };
        let digest = Digest::of(Domain::Outcome, &index.to_le_bytes());
        let ballot = Ballot {
            replica: replica(index, 0),
            worker: key.node_id(),
            digest,
            domain,
            audit: None,
            trace: None,
        };
        Said { ballot, salt: None, outcome: Some(vec![7]), compute_us: 5 }
    }

    fn lease(index: u64, number: u32, engine: Engine) -> Lease {
        let replica = replica(index, number);
        Lease {
            replica,
            engine,
            formula: Formula::Direct,
            lease_ms: 1000,
            quorum: 2,
            sealed: false,
            audit: None,
            witness: false,
            task: None,
        }
    }

    #[test]
    fn an_answer_is_given_again_for_the_same_task_computed_in_the_same_way() {
        let mut answers = Answers::default();
        answers.keep(cast(4));
        assert!(answers.take(&lease(5, 1, Engine::Cpu)).is_none());
        assert!(answers.take(&lease(4, 1, Engine::Gpu)).is_none());
        let answer = answers.take(&lease(4, 1, Engine::Cpu)).expect("it was kept");
        assert_eq!(answer.ballot.replica, replica(4, 1));
        assert_eq!((answer.outcome, answer.compute_us), (Some(vec![7]), 5));
        assert!(answers.take(&lease(4, 2, Engine::Cpu)).is_none());
    }

    #[test]
    fn a_bounded_number_of_answers_is_kept_and_the_oldest_go_first() {
        let mut answers = Answers::default();
        for index in 0..=ANSWERS_MAX as u64 {
            answers.keep(cast(index));
        }
        assert!(answers.take(&lease(0, 1, Engine::Cpu)).is_none());
        assert!(answers.take(&lease(1, 1, Engine::Cpu)).is_some());
        answers.retain(|_| false);
        assert!(answers.take(&lease(2, 1, Engine::Cpu)).is_none());
    }
}
