//! The randomised response view: what others see in the place of an account's lists.
//!
//! Each pair of an identity x and a slot A has coins, fixed by a keyed pseudo-random function of the account's secret,
//! the match key, the level, x, A and the year of x's coins. A member of A shows in A with probability p, anyone else
//! with probability q (Warner, "Randomized response", 1965), and the answer about x and A stays what it is (RAPPOR,
//! Erlingsson, Pihur and Korolova, 2014). Slot 0 is "all audiences", with coins and a q of its own.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use chrono::{Datelike, NaiveDate};
use entente_domain::PrivacyLevel;
use hkdf::Hkdf;
use sha2::Sha256;

use crate::digest::AccountSecret;
use crate::key_name::KeyName;
use crate::slots::Slot;

const DAYS_OF_YEAR: i64 = 365;
/// Random words per identity and 64 slots.
const WORDS: usize = 8;
/// Two words come out of a block.
const BLOCKS: usize = WORDS / 2;
/// Identities whose coins are made at a time: their blocks fill a quarter of a first-level cache.
const BATCH: usize = 128;

type Block = Array<u8, aes::cipher::typenum::U16>;

/// How the lists of the observed account are looked at.
pub enum View {
    /// As they are: only where both sides have agreed on exact counts.
    Exact,
    /// Through the coins of the observed account.
    Protected(Box<ProtectedView>),
}

/// The coins of one account for one match key on one day.
pub struct ProtectedView {
    level: PrivacyLevel,
    cipher: Aes128,
    /// Days since 1970-01-01.
    day: i64,
}

/// Probabilities of showing up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Odds {
    /// Of a member.
    pub p: f64,
    /// Of anyone else.
    pub q: f64,
}

impl View {
    /// The view of an account on a day, for the match key that is compared.
    pub fn protected(level: PrivacyLevel, secret: &AccountSecret, key: &KeyName, today: NaiveDate) -> Self {
        Self::Protected(Box::new(ProtectedView::new(level, secret, key, today)))
    }

    /// The probabilities for a slot; [`Slot::ALL`] has its own.
    pub fn odds(&self, slot: Slot) -> Odds {
        match self {
            Self::Exact => Odds { p: 1.0, q: 0.0 },
            Self::Protected(view) if slot == Slot::ALL => Odds { p: view.level.p(), q: view.level.q_all() },
            Self::Protected(view) => Odds { p: view.level.p(), q: view.level.q() },
        }
    }
}

impl ProtectedView {
    fn new(level: PrivacyLevel, secret: &AccountSecret, key: &KeyName, today: NaiveDate) -> Self {
        // The level takes part: were the coins of both levels the same, who has seen an identity through both would
        // see the coins fall, and with them the truth.
        let level_name = match level {
            PrivacyLevel::Standard => "standard",
            PrivacyLevel::Strong => "strong",
        };
        let mut cipher_key = [0; 16];
        let info = [b"entente coins 1", level_name.as_bytes(), key.as_str().as_bytes()].join(&0);
        let expanded = Hkdf::<Sha256>::new(None, secret.bytes()).expand(&info, &mut cipher_key);
        // HKDF gives up to 255 hashes of output; 16 bytes are always to be had.
        debug_assert!(expanded.is_ok());
        let epoch = NaiveDate::default().num_days_from_ce();
        Self { level, cipher: Aes128::new(&cipher_key.into()), day: i64::from(today.num_days_from_ce() - epoch) }
    }

    /// The year of each identity's coins; an identity starts its years on a day of its own, told by its keyed hash.
    pub(crate) fn years(&self, keys: &[u64], years: &mut Vec<i32>) {
        years.clear();
        years.extend(keys.iter().map(|key| {
            let start = (key % DAYS_OF_YEAR as u64) as i64;
            (self.day + start).div_euclid(DAYS_OF_YEAR) as i32
        }));
    }

    /// Replaces, for each identity, the truth about the 64 slots of a word by what is shown of it.
    pub(crate) fn show(&self, keys: &[u64], years: &[i32], word: u16, truth: &mut [u64]) {
        let mut blocks = [[Block::default(); BLOCKS]; BATCH];
        let batches = keys.chunks(BATCH).zip(years.chunks(BATCH)).zip(truth.chunks_mut(BATCH));
        for ((keys, years), truth) in batches {
            let blocks = &mut blocks[..keys.len()];
            for ((blocks, key), year) in blocks.iter_mut().zip(keys).zip(years) {
                *blocks = std::array::from_fn(|counter| input(*key, *year, word, counter as u8));
            }
            self.cipher.encrypt_blocks(blocks.as_flattened_mut());
            for (truth, blocks) in truth.iter_mut().zip(blocks) {
                *truth = self.through_coins(*truth, word, blocks);
            }
        }
    }

    #[inline]
    fn through_coins(&self, truth: u64, word: u16, blocks: &[Block; BLOCKS]) -> u64 {
        let [[r1, r2], [r3, r4], [r5, r6], [r7, r8]] = blocks.each_ref().map(words);
        // An AND of k random words has a one with probability 2^-k.
        let (members_hidden, others_shown, others_shown_in_all) = match self.level {
            PrivacyLevel::Standard => (r6 & r7 & r8, r1 & r2 & r3 & r4 & r5, r1 & r2 & r3),
            PrivacyLevel::Strong => (r6 & r7, r1 & r2 & r3, r1 & r2),
        };
        let slot_of_all = u64::from(word == 0);
        let others_shown = others_shown & !slot_of_all | others_shown_in_all & slot_of_all;
        truth & !members_hidden | !truth & others_shown
    }
}

#[inline]
fn input(key: u64, year: i32, word: u16, counter: u8) -> Block {
    let rest = u64::from(year as u32) | u64::from(word) << 32 | u64::from(counter) << 48;
    let block = u128::from(key) | u128::from(rest) << 64;
    block.to_le_bytes().into()
}

#[inline]
fn words(block: &Block) -> [u64; 2] {
    let block = u128::from_le_bytes((*block).into());
    [block as u64, (block >> 64) as u64]
}
