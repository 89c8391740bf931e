//! What a user fixes of the worlds; whatever is left open is drawn anew for each of them, within bounds.

use protocol::limits::REPLICAS_MAX;

/// Most nodes in a world.
pub const NODES_MAX: u32 = 1000;
/// Most nodes of a world whose size is drawn.
pub const NODES_DRAWN_MAX: u32 = 12;

/// What goes wrong beside the faulty workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Faults {
    /// Nothing: every message arrives, soon, once and in order.
    None,
    /// Messages are lost, doubled, delayed and reordered; workers are cut off, one way or both.
    Network,
    /// That, and workers crash, restart and stall, and the coordinator's clock jumps.
    All,
}

impl Faults {
    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Network => "network",
            Self::All => "all",
        }
    }
}

/// What the worlds have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// How many workers; drawn from 3 to [`NODES_DRAWN_MAX`] where it is left open.
    pub nodes: Option<u32>,
    /// How many of them are faulty; drawn from none to `tolerate` where it is left open.
    pub faulty: Option<u32>,
    /// How many faulty ones the policy is to survive; where it is left open: `faulty`, as far as there are nodes for it,
    /// or drawn with it.
    pub tolerate: Option<u32>,
    /// Every worker is, with this probability, one of those that say the same lie; the policy is then one whose first
    /// replicas decide. It replaces `faulty`.
    pub collude: Option<f64>,
    /// How many replicas decide; where it is left open, a sample of 2 f + 1 or everybody, as it is drawn.
    pub replicas: Option<u32>,
    /// Every worker votes on every task, instead of a sample or whatever is drawn.
    pub everybody: bool,
    /// Where workers collude: whether those that are often wrong are put in quarantine, as they are elsewhere. Without it
    /// the rate of wrong verdicts is that of counting heads.
    pub quarantine: bool,
    /// What else goes wrong.
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: None,
            faulty: None,
            tolerate: None,
            collude: None,
            replicas: None,
            everybody: false,
            quarantine: false,
            faults: Faults::All,
        }
    }
}

/// How many faulty nodes `nodes` survive where a coordinator counts signed ballots: f < n / 2.
#[must_use]
pub fn tolerated_with_coordinator(nodes: u32) -> u32 {
    nodes.saturating_sub(1) / 2
}

/// How many faulty nodes `nodes` survive where they agree with no one to order their ballots: f < n / 3.
///
/// Pease, Shostak and Lamport, *Reaching Agreement in the Presence of Faults* (1980).
#[must_use]
pub fn tolerated_without_coordinator(nodes: u32) -> u32 {
    nodes.saturating_sub(1) / 3
}

/// What is wrong with the options.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OptionsFault {
    /// Nobody to ask, or too many.
    #[error("a world of {0} nodes cannot be; name 1 to {NODES_MAX}")]
    Nodes(u32),
    /// More faulty ones than there are.
    #[error("{faulty} of {nodes} nodes cannot be faulty; name at most {nodes}, or more nodes")]
    Faulty {
        /// How many were to be.
        faulty: u32,
        /// Of how many.
        nodes: u32,
    },
    /// No vote can be fair with so few nodes.
    #[error("{nodes} nodes cannot survive {tolerate} faulty ones; name at most {}, or at least {} nodes", tolerated_with_coordinator(*nodes), tolerate.saturating_mul(2).saturating_add(1))]
    Tolerate {
        /// How many were to be survived.
        tolerate: u32,
        /// With how many.
        nodes: u32,
    },
    /// More replicas than nodes.
    #[error(
        "{replicas} replicas of a task need as many nodes, and there are {nodes}; name 1 to {nodes} replicas"
    )]
    Replicas {
        /// How many replicas.
        replicas: u32,
        /// For how many nodes.
        nodes: u32,
    },
    /// No probability.
    #[error("a node cannot collude with probability {0}; name a number from 0 to 1")]
    Collude(f64),
    /// Both say who is faulty.
    #[error("--faulty and --collude both say who is faulty; name one of them")]
    FaultyAndCollude,
    /// Both say who is asked.
    #[error("a task cannot have {0} replicas and be voted on by every node; name one of them")]
    ReplicasAndEverybody(u32),
}

impl Options {
    /// Checks that such worlds can be.
    ///
    /// # Errors
    /// [`OptionsFault`] says what cannot, and what to do.
    pub fn check(&self) -> Result<(), OptionsFault> {
        if let Some(nodes) = self.nodes.filter(|nodes| !(1..=NODES_MAX).contains(nodes)) {
            return Err(OptionsFault::Nodes(nodes));
        }
        let nodes_most = self.nodes.unwrap_or(NODES_MAX);
        if let Some(faulty) = self.faulty.filter(|faulty| *faulty > nodes_most) {
            return Err(OptionsFault::Faulty { faulty, nodes: nodes_most });
        }
        if let Some(tolerate) = self.tolerate.filter(|f| *f > tolerated_with_coordinator(nodes_most)) {
            return Err(OptionsFault::Tolerate { tolerate, nodes: nodes_most });
        }
        let replicas_most = nodes_most.min(REPLICAS_MAX);
        if let Some(replicas) = self.replicas.filter(|replicas| !(1..=replicas_most).contains(replicas)) {
            return Err(OptionsFault::Replicas { replicas, nodes: replicas_most });
        }
        if let Some(collude) = self.collude.filter(|probability| !(0.0..=1.0).contains(probability)) {
            return Err(OptionsFault::Collude(collude));
        }
        if self.collude.is_some() && self.faulty.is_some() {
            return Err(OptionsFault::FaultyAndCollude);
        }
        match self.replicas {
            Some(replicas) if self.everybody => Err(OptionsFault::ReplicasAndEverybody(replicas)),
            _ => Ok(()),
        }
    }
}
