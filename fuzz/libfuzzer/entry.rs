//! Every target's entry under libFuzzer: the binary's name says which target it feeds.
#![no_main]

use fuzz::{Reading, target};
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let target = target(env!("CARGO_BIN_NAME")).expect("a binary is named after its target");
    match (target.read)(bytes) {
        Reading::Value | Reading::Refused => Corpus::Keep,
    }
});
