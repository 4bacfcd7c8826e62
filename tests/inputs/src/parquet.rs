//! Parquet files as sources.

use crate::{
    events::loaded,
    sourcing::{plan, refused, sourced},
};
use entente_identity::source::preview;
use std::sync::Arc;

/// The magic bytes at both ends of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

/// A Parquet file is read or refused, as audiences and as events, and a look at it tells as many rows as it has. The input is
/// the file without the magic bytes at its ends.
pub fn parquet(between: &[u8]) {
    let file = [MAGIC, between, MAGIC].concat();
    let sourced = sourced(&file);
    // Those of e-mail addresses.
    let loads = loaded(&file, &plan().mappings[..1]);
    if let Ok(sourced) = &sourced {
        assert!(loads.iter().flatten().all(|load| load.rows == sourced.rows));
    }
    match (preview(Arc::new(file), None), sourced) {
        (Ok(preview), Ok(sourced)) => assert_eq!(preview.estimated_rows, sourced.rows),
        (Ok(_), Err(_)) => {}
        (Err(fault), _) => refused(&fault),
    }
}
