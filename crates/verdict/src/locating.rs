//! Locating a fault: two workers have summed the same series and disagree, and their traces are compared from the root down.
//!
//! The descent asks both the same question at a time, first for their trees, then for a node at which they differ, and goes on
//! to the half at which they differ. It ends at a node whose halves agree, or that has none: there a machine computed wrongly.
//! Then the dissenter alone computes that node again, and what comes out says what kind of fault it was. Answers are believed
//! only as far as they fit the commitments in the signed ballots. Who asks and waits is the driver; whoever does not answer
//! ends it.
//!
//! Nothing here decides anything: the verdict is there already, and the coordinator computes nothing.

use protocol::{
    codec,
    digest::Digest,
    limits::{TRACE_QUESTIONS_MAX, TRACE_TREES_MAX},
    message::{BlobName, BlobRequest},
    trace::{Fingerprint, TraceChild, TraceNode, TracePlace, TraceQuestion, TraceTop, read_answer},
};

pub use protocol::fault::{FaultClass, Parting};

/// The end of a descent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    /// Where.
    pub parting: Parting,
    /// What kind of fault; none where nothing was computed again.
    pub class: Option<FaultClass>,
    /// How many times somebody was asked and has answered, both together counted once.
    pub rounds: u32,
    /// How many bytes the questions and the answers had.
    pub bytes: u64,
}

/// Who is asked next, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Both; answers go to [`Descent::both_answered`].
    AskBoth(TraceQuestion),
    /// The dissenter; its answer goes to [`Descent::dissenter_answered`].
    AskDissenter(TraceQuestion),
    /// It is over.
    Over(Located),
}

/// A descent through two traces.
#[derive(Debug, Clone)]
pub struct Descent {
    /// What the ballots of the winner and of the dissenter commit to.
    commitments: [Digest; 2],
    stage: Stage,
    trees: u32,
    rounds: u32,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Top,
    /// At a node at which they differ, with what each said of it before.
    Node(TracePlace, [TraceChild; 2]),
    /// The node is found, with what each says of it.
    Found(TracePlace, [TraceChild; 2]),
    Over(Parting, Option<FaultClass>),
}

/// What does not fit, and whose.
enum Unfit {
    Winner,
    Dissenter,
}

impl Descent {
    /// A descent between the traces that the ballots of a winner and of a dissenter commit to.
    #[must_use]
    pub fn new(winner: Digest, dissenter: Digest) -> Self {
        Self { commitments: [winner, dissenter], stage: Stage::Top, trees: 0, rounds: 0, bytes: 0 }
    }

    /// What is to be done next.
    #[must_use]
    pub fn step(&self) -> Step {
        match self.stage {
            Stage::Top => Step::AskBoth(TraceQuestion::Top),
            Stage::Node(place, _) => Step::AskBoth(TraceQuestion::Node(place)),
            Stage::Found(place, _) => Step::AskDissenter(TraceQuestion::Again(place)),
            Stage::Over(parting, class) => {
                Step::Over(Located { parting, class, rounds: self.rounds, bytes: self.bytes })
            }
        }
    }

    /// Takes in what both said to [`Step::AskBoth`]; none of whoever did not answer.
    pub fn both_answered(&mut self, winner: Option<&[u8]>, dissenter: Option<&[u8]>) {
        self.count(2, [winner, dissenter].into_iter().flatten());
        let next = match (winner, dissenter) {
            (None, _) => Stage::Over(Parting::Unknown, None),
            (_, None) => Stage::Over(self.parting(), Some(FaultClass::Unanswered)),
            (Some(winner), Some(dissenter)) => {
                let next = match self.stage {
                    Stage::Top => self.trees(winner, dissenter),
                    Stage::Node(place, known) => node(place, known, winner, dissenter),
                    over @ (Stage::Found(..) | Stage::Over(..)) => Ok(over),
                };
                next.unwrap_or_else(|unfit| match unfit {
                    Unfit::Winner => Stage::Over(Parting::Unknown, None),
                    Unfit::Dissenter => Stage::Over(self.parting(), Some(FaultClass::Dishonest)),
                })
            }
        };
        let is_endless = self.rounds >= TRACE_QUESTIONS_MAX && !matches!(next, Stage::Over(..));
        self.stage = if is_endless { Stage::Over(self.parting(), None) } else { next };
    }

