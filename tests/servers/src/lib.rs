//! Servers on this machine that destinations and sources are tested against, by tests of their own and by those of
//! whole workflows. Real ones: OpenSSH, one with S3's interface, and Microsoft's emulator of Azure Blob. Written from
//! documentation: the buckets of three clouds as far as they are alike, Delta Sharing and Snowflake.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod azurite;
pub mod delta_sharing;
mod files;
pub mod openssh;
pub mod s3;
pub mod snowflake;
pub mod xml_store;

pub use files::{Files, by_last_name, files, files_of_one_delivery, names};
