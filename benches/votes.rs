//! `cargo bench -p quorate-benches --bench votes`: what one ballot costs the machine that decides, and what it holds.
//!
//! The machine runs alone: no network and no disk, and ballots are signed and checked outside of what is timed. Workers
//! take as many leases as they have room for and answer them in the order in which they got them; every task is accepted
//! with two ballots. With more workers and more open tasks a ballot should cost the same, but for the caches of the
//! processor. Each line is measured in a process of its own, which `--workers N --tasks N` asks for alone; it also says
//! what a campaign of the simulator decides in a second without faults.
//! `--ballots N` (default 100000), `--referendums N` (default 100000).

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    error::Error,
    fs,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use protocol::{
    ballot::{Ballot, ReplicaId},
    constant::Formula,
    digest::{Digest, Domain},
    domain::{Engine, FailureDomain},
    identity::{NodeId, SecretKey},
    job::JobId,
    message::EngineIntroduction,
    policy::Policy,
    task::{Audits, TaskId, Weight},
};
use simulator::{Campaign, Options, options::Faults};
use verdict::{Config, Input, Machine, Output, TaskTerms, Tasks};

const USAGE: &str = "usage: votes [--ballots N] [--referendums N] [--workers N --tasks N]";
/// Workers and tasks of each line.
const SIZES: [(u32, u64); 5] =
    [(3, 1_000), (3, 1_000_000), (1_000, 1_000), (1_000, 1_000_000), (1_000, 10_000_000)];
const JOB: JobId = JobId([7; 16]);
/// Heavy tasks that a worker takes at once; it takes 32 times as many light ones.
const SLOTS: u32 = 64;
const PAGE_BYTES: u64 = 4096;

struct Light(u64);

impl Tasks for Light {
    fn count(&self) -> u64 {
        self.0
    }

    fn terms(&self, index: u64) -> TaskTerms {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&index.to_le_bytes());
        TaskTerms {
            id: TaskId(Digest(id)),
            formulas: &[Formula::Direct],
            engines: &[Engine::Cpu],
            weight: Weight::Light,
            audits: Audits::Nothing,
        }
    }
}

/// What a worker says to a lease.
fn answer(key: &SecretKey, replica: ReplicaId) -> Result<Input, Box<dyn Error>> {
    let domain = FailureDomain {
        operator: "operator".to_owned(),
        engine: Engine::Cpu,
        formula: Formula::Direct,
        device: "processor".to_owned(),
        build: "0.1.0".to_owned(),
    };
    let ballot =
        Ballot { replica, worker: key.node_id(), digest: replica.task.0, domain, audit: None, trace: None };
    let ballot = ballot.sign(key).authenticate()?;
    Ok(Input::BallotCast { ballot, outcome_held: true, compute_us: 10 })
}

/// The memory that the process holds, in bytes.
fn held_bytes() -> Result<u64, Box<dyn Error>> {
    let counted = fs::read_to_string("/proc/self/statm")?;
    let pages = counted.split_whitespace().nth(1).ok_or("/proc/self/statm is not as it used to be")?;
    Ok(pages.parse::<u64>()? * PAGE_BYTES)
}

struct Cluster {
    machine: Machine,
    leases: VecDeque<(NodeId, ReplicaId)>,
    now_ms: u64,
}

impl Cluster {
    fn obey(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            if let Output::Lease { worker, replica, .. } = output {
                self.leases.push_back((worker, replica));
            }
        }
    }

    fn tell(&mut self, input: Input) {
        // What is late is rejected once nobody keeps its task any more.
        let _ = self.machine.handle(input, self.now_ms);
        self.obey();
        while self.machine.next_timeout_ms().is_some_and(|at_ms| at_ms <= self.now_ms) {
            self.machine.handle_timeout(self.now_ms);
            self.obey();
        }
    }
}

