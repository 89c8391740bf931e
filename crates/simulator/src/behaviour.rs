//! How workers behave: one honest way, and the ways to be faulty that the vote must survive.

/// What a worker does with its leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Behaviour {
    /// Says the truth. It may still crash, stall or be cut off.
    Honest,
    /// Says a wrong digest of its own.
    LiesAlone,
    /// Says the wrong digest that all workers of this kind say.
    LiesTogether,
    /// Takes leases, and is never heard about them again.
    Silent,
    /// Keeps its leases alive for ever and never answers.
    Pretends,
    /// Says the truth and a lie for one replica.
    Equivocates,
    /// Waits for somebody else's ballot and says the same. Where ballots are sealed, it commits to what somebody else
    /// committed to.
    Copies,
    /// Says the truth, and sends old ballots again: its own, and those of others. Where ballots are sealed, it commits to
    /// what it committed to first.
    Replays,
    /// Puts wrong ballots, doubled ones, old ones, and ballots about what others were leased among good ones in a bundle.
    Mixes,
    /// Casts wrong ballots in the name of another worker.
    Forges,
    /// Says that it cannot run anything.
    Fails,
    /// Says the truth and hands out no outcome.
    Withholds,
    /// Computes with a device that is wrong in the same way wherever it is.
    Broken,
    /// Commits to a ballot and never reveals it; where ballots are not sealed, it never answers.
    Conceals,
}

impl Behaviour {
    /// Every way to be faulty, but for devices, which are drawn by themselves.
    pub const FAULTY: [Self; 12] = [
        Self::LiesAlone,
        Self::LiesTogether,
        Self::Silent,
        Self::Pretends,
        Self::Equivocates,
        Self::Copies,
        Self::Replays,
        Self::Mixes,
        Self::Forges,
        Self::Fails,
        Self::Withholds,
        Self::Conceals,
    ];

    /// What people are told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::LiesAlone => "lies alone",
            Self::LiesTogether => "lies together",
            Self::Silent => "is silent",
            Self::Pretends => "pretends to work",
            Self::Equivocates => "equivocates",
            Self::Copies => "copies",
            Self::Replays => "replays",
            Self::Mixes => "mixes good and bad",
            Self::Forges => "forges",
            Self::Fails => "fails",
            Self::Withholds => "withholds outcomes",
            Self::Conceals => "conceals its ballots",
            Self::Broken => "is broken",
        }
    }

    /// Whether it counts against the number of faulty workers.
    #[must_use]
    pub fn is_faulty(self) -> bool {
        self != Self::Honest
    }
}

/// What a faulty worker does when it is asked to audit what another computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AsAuditor {
    /// Says what it finds.
    Honest,
    /// Finds everything right.
    PassesAll,
    /// Finds everything wrong.
    RejectsAll,
    /// Finds lies right and the truth wrong.
    Inverts,
    /// Says both.
    SaysBoth,
}

impl AsAuditor {
    /// Every way to audit.
    pub const ALL: [Self; 5] =
        [Self::Honest, Self::PassesAll, Self::RejectsAll, Self::Inverts, Self::SaysBoth];
}

/// What a faulty worker gives when its outcome is to be audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AsProver {
    /// What it computed, and a proof of it.
    Honest,
    /// What it computed, and a proof that fails where one is asked for.
    GivesBadProof,
    /// Nothing.
    Withholds,
}

impl AsProver {
    /// Every way to be audited.
    pub const ALL: [Self; 3] = [Self::Honest, Self::GivesBadProof, Self::Withholds];
}
