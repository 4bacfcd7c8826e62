//! Holding people out: a keyed share of those whom an audience is sent for is delivered nowhere, so that what a campaign
//! brought can be told from what happens without it.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use hkdf::Hkdf;
use roaring::RoaringBitmap;
use sha2::Sha256;

use crate::digest::AccountSecret;
use crate::index::Index;
use crate::key_name::KeyName;
use crate::positions::MatchedRows;

/// Who is held out of what an account sends for one draw, by one match key. Whoever does not have the account's secret cannot
/// tell, and the same identity is held out whenever it is asked.
pub struct Holdout {
    cipher: Aes128,
    /// Of all 2^64 outcomes those below are held out.
    limit: u128,
}

impl Holdout {
    /// Holds `percent` of a hundred identities out. With the same `draw` a greater percentage holds out those of a smaller
    /// one, and more; draws of other names have nothing to do with each other.
    pub fn new(secret: &AccountSecret, draw: &str, key: &KeyName, percent: u8) -> Self {
        let mut cipher_key = [0; 16];
        let info = [b"entente holdout 1", draw.as_bytes(), key.as_str().as_bytes()].join(&0);
        let expanded = Hkdf::<Sha256>::new(None, secret.bytes()).expand(&info, &mut cipher_key);
        // HKDF gives up to 255 hashes of output; 16 bytes are always to be had.
        debug_assert!(expanded.is_ok());
        Self { cipher: Aes128::new(&cipher_key.into()), limit: (u128::from(percent) << 64) / 100 }
    }

    /// Whether an identity is held out, told by its keyed hash.
    pub(crate) fn holds_out(&self, key: u64) -> bool {
        let mut block = Array::from(u128::from(key).to_le_bytes());
        self.cipher.encrypt_block(&mut block);
        u128::from_le_bytes(block.into()) >> 64 < self.limit
    }
}

/// Takes those who are held out from rows of an index, and gives their number.
pub fn hold_out_of_rows(index: &Index, rows: &mut MatchedRows, holdout: &Holdout) -> u64 {
    let keys = index.keys();
    let held_out: RoaringBitmap =
        rows.iter().filter(|row| keys.get(*row as usize).is_some_and(|key| holdout.holds_out(*key))).collect();
    *rows -= &held_out;
    held_out.len()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const IDENTITIES: u64 = 100_000;

    fn holdout(secret: u8, draw: &str, key: &str, percent: u8) -> Holdout {
        Holdout::new(&AccountSecret::new([secret; 32]), draw, &KeyName::new(key.to_owned()).unwrap(), percent)
    }

    /// Hashes of identities are spread over all numbers; small ones in a row are the worst that may come.
    fn held_out(holdout: &Holdout) -> Vec<u64> {
        (0..IDENTITIES).filter(|key| holdout.holds_out(*key)).collect()
    }

    #[test]
    fn as_many_are_held_out_as_asked_for() {
        for percent in [0, 1, 10, 50, 100] {
            let (found, wanted) =
                (held_out(&holdout(1, "p", "email", percent)).len() as f64, f64::from(percent) / 100.0);
            let spread = (IDENTITIES as f64 * wanted * (1.0 - wanted)).sqrt();
            assert!((found - IDENTITIES as f64 * wanted).abs() <= 4.0 * spread, "{percent}: {found}");
        }
    }

    #[test]
    fn a_greater_share_holds_out_the_same_people_and_more() {
        let few = held_out(&holdout(1, "p", "email", 5));
        let more = holdout(1, "p", "email", 20);
        assert!(few.iter().all(|key| more.holds_out(*key)));
    }

    #[test]
    fn draws_secrets_and_match_keys_have_nothing_to_do_with_each_other() {
        let one = holdout(1, "p", "email", 20);
        for other in [holdout(1, "q", "email", 20), holdout(2, "p", "email", 20), holdout(1, "p", "phone", 20)] {
            let both = (0..IDENTITIES).filter(|key| one.holds_out(*key) && other.holds_out(*key)).count() as f64;
            let (mean, spread) = (IDENTITIES as f64 * 0.04, (IDENTITIES as f64 * 0.04 * 0.96).sqrt());
            assert!((both - mean).abs() <= 4.0 * spread, "{both}");
        }
    }
}
