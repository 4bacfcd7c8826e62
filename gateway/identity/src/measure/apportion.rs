//! Sharing out a whole number in whole parts.

/// Shares out `total` in proportion to `weights`, into `parts`, so that the parts add up to exactly `total`: everybody
/// gets its share rounded down, and what is left over goes, one each, to those whose share lost most by it, at a tie to
/// those that come first (largest remainder; Balinski and Young, "Fair Representation", 1982).
///
/// Who weighs nothing gets nothing. Where nobody weighs anything, all weigh the same.
pub(crate) fn apportion(total: u64, weights: &[u64], parts: &mut Vec<u64>) {
    parts.clear();
    let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    match (weights, u64::try_from(whole)) {
        ([], _) => {}
        (_, Ok(0)) => apportion(total, &vec![1; weights.len()], parts),
        // One that has it all.
        (_, Ok(whole)) if weights.contains(&whole) => {
            parts.extend(weights.iter().map(|weight| if *weight == whole { total } else { 0 }));
        }
        (_, Ok(whole)) if total.checked_mul(whole).is_some() => {
            divide(total, weights, parts, |weight| (total * weight / whole, u128::from(total * weight % whole)));
        }
        _ => divide(total, weights, parts, |weight| {
            let share = u128::from(total) * u128::from(weight);
            // At most `total`.
            ((share / whole) as u64, share % whole)
        }),
    }
}

fn divide(total: u64, weights: &[u64], parts: &mut Vec<u64>, divided: impl Fn(u64) -> (u64, u128)) {
    let mut left = total;
    let mut remainders: Vec<(std::cmp::Reverse<u128>, usize)> = Vec::with_capacity(weights.len());
    for (place, weight) in weights.iter().enumerate() {
        let (part, remainder) = divided(*weight);
        parts.push(part);
        left -= part;
        if remainder > 0 {
            remainders.push((std::cmp::Reverse(remainder), place));
        }
    }
    if left > 0 {
        remainders.sort_unstable();
    }
    for (_, place) in remainders.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        parts[place] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apportioned(total: u64, weights: &[u64]) -> Vec<u64> {
        let mut parts = Vec::new();
        apportion(total, weights, &mut parts);
        parts
    }

    #[test]
    fn what_is_left_goes_to_the_largest_remainders_then_to_the_first() {
        for (total, weights, expected) in [
            (10, &[1, 1, 1][..], &[4, 3, 3][..]),
            (11, &[1, 1, 1], &[4, 4, 3]),
            (10, &[1, 2, 4], &[1, 3, 6]),
            (1_000_000, &[2, 1], &[666_667, 333_333]),
            (7, &[0, 5, 0], &[0, 7, 0]),
            (7, &[0, 0], &[4, 3]),
            (0, &[3, 4], &[0, 0]),
            (5, &[], &[]),
            (u64::MAX, &[u64::MAX, u64::MAX], &[1 << 63, (1 << 63) - 1]),
        ] {
            assert_eq!(apportioned(total, weights), expected, "{total} {weights:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_add_up_and_are_within_one_of_their_share(
            total in prop_oneof![0_u64..2_000_000, any::<u64>()],
            weights in prop::collection::vec(prop_oneof![0_u64..4, any::<u64>()], 1..40),
        ) {
            let parts = apportioned(total, &weights);
            prop_assert_eq!(parts.iter().map(|part| u128::from(*part)).sum::<u128>(), u128::from(total));
            let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
            for (weight, part) in weights.iter().zip(&parts).filter(|_| whole > 0) {
                let share = u128::from(total) as f64 * *weight as f64 / whole as f64;
                prop_assert!((*part as f64 - share).abs() <= 1.0 + share * 1e-9, "{} for {}", part, share);
                prop_assert!(*weight > 0 || *part == 0);
            }
        }
    }
}
