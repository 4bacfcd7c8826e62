//! One identity in one audience, on its way from a row to a run.

/// Orders by hash, then audience.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: u64,
    pub(super) digest: [u8; 32],
    /// Ordinal of the audience.
    pub(super) audience: u16,
}

pub(super) const ENTRY_BYTES: usize = 42;

impl Entry {
    pub(super) fn order(&self) -> (u64, u16) {
        (self.key, self.audience)
    }

    pub(super) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.key.to_le_bytes());
        bytes[8..40].copy_from_slice(&self.digest);
        bytes[40..].copy_from_slice(&self.audience.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let (mut key, mut digest) = ([0; 8], [0; 32]);
        key.copy_from_slice(&bytes[..8]);
        digest.copy_from_slice(&bytes[8..40]);
        Self { key: u64::from_le_bytes(key), digest, audience: u16::from_le_bytes([bytes[40], bytes[41]]) }
    }
}
