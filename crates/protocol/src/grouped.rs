//! Long numbers in sentences: commas between groups of three digits, as people count them.

/// A number in groups of three digits.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_digit_from_the_right_has_a_comma_before_it() {
        let told = [0, 7, 999, 1_000, 12_345, 1_048_576, u64::MAX].map(grouped);
        let expected = ["0", "7", "999", "1,000", "12,345", "1,048,576", "18,446,744,073,709,551,615"];
        assert_eq!(told, expected);
    }
}
