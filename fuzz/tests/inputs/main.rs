//! Every decoder and parser against hostile inputs: some thousands here, a million in the long tests.
//!
//! Each input is made from our own encodings by a seeded stream, so the number in a failure's message makes it again. No
//! input may panic, take memory beyond its bound, or, in the long tests, take more than 100 ms of processor time.

mod bounded;
mod libfuzzer;
mod trial;

use trial::Trial;

/// Inputs of one ordinary test.
const FEW: u64 = 4_000;
/// Inputs of one long test.
const MANY: u64 = 1_000_000;

macro_rules! no_input_breaks {
    ($($name:ident: $target:literal,)*) => {
        mod no_input_breaks {
            use super::{FEW, Trial};

            $(#[test]
            fn $name() {
                Trial::of($target).run(FEW);
            })*
        }

        mod no_input_of_a_million_breaks {
            use super::{MANY, Trial};

            $(#[test]
            #[ignore = "long: up to some minutes"]
            fn $name() {
                Trial::of($target).watching_time().run(MANY);
            })*
        }

        /// Every target has its test.
        #[test]
        fn every_target_is_tried() {
            let tried = [$($target),*];
            let all: Vec<&str> = fuzz::targets::ALL.iter().map(|target| target.name).collect();
            assert_eq!(tried.as_slice(), all.as_slice());
        }
    };
}

no_input_breaks! {
    the_reader_of_frames: "frames",
    the_decoder_of_openings: "openings",
    the_decoder_of_hellos: "hellos",
    the_decoder_of_welcomes: "welcomes",
    the_decoder_of_worker_messages: "worker_messages",
    the_decoder_of_coordinator_messages: "coordinator_messages",
    the_decoder_of_requests: "requests",
    the_decoder_of_responses: "responses",
    the_decoder_of_blob_replies: "blob_replies",
    the_decoder_of_a_traces_trees: "trace_tops",
    the_decoder_of_a_traces_nodes: "trace_nodes",
    the_decoder_of_tasks: "tasks",
    the_decoder_of_outcomes: "outcomes",
    the_check_of_ballots: "ballots",
    the_check_of_commitments: "commitments",
    the_check_of_tree_paths: "tree_paths",
    the_decoder_of_ledger_entries: "ledger_entries",
    the_check_of_ledger_heads: "ledger_heads",
    the_check_of_task_certificates: "task_certificates",
    the_check_of_job_certificates: "job_certificates",
    the_check_of_signed_lies: "signed_lies",
    the_parser_of_job_files: "job_files",
    the_parser_of_expressions: "expressions",
    the_parser_of_range_bodies: "range_bodies",
    the_parser_of_expression_files: "expression_files",
    the_parser_of_tokens: "tokens",
    the_decoder_of_token_contents: "token_contents",
    the_parser_of_names: "names",
    the_parser_of_reports: "reports",
    the_parser_of_printed_heads: "printed_heads",
}
