//! The landing zone: a destination type that writes Parquet or CSV files into a folder of this machine, below a root
//! that the operator chose.
//!
//! Each delivery is a folder `<folder>/<activation>/<generation>/` with one part per batch (`part-00001.parquet`) and,
//! once it is complete, `manifest.json`. Files are written aside, synced and renamed: whoever sees a name sees the whole
//! file. A delivery without a manifest is not complete.

pub mod config;
pub mod content;
pub mod destination;
pub mod folder;
pub mod manifest;
#[cfg(test)]
mod tests;

pub use destination::LandingZone;

entente_destination::export_destination!(LandingZone);
