//! Object storage: a destination type that puts Parquet or CSV files into a bucket of Amazon S3, Google Cloud Storage
//! or Azure Blob, or of a service that has S3's interface.
//!
//! Each delivery is a folder `<prefix>/<activation>/<generation>/` with one part per batch (`part-00001.parquet`) and,
//! once it is complete, `manifest.json`, as [`entente_destination::files`] says. What the manifest needs of a part is
//! kept with the object itself, as its metadata, so that the two cannot come apart and nothing but the delivery is ever
//! in the folder: see [`bucket`]. All requests go through the SDK's client ([`service`]), which reaches only what the
//! operator allows.

pub mod address;
mod azure_delete;
pub mod bucket;
pub mod config;
pub mod destination;
pub mod response;
pub mod service;
mod store;
#[cfg(test)]
mod tests;

pub use destination::ObjectStorage;

entente_destination::export_destination!(ObjectStorage);
