//! `scripts/setup` on machines that lack this or that, played by a folder of stubs: each stub notes how it was called,
//! and a stubbed package manager puts what it "installs" into the folder.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::repository;

/// What the script and the stubs need of any machine.
const ALWAYS_THERE: &[&str] = &["sh", "sed", "mktemp", "rm", "dirname", "env", "cp", "true"];

struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// A Linux machine that has everything, and no package manager; user 0 is root.
    fn new(user: u32) -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(machine.bin()).unwrap();
        fs::create_dir(machine.drivers()).unwrap();
        for program in ALWAYS_THERE {
            let real = ["/bin", "/usr/bin"]
                .iter()
                .map(|folder| Path::new(folder).join(program))
                .find(|path| path.exists());
            symlink(real.expect("the machine has the basic programs"), machine.bin().join(program)).unwrap();
        }
        machine.stub("uname", "echo Linux");
        machine.stub("id", &format!("echo {user}"));
        for tool in ["cc", "make", "m4", "diff"] {
            machine.stub(tool, "exit 0");
        }
        machine.stub("cargo", "echo 'cargo 1.999.0 (0000000 2030-01-01)'");
        fs::write(machine.drivers().join("lvp_icd.x86_64.json"), "{}").unwrap();
        machine
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    fn drivers(&self) -> PathBuf {
        self.folder.path().join("icd.d")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A shell writes the file: written here, it could still be open in a child of another thread when it is started.
    fn stub(&self, name: &str, body: &str) {
        let script = "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod +x \"$1\"";
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script, "stub"]).arg(self.bin().join(name)).arg(body);
        assert!(shell.status().unwrap().success(), "the stub of {name} cannot be written");
    }

    fn lacks(self, tool: &str) -> Self {
        fs::remove_file(self.bin().join(tool)).unwrap();
        self
    }

    fn lacks_lavapipe(self) -> Self {
        fs::remove_file(self.drivers().join("lvp_icd.x86_64.json")).unwrap();
        self
    }

    /// Adds a package manager that notes its call and then runs `effect`.
    fn has(self, manager: &str, effect: &str) -> Self {
        let log = self.folder.path().join("log");
        self.stub(manager, &format!("echo \"{manager} $*\" >>'{}'\n{effect}", log.display()));
        self
    }

    /// The shell commands with which a stub makes `tool` appear.
    fn gives(&self, tool: &str) -> String {
        let (bin, drivers) = (self.bin(), self.drivers());
        match tool {
            "lavapipe" => format!("echo '{{}}' >'{}'", drivers.join("lvp_icd.json").display()),
            _ => format!("cp '{}' '{}'", bin.join("uname").display(), bin.join(tool).display()),
        }
    }

    fn setup(&self, purpose: &str) -> Answer {
        let output = Command::new("/bin/sh")
            .arg(repository::root().join("scripts/setup"))
            .arg(purpose)
            .env_clear()
            .env("PATH", self.bin())
            .env("TMPDIR", self.folder.path())
            .env("QUORATE_ICD_DIRS", self.drivers())
            .output()
            .unwrap();
        Answer::from(&output)
    }
}

/// What the script said: remarks on its error stream, the one line to type on its output.
#[derive(Debug)]
struct Answer {
    succeeded: bool,
    to_type: String,
    remarks: String,
}

impl Answer {
    fn from(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            succeeded: output.status.success(),
            to_type: text(&output.stdout).trim_end().to_owned(),
            remarks: text(&output.stderr),
        }
    }
}

const APT_M4: &str = "apt-get install -y --no-install-recommends m4\n";

#[test]
fn a_machine_that_has_everything_is_not_touched() {
    for purpose in ["build", "test"] {
        let machine = Machine::new(0).has("apt-get", "exit 1").has("sudo", "exit 1").has("rustup", "exit 1");
        let answer = machine.setup(purpose);
        assert!(answer.succeeded, "{answer:?}");
        assert_eq!((answer.to_type.as_str(), answer.remarks.as_str(), machine.log().as_str()), ("", "", ""));
    }
}

#[test]
fn root_gets_what_is_missing_without_refreshing_lists_that_work() {
    let machine = Machine::new(0).lacks("m4");
    let gives = machine.gives("m4");
    let machine = machine.has("apt-get", &gives);
    let answer = machine.setup("build");
    assert!(answer.succeeded, "{answer:?}");
    assert!(answer.remarks.contains("this machine lacks m4; installing: "), "{answer:?}");
    assert_eq!(machine.log(), APT_M4);
}

