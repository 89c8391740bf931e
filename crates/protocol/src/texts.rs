//! Many short texts as one: their bytes behind each other, and where each ends.
//!
//! A task holds a thousand expressions of a few bytes each. As strings of their own they would cost an allocation each,
//! wherever a task is made, encoded, decoded and dropped; like this they cost two for all of them. The encoding is that
//! of a list of strings.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, SeqAccess, Visitor},
    ser::SerializeSeq,
};

/// A list of texts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    joined: String,
    /// Where each text ends in `joined`.
    ends: Vec<usize>,
}

impl Texts {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all of them together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.joined.len()
    }

    /// The text with this number, from 0.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.joined.get(start..end)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let text = &self.joined[start..end];
            start = end;
            text
        })
    }

    /// Puts one behind the others.
    pub fn push(&mut self, text: &str) {
        self.joined.push_str(text);
        self.ends.push(self.joined.len());
    }
}

impl<'t> FromIterator<&'t str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'t str>>(list: I) -> Self {
        let mut texts = Self::default();
        for text in list {
            texts.push(text);
        }
        texts
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for text in self.iter() {
            list.serialize_element(text)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TextsVisitor)
    }
}

/// For so many texts, those of a long task, there is room at first.
const ROOM_TEXTS_MAX: usize = 8192;

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
        // What the list claims to hold takes little memory before it is there.
        let room = list.size_hint().unwrap_or(0).min(ROOM_TEXTS_MAX);
        let mut texts = Texts { joined: String::new(), ends: Vec::with_capacity(room) };
        while list.next_element_seed(Behind(&mut texts))?.is_some() {}
        Ok(texts)
    }
}

/// Reads one text behind those that are there.
struct Behind<'a>(&'a mut Texts);

impl<'de> DeserializeSeed<'de> for Behind<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Behind<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec;

    #[test]
    fn a_list_that_claims_more_than_it_holds_or_holds_no_texts_is_refused() {
        // A list of 2^32 - 1 texts, without any; a list of one number; a list of one text of the wrong bytes.
        for bytes in [&[0xdd, 0xff, 0xff, 0xff, 0xff][..], &[0x91, 5], &[0x91, 0xa1, 0xff]] {
            assert!(codec::decode::<Texts>("list", bytes, 100).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn texts_are_encoded_and_read_as_a_list_of_strings(list in prop::collection::vec("\\PC{0,40}", 0..40)) {
            let texts: Texts = list.iter().map(String::as_str).collect();
            prop_assert_eq!((texts.len(), texts.is_empty()), (list.len(), list.is_empty()));
            prop_assert_eq!(texts.bytes(), list.concat().len());
            prop_assert_eq!(texts.iter().collect::<Vec<_>>(), list.clone());
            let one_by_one: Vec<&str> = (0..list.len()).filter_map(|number| texts.get(number)).collect();
            prop_assert_eq!(one_by_one, list.clone());
            prop_assert_eq!(texts.get(list.len()), None);
            let bytes = codec::encode(&list);
            prop_assert_eq!(codec::encode(&texts), bytes.clone());
            prop_assert_eq!(codec::decode_canonical("list", &bytes, bytes.len()), Ok(texts));
            prop_assert_eq!(format!("{list:?}"), format!("{:?}", codec::decode::<Texts>("list", &bytes, bytes.len()).unwrap()));
        }
    }
}
