//! Certificates of jobs: what a good one shows, and that no change to one goes unnoticed.

mod adaptive;
mod audits;
mod lies;
mod story;
mod vectors;

use std::io::{self, Read};

use protocol::{
    certificate::{
        ABRIDGED_LEAD_BYTES, BuildError, Builder, CertificateFault, Completion, CompletionError,
        DigitsHasher, Examination, Findings, SIGNATURE_BYTES, preamble_bytes, verify,
    },
    identity::Signature,
    plan::ResultAssembler,
    report::JobState,
};
use story::{coordinator, digits, expressions, node};

pub(crate) fn check(bytes: &[u8]) -> Result<Findings, CertificateFault> {
    verify(bytes, &[])
}

#[test]
fn a_certificate_says_who_decided_what_and_what_they_have_in_common() {
    let found = check(&expressions().certificate()).expect("a good certificate");
    assert_eq!((found.tasks, found.accepted, found.undecided, found.failed, found.open), (4, 3, 1, 0, 0));
    assert_eq!((found.disputed, found.corrections, found.ballots), (2, 1, 11));
    assert_eq!((found.quorum_min, found.wrong_together_min), (Some(2), Some(2)));
    assert_eq!((found.outcomes, found.outcomes_elsewhere), (3, 0));
    assert_eq!(found.over.map(|over| over.state), Some(JobState::Incomplete));
    assert_eq!(found.unaccepted_first[0].index, 3);
    let spread: Vec<_> = found.spread.iter().map(|spread| (spread.axis, spread.values_min)).collect();
    let expected = [("operator", 2), ("engine", 1), ("formula", 1), ("device", 1), ("build", 1)];
    assert_eq!(spread, expected);
    let liar = found.workers.iter().find(|found| found.worker == node(1)).expect("it signed");
    let counts = (liar.agreed, liar.dissented, liar.undecided, liar.corrected, liar.equivocated);
    assert_eq!(counts, (2, 1, 0, 1, 1));
    assert!(!found.trusted.coordinator && !found.trusted.workers);
}

#[test]
fn digits_are_the_outcome_and_stand_beside_the_certificate() {
    let bytes = digits().certificate();
    let examination = Examination::open(&bytes[..], &[]).expect("a good certificate");
    assert!(!examination.holds_outcomes());
    let accepted = examination.accepted(0);
    let mut value = DigitsHasher::new(u32::try_from(story::DIGITS_VALUE.len()).expect("short"));
    value.update(story::DIGITS_VALUE.as_bytes());
    assert_eq!(accepted, Some(value.finish()));
    let found = examination.finish().expect("signed");
    assert_eq!((found.accepted, found.outcomes, found.outcomes_elsewhere), (1, 0, 1));
    assert_eq!(
        found.spread.iter().find(|spread| spread.axis == "formula").map(|spread| spread.values_min),
        Some(2)
    );
}

/// Puts an abridged certificate together with these.
fn completed(
    abridged: &[u8],
    file: Option<&str>,
    outcomes: &[Option<Vec<u8>>],
) -> Result<Vec<u8>, CompletionError> {
    let lead_bytes = usize::try_from(ABRIDGED_LEAD_BYTES).expect("small");
    let preamble = preamble_bytes(&abridged[..lead_bytes]).expect("a certificate");
    let (front, rest) = abridged.split_at(lead_bytes + usize::try_from(preamble).expect("small"));
    let (entries, signature) = rest.split_at(rest.len() - usize::try_from(SIGNATURE_BYTES).expect("small"));
    let mut completion = Completion::begin(Vec::new());
    completion.bytes(front)?;
    completion.bytes(file.unwrap_or_default().as_bytes())?;
    completion.bytes(entries)?;
    for outcome in outcomes {
        match outcome {
            Some(bytes) => completion.outcome(bytes)?,
            None => completion.absent(1),
        }
    }
    completion.finish(coordinator().node_id(), Signature(signature.try_into().expect("64 bytes")))
}

#[test]
fn an_abridged_certificate_is_completed_with_what_its_coordinator_signed_and_with_nothing_else() {
    let story = expressions();
    let (abridged, file) = (story.abridged_certificate(), story.file.as_deref());
    let left_out = file.map_or(0, str::len) + story.outcomes.iter().flatten().map(Vec::len).sum::<usize>();
    assert!(left_out > 0 && abridged.len() + left_out < story.certificate().len());
    assert_eq!(completed(&abridged, file, &story.outcomes).expect("all is there"), story.certificate());
    let other_file = file.map(|text| text.replace('1', "2"));
    let mut other_outcome = story.outcomes.clone();
    other_outcome[0].as_mut().expect("it is accepted")[20] ^= 1;
    let mut lost_outcome = story.outcomes.clone();
    lost_outcome[0] = None;
    for (file, outcomes) in [
        (other_file.as_deref(), &story.outcomes),
        (None, &story.outcomes),
        (file, &other_outcome),
        (file, &lost_outcome),
    ] {
        let wrong = completed(&abridged, file, outcomes).expect_err("it signed something else");
        assert!(matches!(wrong, CompletionError::Unsigned), "{wrong}");
    }
    // Digits have neither.
    let story = digits();
    assert_eq!(story.abridged_certificate(), story.certificate());
    assert_eq!(completed(&story.certificate(), None, &[]).expect("nothing is missing"), story.certificate());
}

