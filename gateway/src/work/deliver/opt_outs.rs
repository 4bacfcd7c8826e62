//! The lists of opt-outs that a delivery is kept to: that of the side whose audience it is, and that of the side that delivers.

use super::sources::Sources;
use crate::{gateway::Gateway, identities::key_name};
use entente_domain::{
    AccountId, MatchKey,
    opt_out::{OptOutList, OptOutVersions, number},
};
use entente_identity::opt_out::OptOuts;
use entente_store::StoreError;
use std::path::{Path, PathBuf};

/// The list of one side.
struct List {
    list: OptOutList,
    folder: PathBuf,
}

impl List {
    fn of_key(&self, key: &MatchKey) -> OptOuts {
        OptOuts { list: self.folder.clone(), key: key_name(key) }
    }
}

/// The lists of both sides.
pub struct Lists {
    sender: Option<List>,
    receiver: Option<List>,
}

impl Lists {
    /// The lists as they are now.
    pub async fn load(gateway: &Gateway, sources: &Sources) -> Result<Self, StoreError> {
        let [sender, receiver] = [sources.sent.sender, sources.activation.account];
        let mut lists = gateway.store().opt_outs_of_accounts(&[sender, receiver]).await?;
        let mut list = |account: AccountId| {
            let list = lists.remove(&account)?;
            Some(List { folder: gateway.identities().opt_outs(account).join(&list.files), list })
        };
        Ok(Self { sender: list(sender), receiver: list(receiver) })
    }

    /// Which they are.
    pub fn versions(&self) -> OptOutVersions {
        let number = |list: &Option<List>| number(list.as_ref().map(|list| &list.list));
        OptOutVersions { sender: number(&self.sender), receiver: number(&self.receiver) }
    }

    /// The SHA-256 of the file that the receiver's list was loaded from last; empty where it has none.
    pub fn receivers_sha256(&self) -> String {
        self.receiver.as_ref().map_or_else(String::new, |list| list.list.sha256.clone())
    }

    /// What the sender's list has under a match key by which both sides match.
    pub fn of_sender(&self, key: &MatchKey) -> Option<OptOuts> {
        self.sender.as_ref().map(|list| list.of_key(key))
    }

    /// What the receiver's list has under a match key.
    pub fn of_receiver(&self, key: &MatchKey) -> Option<OptOuts> {
        self.receiver.as_ref().map(|list| list.of_key(key))
    }

    /// Where the receiver's list lies.
    pub fn receivers_folder(&self) -> Option<&Path> {
        self.receiver.as_ref().map(|list| list.folder.as_path())
    }

    /// Where they lie, of those that hold for what is delivered: under a key that was reached through a crosswalk of the
    /// receiver, the sender's list says something else.
    pub fn of_delivered(&self, is_through: bool) -> [Option<PathBuf>; 2] {
        let sender = self.sender.as_ref().filter(|_| !is_through);
        [sender, self.receiver.as_ref()].map(|list| list.map(|list| list.folder.clone()))
    }
}
