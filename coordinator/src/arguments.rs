//! The command line, as plain data: nothing happens here.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use program::parse_name;
use protocol::limits::{HEARTBEAT_MS_MAX, HEARTBEAT_MS_MIN, SUSPICION_THRESHOLD_MAX};

/// Runs computations many times, independently, and only believes what survives.
#[derive(Debug, Parser)]
#[command(name = "coordinator", version, about, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a coordinator that workers join and clients ask
    Serve(Serve),
    /// Run a job to its end and write its results
    Submit(Submit),
    /// Ask whether an expression is true: exit code 0 for true, 1 for false, 2 for anything else
    Ask(Ask),
    /// List the jobs of a coordinator
    Status(Query),
    /// List the workers of a coordinator
    Workers(Query),
    /// Write the results of a job that is over
    Result(ResultOf),
    /// Check a job's certificate, without any network: exit code 0 where it holds, 1 where it does not
    Verify(Verify),
    /// Stop a job
    Abandon(Abandon),
    /// Print a token with which a worker (or, with --client, a client) joins
    Token(TokenFor),
    /// Never again let a worker's or a client's key in
    Revoke(Revoke),
    /// Verify, show or export what a coordinator wrote down
    Ledger(Ledger),
    /// Measure
    Bench(Bench),
    /// Put the vote under a virtual clock with liars and a bad network: show rounds, or run a campaign
    Simulate(Simulate),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// Where a coordinator keeps its state.
#[derive(Debug, Clone, Args)]
pub struct StateDir {
    /// Where the coordinator keeps its key and its state [default: quorate/coordinator in the user's state folder]
    #[arg(long, env = "QUORATE_COORDINATOR_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// Which coordinator a client talks to.
#[derive(Debug, Clone, Args)]
pub struct Reach {
    /// The coordinator: HOST:PORT where its state directory is on this machine, else a client token
    #[arg(long, env = "QUORATE_COORDINATOR", value_name = "ADDR|TOKEN", hide_env_values = true)]
    pub coordinator: Option<String>,
    /// Where it keeps its state.
    #[command(flatten)]
    pub state: StateDir,
}

/// `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The address to listen on
    #[arg(long, env = "QUORATE_LISTEN", default_value = "127.0.0.1:7676", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// HOST:PORT under which workers reach it, for tokens [default: the address that it listens on]
    #[arg(long, env = "QUORATE_ADVERTISE", value_name = "HOST:PORT")]
    pub advertise: Option<String>,
    /// How often each worker says that it is alive, from 100ms to 1m
    #[arg(long, env = "QUORATE_HEARTBEAT", default_value = "1s", value_name = "DURATION", value_parser = parse_heartbeat)]
    pub heartbeat: Duration,
    /// How sure it must be that a silent worker is gone before it is suspect, from 1 (one mistake in ten) to 16 (in 10^16)
    #[arg(long, env = "QUORATE_SUSPICION", default_value = "8", value_name = "PHI", value_parser = parse_suspicion)]
    pub suspicion: u8,
    /// Where it keeps its state.
    #[command(flatten)]
    pub state: StateDir,
}

/// `submit`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, and independent of the others"
)]
#[derive(Debug, Args)]
pub struct Submit {
    /// The job file
    pub job: PathBuf,
    /// Where to write the results [default: results/NAME-OF-THE-JOB]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the job's id and leave; `result` fetches the results later
    #[arg(long)]
    pub detach: bool,
    /// Print one JSON object at the end
    #[arg(long)]
    pub json: bool,
    /// Workers of the embedded cluster [default: as many as the policy has replicas]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroU32>,
    /// A drill: one more worker in the embedded cluster, which is always wrong
    #[arg(long)]
    pub embedded_liar: bool,
    /// Leave this machine's GPUs alone: every worker of the embedded cluster computes on the processor
    #[arg(long)]
    pub no_gpu: bool,
    /// Which coordinator; none: an embedded cluster is started.
    #[command(flatten)]
    pub reach: Reach,
}

/// `ask`.
#[derive(Debug, Args)]
pub struct Ask {
    /// The expression, as in "2 * 2 * 2 * 2 == 16"
    #[arg(allow_hyphen_values = true)]
    pub expression: String,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Which coordinator; none: an embedded cluster is started.
    #[command(flatten)]
    pub reach: Reach,
}

/// `status` and `workers`.
#[derive(Debug, Args)]
pub struct Query {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Which coordinator.
    #[command(flatten)]
    pub reach: Reach,
}

