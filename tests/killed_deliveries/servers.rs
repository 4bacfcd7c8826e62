//! The servers that are delivered to. They stay up while whoever delivers is killed, and some can go away themselves.

use crate::{
    harness::Gateway,
    stories::{Party, uuid_of},
};
use entente_test_servers::{
    Files,
    azurite::{Container, azurite},
    files, names,
    openssh::{FOLDER, Fate, OpenSsh, openssh_is_there},
    s3::S3,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// A server with a folder for each delivery.
pub trait Server: Send {
    /// The type of destinations that deliver to it.
    fn destination_type(&self) -> &'static str;

    /// The library of that type, where the operator has to allow it.
    fn plugin(&self) -> Option<&'static str>;

    /// Settings to deliver into a new folder.
    fn settings(&self, folder: &str) -> Value;

    /// The names of what is in a folder.
    fn names(&self, folder: &str) -> Vec<String>;

    /// What is in a folder.
    fn files(&self, folder: &str) -> Files;

    /// Goes away in the middle of what it does; false where it does not, as it would lose what it has.
    fn stop(&mut self) -> bool {
        false
    }

    /// Comes back.
    fn start_again(&mut self) {}
}

/// The landing zone of an account.
pub struct LandingZone(PathBuf);

impl LandingZone {
    pub fn of(party: &Party, gateway: &Gateway) -> Self {
        Self(gateway.data().join("landing").join(uuid_of(&party.account)))
    }
}

impl Server for LandingZone {
    fn destination_type(&self) -> &'static str {
        "landing-zone"
    }

    fn plugin(&self) -> Option<&'static str> {
        None
    }

    fn settings(&self, folder: &str) -> Value {
        json!({ "folder": folder })
    }

    fn names(&self, folder: &str) -> Vec<String> {
        names(&self.0.join(folder))
    }

    fn files(&self, folder: &str) -> Files {
        files(&self.0.join(folder))
    }
}

impl Server for S3 {
    fn destination_type(&self) -> &'static str {
        "object-storage"
    }

    fn plugin(&self) -> Option<&'static str> {
        Some("libentente_object_storage.so")
    }

    fn settings(&self, folder: &str) -> Value {
        let mut settings = self.settings();
        settings["url"] = json!(format!("s3://luma/{folder}"));
        settings
    }

    fn names(&self, folder: &str) -> Vec<String> {
        names(&self.file(folder))
    }

    fn files(&self, folder: &str) -> Files {
        files(&self.file(folder))
    }

    fn stop(&mut self) -> bool {
        self.stop();
        true
    }

    fn start_again(&mut self) {
        self.start_again();
    }
}

/// A container at Microsoft's emulator, which keeps everything in memory.
impl Server for Container {
    fn destination_type(&self) -> &'static str {
        "object-storage"
    }

    fn plugin(&self) -> Option<&'static str> {
        Some("libentente_object_storage.so")
    }

    fn settings(&self, folder: &str) -> Value {
        let mut settings = self.settings();
        let container = settings["url"].as_str().unwrap().rsplit_once('/').unwrap().0.to_owned();
        settings["url"] = json!(format!("{container}/{folder}"));
        settings
    }

    fn names(&self, folder: &str) -> Vec<String> {
        tokio::task::block_in_place(|| self.names_below(&format!("{folder}/")))
    }

    fn files(&self, folder: &str) -> Files {
        tokio::task::block_in_place(|| self.objects_below(&format!("{folder}/")))
    }
}

/// A new container, where the emulator is on this machine.
pub fn container() -> Option<Container> {
    tokio::task::block_in_place(|| Some(azurite()?.container()))
}

/// A new server, where OpenSSH is on this machine.
pub fn openssh() -> Option<OpenSsh> {
    openssh_is_there().then(|| OpenSsh::start_with("csv", ""))
}

impl Server for OpenSsh {
    fn destination_type(&self) -> &'static str {
        "sftp"
    }

    fn plugin(&self) -> Option<&'static str> {
        Some("libentente_sftp.so")
    }

    fn settings(&self, folder: &str) -> Value {
        std::fs::create_dir(self.folder().join(folder)).unwrap();
        self.settings_with(json!({ "folder": format!("{FOLDER}/{folder}") }))
    }

    fn names(&self, folder: &str) -> Vec<String> {
        names(&self.folder().join(folder))
    }

    fn files(&self, folder: &str) -> Files {
        files(&self.folder().join(folder))
    }

    fn stop(&mut self) -> bool {
        self.limit(0, Fate::Killed);
        true
    }

    fn start_again(&mut self) {
        OpenSsh::start_again(self);
    }
}
