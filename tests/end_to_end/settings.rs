//! Settings in layers: what each layer says, which one is heard, and what is said about a file that cannot be used.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use quorate_tests::{
    cluster::Cluster,
    process::{Process, command, run},
};
use tempfile::TempDir;

/// One line of `--print-config`.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    setting: String,
    value: String,
    source: String,
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn written(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).expect("writable");
    path
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn printed(command: &mut Command) -> String {
    let output = run(command.arg("--print-config"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn rows(command: &mut Command) -> Vec<Row> {
    let printed = printed(command);
    let lines = printed.lines().skip_while(|line| !line.starts_with("setting")).skip(1);
    let row = |line: &str| {
        let columns: Vec<&str> =
            line.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
        let [setting, value, source] = columns[..] else { panic!("no row: {line}") };
        Row { setting: setting.to_owned(), value: value.to_owned(), source: source.to_owned() }
    };
    lines.map(row).collect()
}

fn row(setting: &str, value: &str, source: &str) -> Row {
    Row { setting: setting.to_owned(), value: value.to_owned(), source: source.to_owned() }
}

/// What a program says about a file, which ends it with the code.
fn refused(program: &str, path: &Path, code: i32) -> String {
    let output = run(command(program).arg("--print-config").arg("--config").arg(path));
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    said(&output)
}

#[test]
fn a_flag_goes_before_a_variable_before_the_file_before_the_default() {
    let folder = folder();
    let all = "[coordinator]\nlisten = \"127.0.0.1:1\"\nadvertise = \"file:1\"\nlog = \"error\"\n";
    let file = written(&folder, &format!("# Ours.\n{all}log_format = \"json\"\n"));
    let mut layers = command("coordinator");
    layers.args(["serve", "--listen", "127.0.0.1:3", "--suspicion", "12", "--config"]).arg(&file);
    layers.env("QUORATE_HEARTBEAT", "2s");
    layers.env("QUORATE_LISTEN", "127.0.0.1:2").env("QUORATE_ADVERTISE", "variable:2");
    layers.env("QUORATE_COORDINATOR_STATE_DIR", "there");
    let file = file.display();
    let expected = [
        row("listen", "127.0.0.1:3", "flag --listen"),
        row("advertise", "variable:2", "environment QUORATE_ADVERTISE"),
        row("heartbeat", "2s", "environment QUORATE_HEARTBEAT"),
        row("suspicion", "12", "flag --suspicion"),
        row("state_dir", "there", "environment QUORATE_COORDINATOR_STATE_DIR"),
        row("coordinator", "(none)", "default"),
        row("log_format", "json", &format!("file {file}:6")),
        row("log", "error", &format!("file {file}:5")),
    ];
    assert_eq!(rows(&mut layers), expected);
}

#[test]
fn a_cluster_runs_on_files_and_hears_what_is_louder() {
    let (cluster, folder) = (Cluster::start(), folder());
    let (token, state) = (cluster.token("alice", &[]), folder.path().join("worker"));
    let worker = format!(
        "[worker]\njoin = \"{token}\"\nname = \"filed\"\nthreads = 1\nstate_dir = '{}'\n",
        state.display()
    );
    let client = format!(
        "[coordinator]\ncoordinator = \"{}\"\nstate_dir = '{}'\n",
        cluster.address(),
        cluster.folder().join("coordinator").display()
    );
    let file = written(&folder, &(worker + &client));
    let mut process = Process::start(command("worker").arg("--config").arg(&file));
    process.wait_for("joined");
    assert!(state.exists());
    let (mut louder, elsewhere) = (command("worker"), folder.path().join("elsewhere"));
    louder
        .env("QUORATE_CONFIG", &file)
        .env("QUORATE_WORKER_NAME", "varied")
        .arg("--state-dir")
        .arg(&elsewhere);
    let mut second = Process::start(&mut louder);
    second.wait_for("joined");
    assert!(elsewhere.exists(), "the flag is heard, not the file");
    let workers = run(command("coordinator").arg("workers").env("QUORATE_CONFIG", &file));
    for name in ["filed", "varied"] {
        assert!(said(&workers).contains(name), "{}", said(&workers));
    }
}

#[test]
fn the_users_own_file_is_found_and_may_be_absent() {
    let home = folder();
    let ask = || {
        let mut ask = command("worker");
        ask.env_remove("QUORATE_CONFIG").env_remove("XDG_CONFIG_HOME").env("HOME", home.path());
        ask
    };
    let first = printed(&mut ask());
    let path = first.lines().next().and_then(|line| line.strip_prefix("configuration file: "));
    let path = Path::new(path.and_then(|line| line.strip_suffix(" (not there)")).expect("it names the file"));
    assert!(path.starts_with(home.path()) && path.ends_with("quorate/config.toml"), "{}", path.display());
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    std::fs::write(path, "[worker]\nname = \"home\"\n").expect("writable");
    assert!(rows(&mut ask()).contains(&row("name", "home", &format!("file {}:2", path.display()))));
    let without = rows(ask().env("QUORATE_CONFIG", ""));
    assert!(without.iter().all(|row| row.source == "default"), "an empty name means no file: {without:?}");
}

#[test]
fn everything_wrong_in_a_file_is_said_at_once_and_nothing_starts() {
    let folder = folder();
    let text = "[coordinator]\nlisten = \"nowhere\"\nlsten = \"127.0.0.1:1\"\nlog_format = \"xml\"\nlog = 5\n\n[worke]\n";
    let file = written(&folder, text);
    let output = run(command("coordinator").args(["serve", "--config"]).arg(&file));
    assert_eq!(output.status.code(), Some(2));
    let path = file.display();
    let expected = [
        "error: the configuration file cannot be used".to_owned(),
        format!(
            "{path}:2:10: `listen` is `nowhere`, which cannot be used: invalid socket address syntax; the default is \
             `127.0.0.1:7676`"
        ),
        format!("{path}:3:1: unknown key `lsten` in [coordinator]; did you mean `listen`?"),
        format!("{path}:4:14: `log_format` is `xml`, which cannot be used: it must be one of human, json"),
        format!("{path}:5:7: `log` must be a string, not a whole number; write \"warn\""),
        format!("{path}:7:2: unknown table [worke]; did you mean `worker`?"),
    ];
    assert_eq!(said(&output).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_worker_checks_its_own_table_and_leaves_the_other_to_the_coordinator() {
    let folder = folder();
    let file = written(&folder, "[coordinator]\nlsten = 1\n[worker]\nname = \"ada\"\n");
    assert!(rows(command("worker").arg("--config").arg(&file)).iter().any(|row| row.value == "ada"));
    let file = written(&folder, "threads = 2\n[worker]\nthreads = \"many\"\n");
    let said_of_types = refused("worker", &file, 2);
    let wrong = "3:11: `threads` must be a whole number, not a string; write it without quotes, as in 4";
    assert!(said_of_types.contains(wrong), "{said_of_types}");
    assert!(
        said_of_types.contains("1:1: `threads` stands outside of the tables; move it under"),
        "{said_of_types}"
    );
    let file = written(&folder, "[worker]\nthreads = 0\n");
    assert!(refused("worker", &file, 2).contains("2:11: `threads` is `0`, which cannot be used: "));
}

#[test]
fn a_file_that_is_missing_too_large_or_no_text_is_named_with_a_remedy() {
    let folder = folder();
    let missing = folder.path().join("no-such.toml");
    let told = refused("worker", &missing, 6);
    assert!(told.contains(&format!("cannot read the configuration file {}: ", missing.display())), "{told}");
    assert!(told.contains("--config or QUORATE_CONFIG names another"), "{told}");
    let by_variable = run(command("coordinator").args(["status"]).env("QUORATE_CONFIG", &missing));
    assert_eq!(by_variable.status.code(), Some(6), "{}", said(&by_variable));
    let large = written(&folder, &"#".repeat(64 * 1024 + 1));
    assert!(refused("worker", &large, 2).contains("more than 65536 bytes"));
    std::fs::write(&large, b"[worker]\nname = \"\xff\"\n").expect("writable");
    assert!(refused("coordinator", &large, 2).contains("not UTF-8 text (byte 17)"));
    let broken = written(&folder, "[worker\nname = \n");
    let told = refused("worker", &broken, 2);
    assert!(told.contains("config.toml:1:") && told.contains("not valid TOML: "), "{told}");
}

#[test]
fn a_token_is_never_shown_whole() {
    let (cluster, folder) = (Cluster::start(), folder());
    for (program, table, key, flag, variable, token) in [
        ("worker", "worker", "join", "--join", "QUORATE_JOIN", cluster.token("alice", &[])),
        (
            "coordinator",
            "coordinator",
            "coordinator",
            "--coordinator",
            "QUORATE_COORDINATOR",
            cluster.token("alice", &["--client"]),
        ),
    ] {
        let file = written(&folder, &format!("[{table}]\n{key} = \"{token}\"\n"));
        let bad = folder.path().join("bad.toml");
        std::fs::write(&bad, format!("[{table}]\n{key} = [\"{token}\"]\nnmae = 1\n")).expect("writable");
        let base = || {
            let mut base = command(program);
            base.args((program == "coordinator").then_some("status"));
            base
        };
        let shown = [
            printed(base().arg("--config").arg(&file)),
            printed(base().env(variable, &token)),
            printed(base().args([flag, &token])),
        ];
        for table in &shown {
            let beginning = format!("{}…", &token[..12]);
            assert!(table.contains(&beginning), "its beginning tells tokens apart: {table}");
        }
        let help = said(&run(base().arg("--help").env(variable, &token)));
        let told = said(&run(base().arg("--config").arg(&bad)));
        assert!(told.contains("must be a string, not a list"), "{told}");
        for text in shown.iter().chain([&help, &told]) {
            assert!(!text.contains(&token[12..24]), "{text}");
        }
    }
}

/// The file with its settings switched on, and the keys whose default depends on the machine.
fn switched_on(text: &str) -> (String, Vec<String>) {
    let (mut on, mut machines, mut is_example) = (String::new(), Vec::new(), false);
    for line in text.lines() {
        let setting =
            line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        if let Some((setting, key)) = setting.and_then(|rest| Some((rest, rest.split_once(" = ")?.0))) {
            if is_example {
                machines.push(key.to_owned());
            }
            on.push_str(setting);
        } else {
            on.push_str(line);
        }
        is_example = line.ends_with("For example:");
        on.push('\n');
    }
    (on, machines)
}

#[test]
fn the_default_file_has_every_setting_at_its_default() {
    let folder = folder();
    for program in ["coordinator", "worker"] {
        let output = run(command(program).arg("--print-default-config"));
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let defaults = rows(&mut command(program));
        let file = written(&folder, &text);
        assert_eq!(
            rows(command(program).arg("--config").arg(&file)),
            defaults,
            "as it stands it changes nothing"
        );
        let (on, machines) = switched_on(&text);
        let file = written(&folder, &on);
        let filed = rows(command(program).arg("--config").arg(&file));
        for (default, filed) in defaults.iter().zip(&filed) {
            assert!(filed.source.starts_with("file "), "`{}` is missing in config.toml", filed.setting);
            let depends = machines.contains(&filed.setting);
            assert!(
                depends || default.value == filed.value,
                "config.toml has another default: {default:?}, {filed:?}"
            );
        }
        assert_eq!(defaults.len(), filed.len());
    }
}

#[test]
fn the_page_about_settings_names_each_with_its_default() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    for program in ["coordinator", "worker"] {
        let (_, section) = page.split_once(&format!("## Settings of `{program}`")).expect("a section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let (_, machines) = switched_on(&said(&run(command(program).arg("--print-default-config"))));
        let rows = rows(&mut command(program));
        for Row { setting, value, .. } in &rows {
            let start = format!("| `--{}` | `QUORATE_", setting.replace('_', "-"));
            let line = section.lines().find(|line| line.starts_with(&start));
            let line = line.unwrap_or_else(|| panic!("docs/configuration.md has no line `{start}`"));
            let default = if machines.contains(setting) { " | " } else { &format!(" | `{value}` | ") };
            assert!(line.contains(&format!("` | `{setting}`, a ")) && line.contains(default), "{line}");
        }
        assert_eq!(section.lines().filter(|line| line.starts_with("| `--")).count(), rows.len(), "{program}");
    }
}

#[test]
fn asking_for_the_settings_asks_for_nothing_else() {
    for arguments in
        [&["--print-config"][..], &["submit", "--print-config"], &["token", "--print-default-config"]]
    {
        let output = run(command("coordinator").args(arguments));
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains("listen"), "{}", said(&output));
    }
    let output = run(&mut command("coordinator"));
    assert_eq!(output.status.code(), Some(2), "without it a command is needed: {}", said(&output));
}
