//! Reading one table of a job file strictly: each key that is there is known, each value has its type and its
//! bounds, and what is wrong is noted while the reading goes on.

use std::ops::{Range, RangeInclusive};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    errors::Faults,
    fault::{JobFileFault, did_you_mean, quoted},
};

/// The keys that a table may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    /// The table's name, with those of the tables around it; empty at the top.
    pub(super) table: &'static str,
    /// What is read.
    pub(super) known: &'static [&'static str],
}

impl Keys {
    /// The key of the table in the one around it.
    fn key(&self) -> &'static str {
        self.table.rsplit('.').next().unwrap_or(self.table)
    }
}

/// A value and the byte offset at which it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) offset: usize,
}

/// What reading one key came to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field<T> {
    /// The key is not there.
    Absent,
    /// The key is there and its value is of no use; that is noted already.
    Bad,
    /// The value.
    Good(Located<T>),
}

impl<T> Field<T> {
    pub(super) fn good(self) -> Option<Located<T>> {
        match self {
            Self::Good(located) => Some(located),
            Self::Absent | Self::Bad => None,
        }
    }

    pub(super) fn is_bad(&self) -> bool {
        matches!(self, Self::Bad)
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Reads further: `read` notes what is wrong and gives nothing then.
    pub(super) fn and_then<U>(self, read: impl FnOnce(T, usize) -> Option<U>) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Bad => Field::Bad,
            Self::Good(Located { value, offset }) => {
                read(value, offset).map_or(Field::Bad, |value| Field::Good(Located { value, offset }))
            }
        }
    }
}

/// The strings of a list.
#[derive(Debug)]
pub(super) struct Texts<'t> {
    pub(super) texts: Vec<Text<'t>>,
    /// Whether every element was a string; what was not is noted already.
    pub(super) are_all: bool,
}

/// A string and the bytes between which it is written, quotes included.
#[derive(Debug, Clone)]
pub(super) struct Text<'t> {
    pub(super) value: &'t str,
    pub(super) written: Range<usize>,
}

/// One table.
#[derive(Debug)]
pub(super) struct Section<'t> {
    keys: Keys,
    table: &'t DeTable<'t>,
    offset: usize,
}

