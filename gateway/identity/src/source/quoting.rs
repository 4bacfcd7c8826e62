//! Checks quotes against RFC 4180. The CSV parser itself reads any bytes as something; this says when it should not.

use memchr::memchr;

use super::fault::QuotingFault;

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote inside quotes: the end of the field, or half of an escaped quote.
    QuoteInQuotes,
}

/// Follows the bytes of a file, in pieces of any size.
pub(super) struct QuotingCheck {
    delimiter: u8,
    at: At,
}

impl QuotingCheck {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, at: At::FieldStart }
    }

    /// Whether the bytes so far end inside quotes.
    pub(super) fn inside_quotes(&self) -> bool {
        self.at == At::Quoted
    }

    /// Takes bytes that are known to hold no quote.
    pub(super) fn pass_unquoted(&mut self, bytes: &[u8]) -> Result<(), QuotingFault> {
        match (self.at, bytes.first(), bytes.last()) {
            (At::Quoted, ..) | (_, None, _) | (_, _, None) => Ok(()),
            (At::QuoteInQuotes, Some(&first), _) if !self.ends_field(first) => Err(QuotingFault::TextAfterQuote),
            (_, _, Some(&last)) => {
                self.at = if self.ends_field(last) { At::FieldStart } else { At::Unquoted };
                Ok(())
            }
        }
    }

    /// Takes any bytes.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) -> Result<(), QuotingFault> {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.at = match (self.at, byte) {
                (At::FieldStart, b'"') | (At::QuoteInQuotes, b'"') => {
                    let closing = memchr(b'"', bytes);
                    bytes = closing.map_or(&[], |end| &bytes[end + 1..]);
                    if closing.is_some() { At::QuoteInQuotes } else { At::Quoted }
                }
                (At::Quoted, b'"') => At::QuoteInQuotes,
                (At::Quoted, _) => At::Quoted,
                (At::Unquoted, b'"') => return Err(QuotingFault::InsideField),
                (_, byte) if self.ends_field(byte) => At::FieldStart,
                (At::QuoteInQuotes, _) => return Err(QuotingFault::TextAfterQuote),
                (At::FieldStart | At::Unquoted, _) => At::Unquoted,
            };
        }
        Ok(())
    }

    fn ends_field(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == b'\n' || byte == b'\r'
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(bytes: &[u8]) -> Result<bool, QuotingFault> {
        let mut check = QuotingCheck::new(b',');
        check.pass(bytes)?;
        Ok(check.inside_quotes())
    }

    #[test]
    fn quotes_follow_the_rfc() {
        for sound in ["a,b\n", "\"a\",\"b\"\r\n", "\"a\"\"b\",\"\"\n\"\"", "\"a\nb,c\",d", "\r\n\"a\"\r\n\r\n\"b\"", ""]
        {
            assert_eq!(check(sound.as_bytes()), Ok(false), "{sound:?}");
        }
        for (broken, expected) in [
            ("\"a", Ok(true)),
            ("a,\"b\n", Ok(true)),
            ("\"a\"\"", Ok(true)),
            ("a\"b", Err(QuotingFault::InsideField)),
            (" \"b\"", Err(QuotingFault::InsideField)),
            ("\"a\"b", Err(QuotingFault::TextAfterQuote)),
            ("\"a\" ,b", Err(QuotingFault::TextAfterQuote)),
        ] {
            assert_eq!(check(broken.as_bytes()), expected, "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_are_read_like_the_whole(text in "[a,\"\n]{0,24}", cut in 0usize..24) {
            let bytes = text.as_bytes();
            let (left, right) = bytes.split_at(cut.min(bytes.len()));
            let mut check_pieces = QuotingCheck::new(b',');
            let in_pieces = [left, right].into_iter().try_for_each(|piece| {
                if memchr(b'"', piece).is_none() { check_pieces.pass_unquoted(piece) } else { check_pieces.pass(piece) }
            });
            prop_assert_eq!(in_pieces.map(|()| check_pieces.inside_quotes()), check(bytes));
        }
    }
}
