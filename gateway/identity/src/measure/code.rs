//! Numbers as codes of few bytes where they are small: seven bits a byte, the lowest first; all but the last byte have the
//! highest bit (ULEB128).

/// Bytes of the longest code: 70 bits.
const LONGEST: u32 = 10;

/// Appends the code of a number below 2^70.
#[inline]
pub(crate) fn write(mut number: u128, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The number whose code some bytes begin with, and those behind it.
#[inline]
pub(crate) fn read(bytes: &[u8]) -> Option<(u128, &[u8])> {
    match bytes.split_first() {
        Some((byte, rest)) if *byte < 0x80 => Some((u128::from(*byte), rest)),
        _ => read_long(bytes),
    }
}

fn read_long(mut bytes: &[u8]) -> Option<(u128, &[u8])> {
    let mut number = 0;
    for place in 0..LONGEST {
        let (byte, rest) = bytes.split_first()?;
        bytes = rest;
        number |= u128::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, bytes));
        }
    }
    None
}

/// A number of either sign as one that is small where that is: the sign is in the lowest bit.
#[inline]
pub(crate) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

/// The number of a zigzag.
#[inline]
pub(crate) fn unzigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_read_back(number in prop_oneof![0..300_u128, 0..1_u128 << 70], behind: u8, signed: i64) {
            let mut code = Vec::new();
            write(number, &mut code);
            for end in 0..code.len() {
                prop_assert_eq!(read(&code[..end]), None);
            }
            code.push(behind);
            prop_assert!(read(&code).is_some_and(|(found, rest)| found == number && rest == [behind]));
            prop_assert_eq!(unzigzag(zigzag(signed)), signed);
        }
    }

    #[test]
    fn codes_are_those_of_the_specification() {
        let code = |number| {
            let mut code = Vec::new();
            write(number, &mut code);
            code
        };
        assert_eq!((code(0), code(127), code(624_485)), (vec![0], vec![0x7F], vec![0xE5, 0x8E, 0x26]));
        assert_eq!([0, -1, 1, -2, i64::MAX, i64::MIN].map(zigzag), [0, 1, 2, 3, u64::MAX - 1, u64::MAX]);
        assert_eq!(read(&[0x80; 11]), None, "longer than any");
    }
}
