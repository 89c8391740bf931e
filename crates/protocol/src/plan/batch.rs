//! A batch of expressions as the bytes of its task, straight from the text of the job: a long one is not gathered first.

use serde::{Serialize, Serializer, ser::SerializeSeq};

use super::{cut::Unit, source::Source, texts};
use crate::codec;

/// How long a text is guessed to be.
const GUESSED_TEXT_BYTES: usize = 24;

/// The canonical bytes of a unit's task. A test holds them equal to those of [`crate::task::Task::Expressions`].
pub(super) fn batch_bytes(source: &Source, unit: &Unit, agree_digits: u32) -> Vec<u8> {
    let expressions = Expressions { source, unit };
    // To look at all texts for their lengths would take longer than to move what is there once.
    let room = GUESSED_TEXT_BYTES * unit.expressions() as usize;
    codec::encode_with_room(&Task::Expressions { agree_digits, expressions }, room)
}

/// The task, as far as it is written here.
#[derive(Serialize)]
enum Task<'p> {
    Expressions { agree_digits: u32, expressions: Expressions<'p> },
}

/// The texts of a unit.
struct Expressions<'p> {
    source: &'p Source,
    unit: &'p Unit,
}

impl Serialize for Expressions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.unit.expressions() as usize))?;
        for text in texts(self.source, self.unit) {
            list.serialize_element(text)?;
        }
        list.end()
    }
}
