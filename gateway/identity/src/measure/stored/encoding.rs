//! How the values of a column become bytes: Parquet's encodings <https://parquet.apache.org/docs/file-format/data-pages/encodings/>.
//!
//! The crate `parquet` would look up every value of every row in a dictionary that it makes itself. Here texts have numbers
//! and identities are sorted already, and nothing needs to be looked up.

use crate::measure::code::{self, zigzag};

/// Integers of a block, which share a least difference.
const OF_BLOCK: usize = 128;

/// Integers of a part of a block, which share a width.
const OF_PART: usize = 32;

/// Bits that a number takes.
pub(super) fn width(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// Numbers of so many bits each, one behind the other, the lowest bits first. Zeros fill the last byte.
fn write_bits(numbers: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let (mut word, mut filled) = (0_u64, 0);
    for number in numbers {
        word |= number << filled;
        filled += width;
        if filled >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            filled -= u64::BITS;
            word = if filled == 0 { 0 } else { number >> (width - filled) };
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..filled.div_ceil(8) as usize]);
}

/// So many small numbers, each in as many bits as the others (bit-packed runs of RLE).
pub(super) fn write_packed(numbers: impl Iterator<Item = u64>, count: usize, width: u32, out: &mut Vec<u8>) {
    let groups = count.div_ceil(8);
    code::write((groups as u128) << 1 | 1, out);
    let end = out.len() + groups * width as usize;
    out.reserve(groups * width as usize);
    write_bits(numbers, width, out);
    out.resize(end, 0);
}

/// As [`write_packed`] of numbers of one bit, which are packed already.
pub(super) fn write_packed_bits(bits: &[u8], out: &mut Vec<u8>) {
    code::write((bits.len() as u128) << 1 | 1, out);
    out.extend_from_slice(bits);
}

/// A number that comes so many times (RLE).
pub(super) fn write_run(number: u64, count: u64, width: u32, out: &mut Vec<u8>) {
    code::write(u128::from(count) << 1, out);
    out.extend_from_slice(&number.to_le_bytes()[..width.div_ceil(8) as usize]);
}

/// Integers by their differences (DELTA_BINARY_PACKED).
pub(super) fn write_differences(integers: &[i64], out: &mut Vec<u8>) {
    code::write(OF_BLOCK as u128, out);
    code::write((OF_BLOCK / OF_PART) as u128, out);
    code::write(integers.len() as u128, out);
    code::write(u128::from(zigzag(integers.first().copied().unwrap_or(0))), out);
    let mut differences = [0; OF_BLOCK];
    let mut last = integers.first().copied().unwrap_or(0);
    for block in integers.get(1..).unwrap_or_default().chunks(OF_BLOCK) {
        for (difference, integer) in differences.iter_mut().zip(block) {
            *difference = integer.wrapping_sub(last);
            last = *integer;
        }
        write_block(&differences[..block.len()], out);
    }
}

fn write_block(differences: &[i64], out: &mut Vec<u8>) {
    let least = differences.iter().copied().min().unwrap_or(0);
    let above = |difference: &i64| difference.wrapping_sub(least).cast_unsigned();
    code::write(u128::from(zigzag(least)), out);
    let mut widths = [0; OF_BLOCK / OF_PART];
    for (bits, part) in widths.iter_mut().zip(differences.chunks(OF_PART)) {
        *bits = width(part.iter().map(above).fold(0, |all, number| all | number)) as u8;
    }
    out.extend_from_slice(&widths);
    for (bits, part) in widths.iter().zip(differences.chunks(OF_PART)) {
        let end = out.len() + usize::from(*bits) * OF_PART / 8;
        write_bits(part.iter().map(above), u32::from(*bits), out);
        out.resize(end, 0);
    }
}
