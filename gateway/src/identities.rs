//! The identity indexes of accounts, the threads that count with them, and what was counted.

use crate::{
    discover::remembered::Remembered,
    secrets::Secrets,
    settings::Settings,
    turns::{LineTooLong, Turns},
};
use entente_domain::{AccountId, GenerationId, MatchKey, activation::SentAudience};
use entente_identity::{Index, IndexFault, IndexSecret, KeyName, generation};
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::task;

/// Why a count could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IdentitiesError {
    /// An index is damaged or cannot be read.
    #[error("an identity index cannot be opened: {0}")]
    Index(#[from] IndexFault),
    /// The generation was replaced and removed since it was looked up: look it up again.
    #[error("this generation of an identity index is gone")]
    Gone,
    /// The account asks faster than is answered.
    #[error(transparent)]
    Busy(#[from] LineTooLong),
    /// The work panicked.
    #[error("identity work ended without an answer")]
    Abandoned,
}

/// What the names of folders begin with that are being removed.
const GONE: &str = ".gone-";

type OpenIndexes = HashMap<(AccountId, GenerationId, String), Option<Arc<Index>>>;

/// Opens indexes once, and bounds how much is counted at a time.
pub struct Identities {
    accounts: PathBuf,
    scratch: PathBuf,
    index_secret: Arc<IndexSecret>,
    threads: usize,
    turns: Turns,
    open: Mutex<OpenIndexes>,
    remembered: Remembered,
}

impl Identities {
    /// Indexes below the data folder.
    pub fn new(settings: &Settings, secrets: &Secrets) -> Self {
        Self {
            accounts: settings.data.join("accounts"),
            scratch: settings.data.join("scratch"),
            index_secret: Arc::new(secrets.index_secret()),
            threads: settings.identity_threads(),
            turns: Turns::new(settings.identity_threads()),
            open: Mutex::new(HashMap::new()),
            remembered: Remembered::new(settings.discover_memory),
        }
    }

    /// The key of the hash that indexes are made of.
    pub fn index_secret(&self) -> Arc<IndexSecret> {
        self.index_secret.clone()
    }

    /// Counts that were made before.
    pub fn remembered(&self) -> &Remembered {
        &self.remembered
    }

    /// Threads that one count may use.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// A folder for what is sorted on disk; it is emptied at each start.
    pub fn scratch(&self) -> io::Result<PathBuf> {
        std::fs::create_dir_all(&self.scratch)?;
        Ok(self.scratch.clone())
    }

    /// Removes what a crash left in the scratch folder.
    pub fn empty_scratch(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.scratch) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Where the runs of an account lie.
    pub fn runs(&self, account: AccountId) -> PathBuf {
        self.accounts.join(account.to_string()).join("runs")
    }

    /// Where the links of an account's crosswalks lie.
    pub fn crosswalks(&self, account: AccountId) -> PathBuf {
        self.accounts.join(account.to_string()).join("crosswalks")
    }

    /// Where the versions of an account's list of opt-outs lie.
    pub fn opt_outs(&self, account: AccountId) -> PathBuf {
        self.accounts.join(account.to_string()).join("opt_outs")
    }

    /// Where it lies who was in the audiences that an account sent with a holdout: a folder for each of these.
    pub fn holdouts(&self, account: AccountId) -> PathBuf {
        self.accounts.join(account.to_string()).join("holdouts")
    }

    /// The file that says who was in a sent audience.
    pub fn roster(&self, sent: &SentAudience) -> PathBuf {
        self.holdouts(sent.sender).join(sent.id.to_string()).join("roster")
    }

    /// Where the generations of an account lie.
    pub fn generations(&self, account: AccountId) -> PathBuf {
        self.accounts.join(account.to_string()).join("generations")
    }

    /// Where a generation lies.
    pub fn generation(&self, account: AccountId, generation: GenerationId) -> PathBuf {
        self.generations(account).join(generation.to_string())
    }

    /// Where exposures and conversions of an account lie.
    pub fn events(&self, account: AccountId) -> PathBuf {
        self.accounts.join(account.to_string()).join("events")
    }

    /// The index of an account's generation for a match key; `None` when it has no identities of that key.
    ///
    /// Blocks: call it from [`Identities::compute`].
    pub fn index(
        &self,
        account: AccountId,
        generation: GenerationId,
        key: &MatchKey,
    ) -> Result<Option<Arc<Index>>, IdentitiesError> {
        let place = (account, generation, key.name());
        if let Some(index) = self.opened().get(&place) {
            return Ok(index.clone());
        }
        let folder = self.generation(account, generation);
        let path = generation::index_path(&folder, &key_name(key));
        let index = match path.exists() {
            true => Some(Arc::new(Index::open(&path)?)),
            // A folder loses its name before it loses its files: while it is there, all that belongs into it is.
            false if folder.is_dir() => None,
            false => return Err(IdentitiesError::Gone),
        };
        let mut open = self.opened();
        open.retain(|(a, g, _), _| *a != account || *g == generation);
        open.insert(place, index.clone());
        Ok(index)
    }

    /// Answers a question of an account off the asynchronous threads, when it is its turn.
    pub async fn compute<T: Send + 'static>(
        &self,
        account: AccountId,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IdentitiesError> {
        let turn = self.turns.wait(account).await?;
        let done = task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| IdentitiesError::Abandoned)
    }

    /// Removes the folders below `parent` that are not among `kept`, each whole at once for those who look for it;
    /// readers that have one open finish undisturbed.
    pub fn keep_only(&self, parent: &Path, kept: &[String]) -> io::Result<()> {
        let entries = match std::fs::read_dir(parent) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if kept.contains(&name) {
                continue;
            }
            // A crash may have left one that lost its name already.
            let gone = parent.join(format!("{GONE}{}", name.trim_start_matches(GONE)));
            std::fs::rename(entry.path(), &gone)?;
            std::fs::remove_dir_all(gone)?;
        }
        Ok(())
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, OpenIndexes> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a match key's files.
pub fn key_name(key: &MatchKey) -> KeyName {
    match KeyName::new(key.name()) {
        Ok(name) => name,
        Err(_) => unreachable!("names of match keys are made of a-z, 0-9, _ and -"),
    }
}