impl<'t> Section<'t> {
    /// Opens a table, written at byte `offset`, and notes its unknown keys.
    pub(super) fn open(keys: Keys, table: &'t DeTable<'t>, offset: usize, faults: &mut Faults) -> Self {
        let section = Self { keys, table, offset };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !keys.known.contains(&name) {
                faults.push(key.span().start, section.unknown(name));
            }
        }
        section
    }

    fn unknown(&self, name: &str) -> JobFileFault {
        let help = did_you_mean(name, self.keys.known);
        JobFileFault::UnknownKey { key: quoted(name), place: self.place(), help }
    }

    fn place(&self) -> String {
        if self.keys.table.is_empty() { String::new() } else { format!(" in [{}]", self.keys.table) }
    }

    /// Where the table begins.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Where a key is written, or the table where it is not.
    pub(super) fn offset_of(&self, key: &str) -> usize {
        let place = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| match value.get_ref() {
            // A heading's span begins at its bracket, which is where people look.
            DeValue::Table(_) => key.span().start.min(value.span().start),
            _ => key.span().start,
        };
        self.table.get_key_value(key).map_or(self.offset, place)
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Notes that a key is missing, unless the text is broken, where it may only seem so.
    pub(super) fn missing(&self, key: &'static str, example: &'static str, faults: &mut Faults) {
        if !faults.is_broken() {
            faults.push(self.offset, JobFileFault::Missing { key, place: self.place(), example });
        }
    }

    /// A table inside this one.
    pub(super) fn table(&self, keys: Keys, faults: &mut Faults) -> Field<Section<'t>> {
        let Some(value) = self.table.get(keys.key()) else { return Field::Absent };
        let offset = self.offset_of(keys.key());
        match value.get_ref() {
            DeValue::Table(table) => {
                Field::Good(Located { value: Section::open(keys, table, offset, faults), offset })
            }
            other => {
                let found = type_of(other);
                let example = "a table: its name in brackets, then one key a line";
                let expected = "a table";
                faults.push(offset, JobFileFault::WrongType { key: keys.key(), expected, found, example });
                Field::Bad
            }
        }
    }

    /// A list of tables; what is no table is noted, and gives none.
    pub(super) fn tables(&self, keys: Keys, faults: &mut Faults) -> Field<Vec<Section<'t>>> {
        let example = "its name in double brackets, then one key a line";
        let read = self.read(keys.key(), "a list of tables", example, faults, |value| match value {
            DeValue::Array(elements) => {
                let tables = elements.iter().map(|element| match element.get_ref() {
                    DeValue::Table(table) => Some((table, element.span().start)),
                    _ => None,
                });
                tables.collect::<Option<Vec<_>>>()
            }
            _ => None,
        });
        read.and_then(|tables, _| {
            Some(
                tables
                    .into_iter()
                    .map(|(table, offset)| Section::open(keys, table, offset, faults))
                    .collect(),
            )
        })
    }

    /// A string.
    pub(super) fn string(
        &self,
        key: &'static str,
        example: &'static str,
        faults: &mut Faults,
    ) -> Field<&'t str> {
        self.read(key, "a string", example, faults, |value| match value {
            DeValue::String(text) => Some(&**text),
            _ => None,
        })
    }

    /// True or false.
    pub(super) fn boolean(
        &self,
        key: &'static str,
        example: &'static str,
        faults: &mut Faults,
    ) -> Field<bool> {
        self.read(key, "true or false", example, faults, |value| match value {
            DeValue::Boolean(value) => Some(*value),
            _ => None,
        })
    }

    /// A whole number within bounds.
    pub(super) fn integer(
        &self,
        key: &'static str,
        bounds: RangeInclusive<u64>,
        example: &'static str,
        faults: &mut Faults,
    ) -> Field<u64> {
        let read = self.read(key, "a whole number", example, faults, |value| match value {
            DeValue::Integer(number) => Some((number.as_str(), number.radix())),
            _ => None,
        });
        read.and_then(|(digits, radix), offset| {
            let number = u64::from_str_radix(digits, radix).ok().filter(|number| bounds.contains(number));
            if number.is_none() {
                let value =
                    if radix == 10 { quoted(digits) } else { format!("{} (base {radix})", quoted(digits)) };
                let (min, max) = (*bounds.start(), *bounds.end());
                faults.push(offset, JobFileFault::OutOfBounds { key, value, min, max });
            }
            number
        })
    }

    /// A number between 0 and 1, in so many parts of a whole, within bounds in those parts.
    pub(super) fn parts(
        &self,
        key: &'static str,
        (min, max): (u64, u64),
        whole: f64,
        example: &'static str,
        faults: &mut Faults,
    ) -> Field<u64> {
        let read = self.read(key, "a number between 0 and 1", example, faults, |value| match value {
            DeValue::Float(number) => Some(number.as_str()),
            DeValue::Integer(number) => Some(number.as_str()),
            _ => None,
        });
        read.and_then(|digits, offset| {
            let number = digits.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and a million million"
            )]
            let parts = number.map(|number| (number * whole).round() as u64);
            let parts = parts.filter(|parts| (min..=max).contains(parts));
            if parts.is_none() {
                #[expect(clippy::cast_precision_loss, reason = "the bounds are round numbers")]
                let told = |parts: u64| format!("{:e}", parts as f64 / whole);
                let (min, max) = (told(min), told(max));
                faults.push(offset, JobFileFault::ShareBounds { key, value: quoted(digits), min, max });
            }
            parts
        })
    }

    /// A whole number of either sign.
    pub(super) fn signed_integer(
        &self,
        key: &'static str,
        example: &'static str,
        faults: &mut Faults,
    ) -> Field<i64> {
        self.read(key, "a whole number of at most 63 bits", example, faults, |value| match value {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        })
    }

    /// A list of strings; every element of another type is noted.
    pub(super) fn strings(
        &self,
        key: &'static str,
        example: &'static str,
        faults: &mut Faults,
    ) -> Field<Texts<'t>> {
        let read = self.read(key, "a list of strings", example, faults, |value| match value {
            DeValue::Array(elements) => Some(elements),
            _ => None,
        });
        read.and_then(|elements, _| {
            let mut texts = Vec::with_capacity(elements.len());
            for element in elements {
                match element.get_ref() {
                    DeValue::String(value) => texts.push(Text { value, written: element.span() }),
                    other => {
                        let (expected, found) = ("a list of strings", list_with(other));
                        let fault = JobFileFault::WrongType { key, expected, found, example };
                        faults.push(element.span().start, fault);
                    }
                }
            }
            let are_all = texts.len() == elements.len();
            Some(Texts { texts, are_all })
        })
    }

    fn read<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        example: &'static str,
        faults: &mut Faults,
        get: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Field<T> {
        let Some(value) = self.table.get(key) else { return Field::Absent };
        let offset = value.span().start;
        let Some(value) = get(Spanned::get_ref(value)) else {
            let found = type_of(value.get_ref());
            faults.push(offset, JobFileFault::WrongType { key, expected, found, example });
            return Field::Bad;
        };
        Field::Good(Located { value, offset })
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn list_with(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a list of strings",
        DeValue::Integer(_) => "a list with a whole number in it",
        DeValue::Float(_) => "a list with a number with a point in it",
        DeValue::Boolean(_) => "a list with true or false in it",
        DeValue::Datetime(_) => "a list with a date or time in it",
        DeValue::Array(_) => "a list with a list in it",
        DeValue::Table(_) => "a list with a table in it",
    }
}
