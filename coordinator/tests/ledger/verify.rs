//! Verification: a sound ledger is sound, and each kind of lie is told, where it stands.

use std::path::Path;

use coordinator::ledger::{
    Batch, DATABASE_FILE, Durability, Ledger, Reader, Verified, acknowledged_head, restore_head, verify,
};
use protocol::{
    ballot::Ballot,
    digest::{Digest, Domain},
    domain::{Axis, Engine},
    identity::NodeId,
    job::{JobId, JobSpec},
    ledger::{CountedBallot, Decided, Enrolment, Entry, Record},
    policy::{PolicyDraft, Ways},
    report::JobState,
    verdict::Verdict,
};
use redb::{Database, ReadableTable, TableDefinition};

use crate::log::{
    EVERYBODY, ballot, decided, enrolment, entry, everybody, key, outcome, submitted, task, whole_job, worker,
};

/// How many entries stand between the founding and what a test writes.
const ENROLLED: u64 = EVERYBODY as u64;

fn written(folder: &Path, entries: &[Entry]) {
    let mut ledger = Ledger::open(folder, &key(), Durability::Synced).expect("a ledger");
    // Three commits, so that there are several heads.
    let (first, second) = entries.split_at(entries.len() / 2);
    for entries in [&everybody(), first, second] {
        ledger.append(&Batch { entries: entries.to_vec(), ..Batch::default() }).expect("room");
    }
}

fn verified(folder: &Path) -> Verified {
    let (reader, acknowledged) = Reader::open(folder).expect("a ledger");
    verify(&reader, acknowledged.as_ref(), |_, _| {}).expect("readable")
}

/// What is wrong, with the positions as if nobody had been enrolled.
fn faults(found: &Verified) -> Vec<String> {
    let place = |position: Option<u64>| {
        position.map_or_else(String::new, |position| format!("{}: ", position.saturating_sub(ENROLLED)))
    };
    found.faults.iter().map(|fault| place(fault.position) + &fault.what).collect()
}

/// What verification says of these entries after the founding.
pub(crate) fn faults_of(entries: &[Entry]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), entries);
    faults(&verified(folder.path()))
}

/// The one fault that these entries have, which says this.
pub(crate) fn only_fault(entries: impl AsRef<[Entry]>, says: &str) {
    let found = faults_of(entries.as_ref());
    assert!(found.len() == 1 && found[0].contains(says), "`{says}` is not all of {found:?}");
}

/// A job of one task, and that task's end as `change` leaves it.
fn with_verdict(change: impl FnOnce(&mut Decided)) -> Vec<Entry> {
    let submitted = submitted(1);
    let mut decided = decided(submitted.job, 0, &[1, 2], &[3]);
    change(&mut decided);
    vec![entry(Record::Submitted(submitted)), entry(Record::Decided(decided))]
}

#[test]
fn a_sound_ledger_is_sound_and_everything_in_it_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let entries: Vec<Entry> = (0..4).flat_map(|number| whole_job(number, 3)).collect();
    written(folder.path(), &entries);
    let found = verified(folder.path());
    assert_eq!(faults(&found), Vec::<String>::new());
    assert!(found.is_sound());
    assert_eq!((found.entries, found.jobs, found.verdicts, found.corrections), (36, 4, [12, 0, 0], 4));
    assert_eq!((found.ballots, found.signatures, found.heads), (4 * (7 + 1), 4 * (7 + 1), 4));
    // A tree of n leaves has 2 n - 1 nodes where n is a power of two, and one less for each further subtree.
    assert_eq!(found.nodes, 2 * 36 - u64::from(36_u32.count_ones()));
    assert_eq!(found.coordinator, Some(key().node_id()));
}

