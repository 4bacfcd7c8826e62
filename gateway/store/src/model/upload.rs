//! Files that were streamed in.

use entente_domain::{AccountId, Timestamp, UploadId};

/// A file that waits to be sourced. It lies encrypted on disk; its key lies sealed here.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Whose it is.
    pub account: AccountId,
    /// As the audit log names actors.
    pub created_by: String,
    /// As the sender named it.
    pub file_name: String,
    /// So far.
    pub bytes_received: u64,
    /// How many bytes it will have, where its sender said so.
    pub size: Option<u64>,
    /// Whether all of it is there.
    pub complete: bool,
    /// What it is encrypted with, encrypted by the gateway.
    pub sealed_key: Vec<u8>,
    /// The id of what was sourced from it; an upload is used once.
    pub used_by: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// From then on it is gone.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("id", &self.id).field("account", &self.account).finish_non_exhaustive()
    }
}
