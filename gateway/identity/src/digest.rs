//! What an identity is inside the gateway: 32 bytes of SHA-256, and the keyed 64-bit hash of them that indexes sort by.

use std::fmt;

use siphasher::sip::SipHasher24;
use zeroize::Zeroizing;

/// One identity: the SHA-256 of a normalised identifier. `Debug` prints nothing of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// Keyed hash of a [`Digest`] under the gateway's [`IndexSecret`]. Within one match key, equal keys are one identity:
/// nobody without the secret can craft two digests that collide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key64(pub u64);

/// The gateway's secret behind every [`Key64`].
pub struct IndexSecret(Zeroizing<[u8; 16]>);

/// The secret of one account, from which the coins of its randomised response view are made.
pub struct AccountSecret(Zeroizing<[u8; 32]>);

impl IndexSecret {
    /// A secret of 128 random bits.
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// SipHash-2-4 of the digest.
    pub fn key(&self, digest: &Digest) -> Key64 {
        let key = u128::from_le_bytes(*self.0);
        Key64(SipHasher24::new_with_keys(key as u64, (key >> 64) as u64).hash(&digest.0))
    }
}

impl AccountSecret {
    /// A secret of 256 random bits.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl fmt::Debug for Key64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key64(..)")
    }
}

impl fmt::Debug for IndexSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexSecret(..)")
    }
}

impl fmt::Debug for AccountSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_nothing() {
        let printed = format!(
            "{:?} {:?} {:?} {:?}",
            Digest([0xAB; 32]),
            Key64(0xABAB),
            IndexSecret::new([0xAB; 16]),
            AccountSecret::new([0xAB; 32])
        );
        assert_eq!(printed, "Digest(..) Key64(..) IndexSecret(..) AccountSecret(..)");
    }

    #[test]
    fn the_key_is_siphash_of_the_digest() {
        // Key 00..0f, message 00..1f, as the reference implementation of SipHash-2-4 has it.
        let secret = IndexSecret::new(std::array::from_fn(|i| i as u8));
        let digest = Digest(std::array::from_fn(|i| i as u8));
        assert_eq!(secret.key(&digest).0.to_le_bytes(), [0xce, 0x7c, 0xf2, 0x72, 0x2f, 0x51, 0x27, 0x71]);
    }
}
