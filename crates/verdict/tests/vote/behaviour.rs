//! The ways in which a worker of a test is honest, broken or lying, as it computes and as it audits.

/// How a worker behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Honest,
    /// Says the same wrong digest as every other worker with this number.
    Lies(u8),
    Silent,
    Equivocates,
    Fails,
    /// On a sealed task, commits to what it committed to first, and reveals what is true.
    Replays,
    /// On a sealed task, commits to the last commitment that it could see of another worker, and reveals what is true.
    Copies,
    /// On a sealed task, commits and never reveals.
    CommitsOnly,
    /// On a sealed task, commits to one digest and reveals another.
    ChangesItsMind,
    /// On a sealed task, casts a ballot without a commitment.
    CastsOpenly,
    /// Computes rightly, except by the first of the task's formulas, which is broken alike in every such worker.
    WrongByFirstFormula,
    /// Computes rightly, and gives a witness that fails every audit.
    GivesBadWitness,
    /// Computes rightly, and never hands out what an audit needs.
    WithholdsEvidence,
}

/// How a worker audits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AsAuditor {
    Honest,
    PassesAll,
    RejectsAll,
    /// Says both.
    SaysBoth,
}