#[test]
fn a_bundle_is_checked_by_one_signature_and_each_ballot_by_its_path() {
    let submitted = submitted(1);
    let job = submitted.job;
    let signed_at_once = |by: u8| {
        let ballots: Vec<Ballot> = (0..20).map(|index| ballot(job, index, by, outcome(index).0)).collect();
        Ballot::sign_bundle(ballots, &worker(by))
    };
    let mut bundles = [signed_at_once(1), signed_at_once(2)];
    bundles.sort_by_key(|bundle| bundle[0].ballot.worker);
    let verdict = |index: usize, bundles: &[Vec<_>; 2]| Decided {
        ballots: bundles
            .iter()
            .map(|bundle: &Vec<protocol::ballot::SignedBallot>| CountedBallot {
                ballot: bundle[index].clone(),
                compute_us: 1,
            })
            .collect(),
        ..decided(job, index as u64, &[], &[])
    };
    let log = |bundles: &[Vec<_>; 2]| {
        let verdicts = (0..20).map(|index| entry(Record::Decided(verdict(index, bundles))));
        std::iter::once(entry(Record::Submitted(submitted.clone()))).chain(verdicts).collect::<Vec<_>>()
    };
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), &log(&bundles));
    let found = verified(folder.path());
    assert!(found.is_sound(), "{:?}", faults(&found));
    assert_eq!((found.ballots, found.signatures), (40, 2));
    // The first ballot of a bundle that is looked at may be the one that was never in it.
    let sound = bundles.clone();
    bundles[0][0].ballot.domain.build.push('!');
    only_fault(log(&bundles), "2: a ballot in it does not carry its worker's signature");
    bundles = sound;
    // A ballot that was never in the bundle has no path to its root.
    bundles[0][7].ballot.domain.build.push('!');
    only_fault(log(&bundles), "9: a ballot in it does not carry its worker's signature");
    // Nor does a bundle hold that nobody signed: each of its ballots is told, the first and those that only stand with it.
    for signed in &mut bundles[0] {
        signed.signature.0[40] ^= 1;
    }
    assert_eq!(faults_of(&log(&bundles)).len(), 20);
}

#[test]
fn a_verdict_that_its_ballots_do_not_bear_is_told() {
    only_fault(with_verdict(|decided| decided.quorum = 1), "2: the verdict took a quorum of 1");
    only_fault(with_verdict(|decided| decided.quorum = 3), "2: 2 ballots agree, and the quorum is 3");
    only_fault(with_verdict(|decided| decided.disputed = false), "does not call that a dispute");
    only_fault(with_verdict(|decided| decided.ballots.swap(0, 1)), "the order of their workers' keys");
    only_fault(with_verdict(|decided| decided.task = task(9)), "a ballot is not about task 0");
    only_fault(
        with_verdict(|decided| decided.ballots[0].ballot.ballot.domain.build.push('!')),
        "2: a ballot in it does not carry its worker's signature",
    );
    let twice = with_verdict(|_| {});
    only_fault([twice.clone(), vec![twice[1].clone()]].concat(), "3: task 0 was decided before");
    let job = submitted(1).job;
    let quiet = with_verdict(|quiet| quiet.ballots = decided(job, 0, &[1, 2], &[]).ballots);
    only_fault(quiet, "the verdict calls that a dispute");
    let one_replica = with_verdict(|verdict| {
        let mut other = ballot(job, 0, 3, outcome(500).0);
        other.replica.number = 1;
        let counted = verdict.ballots.iter_mut().find(|c| c.ballot.ballot.worker == worker(3).node_id());
        counted.expect("it voted").ballot = other.sign(&worker(3));
    });
    only_fault(one_replica, "two ballots are for the same replica");
    let even = with_verdict(|even| even.ballots = decided(job, 0, &[1, 2], &[3, 4]).ballots);
    only_fault(even, "2 of 4 ballots agree, which is no majority");
    let undecided = with_verdict(|decided| decided.verdict = Verdict::Undecided);
    assert_eq!(faults_of(&undecided), Vec::<String>::new());
}

