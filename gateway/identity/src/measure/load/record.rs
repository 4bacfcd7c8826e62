//! An event as bytes, on its way to its partition and back.

use crate::measure::code;

/// An event of one match key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Its identity.
    pub(super) key: u64,
    /// Microseconds since 1970, not before it.
    pub(super) time: i64,
    /// Decides the order of those that are still alike.
    pub(super) row: u64,
    /// Its further values, at most 65,535 bytes.
    pub(super) packed: &'a [u8],
}

/// Bytes of a time in microseconds: two thousand years.
const MICROS_BYTES: usize = 7;

/// Bytes of a time in seconds, as most are written: up to 2106.
const SECONDS_BYTES: usize = 4;

/// Bytes of the number of a row; beyond 10^12 rows those that are alike have another order.
const ROW_BYTES: usize = 5;

/// Bytes of the longest code.
const CODE_BYTES: usize = 3;

const SECOND: u64 = 1_000_000;

impl<'a> Event<'a> {
    /// Appends it, with the length of its further values. In front is a code of twice the length, and one more where the time
    /// is in seconds.
    pub(super) fn write(&self, length: u16, record: &mut Vec<u8>) {
        record.reserve(CODE_BYTES + 8 + MICROS_BYTES + ROW_BYTES + self.packed.len());
        let micros = self.time.cast_unsigned();
        let seconds = u32::try_from(micros / SECOND).ok().filter(|seconds| u64::from(*seconds) * SECOND == micros);
        code::write(u128::from(length) << 1 | u128::from(seconds.is_some()), record);
        record.extend_from_slice(&self.key.to_le_bytes());
        match seconds {
            Some(seconds) => record.extend_from_slice(&seconds.to_le_bytes()),
            None => record.extend_from_slice(&micros.to_le_bytes()[..MICROS_BYTES]),
        }
        record.extend_from_slice(&self.row.to_le_bytes()[..ROW_BYTES]);
        record.extend_from_slice(self.packed);
    }

    /// The first event of some bytes, and those behind it; none where they end before it does.
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (code, bytes) = code::read(bytes)?;
        let (key, bytes) = bytes.split_first_chunk()?;
        let (time, bytes) = if code & 1 == 1 {
            let (seconds, bytes) = bytes.split_first_chunk::<SECONDS_BYTES>()?;
            (whole(seconds) * SECOND, bytes)
        } else {
            let (micros, bytes) = bytes.split_first_chunk::<MICROS_BYTES>()?;
            (whole(micros), bytes)
        };
        let (row, bytes) = bytes.split_first_chunk::<ROW_BYTES>()?;
        let (packed, bytes) = bytes.split_at_checked(usize::try_from(code >> 1).ok()?)?;
        Some((Self { key: u64::from_le_bytes(*key), time: time.cast_signed(), row: whole(row), packed }, bytes))
    }
}

fn whole<const N: usize>(bytes: &[u8; N]) -> u64 {
    let mut whole = [0; 8];
    whole[..N].copy_from_slice(bytes);
    u64::from_le_bytes(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_are_read_as_they_were_written(
            key: u64,
            time in prop_oneof![
                0..1_i64 << 56,
                (0..=i64::from(u32::MAX) + 2).prop_map(|seconds| seconds * 1_000_000),
            ],
            row in 0..1_u64 << 40,
            length in prop_oneof![0..300_usize, 0..=usize::from(u16::MAX)],
        ) {
            let packed = vec![7; length];
            let event = Event { key, time, row, packed: &packed };
            let mut record = Vec::new();
            event.write(length as u16, &mut record);
            for end in 0..record.len().min(40) {
                prop_assert_eq!(Event::read(&record[..end]), None);
            }
            record.push(9);
            prop_assert_eq!(Event::read(&record), Some((event, [9].as_slice())));
        }
    }
}
