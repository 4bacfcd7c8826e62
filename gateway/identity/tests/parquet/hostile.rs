//! Valid files of many shapes, damaged in every way: none panics, takes long or takes much memory.
//!
//! `PROPTEST_CASES=1000000 cargo test --release --test parquet damaged` tries a million of them.

use crate::alike::shapes;
use crate::events::{as_conversions, as_exposures};
use crate::files::{Columns, mapping, plan, sourced, written};
use crate::handmade::Handmade;
use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{SourcePlan, preview};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

const CASES: u32 = 3_000;
/// A file of some kilobytes is done with in this time, also on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(20);
const MOST_MEBIBYTES: u64 = 512;

fn columns(rows: usize) -> Columns {
    let mut tags = ListBuilder::new(Int32Builder::new());
    (0..rows).for_each(|i| tags.append_value((0..i % 3).map(|tag| Some(tag as i32))));
    let times = TimestampMicrosecondArray::from_iter_values((0..rows).map(|i| 1_772_366_400_000_000 + i as i64));
    let costs = Decimal128Array::from_iter_values((0..rows).map(|i| i as i128 * 10_i128.pow(17)));
    let email = |i: usize| (!i.is_multiple_of(9)).then(|| format!("person{}@example.com", i * 7 % 31));
    vec![
        ("tags", Arc::new(tags.finish())),
        ("email", Arc::new((0..rows).map(email).collect::<StringArray>())),
        ("loyalty", Arc::new((0..rows).map(|i| (i % 4 != 0).then_some(i as i64)).collect::<Int64Array>()) as ArrayRef),
        ("audience", Arc::new(StringArray::from_iter_values((0..rows).map(|i| format!("Audience {}", i % 3))))),
        ("at", Arc::new(times.with_timezone("UTC"))),
        ("cost", Arc::new(costs.with_precision_and_scale(38, 18).unwrap())),
        ("value", Arc::new((0..rows).map(|i| (i % 5 != 0).then_some(i as f64 / 3.0)).collect::<Float64Array>())),
        ("price", Arc::new(Float32Array::from_iter_values((0..rows).map(|i| i as f32 / 7.0)))),
        ("viewable", Arc::new((0..rows).map(|i| (i % 3 != 0).then_some(i % 2 == 0)).collect::<BooleanArray>())),
    ]
}

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let of = |rows| shapes().into_iter().map(move |(_, properties)| written(columns(rows), properties));
    of(3).chain(of(300)).chain([Handmade::of(&["ada@example.com", "bob@example.com"]).bytes()]).collect()
});

fn any_plan() -> SourcePlan {
    plan(
        vec![
            mapping("email", "hashed_email", Form::HashedEmail, Take::Transform),
            mapping("loyalty", "loyalty_id", Form::LoyaltyId, Take::Transform),
        ],
        Some("audience"),
    )
}

/// One way to damage a file. Places are shares of the file's length, from its start or near its end.
#[derive(Clone, Debug)]
enum Damage {
    Flip(f64, u8),
    FlipNearEnd(u16, u8),
    Put(f64, Vec<u8>),
    PutNearEnd(u16, Vec<u8>),
    Insert(f64, Vec<u8>),
    Remove(f64, u16),
    CutShort(f64),
    FooterLength(u32),
    Splice(usize, f64, f64, u16),
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = || 0.0..1.0f64;
    let bytes = || {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 1..12),
            prop::collection::vec(prop::sample::select(vec![0u8, 0x7f, 0x80, 0xff]), 1..12),
        ]
    };
    prop_oneof![
        4 => (place(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        4 => (8..900u16, 0..8u8).prop_map(|(at, bit)| Damage::FlipNearEnd(at, bit)),
        3 => (place(), bytes()).prop_map(|(at, bytes)| Damage::Put(at, bytes)),
        3 => (8..900u16, bytes()).prop_map(|(at, bytes)| Damage::PutNearEnd(at, bytes)),
        1 => (place(), bytes()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (place(), 1..99u16).prop_map(|(at, length)| Damage::Remove(at, length)),
        1 => place().prop_map(Damage::CutShort),
        1 => any::<u32>().prop_map(|length| Damage::FooterLength(length >> (length % 32))),
        1 => (any::<usize>(), place(), place(), 1..999u16).prop_map(|(of, from, to, n)| Damage::Splice(of, from, to, n)),
    ]
}

impl Damage {
    fn apply(&self, file: &mut Vec<u8>) {
        let length = file.len();
        let place = |share: f64| (share * length as f64) as usize;
        let near_end = |distance: u16| length.saturating_sub(usize::from(distance) + 1);
        match self {
            _ if file.is_empty() => {}
            Self::Flip(at, bit) => file[place(*at)] ^= 1 << bit,
            Self::FlipNearEnd(at, bit) => file[near_end(*at)] ^= 1 << bit,
            Self::Put(at, bytes) => put(file, place(*at), bytes),
            Self::PutNearEnd(at, bytes) => put(file, near_end(*at), bytes),
            Self::Insert(at, bytes) => _ = file.splice(place(*at)..place(*at), bytes.iter().copied()),
            Self::Remove(at, n) => _ = file.drain(place(*at)..(place(*at) + usize::from(*n)).min(length)),
            Self::CutShort(at) => {
                // With its end put back, so that more than the end is looked at.
                let end = file.split_off(length.saturating_sub(8));
                file.truncate(place(*at));
                file.extend(end);
            }
            Self::FooterLength(n) => put(file, length.saturating_sub(8), &n.to_le_bytes()),
            Self::Splice(of, from, to, n) => {
                let other = &FILES[of % FILES.len()];
                let from = (from * other.len() as f64) as usize;
                put(file, place(*to), &other[from..(from + usize::from(*n)).min(other.len())]);
            }
        }
    }
}

/// Puts bytes in the place of others.
fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    let room = file.len().saturating_sub(at).min(bytes.len());
    file[at..at + room].copy_from_slice(&bytes[..room]);
}

fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(CASES),
    }
}

/// The most memory that this process has had at any time.
fn peak_mebibytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kibibytes.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kibibytes| kibibytes >> 10)
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn damaged_files_are_read_or_refused(
        of in any::<prop::sample::Index>(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let mut file = of.get(FILES.as_slice()).clone();
        damages.iter().for_each(|damage| damage.apply(&mut file));
        let begin = Instant::now();
        let refused = |name: &str, fault: String| {
            // What is wrong is said of the file, not of the gateway, and names nobody.
            prop_assert!(name != "IO" && name != "CANCELLED", "{fault}");
            prop_assert!(!fault.contains('@'), "{fault}");
            Ok(())
        };
        if let Err(fault) = sourced(&any_plan(), file.clone()) {
            refused(fault.name(), fault.to_string())?;
        }
        for loaded in [as_exposures(file.clone()), as_conversions(file.clone())] {
            if let Err(fault) = loaded {
                refused(fault.name(), fault.to_string())?;
            }
        }
        if let Err(fault) = preview(Arc::new(file), None) {
            refused(fault.name(), fault.to_string())?;
        }
        prop_assert!(begin.elapsed() < LONGEST, "{:?}", begin.elapsed());
        if let Some(peak) = peak_mebibytes() {
            prop_assert!(peak < MOST_MEBIBYTES, "{peak} MiB");
        }
    }
}

#[test]
fn what_is_damaged_was_sound() {
    for file in FILES.iter().take(FILES.len() - 1) {
        assert!(sourced(&any_plan(), file.clone()).unwrap().0.accepted_rows > 0);
        assert!(as_exposures(file.clone()).unwrap().accepted_rows > 0);
    }
}
