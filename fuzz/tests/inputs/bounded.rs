//! That the trial itself works: a target that breaks its promises is caught, and inputs are what they were.

use fuzz::{
    INPUT_BYTES_MAX, Reading, Target, mutation::Mutator, seeds::decided::undecided_story, targets::framed,
};

/// All memory that the check of a certificate ever asks for, which is a measure of its work.
fn work_bytes(undecided: u64) -> u64 {
    let input = framed(undecided_story(undecided));
    let target = fuzz::target("signed_lies").expect("it is there");
    let read = || assert_eq!((target.read)(&input), Reading::Value);
    allocation_counter::measure(read).bytes_total
}

#[test]
fn a_certificate_of_thousands_of_open_tasks_is_not_read_anew_for_each() {
    // The text of 32 KiB, some times over; reading it once more for each of 8192 tasks would be gigabytes.
    let work = work_bytes(0);
    assert!(work < 64 << 20, "{work} bytes");
}

#[test]
fn an_undecided_task_costs_a_certificates_reader_no_more_than_its_text() {
    let text_bytes = undecided_story(0).file.len() as u64;
    let each = (work_bytes(300) - work_bytes(0)) / 300;
    assert!(each < 8 * text_bytes, "{each} bytes for a text of {text_bytes}");
}

#[test]
fn the_same_number_gives_the_same_inputs_and_another_gives_others() {
    let seeds = || vec![b"one seed".to_vec(), b"and another".to_vec()];
    let inputs = |number| {
        let mut mutator = Mutator::new(seeds(), number);
        (0..1000).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
    assert!(inputs(3).iter().all(|input| input.len() <= INPUT_BYTES_MAX));
}

#[test]
fn inputs_of_all_lengths_come_up() {
    let mut mutator = Mutator::new(vec![b"a seed of some bytes".to_vec()], 1);
    let lengths: Vec<usize> = (0..20_000).map(|_| mutator.next_input().len()).collect();
    assert!(lengths.contains(&0) && lengths.contains(&INPUT_BYTES_MAX), "the ends are left out");
    assert!(lengths.iter().filter(|length| (1..64).contains(*length)).count() > 10_000);
}

#[test]
fn every_byte_counts_in_a_memory_bound() {
    for Target { name, memory, .. } in fuzz::targets::ALL {
        assert!(memory.bytes_max(1000) > memory.bytes_max(0), "{name}");
        // 64 MiB is what a frame may cost at the very most.
        assert!(
            memory.bytes_max(INPUT_BYTES_MAX) < 128 << 20,
            "{name}: {}",
            memory.bytes_max(INPUT_BYTES_MAX)
        );
    }
}