/// `result`.
#[derive(Debug, Args)]
pub struct ResultOf {
    /// The job's id, or the first digits of it
    pub job: String,
    /// Where to write the results [default: results/NAME-OF-THE-JOB]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Which coordinator.
    #[command(flatten)]
    pub reach: Reach,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The certificate, as results/NAME/certificate.quorate
    pub file: PathBuf,
    /// Compare this file with the value that the certificate proves
    #[arg(long, value_name = "FILE")]
    pub value: Option<PathBuf>,
    /// Keys that you know, of workers or of the coordinator; trusted workers must make up the quorum of each task
    #[arg(long, value_name = "KEY", num_args = 1.., value_parser = parse_node)]
    pub trust: Vec<protocol::identity::NodeId>,
    /// Compute every accepted task again, on this machine
    #[arg(long)]
    pub recheck: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `abandon`.
#[derive(Debug, Args)]
pub struct Abandon {
    /// The job's id, or the first digits of it
    pub job: String,
    /// Which coordinator.
    #[command(flatten)]
    pub reach: Reach,
}

/// `token`.
#[derive(Debug, Args)]
pub struct TokenFor {
    /// Who runs the workers that join with it: workers of one operator may fail together
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub operator: String,
    /// How long it may be used to join, as `24h` or `30days`
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration)]
    pub expires: Duration,
    /// For a client instead of a worker
    #[arg(long)]
    pub client: bool,
    /// HOST:PORT under which the coordinator is reached [default: what `serve` last said]
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// Where the coordinator keeps its state.
    #[command(flatten)]
    pub state: StateDir,
}

/// `revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The key, 64 hexadecimal digits, as `workers --json` prints it
    #[arg(value_parser = parse_node)]
    pub key: protocol::identity::NodeId,
    /// Which coordinator.
    #[command(flatten)]
    pub reach: Reach,
}

/// `ledger`.
#[derive(Debug, Args)]
pub struct Ledger {
    /// What to do with it
    #[command(subcommand)]
    pub what: LedgerWhat,
}

/// What can be done with a ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerWhat {
    /// Work out again every hash, signature and rule: exit code 0 if the ledger is sound, 1 if not
    Verify(LedgerVerify),
    /// Print entries, one a line
    Show(LedgerShow),
    /// Write all entries and signed heads to a file, one JSON object a line
    Export(LedgerExport),
    /// Print the last acknowledged signed head as JSON, also while a coordinator runs
    Head(LedgerHead),
    /// Prove that one head continues another: exit code 0 if it does, 1 if not
    Consistency(LedgerConsistency),
}

/// `ledger verify`.
#[derive(Debug, Args)]
pub struct LedgerVerify {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Where the ledger is.
    #[command(flatten)]
    pub state: StateDir,
}

/// `ledger show`.
#[derive(Debug, Args)]
pub struct LedgerShow {
    /// Only entries about this job: its id, or the first digits of it
    #[arg(long, value_name = "ID")]
    pub job: Option<String>,
    /// Begin at this position
    #[arg(long, value_name = "N", default_value = "0")]
    pub from: u64,
    /// Only the last so many
    #[arg(long, value_name = "N")]
    pub last: Option<u64>,
    /// Print one JSON object for each entry
    #[arg(long)]
    pub json: bool,
    /// Where the ledger is.
    #[command(flatten)]
    pub state: StateDir,
}

/// `ledger export`.
#[derive(Debug, Args)]
pub struct LedgerExport {
    /// The file to write
    pub file: PathBuf,
    /// Where the ledger is.
    #[command(flatten)]
    pub state: StateDir,
}

/// `ledger head`.
#[derive(Debug, Args)]
pub struct LedgerHead {
    /// The file with the last head is lost, and the ledger is known to be the newest: write it anew
    #[arg(long)]
    pub restore: bool,
    /// Where the ledger is.
    #[command(flatten)]
    pub state: StateDir,
}

/// `ledger consistency`.
#[derive(Debug, Args)]
pub struct LedgerConsistency {
    /// The earlier head: a file that `ledger head` printed, or a number of entries
    pub old: String,
    /// The later head, in the same way
    pub new: String,
    /// Where the ledger is.
    #[command(flatten)]
    pub state: StateDir,
}

/// `bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure
    #[command(subcommand)]
    pub what: BenchWhat,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchWhat {
    /// Verdicts a second and the latency of one verdict, over real QUIC on loopback
    Agreement(BenchAgreement),
}

