//! What one side may read about the other side's people: thresholds, rounding, percentages, index and bands.
//!
//! Everything here is made from estimates that may be released and from sizes that are shown, and from nothing else.

use crate::{match_key::MatchKey, settings::Counts};
use serde::{Deserialize, Serialize};

/// The least that an operator may set as the threshold.
pub const LEAST_MINIMUM: u64 = 50;
/// The threshold unless the operator set another.
pub const DEFAULT_MINIMUM: u64 = 1_000;
/// An estimate must be at least this many standard errors.
const STANDARD_ERRORS: f64 = 3.0;

/// The rules under which an answer is released.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Nothing smaller is shown.
    pub minimum: u64,
    /// Protected, or exact by agreement.
    pub counts: Counts,
}

/// An estimate before it is released.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counted {
    /// Unbiased; may be negative.
    pub estimate: f64,
    /// The square of its standard error.
    pub variance: f64,
}

/// A number that may be read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Rounded to a tenth of its standard error and clamped to the sizes that are shown.
    pub value: u64,
    /// 0 when counts are exact.
    pub standard_error: f64,
}

/// Releases an estimate, or nothing when it is under the threshold. `cap` is the least of the sizes that are shown.
pub fn figure(counted: Counted, cap: u64, rules: Rules) -> Option<Figure> {
    let standard_error = match rules.counts {
        Counts::Protected => counted.variance.max(0.0).sqrt(),
        Counts::Exact => 0.0,
    };
    if counted.estimate < STANDARD_ERRORS * standard_error {
        return None;
    }
    let step = (standard_error / 10.0).max(1.0);
    let rounded = (counted.estimate / step).round() * step;
    let value = (rounded.round() as u64).min(cap);
    (value >= rules.minimum).then_some(Figure { value, standard_error: (standard_error * 10.0).round() / 10.0 })
}

/// The size of another account's audience: to three significant digits, or nothing when it is under the threshold.
pub fn shown_size(exact: u64, minimum: u64) -> Option<u64> {
    (exact >= minimum).then(|| three_digits(exact))
}

fn three_digits(exact: u64) -> u64 {
    let mut unit = 1;
    while exact / unit >= 1_000 {
        unit *= 10;
    }
    (exact + unit / 2) / unit * unit
}

/// What was counted for one match key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyCount {
    /// The key.
    pub key: MatchKey,
    /// Distinct identities of my selection; mine, so exact.
    pub mine: u64,
    /// Distinct identities of theirs, exact; never shown as it is.
    pub theirs: u64,
    /// The overlap.
    pub counted: Counted,
}

/// One match key's part of an overlap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyOverlap {
    /// The key.
    pub key: MatchKey,
    /// Distinct identities of my selection.
    pub mine: u64,
    /// What they have in common, when it may be read.
    pub figure: Option<Figure>,
    /// This key's part of all released identities, 0 to 1.
    pub share: Option<f64>,
}

/// What two selections have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// Identities of my selection, over the keys asked for.
    pub mine: u64,
    /// Identities of their selection, to three significant digits, when shown.
    pub theirs: Option<u64>,
    /// Sum over the released keys.
    pub identities: Figure,
    /// Of my selection's count, 0 to 100.
    pub percentage: f64,
    /// Each key that was asked for.
    pub keys: Vec<KeyOverlap>,
}

/// Sums the keys that may be released; nothing when none may.
pub fn overlap(keys: &[KeyCount], rules: Rules) -> Option<Overlap> {
    let figures: Vec<_> = keys.iter().map(|k| released(k, rules)).collect();
    let value: u64 = figures.iter().flatten().map(|f| f.value).sum();
    if figures.iter().all(Option::is_none) || value == 0 {
        return None;
    }
    let variance: f64 = figures.iter().flatten().map(|f| f.standard_error * f.standard_error).sum();
    let mine: u64 = keys.iter().map(|k| k.mine).sum();
    Some(Overlap {
        mine,
        theirs: shown_size(keys.iter().map(|k| k.theirs).sum(), rules.minimum),
        identities: Figure { value, standard_error: (variance.sqrt() * 10.0).round() / 10.0 },
        percentage: (value as f64 * 100.0 / mine as f64).min(100.0),
        keys: keys
            .iter()
            .zip(figures)
            .map(|(k, figure)| KeyOverlap {
                key: k.key.clone(),
                mine: k.mine,
                figure,
                share: figure.map(|f| f.value as f64 / value as f64),
            })
            .collect(),
    })
}

/// The figure of one key.
pub fn released(key: &KeyCount, rules: Rules) -> Option<Figure> {
    let shown = shown_size(key.theirs, rules.minimum)?;
    figure(key.counted, key.mine.min(shown), rules)
}

