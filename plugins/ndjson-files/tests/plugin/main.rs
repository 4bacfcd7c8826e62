//! The plugin, compiled and loaded as the gateway's worker loads it, and called through its table.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod batches;
mod deliveries;
mod places;
mod sanitised;
mod settings;
mod world;

use std::path::PathBuf;
use std::sync::OnceLock;

use entente_destination::abi::{DestinationTable, Entry, SYMBOL};
use entente_destination::caller::Plugin;
use libloading::Library;

/// The plugin's file where another run of these tests has compiled it.
const COMPILED: &str = "ENTENTE_TEST_NDJSON_FILES";

/// The plugin's table; `None` where the plugin cannot be compiled.
fn table() -> Option<&'static DestinationTable> {
    static TABLE: OnceLock<Option<DestinationTable>> = OnceLock::new();
    let load = || {
        let folder = tempfile::tempdir().unwrap();
        let file = match std::env::var_os(COMPILED) {
            Some(file) => PathBuf::from(file),
            None if can_be_compiled() => entente_ndjson_files::compile(folder.path(), "-O2").unwrap(),
            None => return None,
        };
        // SAFETY: the library is what was compiled, and never unloaded; its table keeps the contract.
        unsafe {
            let library = Library::new(file).unwrap();
            let entry = *library.get::<Entry>(SYMBOL).unwrap();
            std::mem::forget(library);
            Some(DestinationTable::read(entry()).unwrap())
        }
    };
    TABLE.get_or_init(load).as_ref()
}

fn plugin() -> Option<Plugin> {
    // SAFETY: the table was read from the library, which is never unloaded.
    table().map(|table| unsafe { Plugin::from_table(table) }.unwrap())
}

fn can_be_compiled() -> bool {
    let possible = entente_ndjson_files::can_be_compiled();
    if !possible {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "cc, make or jansson is missing");
        eprintln!("left out: cc, make or jansson is not on this machine; .ci/run installs them");
    }
    possible
}