fn measure(workers: u32, tasks: u64, ballots: u64) -> Result<(), Box<dyn Error>> {
    let machine = Machine::new(Config::default(), [1; 32]);
    let mut cluster = Cluster { machine, leases: VecDeque::new(), now_ms: 0 };
    let seed = |worker: u32| Digest::of(Domain::Values, &worker.to_le_bytes()).0;
    let keys: BTreeMap<NodeId, SecretKey> = (0..workers)
        .map(|worker| SecretKey::from_seed(&seed(worker)))
        .map(|key| (key.node_id(), key))
        .collect();
    let empty_bytes = held_bytes()?;
    for worker in keys.keys() {
        let engines = vec![EngineIntroduction { engine: Engine::Cpu, device: "processor".to_owned() }];
        cluster.tell(Input::WorkerJoined {
            worker: *worker,
            operator: "operator".to_owned(),
            engines,
            build: String::new(),
            slots: SLOTS,
            resumes: Vec::new(),
        });
    }
    let joined_bytes = held_bytes()?;
    // A task is decided by all that are asked, so that there are as many open ones as can be.
    let policy = Policy { replicas: 2, ..Policy::default() };
    cluster.tell(Input::JobSubmitted { job: JOB, policy, tasks: Box::new(Light(tasks)) });
    let open = cluster.machine.sizes().tallies;
    let queue_bytes = cluster.leases.capacity() * size_of::<(NodeId, ReplicaId)>();
    let leased_bytes = held_bytes()?.saturating_sub(queue_bytes as u64);
    let (mut cast, mut took) = (0, Duration::ZERO);
    while cast < ballots {
        let Some((worker, replica)) = cluster.leases.pop_front() else { break };
        cast += 1;
        if cast % 1000 == 0 {
            cluster.now_ms += 1;
        }
        let key = keys.get(&worker).ok_or("a lease for nobody")?;
        let input = answer(key, replica)?;
        let began = Instant::now();
        cluster.tell(input);
        took += began.elapsed();
    }
    let left = cluster.machine.sizes().tallies;
    #[expect(clippy::cast_precision_loss, reason = "counts and durations for people")]
    {
        let each_us = took.as_secs_f64() * 1e6 / cast.max(1) as f64;
        let each_worker = joined_bytes.saturating_sub(empty_bytes) as f64 / f64::from(workers);
        let each_open = leased_bytes.saturating_sub(joined_bytes) as f64 / open.max(1) as f64;
        println!(
            "{workers:>5} workers {tasks:>9} tasks {open:>8} open {left:>8} at the end {cast:>7} ballots {each_us:>6.2} us each; \
             bytes a worker {each_worker:>6.0}, an open task with its leases {each_open:>5.0}",
        );
    }
    Ok(())
}

fn campaign(referendums: u64) {
    let options = Options { faults: Faults::None, ..Options::default() };
    let mut campaign = Campaign::new(options, 1, referendums);
    let began = Instant::now();
    while campaign.run_next() {}
    #[expect(clippy::cast_precision_loss, reason = "counts and durations for people")]
    let rate = campaign.totals().referendums as f64 / began.elapsed().as_secs_f64();
    println!("{rate:.0} simulated referendums a second on one core, 3 to 12 nodes, without faults");
}

fn run(mut words: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    let (mut ballots, mut referendums, mut workers, mut tasks) = (100_000, 100_000, None, None);
    while let Some(word) = words.next() {
        let mut number = || words.next().ok_or(USAGE);
        match word.as_str() {
            "--ballots" => ballots = number()?.parse()?,
            "--referendums" => referendums = number()?.parse()?,
            "--workers" => workers = Some(number()?.parse()?),
            "--tasks" => tasks = Some(number()?.parse()?),
            // Cargo adds it to every benchmark.
            "--bench" => {}
            _ => return Err(format!("unknown argument {word}; {USAGE}").into()),
        }
    }
    if let (Some(workers), Some(tasks)) = (workers, tasks) {
        return measure(workers, tasks, ballots);
    }
    for (workers, tasks) in SIZES {
        let sizes = [("--workers", u64::from(workers)), ("--tasks", tasks), ("--ballots", ballots)];
        let arguments = sizes.into_iter().flat_map(|(name, number)| [name.to_owned(), number.to_string()]);
        if !Command::new(env::current_exe()?).args(arguments).status()?.success() {
            return Err("a measurement failed".into());
        }
    }
    campaign(referendums);
    Ok(())
}

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
