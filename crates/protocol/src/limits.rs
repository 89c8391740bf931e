//! Every bound in one place: what a file, a peer or an expression may claim before somebody says no.
//!
//! A limit is checked before memory is taken in proportion to a claim. Error messages name the value, the limit and
//! the remedy; tests reach each of these through a public interface.

/// Version of the wire protocol; told to the peer in words when it differs.
pub const PROTOCOL_VERSION: u32 = 1;
/// ALPN of the wire protocol.
pub const ALPN: &[u8] = b"quorate/1";

/// Longest control frame in bytes; larger values travel as blobs.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting that a decoder follows.
pub const DECODE_DEPTH_MAX: usize = 32;
/// Longest name (worker, operator, job, device, build) in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest free text (refusal reasons, failures) in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Longest outcome in bytes that travels inside the ballot's frame.
pub const INLINE_OUTCOME_BYTES_MAX: usize = 4 * 1024;
/// Largest outcome in bytes that is kept beside others: by a worker in memory, by a coordinator as a row of its database. A
/// larger one is a file of its own.
pub const ROW_OUTCOME_BYTES_MAX: usize = 256 * 1024;
/// Longest task in bytes that travels inside the lease's frame.
pub const INLINE_TASK_BYTES_MAX: usize = 60 * 1024;
/// Largest canonical encoding of a task in bytes.
pub const TASK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes of an outcome beyond its digits, and of one answer.
pub const OUTCOME_OVERHEAD_BYTES_MAX: u64 = 4 * 1024;
/// Largest outcome in bytes: the most digits and their overhead.
pub const OUTCOME_BYTES_MAX: u64 = DECIMALS_MAX + OUTCOME_OVERHEAD_BYTES_MAX;
/// Most bytes of the long numbers that an audit of digits needs, for each digit.
pub const WITNESS_BYTES_PER_DIGIT_MAX: u64 = 64;
/// And beyond those of its digits.
pub const WITNESS_OVERHEAD_BYTES_MAX: u64 = 256 * 1024;
/// Most series whose sums are traced in one computation.
pub const TRACE_TREES_MAX: usize = 32;
/// Longest answer to a question about a trace in bytes.
pub const TRACE_ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// Most questions about one trace: the deepest tree, and what is asked before and after it.
pub const TRACE_QUESTIONS_MAX: u32 = 64;
/// Most ballots under one signature.
pub const BUNDLE_BALLOTS_MAX: u64 = 1 << 16;
/// Most ballots, leases or replicas in one frame, so that a frame has room for them whatever they name.
pub const FRAME_ITEMS_MAX: usize = 128;
/// Most bytes of outcomes or tasks that are gathered into one frame (a longer one has a frame of its own).
pub const FRAME_GATHERED_BYTES_MAX: usize = 24 * 1024;
/// Largest entry of the ledger in bytes: a job file, or the ballots of one task.
pub const LEDGER_ENTRY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest certificate of one task in bytes.
pub const CERTIFICATE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest job file in bytes.
pub const JOB_FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest broken job file in bytes that is searched for more than its first TOML error.
pub const JOB_FILE_RECOVERY_BYTES_MAX: usize = 256 * 1024;
/// Most errors of a job file or expression file that are shown; the rest are counted.
pub const JOB_FILE_ERRORS_MAX: usize = 20;
/// Largest configuration file in bytes.
pub const CONFIG_FILE_BYTES_MAX: u64 = 64 * 1024;
/// Most errors of a configuration file that are shown; the rest are counted.
pub const CONFIG_FILE_ERRORS_MAX: usize = 20;
/// Largest file with one expression a line, in bytes.
pub const EXPRESSION_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Most expressions in one job.
pub const EXPRESSIONS_MAX: usize = 10_000_000;
/// Most tasks in one job.
pub const TASKS_MAX: u64 = 1_000_000_000;
/// Most expressions in one task, unless they are quick.
pub const TASK_EXPRESSIONS_MAX: u16 = 1024;
/// Most bytes of expression text gathered into one task (a longer expression is a task of its own), unless they are quick.
pub const TASK_TEXT_BYTES_MAX: usize = 48 * 1024;
/// So many quick expressions, or bytes of them, take the place of one in a task whose size the job leaves open.
pub const QUICK_PER_EXPRESSION: u16 = 8;
/// Longest quick expression in bytes.
pub const QUICK_EXPRESSION_BYTES_MAX: usize = 64;
/// Most values of the variable in one range task.
pub const TASK_RANGE_VALUES_MAX: u64 = 1 << 18;
/// Most values of the variable of a range in one task whose body a GPU kernel takes: a second of a core for a short
/// one, and not too little for a GPU.
pub const TASK_KERNEL_RANGE_VALUES_MAX: u64 = 1 << 22;

