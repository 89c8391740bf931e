//! The smallest pieces of the language: white space, numbers, names and operator signs.

use winnow::{
    LocatingSlice,
    error::{ErrMode, ParserError},
    stream::{Location, Stateful, Stream},
};

use super::{Number, ParseError, RefusalKind, Step, grammar::Builder};

/// The text, the place in it, and what has been built so far.
pub(super) type Input<'t> = Stateful<LocatingSlice<&'t str>, Builder<'t>>;

/// An error on its way up: nothing, as long as another alternative may fit.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Option<Box<ParseError>>);

impl<'t> ParserError<Input<'t>> for Failure {
    type Inner = Self;

    fn from_input(_input: &Input<'t>) -> Self {
        Self(None)
    }

    fn into_inner(self) -> Result<Self::Inner, Self> {
        Ok(self)
    }
}

pub(super) type Parsed<T> = Result<T, ErrMode<Failure>>;

/// "This alternative does not fit here; try another."
pub(super) fn no_match<T>() -> Parsed<T> {
    Err(ErrMode::Backtrack(Failure(None)))
}

/// "The text is wrong here, whatever else is tried."
pub(super) fn fail<T>(kind: RefusalKind, span: std::ops::Range<usize>, message: String) -> Parsed<T> {
    Err(ErrMode::Cut(Failure(Some(Box::new(ParseError { kind, span, message })))))
}

/// Fails at the current place: says what was expected and what stands there.
pub(super) fn expected<T>(input: &Input<'_>, what: &str) -> Parsed<T> {
    let start = input.current_token_start();
    let rest = rest(input);
    let found = match rest.chars().next() {
        None => "the end".to_owned(),
        Some(first) if first.is_ascii_alphanumeric() || first == '_' => {
            format!("`{}`", shortened(&rest[..word_bytes(rest)]))
        }
        Some(first) => match lookalike(first) {
            Some(sign) => format!("`{first}` (write `{sign}`)"),
            None => format!("`{}`", first.escape_debug()),
        },
    };
    let span = start..start + place_bytes(rest);
    fail(RefusalKind::Syntax, span, format!("expected {what}, found {found}"))
}

/// What is not read yet.
pub(super) fn rest<'t>(input: &Input<'t>) -> &'t str {
    input.input.as_ref()
}

/// How many bytes of `rest` a caret points at: a word, or one character.
fn place_bytes(rest: &str) -> usize {
    word_bytes(rest).max(rest.chars().next().map_or(0, char::len_utf8))
}

fn word_bytes(rest: &str) -> usize {
    rest.bytes().take_while(|&byte| is_word(byte)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The first characters of a text that may be long.
pub(super) fn shortened(word: &str) -> String {
    const CHARS: usize = 32;
    match word.char_indices().nth(CHARS) {
        None => word.to_owned(),
        Some((end, _)) => format!("{}…", &word[..end]),
    }
}

/// Signs that look like ours and are not, as they come out of a word processor.
fn lookalike(character: char) -> Option<&'static str> {
    Some(match character {
        '×' | '·' | '⋅' => "*",
        '÷' => "/",
        '−' | '–' => "-",
        '≤' => "<=",
        '≥' => ">=",
        '≠' => "!=",
        '=' => "==",
        'π' => "pi",
        '√' => "sqrt(…)",
        '&' => "and",
        '|' => "or",
        _ => return None,
    })
}

/// Skips white space.
pub(super) fn space(input: &mut Input<'_>) {
    let bytes = rest(input).bytes().take_while(u8::is_ascii_whitespace).count();
    let _ = input.next_slice(bytes);
}

/// Takes a token of `bytes` bytes and the white space after it.
pub(super) fn take_sign(input: &mut Input<'_>, bytes: usize) {
    let _ = input.next_slice(bytes);
    input.state.token_end = input.current_token_start();
    space(input);
}

/// A sign of one character, or an error that says what was expected.
pub(super) fn require(input: &mut Input<'_>, sign: &str, what: &str) -> Parsed<()> {
    if rest(input).starts_with(sign) {
        take_sign(input, sign.len());
        Ok(())
    } else {
        expected(input, what)
    }
}

/// A name or keyword with its place; white space after it is skipped.
pub(super) fn word<'t>(input: &mut Input<'t>) -> Parsed<(&'t str, std::ops::Range<usize>)> {
    match rest(input).bytes().next() {
        Some(first) if first.is_ascii_alphabetic() || first == b'_' => {}
        _ => return no_match(),
    }
    let start = input.current_token_start();
    let word = &rest(input)[..word_bytes(rest(input))];
    take_sign(input, word.len());
    Ok((word, start..start + word.len()))
}

