//! Real servers on this machine that destinations are tested against, by the tests of their plugins and by those of whole
//! deliveries: OpenSSH, one with S3's interface, Microsoft's emulator of Azure Blob, and stand-ins for
//! Delta Sharing and Snowflake.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod azurite;
pub mod delta_sharing;
mod files;
pub mod openssh;
pub mod s3;
pub mod snowflake;

pub use files::{Files, by_last_name, files, files_of_one_delivery, names};
