//! The way back: a job as the text of a job file, so that programs submit what people submit.

use std::fmt::Write as _;

use super::{ExpressionSource, JobSpec, Work};
use crate::{
    adaptive::Adaptive,
    policy::{Auditing, Policy},
    series::{Hypergeometric, SeriesFormula, Summand},
};

impl JobSpec {
    /// The job as the text of a job file, every key with a value written out; [`JobSpec::parse`] reads the same job from it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: &str| {
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{key} = {value}");
        };
        line("name", &string(&self.name));
        if !self.description.is_empty() {
            line("description", &string(&self.description));
        }
        match &self.work {
            Work::Digits { constant, decimals } => {
                line("kind", "\"digits\"\n\n[digits]");
                line("constant", &string(&constant.to_string()));
                line("decimals", &decimals.to_string());
            }
            Work::HexDigits { constant, formula, after, digits, guard_bits } => {
                line("kind", "\"hex-digits\"\n\n[hex-digits]");
                line("constant", &string(constant.name()));
                line("formula", &string(formula.name()));
                line("after", &after.to_string());
                line("digits", &digits.to_string());
                line("guard_bits", &guard_bits.to_string());
            }
            Work::Series { formulas, decimals } => {
                line("kind", "\"series\"\n\n[series]");
                line("decimals", &decimals.to_string());
                let [first, second] = &**formulas;
                text.push_str(&formula_to_toml("first", first));
                text.push_str(&formula_to_toml("second", second));
            }
            Work::Expressions { agree_digits, batch, source } => {
                line("kind", "\"expressions\"\n\n[expressions]");
                match source {
                    ExpressionSource::Inline(expressions) => line("check", &list(expressions)),
                    ExpressionSource::File(path) => line("file", &string(path)),
                }
                line("agree_digits", &agree_digits.to_string());
                if let Some(batch) = batch {
                    line("batch", &batch.to_string());
                }
            }
        }
        text.push_str(&policy_to_toml(&self.policy));
        text
    }
}

/// A job file named `ask` that asks one expression, with every default. Whatever the expression is, the text is
/// valid TOML; whether the expression is one, [`JobSpec::parse`] says.
#[must_use]
pub fn ask_job_text(expression: &str) -> String {
    let check = string(expression);
    format!("name = \"ask\"\nkind = \"expressions\"\n\n[expressions]\ncheck = [{check}]\n")
}

fn formula_to_toml(name: &str, formula: &SeriesFormula) -> String {
    let SeriesFormula { times, root, inverts, summands } = formula;
    let mut text = format!("\n[series.{name}]\ntimes = \"{times}\"\nroot = {root}\ninverts = {inverts}\n");
    for Summand { times, series } in summands {
        let Hypergeometric { first, plus, p, q, a, b } = series;
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "\n[[series.{name}.sum]]\ntimes = \"{times}\"\nfirst = {first}\nplus = {plus}\np = \"{p}\"\nq = \"{q}\"\n\
             a = \"{a}\"\nb = \"{b}\"\n"
        );
    }
    text
}

fn policy_to_toml(policy: &Policy) -> String {
    let Policy { tolerate, quorum, replicas, max_replicas, distinct, electorate, sealed, lease_ms, auditing } =
        policy;
    let Auditing { mode, audit, adaptive } = auditing;
    let adaptive = adaptive.map_or_else(String::new, |Adaptive { faulty_ppm, error_ppt }| {
        format!("adaptive = true\nfaulty = {faulty_ppm}e-6\nerror = {error_ppt}e-12\n")
    });
    let axes: Vec<&str> = distinct.iter().map(|axis| axis.name()).collect();
    let electorate = electorate.name();
    format!(
        "\n[policy]\ntolerate = {tolerate}\nquorum = {quorum}\nreplicas = {replicas}\n\
         max_replicas = {max_replicas}\ndistinct = {}\nelectorate = \"{electorate}\"\nsealed = {sealed}\nlease = \"{lease_ms}ms\"\n\
         mode = \"{}\"\naudit = {audit}\n{adaptive}",
        list(&axes),
        mode.name()
    )
}

fn string(value: &str) -> String {
    toml::Value::from(value).to_string()
}

fn list(values: &[impl AsRef<str>]) -> String {
    let strings: Vec<String> = values.iter().map(|value| string(value.as_ref())).collect();
    format!("[{}]", strings.join(", "))
}
