//! Every package takes its lints, version, licence and dependencies' versions from the workspace.

use toml::{Table, Value};

use crate::complaint::{Complaint, settle};
use crate::repository;

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

fn own_ways(file: &str, manifest: &Table) -> Vec<Complaint> {
    let inherits = |value: Option<&Value>| {
        value.and_then(|value| value.get("workspace")).and_then(Value::as_bool).unwrap_or_default()
    };
    let mut complaints = Vec::new();
    if !inherits(manifest.get("lints")) {
        complaints.push(Complaint::new(file, 0, "add `[lints]` with `workspace = true`"));
    }
    let package = manifest.get("package");
    for key in INHERITED {
        if !inherits(package.and_then(|package| package.get(key))) {
            complaints.push(Complaint::new(file, 0, format!("write `{key}.workspace = true` in [package]")));
        }
    }
    if package
        .and_then(|package| package.get("description"))
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        complaints.push(Complaint::new(file, 0, "say in [package] what it is for: `description`"));
    }
    for (name, dependency) in dependencies(manifest) {
        if !inherits(Some(dependency)) {
            let message = format!(
                "`{name}` has a version of its own; move it to [workspace.dependencies] in the root's Cargo.toml and \
                 write `{name}.workspace = true` here"
            );
            complaints.push(Complaint::new(file, 0, message));
        }
    }
    complaints
}

/// All dependencies of all kinds, those for one platform included.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &Value)> {
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let holders = std::iter::once(manifest).chain(platforms.filter_map(Value::as_table));
    holders.flat_map(|holder| DEPENDENCIES.iter().filter_map(|kind| holder.get(*kind)?.as_table()).flatten())
}

fn manifest(file: &str) -> Table {
    repository::page(file).parse().unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The folders of the workspace's members.
pub(crate) fn members() -> Vec<String> {
    let root = manifest("Cargo.toml");
    let members =
        root.get("workspace").and_then(|workspace| workspace.get("members")).and_then(Value::as_array);
    let members = members.expect("the root's Cargo.toml lists its members");
    members.iter().map(|member| member.as_str().expect("a member is a path").to_owned()).collect()
}

/// The version that all members share.
pub(crate) fn version() -> String {
    let root = manifest("Cargo.toml");
    let package = root.get("workspace").and_then(|workspace| workspace.get("package"));
    package
        .and_then(|package| package.get("version")?.as_str())
        .expect("the workspace has a version")
        .to_owned()
}

#[test]
fn packages_take_lints_versions_and_licence_from_the_workspace() {
    let files = members().into_iter().map(|member| format!("{member}/Cargo.toml"));
    settle("manifests", files.flat_map(|file| own_ways(&file, &manifest(&file))));
}

#[test]
fn every_package_is_a_member_of_the_workspace() {
    let members = members();
    let outside = repository::files_under("", "/Cargo.toml").into_iter().filter(|file| {
        // libFuzzer's entries need a nightly toolchain, and are a workspace of their own.
        let folder = file.trim_end_matches("/Cargo.toml");
        folder != "fuzz/libfuzzer" && !members.iter().any(|member| member == folder)
    });
    let message = "add this package to [workspace] members in the root's Cargo.toml";
    settle("members", outside.map(|file| Complaint::new(file, 0, message)));
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\ndescription = \"A\"\nversion.workspace = true\nedition.workspace = true\n\
         rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n[lints]\nworkspace = true\n\
         [dependencies]\nserde.workspace = true\n[dev-dependencies]\nserde = { workspace = true, features = [\"a\"] }\n";

    fn messages(text: &str) -> Vec<String> {
        own_ways("a/Cargo.toml", &text.parse().unwrap())
            .into_iter()
            .map(|complaint| complaint.message)
            .collect()
    }

    #[test]
    fn a_package_that_inherits_everything_is_fine() {
        assert_eq!(messages(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_is_not_inherited_is_caught() {
        assert!(messages(&GOOD.replace("[lints]\nworkspace = true", ""))[0].contains("[lints]"));
        for key in INHERITED {
            let found = messages(&GOOD.replace(&format!("\n{key}.workspace = true"), ""));
            assert!(found.len() == 1 && found[0].contains(key), "{key}: {found:?}");
        }
        assert!(
            messages(&GOOD.replace("license.workspace = true", "license = \"GPL-3.0\""))[0]
                .contains("license")
        );
        assert!(
            messages(&GOOD.replace("description = \"A\"", "description = \"\""))[0].contains("description")
        );
    }

    #[test]
    fn a_version_outside_of_the_workspaces_table_is_caught() {
        for line in [
            "[dependencies.rand]\nversion = \"0.9\"",
            "[build-dependencies]\nrand = \"0.9\"",
            "[target.'cfg(unix)'.dependencies]\nrand = { version = \"0.9\" }",
        ] {
            let found = messages(&format!("{GOOD}{line}\n"));
            assert!(found.len() == 1 && found[0].contains("`rand`"), "{line}: {found:?}");
        }
    }
}