#[test]
fn missing_package_lists_are_refreshed_and_the_installation_is_tried_again() {
    let machine = Machine::new(0).lacks("m4");
    let lists = machine.folder.path().join("lists").display().to_string();
    let gives = machine.gives("m4");
    let effect =
        format!("case $1 in update) : >'{lists}' ;; install) [ -e '{lists}' ] || exit 100; {gives} ;; esac");
    let machine = machine.has("apt-get", &effect);
    let answer = machine.setup("build");
    assert!(answer.succeeded, "{answer:?}");
    assert_eq!(machine.log(), format!("{APT_M4}apt-get update\n{APT_M4}"));
}

#[test]
fn sudo_is_used_only_where_it_asks_for_no_password() {
    let machine = Machine::new(1000).lacks("m4");
    let gives = machine.gives("m4");
    let machine = machine.has("apt-get", &gives).has("sudo", "[ \"$1\" = -n ] && shift && exec \"$@\"");
    let answer = machine.setup("build");
    assert!(answer.succeeded, "{answer:?}");
    assert!(machine.log().ends_with(APT_M4), "{}", machine.log());

    let asks = Machine::new(1000).lacks("m4").has("apt-get", "exit 1").has("sudo", "exit 1");
    let answer = asks.setup("build");
    assert!(!answer.succeeded, "{answer:?}");
    assert_eq!(answer.to_type, "sudo apt-get update && sudo apt-get install -y m4");
    assert_eq!(asks.log(), "sudo -n true\n", "nothing was installed");
}

#[test]
fn a_user_who_may_not_install_is_told_the_one_line() {
    for (manager, line) in [
        ("apt-get", "apt-get update && apt-get install -y m4 mesa-vulkan-drivers"),
        ("dnf", "dnf install -y m4 mesa-vulkan-drivers vulkan-loader"),
        ("pacman", "pacman -Syu --needed m4 vulkan-swrast vulkan-icd-loader"),
    ] {
        let machine = Machine::new(1000).lacks("m4").lacks_lavapipe().has(manager, "exit 1");
        let answer = machine.setup("test");
        assert!(!answer.succeeded && answer.remarks.contains("type this line as root"), "{answer:?}");
        assert!(answer.remarks.contains("m4, Mesa's Vulkan driver (lavapipe)"), "{answer:?}");
        assert_eq!(answer.to_type, line);
        assert_eq!(machine.log(), "");
    }
}

#[test]
fn each_package_manager_is_called_in_its_own_way() {
    for (manager, user, call) in [
        ("dnf", 0, "dnf install -y m4\n"),
        ("pacman", 0, "pacman -S --needed --noconfirm m4\n"),
        ("brew", 501, "brew install m4\n"),
    ] {
        let machine = Machine::new(user).lacks("m4");
        let gives = machine.gives("m4");
        let machine = machine.has(manager, &gives);
        let answer = machine.setup("build");
        assert!(answer.succeeded, "{answer:?}");
        assert_eq!(machine.log(), call);
    }
}

#[test]
fn the_vulkan_driver_is_wanted_for_tests_only_and_never_on_macos() {
    let without = || Machine::new(1000).lacks_lavapipe().has("apt-get", "exit 1");
    assert!(without().setup("build").succeeded);
    assert!(!without().setup("test").succeeded);
    let machine = without();
    machine.stub("uname", "echo Darwin");
    assert!(machine.setup("test").succeeded);
}

const PEERS: &[&str] = &["python3", "redis-server", "etcd", "nats-server"];

#[test]
fn what_quorate_is_measured_against_is_wanted_for_that_only() {
    let without = || Machine::new(1000).has("apt-get", "exit 1");
    assert!(without().setup("build").succeeded);
    let answer = without().setup("peers");
    assert!(!answer.succeeded && answer.remarks.contains("Redis, etcd, NATS's server"), "{answer:?}");
    assert_eq!(
        answer.to_type,
        "apt-get update && apt-get install -y python3 python3-venv redis-server etcd-server nats-server"
    );

    let machine = without();
    for program in PEERS {
        machine.stub(program, "exit 0");
    }
    let answer = machine.setup("peers");
    assert!(answer.succeeded, "{answer:?}");
    assert_eq!(machine.log(), "");
}

#[test]
fn a_python_that_is_too_old_or_has_no_venv_counts_as_missing() {
    let machine = Machine::new(1000).has("dnf", "exit 1");
    for program in PEERS {
        machine.stub(program, "exit 0");
    }
    machine.stub("python3", "exit 1");
    let answer = machine.setup("peers");
    assert!(
        !answer.succeeded
            && answer.remarks.contains("lacks Python 3.11 or newer with venv, and no package manager"),
        "{answer:?}"
    );
}

