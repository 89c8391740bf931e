//! The names that people give to workers and operators: they are printed everywhere, so they fit on a line.

use protocol::limits::NAME_BYTES_MAX;

/// Reads the name of a worker or of an operator.
///
/// # Errors
/// A sentence that gives the limit: from 1 to [`NAME_BYTES_MAX`] bytes, none of them a control character.
pub fn parse_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!("a name has from 1 to {NAME_BYTES_MAX} bytes and no control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_on_a_line_and_says_its_limit_where_it_does_not() {
        assert_eq!(parse_name("Ada's lab").as_deref(), Ok("Ada's lab"));
        assert!(parse_name(&"a".repeat(NAME_BYTES_MAX)).is_ok());
        for bad in [String::new(), "a\nb".to_owned(), "a".repeat(NAME_BYTES_MAX + 1)] {
            assert!(parse_name(&bad).is_err_and(|reason| reason.contains("from 1 to 64 bytes")), "{bad:?}");
        }
    }
}
