//! What a rule says about a place, and the few exceptions that are granted.

use std::fmt;

/// One violation: where it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Complaint {
    /// A file of the repository (with `/`), or the name of a package.
    pub(crate) place: String,
    /// The line, from 1; 0 if the whole file or package is meant.
    pub(crate) line: usize,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl Complaint {
    pub(crate) fn new(place: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { place: place.into(), line, message: message.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.place, self.message),
            line => write!(formatter, "{}:{line}: {}", self.place, self.message),
        }
    }
}

/// A place where a rule does not hold, on purpose.
pub(crate) struct Exception {
    /// The name that the rule's test gives to [`settle`].
    pub(crate) rule: &'static str,
    pub(crate) place: &'static str,
    /// Why it must be so; shown when nothing needs the exception any more.
    pub(crate) reason: &'static str,
}

/// Every exception in force. Keep it short: most complaints are right.
pub(crate) const EXCEPTIONS: &[Exception] = &[];

/// Fails the test with everything that is left of `complaints` after the exceptions to `rule`.
pub(crate) fn settle(rule: &'static str, complaints: impl IntoIterator<Item = Complaint>) {
    let complaints: Vec<Complaint> = complaints.into_iter().collect();
    if let Err(report) = judge(rule, &complaints, EXCEPTIONS) {
        panic!("{report}");
    }
}

fn judge(rule: &str, complaints: &[Complaint], exceptions: &[Exception]) -> Result<(), String> {
    let granted: Vec<&Exception> = exceptions.iter().filter(|exception| exception.rule == rule).collect();
    let mut lines: Vec<String> = granted
        .iter()
        .filter(|exception| !complaints.iter().any(|complaint| complaint.place == exception.place))
        .map(|exception| {
            let Exception { place, reason, .. } = exception;
            format!("{place}: nothing needs this exception any more; remove it from EXCEPTIONS ({reason})")
        })
        .collect();
    lines.extend(
        complaints
            .iter()
            .filter(|complaint| !granted.iter().any(|exception| exception.place == complaint.place))
            .map(ToString::to_string),
    );
    if lines.is_empty() {
        Ok(())
    } else {
        Err(format!("{rule}: {} found\n  {}", lines.len(), lines.join("\n  ")))
    }
}

#[test]
fn a_complaint_fails_its_rule_unless_an_exception_names_the_place() {
    let complaint = || vec![Complaint::new("a.rs", 3, "shorten it")];
    let exception = |rule, place| [Exception { rule, place, reason: "generated" }];
    assert_eq!(judge("length", &complaint(), &[]).unwrap_err(), "length: 1 found\n  a.rs:3: shorten it");
    assert!(judge("length", &complaint(), &exception("length", "a.rs")).is_ok());
    assert!(judge("length", &complaint(), &exception("length", "b.rs")).is_err());
    assert!(judge("length", &complaint(), &exception("purity", "a.rs")).is_err());
}

#[test]
fn an_exception_that_nothing_needs_fails() {
    let exceptions = [Exception { rule: "length", place: "a.rs", reason: "generated" }];
    assert!(judge("length", &[], &exceptions).unwrap_err().contains("remove it from EXCEPTIONS (generated)"));
    assert!(judge("purity", &[], &exceptions).is_ok());
}