#[test]
fn what_does_not_begin_as_a_certificate_does_has_no_preamble() {
    let good = digits().certificate();
    assert_eq!(preamble_bytes(&good[..16]), Some(150));
    let too_long = [&good[..12], &[0, 0, 4, 1]].concat();
    let other = [b"SOMETHIN", &good[8..16]].concat();
    for lead in [&too_long[..], &other, &good[..15], b""] {
        assert_eq!(preamble_bytes(lead), None, "{lead:?}");
    }
}

#[test]
fn the_value_of_a_job_is_put_together_from_its_certificate() {
    let bytes = expressions().certificate();
    let mut examination = Examination::open(&bytes[..], &[]).expect("a good certificate");
    let plan = examination.plan().clone();
    let mut assembler = ResultAssembler::new(&plan);
    let mut value = Vec::new();
    while let Some((_, outcome)) = examination.next_outcome().expect("good outcomes") {
        assembler.push(outcome.as_ref(), &mut value).expect("memory takes it");
    }
    assembler.finish(&mut value).expect("memory takes it");
    examination.finish().expect("signed");
    let value = String::from_utf8(value).expect("text");
    assert_eq!(
        value,
        "true\t2 * 2 * 2 * 2 == 16\nfalse\t1 + 1 == 3\ntrue\tfor n in 1..=10: n <= 10\nundecided\t2 ^ 8\n"
    );
}

#[test]
fn trusted_workers_must_make_up_the_quorum_themselves() {
    let bytes = expressions().certificate();
    let found =
        verify(&bytes[..], &[node(2), node(3), coordinator().node_id()]).expect("a quorum is trusted");
    assert!(found.trusted.coordinator && found.trusted.workers);
    assert!(
        found.workers.iter().all(|found_worker| found_worker.trusted == (found_worker.worker != node(1)))
    );
    let found = verify(&bytes[..], &[coordinator().node_id()]).expect("the coordinator is trusted");
    assert!(found.trusted.coordinator && !found.trusted.workers);
    let too_few = verify(&bytes[..], &[node(1), node(2)]);
    assert!(
        matches!(too_few, Err(CertificateFault::Untrusted { index: 1, trusted: 1, quorum: 2 })),
        "{too_few:?}"
    );
}

#[test]
fn every_changed_byte_is_noticed() {
    // The small one at every byte; the long one, whose bytes take longer to check, at every eleventh.
    for (bytes, step) in [(digits().certificate(), 1), (expressions().certificate(), 11)] {
        check(&bytes).expect("a good certificate");
        for place in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            let fault = check(&changed).err().unwrap_or_else(|| panic!("byte {place} may be changed"));
            assert!(!fault.to_string().is_empty());
        }
    }
}

#[test]
fn every_changed_bit_of_the_ends_is_noticed() {
    let bytes = digits().certificate();
    for place in (0..260).chain(bytes.len() - 80..bytes.len()) {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            assert!(check(&changed).is_err(), "bit {bit} of byte {place} may be changed");
        }
    }
}

#[test]
fn a_certificate_that_is_cut_short_anywhere_or_goes_on_is_refused() {
    let bytes = digits().certificate();
    for length in 0..bytes.len() {
        let fault = check(&bytes[..length]).expect_err("it is cut short");
        assert!(matches!(fault, CertificateFault::CutShort { .. }), "{length}: {fault}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(check(&longer), Err(CertificateFault::Trailing)));
}

/// Counts what is asked of it at once, and claims nothing.
struct Watched<'b> {
    bytes: &'b [u8],
    largest: usize,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.largest = self.largest.max(buffer.len());
        self.bytes.read(buffer)
    }
}

#[test]
fn a_claim_costs_no_memory_before_its_bytes_are_there() {
    let bytes = expressions().certificate();
    // The preamble's length, the lengths of the parts behind, and whatever else four bytes may be taken for.
    for place in 8..bytes.len().min(2000) {
        for claim in [[0xff; 4], [0, 0x7f, 0xff, 0xff], [0x0f, 0xff, 0xff, 0xff]] {
            let mut absurd = bytes.clone();
            let end = (place + 4).min(absurd.len());
            absurd[place..end].copy_from_slice(&claim[..end - place]);
            let mut watched = Watched { bytes: &absurd, largest: 0 };
            assert!(verify(&mut watched, &[]).is_err());
            assert!(watched.largest <= 4 * bytes.len(), "asked for {} bytes at once", watched.largest);
        }
    }
}

#[test]
fn a_builder_takes_as_many_entries_as_it_announced() {
    let (tree, entries, head) = digits().ledger();
    let begin = |count| Builder::begin(Vec::new(), head, count, None).expect("memory takes it");
    let add = |builder: &mut Builder<Vec<u8>>, number: usize| {
        let (position, bytes) = &entries[number];
        builder.entry(bytes.clone(), &tree.path(*position).expect("a leaf"))
    };
    let mut short = begin(3);
    add(&mut short, 0).expect("it fits");
    assert!(matches!(short.finish(&coordinator()), Err(BuildError::Entries { given: 1, announced: 3 })));
    let mut long = begin(1);
    add(&mut long, 0).expect("it fits");
    assert!(matches!(add(&mut long, 1), Err(BuildError::Entries { given: 2, announced: 1 })));
    let mut reversed = begin(2);
    add(&mut reversed, 1).expect("it fits");
    assert!(matches!(add(&mut reversed, 0), Err(BuildError::Path(_))));
}
