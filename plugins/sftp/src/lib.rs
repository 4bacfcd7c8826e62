//! SFTP: a destination type that writes Parquet or CSV files into a folder of a server that speaks it.
//!
//! The files, their names and the manifest are those of the landing zone: each delivery is a folder
//! `<folder>/<activation>/<generation>/` with one part per batch (`part-00001.parquet`) and, once it is complete,
//! `manifest.json`. Files are written aside and renamed: whoever sees a name sees the whole file. A part that was cut
//! is written again from its beginning, over whatever was left of it.
//!
//! The server's host key is always checked, before anything is told to it. See [`host_key`] for what may be expected,
//! [`login`] for how one logs in, [`connection`] for what may take how long, and [`folder`] for what is asked of the
//! server.

pub mod config;
pub mod connection;
pub mod destination;
pub mod folder;
pub mod host_key;
pub mod login;
pub mod manifest;
#[cfg(test)]
mod tests;

pub use destination::Sftp;

entente_destination::export_destination!(Sftp);
