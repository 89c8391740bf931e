//! A worker that is killed in the middle of a long computation goes on where it was; a damaged checkpoint is told of and
//! computed again.

use std::{
    fs,
    path::{Path, PathBuf},
};

use quorate_tests::{
    cluster::{Cluster, WorkerSpec},
    process::{Process, command, run},
};

/// As long as it takes to be killed in the middle: each of some hundreds of pieces is synced to the disk.
const PI: &str = "name = \"pi\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 400_000\n\
                  [policy]\ntolerate = 0\nlease = \"1m\"\n";

const ADA: WorkerSpec<'static> = WorkerSpec {
    name: "ada",
    operator: "ada",
    misbehave: None,
    gpu: false,
    checkpoint_every: Some("0s"),
    through: None,
};

/// A cluster whose only worker was killed after it had kept the first piece, and the job that waits for it.
fn killed_in_the_middle() -> (Cluster, Process) {
    let mut cluster = Cluster::start();
    let mut worker = cluster.worker(&ADA);
    let job = cluster.job_file("pi", PI);
    let submitted = cluster.submit(&job);
    worker.wait_for("kept a checkpoint");
    worker.kill();
    (cluster, submitted)
}

/// The pieces under a folder of checkpoints.
fn pieces(folder: &Path) -> Vec<PathBuf> {
    let tasks =
        fs::read_dir(folder).expect("a folder of checkpoints").map(|task| task.expect("readable").path());
    let pieces = tasks.flat_map(|task| fs::read_dir(task).expect("a folder of a task"));
    pieces.map(|piece| piece.expect("readable").path()).collect()
}

fn assert_pi(cluster: &Cluster, submitted: Process) {
    let (code, printed) = submitted.wait();
    assert_eq!(code, Some(0), "{printed}");
    let value = cluster.results().value;
    assert_eq!(value.len(), 400_002);
    let alone = cluster.folder().join("alone.txt");
    let computed =
        run(command("worker").arg("compute").arg(cluster.folder().join("pi.toml")).arg("--out").arg(&alone));
    assert!(computed.status.success(), "{}", String::from_utf8_lossy(&computed.stderr));
    assert!(
        fs::read_to_string(alone).expect("written") == value,
        "the digits of a computation without interruption"
    );
}

#[test]
fn a_worker_killed_in_the_middle_of_a_computation_goes_on_from_its_checkpoint() {
    let (mut cluster, submitted) = killed_in_the_middle();
    assert!(!pieces(&cluster.worker_dir("ada").join("checkpoints")).is_empty());
    let mut worker = cluster.worker(&ADA);
    worker.wait_for("resumed from a checkpoint");
    assert_pi(&cluster, submitted);
    let left = pieces(&cluster.worker_dir("ada").join("checkpoints"));
    assert!(left.is_empty(), "what is finished needs no checkpoint: {left:?}");
}

#[test]
fn a_checkpoint_that_was_damaged_is_told_of_and_computed_again() {
    let (mut cluster, submitted) = killed_in_the_middle();
    for piece in pieces(&cluster.worker_dir("ada").join("checkpoints")) {
        let mut bytes = fs::read(&piece).expect("readable");
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 16;
        }
        fs::write(&piece, bytes).expect("writable");
    }
    let mut worker = cluster.worker(&ADA);
    worker.wait_for("its digest does not fit its bytes: it was changed, or written only in part");
    assert_pi(&cluster, submitted);
}

#[test]
fn a_job_computed_alone_goes_on_from_its_checkpoint_as_well() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let job = folder.path().join("pi.toml");
    fs::write(&job, PI).expect("writable");
    let kept = folder.path().join("kept");
    let start = || {
        let mut command = command("worker");
        command.arg("compute").arg(&job).arg("--checkpoints").arg(&kept);
        command.args(["--checkpoint-every", "0s", "--log", "worker=debug"]);
        Process::start(&mut command)
    };
    let mut first = start();
    first.wait_for("kept a checkpoint");
    first.kill();
    let (code, printed) = start().wait();
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("resumed from a checkpoint"), "{printed}");
    assert_eq!(pieces(&kept.join("checkpoints")), Vec::<PathBuf>::new());
}

#[test]
fn a_folder_that_takes_no_checkpoints_is_refused_before_anything_is_computed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (job, out) = (folder.path().join("pi.toml"), folder.path().join("pi.txt"));
    fs::write(&job, PI).expect("writable");
    // A file is no folder.
    let impossible = job.join("kept");
    let mut command = command("worker");
    command.arg("compute").arg(&job).arg("--checkpoints").arg(&impossible).arg("--out").arg(&out);
    let (code, printed) = Process::start(&mut command).wait();
    assert_ne!(code, Some(0), "{printed}");
    let expected = format!("cannot keep checkpoints in {}: Not a directory", impossible.display());
    assert!(printed.contains(&expected), "{printed}");
    assert!(!printed.contains("decimal string") && !out.exists(), "{printed}");
}