/// Whether the next word is `keyword` and nothing longer.
pub(super) fn at_keyword(input: &Input<'_>, keyword: &str) -> bool {
    let rest = rest(input);
    rest.starts_with(keyword) && rest.as_bytes().get(keyword.len()).is_none_or(|&byte| !is_word(byte))
}

/// A number: `12`, `1_000_000`, `1.5`, `2.5e-9`; white space after it is skipped.
pub(super) fn number(input: &mut Input<'_>) -> Parsed<Step> {
    let text = rest(input);
    let bytes = text.as_bytes();
    if !bytes.first().is_some_and(u8::is_ascii_digit) {
        return no_match();
    }
    let whole_end = digits_end(bytes, 0);
    let has_fraction =
        bytes.get(whole_end) == Some(&b'.') && bytes.get(whole_end + 1).is_some_and(u8::is_ascii_digit);
    let fraction_end = if has_fraction { digits_end(bytes, whole_end + 1) } else { whole_end };
    let (exponent, end) = exponent(bytes, fraction_end);
    if bytes.get(end).is_some_and(|&byte| is_word(byte)) || bytes[end - 1] == b'_' {
        let _ = input.next_slice(end);
        return expected(input, "an operator or the end of the number");
    }
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1) != Some(&b'.') {
        let _ = input.next_slice(end);
        return expected(input, "a digit after the decimal point, an operator or the end");
    }
    let step = step_of(&text[..whole_end], &text[whole_end..fraction_end], exponent);
    take_sign(input, end);
    Ok(step)
}

fn digits_end(bytes: &[u8], start: usize) -> usize {
    start + bytes[start..].iter().take_while(|&&byte| byte.is_ascii_digit() || byte == b'_').count()
}

/// The power of ten that is written at `start`, if one is, and where it ends.
fn exponent(bytes: &[u8], start: usize) -> (i64, usize) {
    if !matches!(bytes.get(start), Some(b'e' | b'E')) {
        return (0, start);
    }
    let sign = bytes.get(start + 1).copied();
    let digits_start = start + 1 + usize::from(matches!(sign, Some(b'+' | b'-')));
    let digits = bytes[digits_start.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_digit());
    let mut count = 0;
    let mut value = 0_i64;
    for digit in digits {
        count += 1;
        value = value.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
    }
    if count == 0 {
        return (0, start);
    }
    (if sign == Some(b'-') { -value } else { value }, digits_start + count)
}

fn step_of(whole: &str, fraction: &str, exponent: i64) -> Step {
    if fraction.is_empty() && exponent == 0 {
        let mut value = Some(0_u64);
        for digit in whole.bytes().filter(u8::is_ascii_digit) {
            value = value
                .and_then(|value| value.checked_mul(10))
                .and_then(|value| value.checked_add(u64::from(digit - b'0')));
        }
        if let Some(value) = value {
            return Step::Integer(value);
        }
    }
    let is_digit = |character: &char| character.is_ascii_digit();
    let decimals = fraction.chars().filter(is_digit).count();
    let all = whole.chars().chain(fraction.chars()).filter(is_digit);
    let mut digits: String = all.skip_while(|&digit| digit == '0').collect();
    if digits.is_empty() {
        digits.push('0');
    }
    // A text is far shorter than 2^63 characters.
    let decimals = i64::try_from(decimals).unwrap_or(i64::MAX);
    Step::Number(Box::new(Number { digits, exponent: exponent.saturating_sub(decimals) }))
}
