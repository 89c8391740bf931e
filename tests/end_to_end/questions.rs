//! `ask`: the verdict in words, who voted what, and an exit code that a script can use.

use quorate_tests::{
    cluster::Cluster,
    process::{command, run},
};

fn exit_code(cluster: &Cluster, expression: &str) -> (Option<i32>, String) {
    let output = cluster.ask(&["ask", expression]);
    let printed =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), printed)
}

#[test]
fn true_is_zero_false_is_one_and_anything_else_is_two() {
    let mut cluster = Cluster::start();
    let _workers = cluster.honest_workers(&["ada", "bea", "cai"]);
    for (expression, code, says) in [
        ("2 * 2 * 2 * 2 == 16", 0, "true"),
        ("2 + 2 == 5", 1, "false"),
        ("16*atan(1/5) - 4*atan(1/239) == pi", 2, "agrees to"),
        ("9^9^9^9 == 1", 2, "refused"),
        ("1 / 0 == 1", 2, "refused"),
        ("6 * 7", 2, "42"),
        ("for n in 1..=1000: n^5 % 30 == n % 30", 0, "true"),
        ("for n in 0..=1000: is_prime(n^2 + n + 41)", 1, "smallest counterexample 40"),
    ] {
        let (actual, printed) = exit_code(&cluster, expression);
        assert_eq!(actual, Some(code), "{expression}: {printed}");
        assert!(
            printed.lines().next().is_some_and(|answer| answer.contains(says)),
            "{expression}: {printed}"
        );
        assert!(printed.contains("agrees") && printed.contains("operator"), "who voted what: {printed}");
    }
}

#[test]
fn a_malformed_expression_is_shown_with_a_caret_and_asked_of_nobody() {
    let (cluster, expression) = (Cluster::start(), "2 * == 16");
    let (code, printed) = exit_code(&cluster, expression);
    assert_eq!(code, Some(2));
    assert!(printed.contains(expression) && printed.contains('^'), "{printed}");
}

#[test]
fn without_a_coordinator_an_embedded_cluster_answers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut ask = command("coordinator");
    ask.args(["ask", "2 * 2 * 2 * 2 == 16"]).env("HOME", folder.path()).current_dir(folder.path());
    let output = run(&mut ask);
    assert_eq!(output.status.code(), Some(0));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("embedded cluster of 3 workers"), "{errors}");
}