/// A job with adaptive replication, 1 % of faulty answers and a bound of 1 %, so that a dispute is led by two.
fn with_verdicts_adaptively(votes: &[(&[u8], &[u8])]) -> Vec<Entry> {
    let mut submitted = submitted(1);
    let draft = PolicyDraft {
        adaptive: Some(true),
        error_ppt: Some(10_000_000_000),
        faulty_ppm: Some(10_000),
        ..PolicyDraft::default()
    };
    submitted.policy = draft.resolve(Ways { formulas: 1, engines: 1, audited: 1 }).expect("a policy");
    let job = submitted.job;
    let mut records = vec![Record::Submitted(submitted)];
    for (index, (agreeing, against)) in votes.iter().enumerate() {
        let quorum = u32::try_from(agreeing.len()).expect("few");
        records.push(Record::Decided(Decided { quorum, ..decided(job, index as u64, agreeing, against) }));
    }
    records.into_iter().map(entry).collect()
}

#[test]
fn a_verdict_of_one_ballot_stands_only_after_a_check_of_its_worker_that_nothing_has_overturned() {
    let sound = with_verdicts_adaptively(&[
        (&[1, 2], &[]),
        (&[1], &[]),
        (&[2], &[]),
        (&[1, 2, 4], &[3]),
        (&[1], &[]),
    ]);
    assert_eq!(faults_of(&sound), Vec::<String>::new());
    let unknown = with_verdicts_adaptively(&[(&[1, 2], &[]), (&[3], &[])]);
    let who = worker(3).node_id().short();
    only_fault(
        unknown,
        &format!("task 1 rests on the ballot of worker {who} alone, and no check of it passed before"),
    );
    let outvoted = with_verdicts_adaptively(&[(&[1, 2, 3, 4], &[]), (&[1, 2, 4], &[3]), (&[3], &[])]);
    only_fault(outvoted, "task 2 rests on the ballot of worker");
    let alone_before = with_verdicts_adaptively(&[(&[1], &[]), (&[1, 2], &[])]);
    only_fault(alone_before, "task 0 rests on the ballot of worker");
}

#[test]
fn a_dispute_of_an_adaptive_job_that_is_not_led_by_enough_is_told() {
    only_fault(
        with_verdicts_adaptively(&[(&[1, 2], &[3])]),
        "2 ballots agree and 1 do not, and adaptive replication asks for a lead of 2",
    );
}

#[test]
fn winners_that_do_not_differ_as_the_policy_asks_are_told() {
    let mut log = with_verdict(|_| {});
    if let Record::Submitted(submitted) = &mut log[0].record {
        submitted.policy.distinct = vec![Axis::Operator];
    }
    assert_eq!(faults_of(&log), Vec::<String>::new());
    if let Record::Submitted(submitted) = &mut log[0].record {
        submitted.policy.distinct = vec![Axis::Operator, Axis::Device];
    }
    only_fault(log, "the winners show 1 of the 2 values of device");
}

#[test]
fn an_equivocation_is_two_ballots_of_one_worker_for_one_replica() {
    let job = submitted(1).job;
    let cast = |by: u8, digest: u64| ballot(job, 0, by, outcome(digest).0).sign(&worker(by));
    let with = |pair| with_verdict(|decided| decided.equivocations = vec![pair]);
    assert_eq!(faults_of(&with([cast(5, 1), cast(5, 2)])), Vec::<String>::new());
    let elsewhere = |digest: u64| ballot(job, 1, 5, outcome(digest).0).sign(&worker(5));
    only_fault(with([elsewhere(1), elsewhere(2)]), "2: a ballot is not about task 0");
    let pair = || [cast(5, 1), cast(5, 2)];
    let twice = with_verdict(|decided| decided.equivocations = vec![pair(), pair()]);
    only_fault(twice, "equivocated, and is accused before or has a vote");
    only_fault(with([cast(3, 1), cast(3, 2)]), "equivocated, and is accused before or has a vote");
    only_fault(with([cast(5, 1), cast(5, 1)]), "an equivocation is not");
    only_fault(with([cast(5, 1), cast(6, 2)]), "an equivocation is not");
    let mut forged = [cast(5, 1), cast(5, 2)];
    forged[1].signature = forged[0].signature;
    only_fault(with(forged), "does not carry its worker's signature");
}