    /// Takes in what the dissenter said to [`Step::AskDissenter`], if it did.
    pub fn dissenter_answered(&mut self, answer: Option<&[u8]>) {
        self.count(1, answer.into_iter());
        let Stage::Found(_, children) = self.stage else { return };
        let [right, wrong] = children.map(|child| child.fingerprint);
        let class = match answer.map(read_answer::<Fingerprint>) {
            None => FaultClass::Unanswered,
            Some(Ok(again)) if again == right => FaultClass::Transient,
            Some(Ok(again)) if again == wrong => FaultClass::Deterministic,
            Some(Ok(_) | Err(_)) => FaultClass::Dishonest,
        };
        self.stage = Stage::Over(self.parting(), Some(class));
    }

    /// Counts a question to so many, and the answers.
    fn count<'a>(&mut self, asked: u64, answers: impl Iterator<Item = &'a [u8]>) {
        self.rounds += 1;
        if let Step::AskBoth(question) | Step::AskDissenter(question) = self.step() {
            let blob = BlobName::Trace(self.commitments[0], question);
            self.bytes += asked * codec::encode(&BlobRequest { blob, offset: 0 }).len() as u64;
        }
        self.bytes += answers.map(|answer| answer.len() as u64).sum::<u64>();
    }

    /// Where they part, as far as it is known.
    fn parting(&self) -> Parting {
        match self.stage {
            Stage::Top => Parting::Unknown,
            Stage::Node(place, children) | Stage::Found(place, children) => {
                Parting::Node { place, trees: self.trees, digests: children.map(|child| child.digest) }
            }
            Stage::Over(parting, _) => parting,
        }
    }

    fn trees(&mut self, winner: &[u8], dissenter: &[u8]) -> Result<Stage, Unfit> {
        let read = |bytes, commitment| {
            let top = read_answer::<TraceTop>(bytes).ok().filter(|top| top.trees.len() <= TRACE_TREES_MAX);
            top.filter(|top| top.commitment() == Some(commitment))
        };
        let [right, wrong] = self.commitments;
        let right = read(winner, right).ok_or(Unfit::Winner)?;
        let wrong = read(dissenter, wrong).ok_or(Unfit::Dissenter)?;
        // At most some dozens, as was looked at above.
        self.trees = u32::try_from(right.trees.len()).unwrap_or(u32::MAX);
        let names = |top: &TraceTop| -> Vec<_> {
            top.trees.iter().map(|tree| (tree.identity, tree.from, tree.to)).collect()
        };
        if names(&right) != names(&wrong) {
            return Ok(Stage::Over(Parting::Unknown, None));
        }
        let mut pairs = (0..).zip(right.trees.iter().zip(&wrong.trees));
        let parted = pairs.find(|(_, (right, wrong))| right.root.fingerprint != wrong.root.fingerprint);
        Ok(match parted {
            None => Stage::Over(Parting::AfterTheSeries, None),
            Some((tree, (right, wrong))) => {
                Stage::Node(TracePlace { tree, from: right.from, to: right.to }, [right.root, wrong.root])
            }
        })
    }
}

/// What both say of a node at which they differ.
fn node(place: TracePlace, known: [TraceChild; 2], winner: &[u8], dissenter: &[u8]) -> Result<Stage, Unfit> {
    let read = |bytes, known: TraceChild| {
        let node = read_answer::<TraceNode>(bytes).ok()?;
        let is_inside = |middle: u64| place.from < middle && middle < place.to;
        let is_place = (node.from, node.to) == (place.from, place.to);
        let is_sound = is_place && node.halves.is_none_or(|halves| is_inside(halves.middle));
        (is_sound && node.as_child() == known).then_some(node)
    };
    let right = read(winner, known[0]).ok_or(Unfit::Winner)?;
    let wrong = read(dissenter, known[1]).ok_or(Unfit::Dissenter)?;
    let found = Stage::Found(place, known);
    // A worker that went on from a checkpoint knows nothing of what was below it.
    let (Some(rights), Some(wrongs)) = (right.halves, wrong.halves) else { return Ok(found) };
    if rights.middle != wrongs.middle {
        // The same engine cuts the same series in the same way.
        return Err(Unfit::Dissenter);
    }
    let middle = rights.middle;
    Ok(if rights.left.fingerprint != wrongs.left.fingerprint {
        Stage::Node(TracePlace { to: middle, ..place }, [rights.left, wrongs.left])
    } else if rights.right.fingerprint != wrongs.right.fingerprint {
        Stage::Node(TracePlace { from: middle, ..place }, [rights.right, wrongs.right])
    } else {
        found
    })
}
