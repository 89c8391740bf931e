//! A worker with a GPU among others: its ballots agree with the processor's, a turned bit loses, and what has no kernel
//! or no adapter is said.
//!
//! `QUORATE_GPU_TESTS=skip` lets these pass on a machine without any adapter; otherwise a missing one fails.

use quorate_tests::{
    cluster::{Cluster, WorkerSpec, last_json},
    process::{Process, command, run},
};
use serde_json::Value;

/// pi after 2000 hexadecimal digits: one task, and a quorum of both engines.
const HEX: &str =
    "name = \"hex\"\nkind = \"hex-digits\"\n[hex-digits]\nconstant = \"pi\"\nafter = 2000\ndigits = 16\n";

/// Whether the test may pass without an adapter, which is printed.
fn no_adapter() -> bool {
    let output = run(command("worker").args(["gpus", "--json"]));
    if output.status.success() {
        let listed = last_json(&String::from_utf8_lossy(&output.stdout));
        println!("adapter: {}", listed["adapters"][0]["device"]);
        return false;
    }
    let may_skip = std::env::var("QUORATE_GPU_TESTS").is_ok_and(|value| value == "skip");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(may_skip, "{said}; or set QUORATE_GPU_TESTS=skip to let the GPU tests pass without one");
    println!("SKIPPED: no GPU adapter, and QUORATE_GPU_TESTS=skip");
    true
}

fn gpu_worker(cluster: &mut Cluster, name: &str, misbehave: Option<&str>) -> Process {
    cluster.worker(&WorkerSpec { name, operator: name, misbehave, gpu: true, ..WorkerSpec::default() })
}

fn ballots(report: &Value) -> &Vec<Value> {
    report["verdicts"][0]["ballots"].as_array().expect("a list of ballots")
}

#[test]
fn ballots_of_a_gpu_and_of_processors_agree_on_hexadecimal_digits() {
    if no_adapter() {
        return;
    }
    let mut cluster = Cluster::start();
    let _gpu = gpu_worker(&mut cluster, "ada", None);
    let _cpu = cluster.honest_workers(&["bea", "cai"]);
    let job = cluster.job_file("hex", &format!("{HEX}[policy]\ndistinct = [\"engine\"]\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let results = cluster.results();
    let engines: Vec<&str> =
        ballots(&results.report).iter().filter_map(|ballot| ballot["domain"]["engine"].as_str()).collect();
    assert!(engines.contains(&"gpu") && engines.contains(&"cpu"), "{engines:?}");
    assert_eq!(results.report["dissenters"], Value::Array(Vec::new()));
}

#[test]
fn a_turned_bit_in_a_kernels_result_is_outvoted_and_named_with_its_device() {
    if no_adapter() {
        return;
    }
    let mut cluster = Cluster::start();
    let mut gpu = gpu_worker(&mut cluster, "mallory", Some("gpu-bit-flip"));
    let slow =
        |name| WorkerSpec { name, operator: name, misbehave: Some("slow=2s"), ..WorkerSpec::default() };
    let _cpu = ["bea", "cai", "dan"].map(|name| cluster.worker(&slow(name)));
    let job = cluster.job_file("hex", &format!("{HEX}[policy]\nquorum = 3\nreplicas = 4\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(last_json(&printed)["corrections"], 1);
    let report = cluster.results().report;
    assert_eq!(report["dissenters"][0]["name"], "mallory");
    let domain = &report["dissenters"][0]["where_first"][0]["domain"];
    assert_eq!(domain["engine"], "gpu");
    let listed = run(command("worker").args(["gpus", "--json"]));
    let listed = last_json(&String::from_utf8_lossy(&listed.stdout));
    assert_eq!(domain["device"], listed["adapters"][0]["device"], "the adapter and its driver are named");
    gpu.wait_for("corrected");
}

#[test]
fn a_gpu_worker_computes_what_has_no_kernel_on_its_processor_and_says_so() {
    if no_adapter() {
        return;
    }
    let mut cluster = Cluster::start();
    let _gpu = gpu_worker(&mut cluster, "ada", None);
    let _cpu = cluster.honest_workers(&["bea", "cai"]);
    let text = "name = \"pi\"\nkind = \"digits\"\n[digits]\nconstant = \"pi\"\ndecimals = 5_000\n";
    let job = cluster.job_file("pi", &format!("{text}[policy]\nquorum = 3\nreplicas = 3\ntolerate = 1\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let report = cluster.results().report;
    let ballot = ballots(&report).iter().find(|ballot| ballot["name"] == "ada").expect("its ballot");
    assert_eq!(ballot["domain"]["engine"], "cpu");
}

#[test]
fn a_worker_that_loses_its_gpu_goes_on_with_its_processor_until_the_gpu_is_opened_again() {
    if no_adapter() {
        return;
    }
    let mut cluster = Cluster::start();
    let mut gpu = gpu_worker(&mut cluster, "ada", Some("gpu-lost"));
    let _cpu = cluster.honest_workers(&["bea", "cai"]);
    let job = cluster.job_file("hex", &format!("{HEX}[policy]\nquorum = 3\nreplicas = 3\ntolerate = 1\n"));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let report = cluster.results().report;
    let ballot = ballots(&report).iter().find(|ballot| ballot["name"] == "ada").expect("its ballot");
    assert_eq!((&ballot["domain"]["engine"], &ballot["standing"]), (&"cpu".into(), &"agrees".into()));
    let said = gpu.wait_for("leaves service");
    assert!(said.contains("was lost") && said.contains("it will be opened and tested again"), "{said}");
    gpu.wait_for("a GPU is in service again: its known-answer tests passed");
    gpu.wait_for("joined");
    let job = cluster
        .job_file("again", &format!("{}[policy]\nquorum = 3\nreplicas = 3\n", HEX.replace("2000", "2001")));
    let (code, printed) = cluster.submit(&job).wait();
    assert_eq!(code, Some(0), "{printed}");
    let report = cluster.results().report;
    let ballot = ballots(&report).iter().find(|ballot| ballot["name"] == "ada").expect("its ballot");
    assert_eq!((&ballot["domain"]["engine"], &ballot["standing"]), (&"gpu".into(), &"agrees".into()));
}

#[test]
fn without_any_adapter_the_gpu_is_refused_in_one_clear_sentence() {
    // The Vulkan loader is told of no driver; where another interface finds a GPU there is nothing to see.
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let output = run(command("worker")
        .arg("--gpu")
        .env("VK_DRIVER_FILES", "/nonexistent")
        .env("VK_ICD_FILENAMES", "/nonexistent"));
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("error: --gpu: no GPU adapter was found; install a Vulkan driver"), "{said}");
    assert!(said.contains("leave --gpu out"), "{said}");
}

#[test]
fn a_gpu_that_is_not_there_is_refused_with_those_that_are() {
    if no_adapter() {
        return;
    }
    let output = run(command("worker").arg("--gpu=no such card"));
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no GPU adapter is `no such card`; known are 0 ("), "{said}");
}