#[test]
fn what_happens_before_its_time_or_to_the_wrong_one_is_told() {
    let job = submitted(1).job;
    let plain = with_verdict(|_| {});
    let and = |record| [plain.clone(), vec![entry(record)]].concat();
    let accepted = outcome(0).0;
    let corrected =
        |by: u8, accepted| Record::Corrected { job, index: 0, worker: worker(by).node_id(), accepted };
    assert_eq!(faults_of(&and(corrected(3, accepted))), Vec::<String>::new());
    only_fault(and(corrected(1, accepted)), "did not dissent there");
    only_fault(and(corrected(3, outcome(9).0)), "did not dissent there");
    let late = |index| {
        let ballot = ballot(job, index, 7, outcome(index + 77).0).sign(&worker(7));
        Record::Late(CountedBallot { ballot, compute_us: 1 })
    };
    only_fault(and(late(1)), "a ballot is late for task 1, which is not decided");
    let late_and_corrected = [and(late(0)), vec![entry(corrected(7, accepted))]].concat();
    assert_eq!(faults_of(&late_and_corrected), Vec::<String>::new());
    let twice = [and(corrected(3, accepted)), vec![entry(corrected(3, accepted))]].concat();
    only_fault(twice, "4: worker");
    let mut of_another = ballot(job, 0, 7, outcome(77).0);
    of_another.replica.task = task(1);
    let of_another = CountedBallot { ballot: of_another.sign(&worker(7)), compute_us: 1 };
    only_fault(and(Record::Late(of_another)), "3: a late ballot is not about task 0");
    only_fault(and(Record::Over { job, state: JobState::Running }), "a state that is none of an end");
    let over = entry(Record::Over { job, state: JobState::Reconciled });
    only_fault([plain.clone(), vec![over.clone(), over.clone()]].concat(), "4: the job was over before");
    let afterwards =
        [plain.clone(), vec![over, entry(Record::Decided(decided(job, 1, &[1, 2], &[])))]].concat();
    only_fault(afterwards, "4: task 1 is decided after its job was over");
    only_fault([plain.clone(), vec![plain[0].clone()]].concat(), "was submitted before");
    let unsubmitted = faults_of(&plain[1..]);
    assert!(unsubmitted[0].contains("which was not submitted"), "{unsubmitted:?}");
}

#[test]
fn a_ballot_of_a_worker_that_was_not_let_in_as_what_it_claims_is_told() {
    let job = submitted(1).job;
    let stranger = with_verdict(|verdict| *verdict = decided(job, 0, &[1, 2], &[EVERYBODY + 1]));
    only_fault(stranger, "which was not enrolled");
    let with = |change: fn(&mut Ballot)| {
        with_verdict(|verdict| {
            let counted = &mut verdict.ballots[0].ballot;
            let by = (1..=3).map(worker).find(|key| key.node_id() == counted.ballot.worker);
            change(&mut counted.ballot);
            *counted = counted.ballot.clone().sign(&by.expect("one of the three"));
        })
    };
    let never = "it was never enrolled with those";
    only_fault(with(|ballot| ballot.domain.operator.push('!')), never);
    only_fault(with(|ballot| ballot.domain.device.push('!')), never);
    only_fault(with(|ballot| ballot.domain.engine = Engine::Gpu), never);
    // What it came as later does not make up for it, and what it came as before still stands.
    let again = || {
        let mut again = enrolment(1);
        again.operator = "somebody else".to_owned();
        entry(Record::Enrolled(again))
    };
    assert_eq!(faults_of(&[vec![again()], with_verdict(|_| {})].concat()), Vec::<String>::new());
    let late = || {
        let mut ballot = ballot(job, 0, 1, outcome(0).0);
        ballot.domain.operator = "somebody else".to_owned();
        entry(Record::Late(CountedBallot { ballot: ballot.sign(&worker(1)), compute_us: 1 }))
    };
    only_fault([with_verdict(|_| {}), vec![late(), again()]].concat(), never);
}

