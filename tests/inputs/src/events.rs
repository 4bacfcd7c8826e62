//! Loading a file of events as it would be uploaded.

use entente_identity::{
    IndexSecret,
    measure::{ConversionPlan, ExposurePlan, Load, LoadFault, TimeForm, load_conversions, load_exposures},
    source::{Control, Input, Mapping},
};
use std::sync::Arc;

/// Little, so that few events are sorted on disk already.
const MEMORY: usize = 1 << 20;

/// Loads a file as exposures and as conversions; what is refused leaves nothing behind.
pub fn loaded(file: &[u8], identities: &[Mapping]) -> [Result<Load, LoadFault>; 2] {
    let (dir, secret) = (tempfile::tempdir().unwrap(), IndexSecret::new([7; 16]));
    let file = Arc::new(file.to_vec());
    let input = || Input::File(file.clone());
    let [seen, bought] = ["seen", "bought"].map(|out| dir.path().join(out));
    let (seen_by, bought_by) = (exposures(identities), conversions(identities));
    let go_on = &mut |_| Control::Continue;
    let seen = load_exposures(input(), &seen_by, &secret, dir.path(), &seen, go_on).map(|loaded| loaded.load);
    let bought = load_conversions(input(), &bought_by, &secret, dir.path(), &bought, go_on).map(|loaded| loaded.load);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, usize::from(seen.is_ok()) + usize::from(bought.is_ok()), "a refused file left something");
    for load in [&seen, &bought] {
        match load {
            Ok(load) => {
                let (faults, listed) = (load.faults.total(), load.faults.listed.len() as u64);
                assert!(load.accepted_rows <= load.rows && listed <= faults, "{load:?}");
            }
            // What is wrong is said of the file, not of the gateway, and names nobody.
            Err(fault) => {
                assert!(!matches!(fault.name(), "IO" | "CANCELLED") && !fault.to_string().contains('@'), "{fault}");
            }
        }
    }
    [seen, bought]
}

/// The columns `at`, `audience`, and `cost` and `active` where they are there.
fn exposures(identities: &[Mapping]) -> ExposurePlan {
    ExposurePlan {
        delimiter: b',',
        identities: identities.to_vec(),
        key_type: None,
        time: "at".to_owned(),
        time_form: TimeForm::Written { zone: None },
        campaign: "audience".to_owned(),
        campaigns: None,
        placement: Some("loyalty".to_owned()),
        creative: None,
        cost: Some("cost".to_owned()),
        viewable: Some("active".to_owned()),
        kind: None,
        any_spelling: true,
        memory: MEMORY,
    }
}

/// The columns `loyalty`, `audience`, and `cost` where it is there.
fn conversions(identities: &[Mapping]) -> ConversionPlan {
    ConversionPlan {
        delimiter: b',',
        identities: identities.to_vec(),
        key_type: None,
        time: "loyalty".to_owned(),
        time_form: TimeForm::EpochSeconds,
        kind: "audience".to_owned(),
        value: Some("cost".to_owned()),
        currency: None,
        deduplication_key: Some("at".to_owned()),
        attributes: vec![],
        any_spelling: true,
        memory: MEMORY,
    }
}
