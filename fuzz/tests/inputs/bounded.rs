//! That the trial itself works: a target that breaks its promises is caught, and inputs are what they were.

use fuzz::{INPUT_BYTES_MAX, Target, mutation::Mutator};

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
