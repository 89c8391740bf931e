//! A witness as whoever computed has it: its words in parts, of which the long ones are the numbers themselves.
//!
//! Nearly all of a witness are a few numbers of millions of words that exist anyway. They are not copied: each becomes a part,
//! and the words between them are gathered into parts of their own. One after the other the parts are the bytes that
//! [`super::witness`] reads. A number never lies in two parts, but the word in front of it may lie in another one.

use rug::Integer;

/// Numbers of fewer words are copied: a part of its own costs more.
const OWN_PART_WORDS_MIN: usize = 512;

/// What an audit of digits needs beside them ([`crate::audit`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness(Vec<WitnessPart>);

/// Some of the bytes of a [`Witness`], where they lie.
#[derive(Debug, Clone)]
pub struct WitnessPart(Words);

#[derive(Debug, Clone)]
enum Words {
    Gathered(Vec<[u8; 8]>),
    /// The magnitude of a number.
    #[cfg(target_endian = "little")]
    Number(Integer),
}

impl Witness {
    /// Its parts, which one after the other are its bytes.
    #[must_use]
    pub fn into_parts(self) -> Vec<WitnessPart> {
        self.0
    }

    /// The bytes of its parts, in their order.
    #[must_use]
    pub fn pieces(&self) -> Vec<&[u8]> {
        self.0.iter().map(AsRef::as_ref).collect()
    }

    /// How many bytes it has.
    #[must_use]
    pub fn length_bytes(&self) -> u64 {
        self.pieces().iter().map(|piece| piece.len() as u64).sum()
    }

    /// A copy of all its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.pieces().concat()
    }
}

impl AsRef<[u8]> for WitnessPart {
    fn as_ref(&self) -> &[u8] {
        match &self.0 {
            Words::Gathered(words) => words.as_flattened(),
            #[cfg(target_endian = "little")]
            Words::Number(number) => {
                let limbs = number.as_limbs();
                // SAFETY: the words are plain, initialized memory for as long as the number is borrowed, bytes may lie anywhere, and
                // the length is that of the slice.
                unsafe { std::slice::from_raw_parts(limbs.as_ptr().cast(), size_of_val(limbs)) }
            }
        }
    }
}

impl PartialEq for WitnessPart {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for WitnessPart {}

/// Writes a witness.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    parts: Vec<WitnessPart>,
    gathered: Vec<[u8; 8]>,
}

impl Writer {
    pub(crate) fn field(&mut self, field: u64) {
        self.gathered.push(field.to_le_bytes());
    }

    /// Twice the count of words, one more for a negative number; then the words.
    pub(crate) fn long(&mut self, value: Integer) {
        let limbs = value.as_limbs();
        self.field(2 * limbs.len() as u64 + u64::from(value < 0));
        if limbs.len() < OWN_PART_WORDS_MIN {
            self.gathered.extend(limbs.iter().map(|limb| limb.to_le_bytes()));
        } else {
            self.close_part();
            self.parts.push(part_of(value));
        }
    }

    pub(crate) fn finish(mut self) -> Witness {
        self.close_part();
        Witness(self.parts)
    }

    fn close_part(&mut self) {
        if !self.gathered.is_empty() {
            self.parts.push(WitnessPart(Words::Gathered(std::mem::take(&mut self.gathered))));
        }
    }
}

/// The words of a number where they lie, without the room behind them.
#[cfg(target_endian = "little")]
fn part_of(mut value: Integer) -> WitnessPart {
    value.shrink_to_fit();
    WitnessPart(Words::Number(value))
}

/// The words of a number with their lowest bytes first.
#[cfg(not(target_endian = "little"))]
fn part_of(value: Integer) -> WitnessPart {
    WitnessPart(Words::Gathered(value.as_limbs().iter().map(|limb| limb.to_le_bytes()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_the_words_one_after_the_other_whether_they_were_copied_or_not() {
        let long = (Integer::from(3) << 64_000_u32) - 1_u32;
        let mut writer = Writer::default();
        writer.field(7);
        writer.long(long.clone());
        writer.long(Integer::from(-5));
        writer.long(-long.clone());
        let witness = writer.finish();
        let mut expected = vec![7];
        for number in [&long, &Integer::from(-5), &Integer::from(-&long)] {
            expected.push(2 * number.as_limbs().len() as u64 + u64::from(*number < 0));
            expected.extend(number.as_limbs());
        }
        let expected: Vec<u8> = expected.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!((witness.to_bytes(), witness.length_bytes()), (expected.clone(), expected.len() as u64));
        let lengths: Vec<usize> = witness.pieces().iter().map(|piece| piece.len() / 8).collect();
        assert_eq!(lengths, [2, 1001, 3, 1001]);
    }
}
