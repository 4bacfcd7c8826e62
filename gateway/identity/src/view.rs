//! The randomised response view: what others see in the place of an account's lists.
//!
//! Each pair of an identity x and a slot A has coins, fixed by a keyed pseudo-random function of the account's secret,
//! the match key, the level, x, A and the year of x's coins. A member of A shows in A with probability p, anyone else
//! with probability q (Warner, "Randomized response", 1965), and the answer about x and A stays what it is (RAPPOR,
//! Erlingsson, Pihur and Korolova, 2014). Slot 0 is "all audiences", with coins and a q of its own.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use chrono::NaiveDate;
use entente_domain::PrivacyLevel;
use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u64x8};
use hkdf::Hkdf;
use sha2::Sha256;

use crate::digest::AccountSecret;
use crate::key_name::KeyName;
use crate::slots::Slot;

const DAYS_OF_YEAR: u32 = 365;
/// Slots of a word whose five coins each come out of two blocks: 256 bits are enough for 51 of them.
const FIRST_SLOTS: u32 = 51;
const FIRST: u64 = (1 << FIRST_SLOTS) - 1;
/// The slots of a word after those, whose coins are in a block of their own.
const LAST_SLOTS: u32 = 64 - FIRST_SLOTS;
/// Blocks for an identity and a word where only first slots are wanted, and where others are.
const FEW_BLOCKS: usize = 2;
const ALL_BLOCKS: usize = 3;
/// Identities whose coins are made at a time: their blocks fill a quarter of a first-level cache.
const BATCH: usize = 128;

/// By counter, a block of two words for each identity.
type Blocks<const BLOCKS: usize> = [[u64; 2 * BATCH]; BLOCKS];
/// Identities whose words are worked on at once.
const LANES: usize = 8;

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
    /// Years of 365 days since 1970-01-01.
    year: u32,
    /// Days since the last of them began.
    day_of_year: u32,
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
        let info = [b"entente coins 2", level_name.as_bytes(), key.as_str().as_bytes()].join(&0);
        let expanded = Hkdf::<Sha256>::new(None, secret.bytes()).expand(&info, &mut cipher_key);
        // HKDF gives up to 255 hashes of output; 16 bytes are always to be had.
        debug_assert!(expanded.is_ok());
        let day = u32::try_from(today.signed_duration_since(NaiveDate::default()).num_days()).unwrap_or(0);
        let (year, day_of_year) = (day / DAYS_OF_YEAR, day % DAYS_OF_YEAR);
        Self { level, cipher: Aes128::new(&cipher_key.into()), year, day_of_year }
    }

    /// Replaces, for each identity, the truth about the 64 slots of a word by what is shown of it. Nobody shows in a slot
    /// that is not wanted.
    pub(crate) fn show(&self, keys: &[u64], word: u16, wanted: u64, truth: &mut [u64]) {
        // Most accounts have no more audiences than that.
        match wanted & !FIRST {
            0 => self.show_all::<FEW_BLOCKS>(keys, word, wanted, truth),
            _ => self.show_all::<ALL_BLOCKS>(keys, word, wanted, truth),
        }
    }

    fn show_all<const BLOCKS: usize>(&self, keys: &[u64], word: u16, wanted: u64, truth: &mut [u64]) {
        let level = Level::new();
        let mut blocks: Blocks<BLOCKS> = [[0; 2 * BATCH]; BLOCKS];
        let (batches, rest) = keys.as_chunks::<BATCH>();
        let (truths, truth_of_rest) = truth.split_at_mut(batches.len() * BATCH);
        for (keys, truth) in batches.iter().zip(truths.as_chunks_mut::<BATCH>().0) {
            dispatch!(level, simd => self.show_batch(simd, keys, word, wanted, &mut blocks, truth));
        }
        if !rest.is_empty() {
            let (mut keys, mut truth) = ([0; BATCH], [0; BATCH]);
            keys[..rest.len()].copy_from_slice(rest);
            truth[..rest.len()].copy_from_slice(truth_of_rest);
            dispatch!(level, simd => self.show_batch(simd, &keys, word, wanted, &mut blocks, &mut truth));
            truth_of_rest.copy_from_slice(&truth[..rest.len()]);
        }
    }

    #[inline(always)]
    fn show_batch<S: Simd, const BLOCKS: usize>(
        &self,
        simd: S,
        keys: &[u64; BATCH],
        word: u16,
        wanted: u64,
        blocks: &mut Blocks<BLOCKS>,
        truth: &mut [u64; BATCH],
    ) {
        self.fill_in(simd, keys, word, blocks);
        for blocks in blocks.iter_mut() {
            self.cipher.encrypt_blocks(Array::cast_slice_from_core_mut(bytemuck::cast_slice_mut(blocks)));
        }
        self.through_coins(simd, word, wanted, blocks, truth);
    }

    /// What is encrypted: the hash of an identity, the year of its coins, the word, and a counter.
    #[inline(always)]
    fn fill_in<S: Simd, const BLOCKS: usize>(
        &self,
        simd: S,
        keys: &[u64; BATCH],
        word: u16,
        blocks: &mut Blocks<BLOCKS>,
    ) {
        for (place, keys) in keys.as_chunks::<LANES>().0.iter().enumerate() {
            let rests = keys.map(|key| u64::from(self.year(key)) | u64::from(word) << 32);
            let (keys, rests) = (u64x8::from_slice(simd, keys), u64x8::from_slice(simd, &rests));
            for (counter, blocks) in (0u64..).zip(blocks.iter_mut()) {
                let rests = rests | u64x8::splat(simd, counter << 48);
                let (low, high) = blocks[place * 2 * LANES..(place + 1) * 2 * LANES].split_at_mut(LANES);
                keys.zip_low(rests).store_slice(low);
                keys.zip_high(rests).store_slice(high);
            }
        }
    }

    /// The year of an identity's coins. It starts its years on a day of its own, told by its keyed hash.
    #[inline(always)]
    fn year(&self, key: u64) -> u32 {
        // As random as the hash, and without a division: floor(365 h / 2^32) for the upper half h of it.
        let start = (((key >> 32) * u64::from(DAYS_OF_YEAR)) >> 32) as u32;
        self.year + u32::from(start + self.day_of_year >= DAYS_OF_YEAR)
    }

    /// An AND of k coins has a one with probability 2^-k. Who is hidden as a member may show as another, and nobody
    /// shows as both: so a change that is seen tells no more than a look does.
    #[inline(always)]
    fn through_coins<S: Simd, const BLOCKS: usize>(
        &self,
        simd: S,
        word: u16,
        wanted: u64,
        blocks: &Blocks<BLOCKS>,
        truth: &mut [u64; BATCH],
    ) {
        let slot_of_all = u64x8::splat(simd, u64::from(word == 0));
        for (place, truth) in truth.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let [r1, r2, r3, r4, r5] = coins(simd, blocks, place);
            let (two, three) = (r1 & r2, r1 & r2 & r3);
            let (member_hidden, other_shown, other_shown_in_all) = match self.level {
                PrivacyLevel::Standard => (three, three & r4 & r5, three),
                PrivacyLevel::Strong => (two, three, two),
            };
            let other_shown = other_shown & !slot_of_all | other_shown_in_all & slot_of_all;
            let is_member = u64x8::from_slice(simd, truth);
            let shows = is_member & !member_hidden | !is_member & other_shown;
            (shows & u64x8::splat(simd, wanted)).store_slice(truth);
        }
    }
}