#[test]
fn a_driver_that_gets_installed_is_found() {
    let machine = Machine::new(0).lacks_lavapipe();
    let gives = machine.gives("lavapipe");
    let machine = machine.has("apt-get", &gives);
    let answer = machine.setup("test");
    assert!(answer.succeeded, "{answer:?}");
    assert_eq!(machine.log(), "apt-get install -y --no-install-recommends mesa-vulkan-drivers\n");
}

#[test]
fn homebrew_is_never_run_as_root() {
    let machine = Machine::new(0).lacks("m4").has("brew", "exit 1");
    let answer = machine.setup("build");
    assert!(!answer.succeeded && answer.remarks.contains("as a user who is not root"), "{answer:?}");
    assert_eq!((answer.to_type.as_str(), machine.log().as_str()), ("brew install m4", ""));
}

#[test]
fn macos_without_a_compiler_is_sent_to_its_command_line_tools() {
    let machine = Machine::new(501).lacks("cc").lacks("m4").has("brew", "exit 1");
    machine.stub("uname", "echo Darwin");
    let answer = machine.setup("build");
    assert!(!answer.succeeded, "{answer:?}");
    assert_eq!((answer.to_type.as_str(), machine.log().as_str()), ("xcode-select --install", ""));
}

#[test]
fn a_compiler_that_cannot_link_counts_as_missing() {
    let machine = Machine::new(1000).has("apt-get", "exit 1");
    machine.stub("cc", "exit 1");
    let answer = machine.setup("build");
    assert!(answer.remarks.contains("lacks a C compiler that links"), "{answer:?}");
    assert_eq!(answer.to_type, "apt-get update && apt-get install -y gcc libc6-dev");
}

#[test]
fn homebrew_on_linux_is_not_asked_for_a_compiler_called_cc() {
    let machine = Machine::new(1000).lacks("cc").has("brew", "echo \"$PATH\"");
    let answer = machine.setup("build");
    assert!(!answer.succeeded && answer.remarks.contains("install it your way"), "{answer:?}");
    assert_eq!(machine.log(), "");
}

#[test]
fn an_installation_that_changes_nothing_is_a_failure() {
    let machine = Machine::new(0).lacks("m4").has("dnf", "exit 0");
    let answer = machine.setup("build");
    assert!(
        !answer.succeeded && answer.remarks.contains("still missing after the installation: m4"),
        "{answer:?}"
    );
    assert_eq!(answer.to_type, "dnf install -y m4");
}

#[test]
fn a_machine_without_any_package_manager_is_told_what_it_lacks() {
    let answer = Machine::new(0).lacks("m4").lacks("make").setup("build");
    assert!(
        !answer.succeeded && answer.remarks.contains("lacks make, m4, and no package manager"),
        "{answer:?}"
    );
}

#[test]
fn rust_that_is_missing_or_too_old_is_named_with_its_remedy() {
    let answer = Machine::new(1000).lacks("cargo").setup("build");
    assert!(!answer.succeeded && answer.remarks.contains("lacks cargo (Rust 1."), "{answer:?}");
    assert!(answer.to_type.contains("https://sh.rustup.rs"), "{answer:?}");

    let machine = Machine::new(1000).has("rustup", "exit 1");
    machine.stub("cargo", "echo 'cargo 1.9.0 (0000000 2016-01-01)'");
    let answer = machine.setup("build");
    assert!(!answer.succeeded && answer.remarks.contains("cargo is version 1.9.0"), "{answer:?}");
    assert_eq!(
        (answer.to_type.as_str(), machine.log().as_str()),
        ("rustup update stable && rustup default stable", "")
    );
}

#[test]
fn lints_and_formatting_are_wanted_for_tests_and_added_by_rustup() {
    let machine = Machine::new(1000).has("rustup", "exit 0");
    machine.stub("cargo", "[ \"$1\" = --version ] || exit 101\necho 'cargo 1.999.0'");
    assert!(machine.setup("build").succeeded);
    assert_eq!(machine.log(), "");
    assert!(machine.setup("test").succeeded);
    assert_eq!(machine.log(), "rustup component add clippy rustfmt\n");
}

#[test]
fn an_unknown_purpose_is_refused() {
    let answer = Machine::new(0).setup("everything");
    assert!(
        !answer.succeeded
            && answer.remarks.contains("usage: scripts/setup build|test|peers (got 'everything')")
    );
}