#[test]
fn an_enrolment_that_cannot_be_is_told() {
    let with = |change: fn(&mut Enrolment)| {
        let mut changed = enrolment(1);
        change(&mut changed);
        entry(Record::Enrolled(changed))
    };
    only_fault([with(|enrolment| enrolment.engines.clear())], "1: worker");
    // A point of small order: whoever likes can sign for it.
    only_fault(
        [with(|enrolment| enrolment.worker = NodeId([0; 32]))],
        "none that only its owner can sign with",
    );
    let revoked = entry(Record::Revoked { node: worker(1).node_id() });
    assert_eq!(faults_of(&[with(|_| {}), revoked.clone()]), Vec::<String>::new());
    only_fault([revoked, with(|_| {})], "2: worker");
}

#[test]
fn a_policy_that_is_not_that_of_the_text_is_told() {
    let text = "name = \"one\"\nkind = \"expressions\"\n[expressions]\ncheck = [\"1 + 1 == 2\"]\n";
    let spec = JobSpec::parse(text).expect("a job");
    let mut submitted = submitted(1);
    submitted.text = text.to_owned();
    submitted.job = JobId::of_submission(text, None, submitted.nonce);
    submitted.policy = spec.policy;
    assert_eq!(faults_of(&[entry(Record::Submitted(submitted.clone()))]), Vec::<String>::new());
    submitted.policy.quorum -= 1;
    only_fault(
        [entry(Record::Submitted(submitted))],
        "1: the policy is not the one that the job's text asks for",
    );
}

#[test]
fn a_job_whose_id_or_expression_file_is_not_its_own_is_told() {
    let mut other = submitted(1);
    other.text.push_str("# another\n");
    only_fault(vec![entry(Record::Submitted(other))], "is not that of its text, file and nonce");
    let mut with_file = submitted(1);
    let bytes = &b"1 + 1 == 2\n"[..];
    let digest = Digest::of(Domain::ExpressionFile, bytes);
    with_file.file = Some(digest);
    with_file.job = JobId::of_submission(&with_file.text, with_file.file, with_file.nonce);
    let log = vec![entry(Record::Submitted(with_file))];
    only_fault(log.clone(), "1: its expression file");
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a ledger");
    ledger.reader().files().put(digest, bytes.into()).expect("room");
    drop(ledger);
    written(folder.path(), &log);
    assert!(verified(folder.path()).is_sound());
}

/// Changes a ledger's database behind its back, and says what verification finds.
fn tampered(change: impl FnOnce(&redb::WriteTransaction)) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), &whole_job(1, 6));
    let database = Database::open(folder.path().join(DATABASE_FILE)).expect("a database");
    let transaction = database.begin_write().expect("a transaction");
    change(&transaction);
    transaction.commit().expect("room");
    drop(database);
    faults(&verified(folder.path()))
}

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const NODES: TableDefinition<'_, u64, &[u8; 32]> = TableDefinition::new("nodes");
const HEADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("heads");
const JOBS: TableDefinition<'_, &[u8; 16], &[u8; 17]> = TableDefinition::new("jobs");
const JOB_ENTRIES: TableDefinition<'_, (&[u8; 16], u64), u64> = TableDefinition::new("job entries");

fn row(transaction: &redb::WriteTransaction, position: u64) -> Vec<u8> {
    let table = transaction.open_table(ENTRIES).expect("a table");
    table.get(position).expect("readable").expect("a row").value().to_vec()
}

