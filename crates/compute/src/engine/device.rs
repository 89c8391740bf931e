//! The name of the processor, as it stands in ballots.

use std::sync::OnceLock;

use protocol::limits::NAME_BYTES_MAX;

/// What this machine computes on: the processor's model where the system tells it, else its architecture.
/// It is read once: ballots are many.
pub fn processor_name() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(read_processor_name).clone()
}

fn read_processor_name() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model_name(&text));
    let mut name = told.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
    name
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    let name = line.split_once(':')?.1.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_name_is_read_with_single_spaces() {
        let text = "processor\t: 0\nmodel name\t: Some  CPU @ 2 GHz\nflags\t: x\n";
        assert_eq!(model_name(text).as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(model_name("nothing"), None);
    }

    #[test]
    fn a_machine_always_has_a_name_within_the_limit() {
        let name = processor_name();
        assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX);
    }
}
