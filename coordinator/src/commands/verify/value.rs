//! Is this file the accepted value? Digits are the outcome itself, so its digest tells; any other value is put together
//! again from the outcomes in the certificate and compared as it comes. Neither is held in memory.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use protocol::{
    certificate::{CertificateFault, DigitsHasher, Examination},
    digest::Digest,
    plan::{Plan, ResultAssembler},
};

/// What became of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// Byte for byte the accepted value.
    Same {
        /// Its length.
        bytes: u64,
    },
    /// Another one.
    Differs(Difference),
}

/// Where a file parts from the accepted value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// At this byte, from 0, in this line, from 1.
    At { byte: u64, line: u64 },
    /// It ends there, and the value goes on.
    TooShort { bytes: u64 },
    /// It goes on where the value ends.
    TooLong { bytes: u64 },
    /// Its digest is another; of digits no more is known.
    Digest { found: Digest, accepted: Digest },
    /// Nothing is in it.
    Empty,
    /// It is too long to be any value.
    NoValue { bytes: u64 },
}

/// Why nothing could be compared.
#[derive(Debug)]
pub(super) enum CompareError {
    Certificate(CertificateFault),
    File(io::Error),
}

impl From<io::Error> for CompareError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { byte, line } => write!(f, "they part at byte {byte}, in line {line}"),
            Self::TooShort { bytes } => write!(f, "it ends after {bytes} bytes, and the value goes on"),
            Self::TooLong { bytes } => {
                write!(
                    f,
                    "it goes on after the {bytes} bytes of the value (is there an end of line too many?)"
                )
            }
            Self::Digest { found, accepted } => write!(
                f,
                "the digest of the digits in it is {found}, and {accepted} was accepted (a single byte too many, such \
                 as an end of line, makes it another value)"
            ),
            Self::Empty => write!(f, "it is empty"),
            Self::NoValue { bytes } => write!(f, "its {bytes} bytes are more than any value has"),
        }
    }
}

/// Opens a file to be read; a folder, which opens as well, is refused with what to do.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    if path.is_dir() {
        let reason = "it is a folder; name the file in it";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, reason));
    }
    File::open(path)
}

/// Compares a file with the value that a certificate proves.
pub(super) fn compare<R: Read>(
    examination: &mut Examination<R>,
    path: &Path,
    plan: &Plan,
) -> Result<Compared, CompareError> {
    let file = open_file(path)?;
    let bytes = file.metadata()?.len();
    let file = BufReader::with_capacity(1 << 16, file);
    match examination.accepted(0) {
        Some(accepted) if !examination.holds_outcomes() => Ok(compare_digits(file, bytes, accepted)?),
        _ => compare_outcomes(examination, file, plan),
    }
}

fn compare_digits(mut file: impl Read, bytes: u64, accepted: Digest) -> io::Result<Compared> {
    let Ok(length) = u32::try_from(bytes) else {
        return Ok(Compared::Differs(Difference::NoValue { bytes }));
    };
    if length == 0 {
        return Ok(Compared::Differs(Difference::Empty));
    }
    let mut hasher = DigitsHasher::new(length);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(buffer.get(..count).unwrap_or_default());
    }
    let found = hasher.finish();
    Ok(if found == accepted {
        Compared::Same { bytes }
    } else {
        Compared::Differs(Difference::Digest { found, accepted })
    })
}

fn compare_outcomes<R: Read>(
    examination: &mut Examination<R>,
    file: impl Read,
    plan: &Plan,
) -> Result<Compared, CompareError> {
    let mut comparison = Comparison { file, bytes: 0, lines: 1, difference: None };
    let mut assembler = ResultAssembler::new(plan);
    while let Some((_, outcome)) = examination.next_outcome().map_err(CompareError::Certificate)? {
        assembler.push(outcome.as_ref(), &mut comparison)?;
        assembler.skip(examination.pass_absent(), &mut comparison)?;
    }
    assembler.finish(&mut comparison)?;
    Ok(comparison.end()?)
}

/// Takes what is written and compares it with what a file holds.
struct Comparison<R> {
    file: R,
    bytes: u64,
    lines: u64,
    difference: Option<Difference>,
}

impl<R: Read> Write for Comparison<R> {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        if self.difference.is_some() {
            return Ok(written.len());
        }
        let mut held = Vec::new();
        self.file.by_ref().take(written.len() as u64).read_to_end(&mut held)?;
        let same = held.iter().zip(written).take_while(|(held, written)| held == written).count();
        let lines = written.iter().take(same).filter(|byte| **byte == b'\n').count();
        self.bytes += same as u64;
        self.lines += lines as u64;
        if same < held.len() {
            self.difference = Some(Difference::At { byte: self.bytes, line: self.lines });
        } else if same < written.len() {
            self.difference = Some(Difference::TooShort { bytes: self.bytes });
        }
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<R: Read> Comparison<R> {
    fn end(mut self) -> io::Result<Compared> {
        let bytes = self.bytes;
        if let Some(difference) = self.difference {
            return Ok(Compared::Differs(difference));
        }
        let mut one_more = Vec::new();
        self.file.by_ref().take(1).read_to_end(&mut one_more)?;
        Ok(if one_more.is_empty() {
            Compared::Same { bytes }
        } else {
            Compared::Differs(Difference::TooLong { bytes })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(file: &str, value: &[&str]) -> Compared {
        let mut comparison = Comparison { file: file.as_bytes(), bytes: 0, lines: 1, difference: None };
        for piece in value {
            comparison.write_all(piece.as_bytes()).expect("memory takes it");
        }
        comparison.end().expect("memory can be read")
    }

    #[test]
    fn a_value_is_compared_piece_by_piece_and_its_first_difference_named() {
        assert_eq!(against("one\ntwo\n", &["one\n", "two\n"]), Compared::Same { bytes: 8 });
        let differs = |file, difference| {
            assert_eq!(against(file, &["one\n", "two\n"]), Compared::Differs(difference));
        };
        differs("one\ntoo\n", Difference::At { byte: 5, line: 2 });
        differs("0ne\ntwo\n", Difference::At { byte: 0, line: 1 });
        differs("one\ntw", Difference::TooShort { bytes: 6 });
        differs("one\ntwo\n\n", Difference::TooLong { bytes: 8 });
        differs("", Difference::TooShort { bytes: 0 });
    }
}
