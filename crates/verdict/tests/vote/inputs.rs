//! What the machine is told: it refuses what cannot be, and keeps no more than it must.

use protocol::{ballot::ReplicaId, constant::Formula, domain::Engine, policy::Policy};
use verdict::{Input, Rejected};

use crate::cluster::{Behaviour, Cluster, JOB, truth};

#[test]
fn an_input_that_cannot_be_is_rejected_with_its_reason() {
    let mut cluster = Cluster::new(false, 1);
    let honest = cluster.add("a", Behaviour::Silent);
    let other = cluster.add("b", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    let (_, replica, formula) =
        *cluster.leases.iter().find(|(worker, ..)| *worker == honest).expect("it was asked");
    let stolen = cluster.ballot(other, replica, formula, truth(0));
    assert!(matches!(cluster.cast(stolen), Err(Rejected::NotLeased { .. })));
    let unknown = ReplicaId { index: 99, ..replica };
    let ballot = cluster.ballot(honest, unknown, formula, truth(0));
    assert_eq!(cluster.cast(ballot), Err(Rejected::UnknownTask { job: JOB, index: 99 }));
    let ballot = cluster.ballot(honest, replica, Formula::ContinuedFraction, truth(0));
    assert!(matches!(cluster.cast(ballot), Err(Rejected::Domain { .. })));
    cluster.worker(honest).operator = "somebody else".to_owned();
    let ballot = cluster.ballot(honest, replica, formula, truth(0));
    assert!(matches!(cluster.cast(ballot), Err(Rejected::Domain { .. })));
    assert!(cluster.verdicts.is_empty());
    assert!(
        cluster.machine.job(JOB).and_then(|job| job.tally(0)).is_some_and(|tally| tally.ballots().is_empty())
    );
}

#[test]
fn workers_that_left_are_forgotten_when_too_many_are_known() {
    let mut machine = verdict::Machine::new(
        verdict::Config { workers_known_max: 10, ..verdict::Config::default() },
        [0; 32],
    );
    for number in 0..1000_u16 {
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&number.to_le_bytes());
        let worker = protocol::identity::SecretKey::from_seed(&seed).node_id();
        let joined = Input::WorkerJoined {
            worker,
            operator: "x".to_owned(),
            engines: vec![protocol::message::EngineIntroduction {
                engine: Engine::Cpu,
                device: String::new(),
            }],
            build: String::new(),
            slots: 1,
            resumes: Vec::new(),
        };
        machine.handle(joined, 0).expect("joining is always possible");
        machine.handle(Input::WorkerLost { worker }, 0).expect("it had joined");
    }
    assert!(machine.workers().count() <= 10);
}