/// Most decimals of a constant.
pub const DECIMALS_MAX: u64 = 1_000_000_000;
/// Largest n of sqrt(n).
pub const SQRT_RADICAND_MAX: u64 = u32::MAX as u64;
/// Largest n of ln(n).
pub const LN_ARGUMENT_MAX: u64 = u32::MAX as u64;
/// Most decimals of a series that a job file brings.
pub const SERIES_DECIMALS_MAX: u64 = 10_000_000;
/// Highest degree of a polynomial of a series.
pub const SERIES_DEGREE_MAX: u32 = 8;
/// Most factors in which a polynomial of a series is written.
pub const SERIES_FACTORS_MAX: usize = 16;
/// Longest text of a polynomial of a series, in bytes.
pub const SERIES_POLYNOMIAL_BYTES_MAX: usize = 1024;
/// Most bits of a coefficient of a polynomial of a series.
pub const SERIES_COEFFICIENT_BITS_MAX: u32 = 96;
/// Largest first index of a series.
pub const SERIES_FIRST_MAX: u64 = 1 << 16;
/// Denominators are looked at one by one for zeros at most up to two to this.
pub const SERIES_ZEROS_LOG2_MAX: u32 = 16;
/// Least proven gain of a series in units of 2^-16 bits a term: a quarter of a bit.
pub const SERIES_GAIN_MIN: i64 = 1 << 14;
/// Most terms of a series that are summed.
pub const SERIES_TERMS_MAX: u64 = 1 << 34;
/// Most series in one formula of a job file.
pub const SERIES_SUMMANDS_MAX: usize = 8;
/// Most hexadecimal digits that a window skips.
pub const HEX_AFTER_MAX: u64 = 10_000_000_000_000_000;
/// Most hexadecimal digits in a window.
pub const HEX_DIGITS_MAX: u32 = 32;
/// Fewest and most bits to spare beyond what truncation can spoil.
pub const HEX_GUARD_BITS_MIN: u32 = 8;
/// See [`HEX_GUARD_BITS_MIN`].
pub const HEX_GUARD_BITS_MAX: u32 = 64;
/// Largest number of a term of a series.
pub const HEX_TERMS_MAX: u64 = 1 << 56;
/// Into how many tasks a series is cut, unless they would be too small or too large.
pub const HEX_TASKS_AIMED_AT: u64 = 64;
/// Fewest terms that a task evaluates: about a second of one core.
pub const HEX_TASK_EVALUATIONS_MIN: u64 = 1 << 25;
/// Most terms that a task evaluates, unless the job would have too many tasks: about a minute of one core.
pub const HEX_TASK_EVALUATIONS_MAX: u64 = 1 << 32;

/// Longest expression in bytes; a longer one is refused by every worker alike.
pub const EXPRESSION_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of an expression.
pub const EXPRESSION_DEPTH_MAX: usize = 128;
/// Most digits to which the two sides of a comparison are compared before "agrees to D digits" is the answer.
pub const AGREE_DIGITS_MAX: u32 = 10_000;
/// Largest size in bits of any exact value inside an expression.
pub const EXACT_BITS_MAX: u64 = 32 * 1024 * 1024;
/// Largest exact values in bits that one term may hold at once beside values that are not exact.
pub const EXACT_HELD_BITS_MAX: u64 = 4 * EXACT_BITS_MAX;
/// Most units of work (each about a nanosecond on one core of an ordinary machine) for one expression.
pub const WORK_UNITS_MAX: u64 = 2_000_000_000;
/// Most units of work for the residues of an equation that is over the other bounds.
pub const RESIDUE_WORK_UNITS_MAX: u64 = 200_000_000;
/// Most units of work for one value of a range's variable.
pub const RANGE_VALUE_WORK_UNITS_MAX: u64 = 20_000_000;
/// Largest argument in bits of a sine, cosine or tangent.
pub const TRIGONOMETRIC_BITS_MAX: u32 = 1024;
/// Largest magnitude of the power of two of a value that is not exact.
pub const ENCLOSED_EXPONENT_MAX: i32 = 1 << 28;
/// Largest degree of a root.
pub const ROOT_DEGREE_MAX: u32 = 1_000_000;
/// Largest integer in bits that is tested for being prime.
pub const PRIME_BITS_MAX: u32 = 4096;
/// Most digits of an exact value, or of the leading part of any value, in an answer.
pub const VALUE_DIGITS_MAX: u32 = 1000;

/// Most replicas of one task.
pub const REPLICAS_MAX: u32 = 1000;
/// Shortest and longest lease, in milliseconds.
pub const LEASE_MS_MIN: u64 = 1_000;
/// See [`LEASE_MS_MIN`].
pub const LEASE_MS_MAX: u64 = 24 * 3600 * 1000;
/// How often a lease may be renewed by progress.
pub const LEASE_RENEWALS_MAX: u32 = 1_000_000;

/// Shortest and longest pause between two heartbeats of a worker, in milliseconds.
pub const HEARTBEAT_MS_MIN: u64 = 100;
/// See [`HEARTBEAT_MS_MIN`].
pub const HEARTBEAT_MS_MAX: u64 = 60_000;
/// Highest phi at which a silent worker may be said to be suspect.
pub const SUSPICION_THRESHOLD_MAX: u8 = 16;
/// How many intervals between a worker's messages are remembered.
pub const LIVENESS_WINDOW_MAX: usize = 64;

/// Most workers connected to one coordinator.
pub const WORKERS_MAX: usize = 4096;
/// How many words of a worker may be rejected before it loses its connection: twice what a worker with the most slots
/// may have under way, and so may say too late through no fault of its own.
pub const REJECTED_WORDS_MAX: u32 = 8192;
/// Most client connections to one coordinator.
pub const CLIENTS_MAX: usize = 256;
/// Most bytes of expression files that a coordinator holds for all its jobs.
pub const JOB_FILES_HELD_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Most jobs that a coordinator keeps open.
pub const JOBS_OPEN_MAX: usize = 1024;
/// Most replicas that a worker names when it comes back.
pub const RESUMES_MAX: usize = 512;
/// Most heavy tasks that a worker computes at once.
pub const SLOTS_MAX: u32 = 64;
/// Longest join token in characters.
pub const TOKEN_CHARS_MAX: usize = 1024;
/// Most inputs that wait for the owner of a state machine.
pub const INPUT_QUEUE_MAX: usize = 4096;
/// Most messages that wait to be written to one peer.
pub const PEER_QUEUE_MAX: usize = 4096;
