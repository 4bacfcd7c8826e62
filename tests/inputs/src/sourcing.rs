//! Sourcing a file as it would be uploaded.

use entente_identity::{
    IndexSecret, KeyName,
    normalise::{Form, Take},
    source::{AudienceFrom, Control, Mapping, SourceFault, SourcePlan, Sourced, source},
};
use std::sync::Arc;

/// Little, so that few entries are sorted on disk already.
const MEMORY: usize = 1 << 20;

/// The columns `email` and `loyalty`, of the audiences in `audience`.
pub fn plan() -> SourcePlan {
    let mapping = |column: &str, key: &str, form| Mapping {
        column: column.to_owned(),
        key: KeyName::new(key).expect("a key's name"),
        form,
        take: Take::Transform,
    };
    SourcePlan {
        delimiter: b',',
        mappings: vec![
            mapping("email", "hashed_email", Form::HashedEmail),
            mapping("loyalty", "loyalty_id", Form::LoyaltyId),
        ],
        audience: AudienceFrom::Column("audience".to_owned()),
        memory: MEMORY,
    }
}

/// Sources a file; one that is refused leaves nothing behind.
pub fn sourced(file: &[u8]) -> Result<Sourced, SourceFault> {
    let (dir, secret) = (tempfile::tempdir().unwrap(), IndexSecret::new([7; 16]));
    let out = dir.path().join("run");
    let file = Arc::new(file.to_vec());
    let sourced = source(file, &plan(), dir.path(), &secret, &out, &mut |_| Control::Continue);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, usize::from(sourced.is_ok()), "a refused file left something, or an accepted one no run");
    if let Ok(sourced) = &sourced {
        let listed = sourced.faults.listed.len() as u64;
        assert!(sourced.accepted_rows <= sourced.rows && listed <= sourced.faults.total(), "{sourced:?}");
        let of_audiences = |key: usize| sourced.audiences.iter().map(|a| a.keys[key].identities).max().unwrap_or(0);
        assert!(sourced.keys.iter().enumerate().all(|(key, count)| of_audiences(key) <= count.identities));
    }
    sourced.inspect_err(refused)
}

/// What is wrong is said of the file, not of the gateway, and names nobody.
pub fn refused(fault: &SourceFault) {
    assert!(!matches!(fault.name(), "IO" | "CANCELLED"), "{fault}");
    assert!(!fault.to_string().contains('@'), "{fault}");
}
