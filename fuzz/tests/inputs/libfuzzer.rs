//! That libFuzzer knows the same targets.

use toml::{Table, Value};

#[test]
fn libfuzzer_has_an_entry_for_every_target() {
    let manifest: Table = include_str!("../../libfuzzer/Cargo.toml").parse().expect("a manifest");
    let entries = manifest.get("bin").and_then(Value::as_array).expect("a list of binaries");
    let entries: Vec<&str> = entries.iter().filter_map(|entry| entry.get("name")?.as_str()).collect();
    let targets: Vec<&str> = fuzz::targets::ALL.iter().map(|target| target.name).collect();
    assert_eq!(entries, targets);
}