#[test]
fn whatever_is_changed_behind_the_ledgers_back_is_told() {
    assert_eq!(tampered(|_| {}), Vec::<String>::new());
    let one_bit = tampered(|transaction| {
        let mut bytes = row(transaction, 4 + ENROLLED);
        *bytes.last_mut().expect("bytes") ^= 1;
        transaction
            .open_table(ENTRIES)
            .expect("a table")
            .insert(4 + ENROLLED, bytes.as_slice())
            .expect("room");
    });
    assert!(one_bit[0].starts_with("4: it does not have its digest"), "{one_bit:?}");
    // An entry that was replaced, digest and all, fits neither the nodes above it nor any head.
    let replaced = tampered(|transaction| {
        let mut other = row(transaction, 5 + ENROLLED);
        other[..8].copy_from_slice(&(4 + ENROLLED).to_le_bytes());
        transaction
            .open_table(ENTRIES)
            .expect("a table")
            .insert(4 + ENROLLED, other.as_slice())
            .expect("room");
    });
    assert!(replaced.iter().any(|fault| fault.contains("node 21 of the tree is not what")), "{replaced:?}");
    assert!(replaced.iter().any(|fault| fault.contains("head of 18 entries is not that")), "{replaced:?}");
    let cut = tampered(|transaction| {
        transaction.open_table(ENTRIES).expect("a table").remove(10 + ENROLLED).expect("a row");
    });
    assert!(cut.iter().any(|fault| fault.contains("lost entries: it holds 17, and 18")), "{cut:?}");
    let hole = tampered(|transaction| {
        transaction.open_table(ENTRIES).expect("a table").remove(3 + ENROLLED).expect("a row");
    });
    assert!(hole.iter().any(|fault| fault.starts_with("3: it is missing")), "{hole:?}");
    let node = tampered(|transaction| {
        transaction.open_table(NODES).expect("a table").insert(3, &[7; 32]).expect("room");
    });
    assert_eq!(node, ["node 3 of the tree is not what its entries make it"]);
    let more = tampered(|transaction| {
        transaction.open_table(NODES).expect("a table").insert(1001, &[7; 32]).expect("room");
    });
    assert!(more[0].contains("nodes, and"), "{more:?}");
    let no_head = tampered(|transaction| {
        transaction.open_table(HEADS).expect("a table").remove(18).expect("a row");
    });
    assert!(no_head.iter().any(|fault| fault.contains("last head")), "{no_head:?}");
    let hidden = tampered(|transaction| {
        transaction.open_table(JOBS).expect("a table").remove(&submitted(1).job.0).expect("a row");
    });
    assert_eq!(hidden, ["the index of jobs is not that of the entries"]);
    let led_astray = tampered(|transaction| {
        let mut table = transaction.open_table(JOB_ENTRIES).expect("a table");
        table.insert((&submitted(1).job.0, 2), 7).expect("room");
    });
    assert!(led_astray[0].starts_with("3: the index of job"), "{led_astray:?}");
}

#[test]
fn looking_at_a_ledger_that_crashed_does_not_change_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ledger = Ledger::open(folder.path(), &key(), Durability::Synced).expect("a ledger");
    let entries = [everybody(), whole_job(1, 6)].concat();
    ledger.append(&Batch { entries, ..Batch::default() }).expect("room");
    // What a crash leaves: the files as they are while the ledger is open.
    let crashed = tempfile::tempdir().expect("a folder");
    for name in ["ledger.redb", "ledger.head", "ledger.journal"] {
        std::fs::copy(folder.path().join(name), crashed.path().join(name)).expect("a copy");
    }
    let before = std::fs::read(crashed.path().join(DATABASE_FILE)).expect("a file");
    let found = verified(crashed.path());
    assert!(found.is_sound() && found.entries == 18, "{:?}", faults(&found));
    assert!(std::fs::read(crashed.path().join(DATABASE_FILE)).expect("a file") == before);
    // Readers do not lock each other out.
    let both =
        (Reader::open(crashed.path()).expect("a ledger"), Reader::open(crashed.path()).expect("a ledger"));
    assert_eq!(both.0.0.head().expect("sound"), both.1.0.head().expect("sound"));
}

#[test]
fn a_lost_mark_is_told_and_can_be_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    written(folder.path(), &whole_job(1, 2));
    let head = acknowledged_head(folder.path()).expect("readable");
    std::fs::write(folder.path().join("ledger.head"), [7; 1024]).expect("a file");
    let found = faults(&verified(folder.path()));
    assert!(found.len() == 1 && found[0].contains("ledger.head is missing or damaged"), "{found:?}");
    assert!(Ledger::open(folder.path(), &key(), Durability::Synced).is_err());
    assert_eq!(Some(restore_head(folder.path()).expect("the ledger is sound")), head);
    assert_eq!(acknowledged_head(folder.path()).expect("readable"), head);
    Ledger::open(folder.path(), &key(), Durability::Synced).expect("as before");
}
