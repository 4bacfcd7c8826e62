//! An event as bytes, on its way to its partition and back.

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

/// Bytes of a time: 56 bits are enough for two thousand years.
const TIME_BYTES: usize = 7;

/// Bytes of the number of a row.
const ROW_BYTES: usize = 6;

/// Bytes before the further values: key, time, row and the length of these.
const HEAD_BYTES: usize = 8 + TIME_BYTES + ROW_BYTES + 2;

impl<'a> Event<'a> {
    /// Appends it, with the length of its further values.
    pub(super) fn write(&self, length: u16, record: &mut Vec<u8>) {
        let mut head = [0; HEAD_BYTES];
        let (key, rest) = head.split_at_mut(8);
        let (time, rest) = rest.split_at_mut(TIME_BYTES);
        let (row, of_packed) = rest.split_at_mut(ROW_BYTES);
        key.copy_from_slice(&self.key.to_le_bytes());
        time.copy_from_slice(&self.time.to_le_bytes()[..TIME_BYTES]);
        row.copy_from_slice(&self.row.to_le_bytes()[..ROW_BYTES]);
        of_packed.copy_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&head);
        record.extend_from_slice(self.packed);
    }

    /// The first event of some bytes, and those behind it; none where they end before it does.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (key, bytes) = bytes.split_first_chunk()?;
        let (time, bytes) = bytes.split_first_chunk::<TIME_BYTES>()?;
        let (row, bytes) = bytes.split_first_chunk::<ROW_BYTES>()?;
        let (length, bytes) = bytes.split_first_chunk()?;
        let (packed, bytes) = bytes.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let time = whole(time).cast_signed();
        Some((Self { key: u64::from_le_bytes(*key), time, row: whole(row), packed }, bytes))
    }
}

fn whole<const N: usize>(bytes: &[u8; N]) -> u64 {
    let mut whole = [0; 8];
    whole[..N].copy_from_slice(bytes);
    u64::from_le_bytes(whole)
}