/// `bench agreement`.
#[derive(Debug, Clone, Args)]
pub struct BenchAgreement {
    /// How many workers [default: 3]
    #[arg(long, default_value = "3", hide_default_value = true)]
    pub workers: NonZeroU32,
    /// How many checks for the rate of checks that are each a task of their own; 20 times as many are sent in batches
    #[arg(long, default_value = "20000")]
    pub items: NonZeroU32,
    /// How many checks in one task, where they are batched
    #[arg(long, default_value = "1000")]
    pub batch: NonZeroU32,
    /// How many checks, one after the other, for the latency
    #[arg(long, default_value = "500")]
    pub singles: NonZeroU32,
    /// How often each rate is measured; the median run counts
    #[arg(long, default_value = "3")]
    pub rounds: NonZeroU32,
    /// Measure only this
    #[arg(long, value_enum)]
    pub only: Option<BenchPart>,
    /// Workers commit to each ballot before any is revealed
    #[arg(long)]
    pub sealed: bool,
    /// Keep the ledger on the disk, in the system's folder for temporary files, instead of in memory
    #[arg(long, conflicts_with = "coordinator")]
    pub durable: bool,
    /// Measure a cluster that runs already: a client token, or the coordinator's address where its state directory is
    #[arg(long, value_name = "TOKEN|ADDRESS", conflicts_with = "workers")]
    pub coordinator: Option<String>,
    /// Where the coordinator of --coordinator keeps its state.
    #[command(flatten)]
    pub state: StateDir,
    /// Measure also with other numbers of workers and other batches, and draw rates and latencies into this SVG file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "coordinator"])]
    pub plot: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `bench agreement` measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchPart {
    /// Verdicts a second, each check its own task
    Single,
    /// Checks a second, many in a task
    Batched,
    /// The time of one verdict on an idle cluster
    Latency,
}

/// `simulate`.
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[derive(Debug, Clone, Args)]
pub struct Simulate {
    /// How many workers [default: 7 for rounds, drawn for each world of a campaign, 100 with --policies]
    #[arg(long, value_name = "N")]
    pub nodes: Option<u32>,
    /// How many of them are faulty, each in a way that is drawn [default: 2 for rounds, drawn in a campaign]
    #[arg(long, value_name = "F")]
    pub faulty: Option<u32>,
    /// How many faulty workers the policy is to survive [default: --faulty, as far as there are nodes for it]
    #[arg(long, value_name = "F")]
    pub tolerate: Option<u32>,
    /// Each worker is, with this probability, one of those that tell the same lie
    #[arg(long, value_name = "P", conflicts_with = "faulty")]
    pub collude: Option<f64>,
    /// How many replicas of each task decide it, and no more [default: every worker votes in rounds, drawn in a campaign]
    #[arg(long, value_name = "N")]
    pub replicas: Option<u32>,
    /// Every worker votes on every task
    #[arg(long, conflicts_with = "replicas")]
    pub everybody: bool,
    /// Put colluding nodes in quarantine that are outvoted too often, as in a real cluster; without it the rate of wrong
    /// verdicts is that of counting heads
    #[arg(long, requires = "collude")]
    pub quarantine: bool,
    /// What policies cost and let through, in a lean model without a network: a table over replication, audits and adaptive
    /// replication, with 1, 10 and 35 percent of colluding nodes that lie in several ways
    #[arg(long, conflicts_with_all = ["faulty", "tolerate", "collude", "replicas", "everybody", "faults", "referendums", "rounds"])]
    pub policies: bool,
    /// How many tasks of each policy
    #[arg(long, value_name = "N", requires = "policies", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub tasks: u64,
    /// Draw overhead against error into this SVG file
    #[arg(long, value_name = "FILE", requires = "policies")]
    pub plot: Option<PathBuf>,
    /// What else goes wrong [default: none for rounds, all in a campaign]
    #[arg(long, value_enum)]
    pub faults: Option<SimulatedFaults>,
    /// The number from which everything is drawn: the same one gives the same worlds
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many rounds to show, one task after the other
    #[arg(long, default_value = "3", value_name = "N", conflicts_with = "referendums")]
    pub rounds: NonZeroU32,
    /// Run a campaign of so many votes, world after world, and print a table
    #[arg(long, value_name = "N")]
    pub referendums: Option<NonZeroU64>,
    /// Show every round of a campaign
    #[arg(long, requires = "referendums")]
    pub show: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What goes wrong in a simulation, beside the faulty workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SimulatedFaults {
    /// Nothing: every message arrives, soon, once and in order
    None,
    /// Messages are lost, doubled, delayed and reordered; workers are cut off, one way or both
    Network,
    /// That, and workers crash, restart and stall, and the coordinator's clock jumps
    All,
}

fn parse_heartbeat(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_millis(HEARTBEAT_MS_MIN)..=Duration::from_millis(HEARTBEAT_MS_MAX);
    let heartbeat = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if bounds.contains(&heartbeat) {
        return Ok(heartbeat);
    }
    let [shortest, longest] = [bounds.start(), bounds.end()].map(|bound| humantime::format_duration(*bound));
    Err(format!("a heartbeat is from {shortest} to {longest}"))
}

fn parse_suspicion(text: &str) -> Result<u8, String> {
    let suspicion = text.parse().ok().filter(|phi| (1..=SUSPICION_THRESHOLD_MAX).contains(phi));
    suspicion.ok_or_else(|| format!("a suspicion is a whole number from 1 to {SUSPICION_THRESHOLD_MAX}"))
}

fn parse_node(text: &str) -> Result<protocol::identity::NodeId, String> {
    let reason = "a key has 64 lowercase hexadecimal digits; `coordinator workers --json` prints them";
    protocol::identity::NodeId::from_hex(text).ok_or_else(|| reason.to_owned())
}