/// How much likelier people of my selection are in their audience than their people are on the whole, times 100:
/// `((|S∩P| / |S∩ALL|) / (|P| / |ALL|)) × 100`, over the keys in which both overlaps may be released.
pub fn audience_index(with_audience: &[KeyCount], with_all: &[KeyCount], rules: Rules) -> Option<f64> {
    let (mut s_p, mut s_all, mut p, mut all) = (0u64, 0u64, 0u64, 0u64);
    for (audience, everyone) in with_audience.iter().zip(with_all) {
        let (Some(a), Some(e)) = (released(audience, rules), released(everyone, rules)) else { continue };
        s_p += a.value;
        s_all += e.value;
        p += shown_size(audience.theirs, rules.minimum)?;
        all += shown_size(everyone.theirs, rules.minimum)?;
    }
    if s_p == 0 || s_all == 0 || p == 0 || all == 0 {
        return None;
    }
    Some(s_p as f64 * all as f64 * 100.0 / (s_all as f64 * p as f64))
}

/// Bands of the audience index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum IndexBand {
    /// Below 60.
    VeryLow,
    /// To 80.
    Low,
    /// To 120.
    Medium,
    /// To 140.
    High,
    /// Above 140.
    VeryHigh,
}

/// The band of an index.
pub fn band(index: f64) -> IndexBand {
    match index {
        i if i < 60.0 => IndexBand::VeryLow,
        i if i <= 80.0 => IndexBand::Low,
        i if i <= 120.0 => IndexBand::Medium,
        i if i <= 140.0 => IndexBand::High,
        _ => IndexBand::VeryHigh,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::match_key::MatchKeyKind;
    use proptest::prelude::*;

    const RULES: Rules = Rules { minimum: 1_000, counts: Counts::Protected };

    fn key(mine: u64, theirs: u64, estimate: f64, variance: f64) -> KeyCount {
        KeyCount { key: MatchKey::of(MatchKeyKind::HashedEmail), mine, theirs, counted: Counted { estimate, variance } }
    }

    #[test]
    fn sizes_have_three_digits() {
        for (exact, shown) in [
            (999, None),
            (1_000, Some(1_000)),
            (1_004, Some(1_000)),
            (1_005, Some(1_010)),
            (123_456, Some(123_000)),
            (99_950, Some(100_000)),
            (17_449_999, Some(17_400_000)),
        ] {
            assert_eq!(shown_size(exact, 1_000), shown, "{exact}");
        }
    }

    #[test]
    fn bands_are_those_of_the_product() {
        use IndexBand::{High, Low, Medium, VeryHigh, VeryLow};
        for (index, expected) in [
            (59.9, VeryLow),
            (60.0, Low),
            (80.0, Low),
            (80.1, Medium),
            (120.0, Medium),
            (140.0, High),
            (140.1, VeryHigh),
        ] {
            assert_eq!(band(index), expected, "{index}");
        }
    }

    #[test]
    fn below_the_threshold_nothing_is_read() {
        assert_eq!(overlap(&[key(50_000, 50_000, 999.0, 0.0)], RULES), None);
        assert_eq!(overlap(&[key(50_000, 50_000, 1_400.0, 500.0 * 500.0)], RULES), None, "under three errors");
        assert_eq!(overlap(&[key(500, 50_000, 1_400.0, 4.0)], RULES), None, "my own selection is too small");
        assert_eq!(overlap(&[key(50_000, 900, 1_400.0, 4.0)], RULES), None, "theirs is too small to show");
    }

    #[test]
    fn the_index_uses_released_overlaps_and_shown_sizes() {
        let rules = Rules { minimum: 1_000, counts: Counts::Exact };
        let audience = [key(100_000, 20_000, 6_000.0, 0.0)];
        let all = [key(100_000, 100_000, 20_000.0, 0.0)];
        assert_eq!(audience_index(&audience, &all, rules), Some(150.0));
        let small = [key(100_000, 20_000, 600.0, 0.0)];
        assert_eq!(audience_index(&small, &all, rules), None);
    }

    proptest! {
        #[test]
        fn a_figure_is_within_what_is_shown(
            estimate in -5_000.0..2_000_000.0f64,
            se in 0.0..2_000.0f64,
            mine in 0u64..2_000_000,
            theirs in 0u64..2_000_000,
        ) {
            let counted = key(mine, theirs, estimate, se * se);
            if let Some(figure) = released(&counted, RULES) {
                prop_assert!(figure.value <= mine && figure.value <= shown_size(theirs, 1_000).unwrap());
                prop_assert!(figure.value >= 1_000 && estimate >= 3.0 * se);
                let step = (se / 10.0).max(1.0);
                let off = (figure.value as f64 - estimate).abs();
                prop_assert!(off <= step / 2.0 + 0.5 || figure.value == mine || Some(figure.value) == shown_size(theirs, 1_000));
            }
        }
    }
}
