//! For destinations that write files (feature `files`): rows as Parquet or CSV, and the manifest that says which files
//! a delivery consists of.
//!
//! A delivery is a folder `<activation>/<generation>/` with one part per batch (`part-00001.parquet`), named by the
//! batch's sequence so that a batch that comes again replaces itself, and `manifest.json`, which is written last. A
//! delivery without a manifest is not complete.

mod csv;
mod encoder;
mod layout;
mod manifest;
mod parquet;
mod read_again;

pub use encoder::{Files, Format};
pub use layout::{MANIFEST, delivery_folder, folder_names, part_name};
pub use manifest::{Manifest, Part};
