//! Decimal numbers as whole micros (millionths), so that money is added up without rounding.

/// How many micros make one.
pub const MICROS: i64 = 1_000_000;

/// The largest number that is taken, in either direction: a billion.
const LARGEST: i64 = 1_000_000_000 * MICROS;

/// Why a text is not a number that can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotDecimal {
    /// Not digits with at most one point, or more than six digits after it.
    Unreadable,
    /// Beyond a billion.
    OutOfRange,
    /// A currency stands beside the number.
    Currency,
}

/// The short way for what most numbers are, such as `12.5`: at most nine digits and six behind the point, no sign; none for
/// any other text.
pub(crate) fn plain_micros(text: &[u8]) -> Option<i64> {
    let point = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = point.map_or((text, [].as_slice()), |point| (&text[..point], &text[point + 1..]));
    if whole.is_empty() || whole.len() > 9 || fraction.len() > 6 {
        return None;
    }
    let digits = |digits: &[u8], before: i64| {
        let digit = |number: i64, byte: &u8| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'));
        digits.iter().try_fold(before, digit)
    };
    const SCALES: [i64; 7] = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    Some(digits(fraction, digits(whole, 0)?)? * SCALES[fraction.len()])
}

/// Reads `-12.5` as `-12_500_000`. No exponent, no thousands separator, no currency, at most six digits after the point.
pub(crate) fn micros(text: &str) -> Result<i64, NotDecimal> {
    match digits(text) {
        Err(NotDecimal::Unreadable) if has_currency(text) => Err(NotDecimal::Currency),
        read => read,
    }
}

/// Whether there are digits with the sign of a currency, or with its code of three capitals and no other word.
fn has_currency(text: &str) -> bool {
    let is_sign = |c: char| matches!(c, '$' | '£' | '¥' | '\u{20a0}'..='\u{20cf}');
    let mut words = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let is_code = |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let has_code = words.next().is_some_and(is_code) && words.next().is_none();
    text.bytes().any(|byte| byte.is_ascii_digit()) && (has_code || text.contains(is_sign))
}

fn digits(text: &str) -> Result<i64, NotDecimal> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(NotDecimal::Unreadable);
    }
    if fraction.len() > 6 {
        return Err(NotDecimal::Unreadable);
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > 10 {
        return Err(NotDecimal::OutOfRange);
    }
    let value = whole
        .bytes()
        .chain(fraction.bytes())
        .chain(std::iter::repeat_n(b'0', 6 - fraction.len()))
        .fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    if value > LARGEST {
        return Err(NotDecimal::OutOfRange);
    }
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("12", Ok(12_000_000)),
            ("12.5", Ok(12_500_000)),
            ("+1.000001", Ok(1_000_001)),
            ("-0.000001", Ok(-1)),
            (".5", Ok(500_000)),
            ("5.", Ok(5_000_000)),
            ("0000000000000001", Ok(1_000_000)),
            ("1000000000", Ok(LARGEST)),
            ("-1000000000", Ok(-LARGEST)),
            ("1000000000.000001", Err(NotDecimal::OutOfRange)),
            ("99999999999999999999999", Err(NotDecimal::OutOfRange)),
            ("", Err(NotDecimal::Unreadable)),
            (".", Err(NotDecimal::Unreadable)),
            ("-", Err(NotDecimal::Unreadable)),
            ("--1", Err(NotDecimal::Unreadable)),
            ("1e3", Err(NotDecimal::Unreadable)),
            ("1,000", Err(NotDecimal::Unreadable)),
            ("1.2.3", Err(NotDecimal::Unreadable)),
            ("1.0000001", Err(NotDecimal::Unreadable)),
            ("NaN", Err(NotDecimal::Unreadable)),
            ("1,234.50", Err(NotDecimal::Unreadable)),
            ("12,50", Err(NotDecimal::Unreadable)),
            ("0x12", Err(NotDecimal::Unreadable)),
            ("1e300", Err(NotDecimal::Unreadable)),
            ("12 pieces", Err(NotDecimal::Unreadable)),
            ("$", Err(NotDecimal::Unreadable)),
            ("EUR", Err(NotDecimal::Unreadable)),
            ("12.50 EUR", Err(NotDecimal::Currency)),
            ("USD12.50", Err(NotDecimal::Currency)),
            ("€3", Err(NotDecimal::Currency)),
            ("-3 €", Err(NotDecimal::Currency)),
            ("$1,234.50", Err(NotDecimal::Currency)),
            ("₹ 5", Err(NotDecimal::Currency)),
            ("١٢", Err(NotDecimal::Unreadable)),
        ] {
            assert_eq!(micros(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_reads_what_the_long_way_does(text in "[-+]?[0-9]{0,11}[.]?[0-9]{0,8}[.]?") {
            if let Some(plain) = plain_micros(text.as_bytes()) {
                prop_assert_eq!(micros(&text), Ok(plain));
            }
        }

        #[test]
        fn the_short_way_reads_what_is_plain(whole in 0..1_000_000_000_i64, fraction in "[.][0-9]{0,6}|") {
            let text = format!("{whole}{fraction}");
            prop_assert_eq!(plain_micros(text.as_bytes()), micros(&text).ok());
        }

        #[test]
        fn reads_back_what_was_printed(value in -LARGEST..=LARGEST) {
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:06}", value.abs() / MICROS, value.abs() % MICROS);
            prop_assert_eq!(micros(&text), Ok(value));
        }
    }
}
