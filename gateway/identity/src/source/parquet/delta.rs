//! Lengths that are packed as differences say themselves how many they are. A few bytes can claim billions of them, for
//! which the decoder would make room at once; so their number is checked first.

use parquet::basic::Encoding;

use super::thrift::{Compact, Malformed};

/// The number of values that the lengths at the start of `values` claim to be, the highest where there are two lists.
/// Nothing for encodings that have no such lists.
pub(super) fn claimed(encoding: Encoding, values: &[u8]) -> Result<u64, Malformed> {
    let mut reader = Compact::new(values);
    match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => Ok(List::read(&mut reader)?.values),
        Encoding::DELTA_BYTE_ARRAY => {
            let prefixes = List::read(&mut reader)?;
            prefixes.pass(&mut reader)?;
            Ok(prefixes.values.max(List::read(&mut reader)?.values))
        }
        _ => Ok(0),
    }
}

/// The start of a list of packed differences.
struct List {
    block: u64,
    miniblocks: u64,
    values: u64,
}

impl List {
    fn read(reader: &mut Compact<'_>) -> Result<Self, Malformed> {
        let (block, miniblocks, values) = (reader.varint()?, reader.varint()?, reader.varint()?);
        reader.varint()?;
        // The format wants at least 32 values in a miniblock; nobody writes blocks of a million.
        let sound = miniblocks > 0 && block <= 1 << 20 && block / miniblocks >= 32 && block % (32 * miniblocks) == 0;
        if sound { Ok(Self { block, miniblocks, values }) } else { Err(Malformed) }
    }

    /// Goes to the end of the list.
    fn pass(&self, reader: &mut Compact<'_>) -> Result<(), Malformed> {
        let each = self.block / self.miniblocks;
        let mut left = self.values.saturating_sub(1);
        while left > 0 {
            reader.varint()?;
            let widths = reader.bytes_of(self.miniblocks as usize)?;
            for width in widths {
                if left > 0 {
                    reader.bytes_of((u64::from(*width) * each / 8) as usize)?;
                }
                left = left.saturating_sub(each);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_claims_is_seen_before_it_is_believed() {
        // Blocks of 128 in 4 miniblocks; 2^35 values; first value 0.
        let many = [0x80, 0x01, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0];
        assert_eq!(claimed(Encoding::DELTA_LENGTH_BYTE_ARRAY, &many), Ok(1 << 35));
        assert_eq!(claimed(Encoding::PLAIN, &many), Ok(0));
        // Two prefixes, one block of which only the first miniblock has bits, then many suffixes.
        let few = [0x80, 0x01, 4, 2, 0, 0, 1, 9, 9, 9, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(claimed(Encoding::DELTA_BYTE_ARRAY, &[&few[..], &many].concat()), Ok(1 << 35));
        assert_eq!(claimed(Encoding::DELTA_BYTE_ARRAY, &few), Err(Malformed));
        // Without miniblocks, and with too few values in each.
        assert_eq!(claimed(Encoding::DELTA_LENGTH_BYTE_ARRAY, &[0x80, 0x01, 0, 1, 0]), Err(Malformed));
        assert_eq!(claimed(Encoding::DELTA_LENGTH_BYTE_ARRAY, &[0x80, 0x01, 8, 1, 0]), Err(Malformed));
    }
}