/// Five coins for each slot of a word, of the identities at a place. Those of the first slots are the low bits of the four
/// words of two blocks, and the bits that are left there; each of the last slots has bits of the third block.
#[inline(always)]
fn coins<S: Simd, const BLOCKS: usize>(simd: S, blocks: &Blocks<BLOCKS>, place: usize) -> [u64x8<S>; 5] {
    let words_of = |blocks: &[u64; 2 * BATCH]| {
        let at = place * 2 * LANES;
        let (low, high) = (
            u64x8::from_slice(simd, &blocks[at..at + LANES]),
            u64x8::from_slice(simd, &blocks[at + LANES..at + 2 * LANES]),
        );
        (low.unzip_low(high), low.unzip_high(high))
    };
    let ((a, b), (c, d)) = (words_of(&blocks[0]), words_of(&blocks[1]));
    let left = |word: u64x8<S>, number: u32| word >> FIRST_SLOTS << (LAST_SLOTS * number);
    let first = [a, b, c, d, left(a, 0) | left(b, 1) | left(c, 2) | left(d, 3)];
    let Some(last) = blocks.get(FEW_BLOCKS) else {
        return first;
    };
    let (low, high) = words_of(last);
    let last = [low, low >> LAST_SLOTS, low >> (2 * LAST_SLOTS), low >> (3 * LAST_SLOTS), high];
    std::array::from_fn(|coin| first[coin] & u64x8::splat(simd, FIRST) | last[coin] << FIRST_SLOTS)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use rand::RngExt;

    fn views() -> impl Iterator<Item = ProtectedView> {
        let levels = [PrivacyLevel::Standard, PrivacyLevel::Strong].into_iter();
        let days = (0..400).step_by(61).map(|days| NaiveDate::default() + chrono::Days::new(20_000 + days));
        let key = KeyName::new("crm_id").unwrap();
        levels.flat_map(move |level| {
            let key = key.clone();
            days.clone().map(move |day| ProtectedView::new(level, &AccountSecret::new([9; 32]), &key, day))
        })
    }

    #[test]
    fn nobody_shows_both_as_a_member_and_as_another() {
        let keys: Vec<u64> = (0..3 * BATCH + 5).map(|_| rand::rng().random()).collect();
        for view in views() {
            for word in [0, 1, 900] {
                let (mut members, mut others) = (vec![u64::MAX; keys.len()], vec![0; keys.len()]);
                view.show(&keys, word, u64::MAX, &mut members);
                view.show(&keys, word, u64::MAX, &mut others);
                assert!(members.iter().zip(&others).all(|(member, other)| member & other == 0));
                let share = |shown: &[u64]| {
                    shown.iter().map(|word| f64::from(word.count_ones())).sum::<f64>() / (64 * shown.len()) as f64
                };
                // Of 24,896 coins the share is within 0.016 of the probability, in all but one of a million tries.
                assert!((share(&members) - view.level.p()).abs() < 0.016, "{}", share(&members));
                assert!((share(&others) - view.level.q()).abs() < 0.016, "{}", share(&others));
            }
        }
    }

    #[test]
    fn a_slot_shows_alike_whatever_else_is_asked() {
        let keys: Vec<u64> = (0..BATCH + 9).map(|_| rand::rng().random()).collect();
        let truth: Vec<u64> = keys.iter().map(|_| rand::rng().random()).collect();
        for view in views() {
            for word in [0, 3] {
                let shown = |wanted| {
                    let mut shown = truth.clone();
                    view.show(&keys, word, wanted, &mut shown);
                    shown
                };
                let all = shown(u64::MAX);
                for wanted in [0, 1, FIRST, FIRST >> 7, FIRST + 1, !FIRST, u64::MAX << 9] {
                    let expected: Vec<u64> = all.iter().map(|word| word & wanted).collect();
                    assert_eq!(shown(wanted), expected, "{wanted:x}");
                }
            }
        }
    }

    #[test]
    fn each_slot_has_its_odds_and_coins_that_have_nothing_to_do_with_others() {
        const KEYS: usize = 200_000;
        let keys: Vec<u64> = (0..KEYS).map(|_| rand::rng().random()).collect();
        // Six standard deviations: of 8,576 counts none goes beyond in ten thousand tries.
        let check = |count: usize, chance: f64, what: &str| {
            let (expected, variance) = (KEYS as f64 * chance, KEYS as f64 * chance * (1.0 - chance));
            assert!((count as f64 - expected).abs() < 6.0 * variance.sqrt(), "{what}: {count}, not {expected}");
        };
        let day = NaiveDate::default() + chrono::Days::new(20_000);
        for level in [PrivacyLevel::Standard, PrivacyLevel::Strong] {
            let secret = AccountSecret::new([9; 32]);
            let view = ProtectedView::new(level, &secret, &KeyName::new("crm_id").unwrap(), day);
            for (truth, odds) in [(u64::MAX, level.p()), (0, level.q())] {
                let mut shown = vec![truth; KEYS];
                view.show(&keys, 5, u64::MAX, &mut shown);
                for one in 0..64 {
                    let shows = |slots: u64| shown.iter().filter(|word| *word & slots == slots).count();
                    check(shows(1 << one), odds, &format!("{level:?}, slot {one}"));
                    for other in 0..one {
                        check(
                            shows(1 << one | 1 << other),
                            odds * odds,
                            &format!("{level:?}, slots {other} and {one}"),
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn an_identity_shows_alike_in_any_company_for_a_year() {
        let keys: Vec<u64> = (0..700).map(|_| rand::rng().random()).collect();
        let today = NaiveDate::default() + chrono::Days::new(20_000);
        let name = KeyName::new("crm_id").unwrap();
        let on = |days| {
            let day = today + chrono::Days::new(days);
            ProtectedView::new(PrivacyLevel::Standard, &AccountSecret::new([9; 32]), &name, day)
        };
        let shown = |view: &ProtectedView, keys: &[u64]| {
            let mut shown = vec![0; keys.len()];
            view.show(keys, 1, u64::MAX, &mut shown);
            shown
        };
        let together = shown(&on(0), &keys);
        let alone: Vec<u64> = keys.iter().flat_map(|key| shown(&on(0), &[*key])).collect();
        assert_eq!(together, alone);
        // Every day one in 365 begins a new year; after a year everybody has.
        let unlike = |days| shown(&on(days), &keys).iter().zip(&together).filter(|(now, then)| now != then).count();
        let first = unlike(1);
        assert!(first < 20, "{first}");
        let half = unlike(182);
        assert!((220..480).contains(&half), "{half}");
        assert!(unlike(365) > 550);
    }
}
