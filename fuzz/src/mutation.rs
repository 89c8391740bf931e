//! Inputs that are nearly good: a seed with some damage, from a seeded stream, so that a number names an input forever.
//!
//! Random bytes rarely pass the first check. So a valid encoding is taken and hurt as peers and disks hurt: bits flip, ends
//! are cut off, pieces of two inputs are joined, a length claims more than there is, and something is nested in itself
//! until a recursion would burst.

use verdict::lots::Lots;

use crate::INPUT_BYTES_MAX;

/// Headers of MessagePack that claim the most that they can: text, bytes, lists, maps and extensions of 2^32 - 1, and
/// some of 2^16 - 1; then a frame's length.
const CLAIMS: [&[u8]; 9] = [
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
    b"\xdc\xff\xff",
    b"\xda\xff\xff",
    b"\x00\x01\x00\x00",
    b"\xff\xff\xff\xff",
];
/// What opens something that goes on inside: MessagePack's lists and maps of one, and the brackets and prefix operators of
/// TOML, JSON and expressions.
const OPENINGS: [&[u8]; 12] = [
    b"\x91",
    b"\x81\x01",
    b"\xdc\x00\x01",
    b"(",
    b"[",
    b"{",
    b"-",
    b"not ",
    b"sqrt(",
    b"2^",
    b"a.",
    b"{\"a\":",
];
/// Words that mean something to some parser.
const WORDS: [&[u8]; 24] = [
    b"for n in 1..=",
    b"10^30",
    b"99999999999999999999",
    b"1e-9999999999",
    b"!",
    b"^^",
    b" and ",
    b" == ",
    b"pi",
    b"\"\"\"",
    b"'''",
    b"\n[policy]\n",
    b"distinct = [\"formula\"]",
    b"\\u0000",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"#",
    b"\r\n",
    b"=",
    b"quorate1.",
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
    b"\xc0",
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
];
/// Deepest that something is nested in itself.
const NESTING_MAX: u64 = 20_000;

/// Makes inputs of seeds.
#[derive(Debug)]
pub struct Mutator {
    seeds: Vec<Vec<u8>>,
    lots: Lots,
}

impl Mutator {
    /// The stream of inputs that these seeds and this number give.
    #[must_use]
    pub fn new(seeds: Vec<Vec<u8>>, number: u64) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        Self { seeds, lots: Lots::new(seed) }
    }

    /// The next input, of at most [`INPUT_BYTES_MAX`] bytes.
    pub fn next_input(&mut self) -> Vec<u8> {
        if self.lots.below(64) == 0 {
            return self.noise();
        }
        let mut input = self.seed();
        for _ in 0..=self.lots.below(4) {
            self.hurt(&mut input);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn seed(&mut self) -> Vec<u8> {
        let number = self.below(self.seeds.len());
        self.seeds.get(number).cloned().unwrap_or_default()
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = self.below(300);
        (0..length).map(|_| self.byte()).collect()
    }

    fn hurt(&mut self, input: &mut Vec<u8>) {
        let (from, to) = self.stretch(input.len());
        match self.lots.below(160) {
            0..40 => self.flip_a_bit(input),
            40..60 => {
                let byte = self.byte();
                if let Some(place) = input.get_mut(from) {
                    *place = byte;
                }
            }
            60..72 => input.truncate(from),
            72..84 => drop(input.drain(from..to)),
            84..96 => {
                let again = input[from..to].to_vec();
                splice(input, to, to, &again);
            }
            96..108 => self.join_another(input, from, to),
            108..126 => self.write_one_of(input, &CLAIMS),
            126..150 => self.write_one_of(input, &WORDS),
            150..158 => self.add_to_a_number(input),
            158 => self.nest(input, from),
            _ => repeat(input, from, to),
        }
    }

    fn flip_a_bit(&mut self, input: &mut [u8]) {
        let place = self.below(input.len());
        let bit = self.lots.below(8);
        if let Some(byte) = input.get_mut(place) {
            *byte ^= 1 << bit;
        }
    }

    fn join_another(&mut self, input: &mut Vec<u8>, from: usize, to: usize) {
        let other = self.seed();
        let (first, last) = self.stretch(other.len());
        splice(input, from, to, &other[first..last]);
    }

    /// Over what is there, or between.
    fn write_one_of(&mut self, input: &mut Vec<u8>, words: &[&[u8]]) {
        let word = words[self.below(words.len())];
        let place = self.below(input.len() + 1);
        let over = if self.lots.below(2) == 0 { word.len() } else { 0 };
        splice(input, place, place + over, word);
    }

    /// A count or a length that is wrong by a little.
    fn add_to_a_number(&mut self, input: &mut [u8]) {
        let place = self.below(input.len());
        let difference = if self.lots.below(2) == 0 { 1 } else { 255 };
        if let Some(byte) = input.get_mut(place) {
            *byte = byte.wrapping_add(difference);
        }
    }

    fn nest(&mut self, input: &mut Vec<u8>, place: usize) {
        let opening = OPENINGS[self.below(OPENINGS.len())];
        let depth = self.below(NESTING_MAX.try_into().unwrap_or(usize::MAX));
        splice(input, place, place, &opening.repeat(depth.min(INPUT_BYTES_MAX / opening.len())));
    }

    fn byte(&mut self) -> u8 {
        self.lots.draw().to_le_bytes()[0]
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.lots.below(bound as u64)).unwrap_or(0)
    }

    /// A stretch of `length` bytes, mostly a short one.
    fn stretch(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length);
        let rest = length - from;
        let span = if self.lots.below(4) == 0 { rest } else { rest.min(16) };
        (from, from + self.below(span + 1))
    }
}

/// Puts `bytes` where `from..to` was; places beyond the end are the end.
fn splice(input: &mut Vec<u8>, from: usize, to: usize, bytes: &[u8]) {
    let from = from.min(input.len());
    let to = to.clamp(from, input.len());
    drop(input.splice(from..to, bytes.iter().copied()));
}

/// Says a stretch again until the input is full.
fn repeat(input: &mut Vec<u8>, from: usize, to: usize) {
    let stretch = input[from..to].to_vec();
    if let Some(times) = INPUT_BYTES_MAX.saturating_sub(input.len()).checked_div(stretch.len()) {
        splice(input, to, to, &stretch.repeat(times));
    }
}
