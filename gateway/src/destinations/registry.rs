//! The destination types that there are: plugins found in folders, allowed by their hash, described by themselves.
//!
//! Several versions of a type may be there and allowed. The highest is used; of files of one version, the one that was allowed
//! last. A new version is a new file, or another in its place, that is allowed; to go back, the newer one is disallowed, or the
//! older file put back. Nothing is unloaded: a delivery ends with the version that it began with.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use entente_destination::{Description, Operator, Reaches};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::allow_list::{AllowList, AllowListError, Allowed};
use super::backoff::RetryPolicy;
use super::confinement::Reach;
use super::contract::{Launcher, Worker, WorkerError, WorkerFault};
use super::delivery::{AckSink, Delivered, DeliveryError, Order, Stop, abandon, deliver, renew};
use super::plugin::FileHash;
use super::process::{PluginFile, ProcessLauncher, Workers};

/// How often it is looked whether the folders or the allow-list changed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The most plugin files that one folder may have.
const MAX_FILES: usize = 1000;

/// A destination type as the gateway knows it.
#[derive(Clone)]
struct Type {
    description: Description,
    /// None for a plugin in this process.
    hash: Option<FileHash>,
    /// Its place in the allow-list.
    allowed: usize,
    launcher: Arc<dyn Launcher>,
}

/// Why something cannot be done with a destination type.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no such type, or none that is allowed.
    #[error("there is no destination type `{0}`")]
    Unknown(String),
    /// The operator's folder cannot be made.
    #[error("the operator's folder cannot be made: {0}")]
    Folder(io::Error),
    /// The call failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// What was found in the folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Ids of the types that can be used.
    pub types: Vec<String>,
    /// Files that look like plugins and are not allowed.
    pub not_allowed: Vec<PathBuf>,
    /// Files that are allowed and cannot be used, with the reason.
    pub unusable: Vec<(PathBuf, String)>,
}

/// The destination types, and what can be done with one.
pub struct Registry {
    folders: Vec<PathBuf>,
    allow_list: AllowList,
    workers: Workers,
    types: RwLock<Arc<BTreeMap<String, Type>>>,
    /// What the allow-list and the folders looked like when they were last gone through.
    seen: Mutex<Option<Vec<Sight>>>,
}

impl Registry {
    /// A registry of what [`Self::refresh`] will find in `folders`; empty until then.
    pub fn new(folders: Vec<PathBuf>, allow_list: AllowList, workers: Workers) -> Self {
        Self { folders, allow_list, workers, types: RwLock::default(), seen: Mutex::default() }
    }

    /// Looks into the folders again where they, or the allow-list, changed since; until `stopping` is cancelled.
    pub async fn keep_up(&self, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            match self.refresh_if_changed().await {
                Ok(None) => {}
                Ok(Some(found)) => info!(types = ?found.types, "plugins have changed"),
                Err(error) => warn!(%error, "plugins could not be looked at"),
            }
        }
    }

    /// Looks into the folders again where they, or the allow-list, changed since. Cheap where they did not: no file is read.
    ///
    /// # Errors
    /// [`AllowListError`]; what was known stays known.
    pub async fn refresh_if_changed(&self) -> Result<Option<Found>, AllowListError> {
        let sights = self.sights().await;
        if *self.seen.lock().unwrap_or_else(PoisonError::into_inner) == Some(sights) {
            return Ok(None);
        }
        self.refresh().await.map(Some)
    }

    /// Looks into the folders again. A plugin that is already known by its hash is not asked again. Deliveries that are
    /// under way keep their version; one that begins from now on has the new one.
    ///
    /// # Errors
    /// [`AllowListError`]; what was known stays known.
    pub async fn refresh(&self) -> Result<Found, AllowListError> {
        let sights = self.sights().await;
        let list = self.allow_list.list()?;
        let known = self.known();
        let mut types: BTreeMap<String, Type> = known
            .iter()
            .filter(|(_, known)| known.hash.is_none())
            .map(|(id, known)| (id.clone(), known.clone()))
            .collect();
        let mut found = Found::default();
        for (file, hash) in self.candidates().await {
            let Some(allowed) = list.iter().position(|allowed| allowed.sha256 == hash) else {
                info!(file = %file.display(), sha256 = %hash, "plugin is not allowed; `entente plugin allow` allows it");
                found.not_allowed.push(file);
                continue;
            };
            let launcher: Arc<dyn Launcher> = Arc::new(ProcessLauncher {
                workers: self.workers.clone(),
                plugin: PluginFile { file: file.clone(), hash },
            });
            let described = match known.values().find(|known| known.hash == Some(hash)) {
                Some(known) => Ok(known.description.clone()),
                None => describe(launcher.as_ref()).await,
            };
            match described {
                Ok(description) if !is_within(&description.reaches, &list[allowed]) => {
                    warn!(file = %file.display(), "plugin says that it reaches more than was allowed");
                    found.unusable.push((file, "it reaches more than was allowed; allow it again".to_owned()));
                }
                Ok(description) => add(&mut types, Type { description, hash: Some(hash), allowed, launcher }),
                Err(error) => {
                    warn!(file = %file.display(), %error, "plugin cannot be used");
                    found.unusable.push((file, error.to_string()));
                }
            }
        }
        found.types = types.keys().cloned().collect();
        *self.types.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(types);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(sights);
        Ok(found)
    }

    /// Adds a type that is in this process; for tests.
    ///
    /// # Errors
    /// [`WorkerError`] if it does not describe itself.
    pub async fn add_in_process(&self, launcher: Arc<dyn Launcher>) -> Result<String, WorkerError> {
        let description = describe(launcher.as_ref()).await?;
        let id = description.id.clone();
        let mut types = self.types.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = BTreeMap::clone(&types);
        changed.insert(id.clone(), Type { description, hash: None, allowed: 0, launcher });
        *types = Arc::new(changed);
        Ok(id)
    }

    /// Every destination type, by id.
    pub fn types(&self) -> Vec<Description> {
        self.known().values().map(|known| known.description.clone()).collect()
    }

    /// The type with this id.
    pub fn describe(&self, id: &str) -> Option<Description> {
        self.known().get(id).map(|known| known.description.clone())
    }

    /// Tries settings against the real endpoint. A refresh token that comes meanwhile is put into them, however it goes.
    ///
    /// # Errors
    /// [`RegistryError`]; the destination's own are in `Worker`.
    pub async fn check(&self, id: &str, settings: &mut Value, operator: &Operator) -> Result<(), RegistryError> {
        let known = self.known();
        let known = known.get(id).ok_or_else(|| RegistryError::Unknown(id.to_owned()))?;
        let operator = known.description.reaches.of(operator);
        let operator = self.prepared(&operator).await.map_err(RegistryError::Folder)?;
        let mut worker = known.launcher.launch(&Reach::of(&operator)).await.map_err(WorkerError::from)?;
        let checked = worker.check(settings, &operator).await;
        renew(worker.as_mut(), refresh_token(&known.description), settings).map_err(WorkerError::from)?;
        Ok(checked?)
    }

    /// Makes a delivery to a destination of this type; see [`deliver`].
    ///
    /// # Errors
    /// [`DeliveryError`]; a type that is not there (any more) is a fault, since it may come back.
    pub async fn deliver(
        &self,
        id: &str,
        order: &Order,
        sink: &mut dyn AckSink,
        policy: RetryPolicy,
        stop: &Stop,
    ) -> Result<Delivered, DeliveryError> {
        let order = self.placed(id, order).await?;
        deliver(&OwnVersion::new(self, id), &order, sink, policy, stop).await
    }

    /// Tells a destination of this type that a delivery is cancelled; see [`abandon`].
    ///
    /// # Errors
    /// [`DeliveryError::Fault`] where the delivery's place cannot be made.
    pub async fn abandon(&self, id: &str, order: &Order, sink: &mut dyn AckSink) -> Result<(), DeliveryError> {
        let order = self.placed(id, order).await?;
        abandon(&OwnVersion::new(self, id), &order, sink).await;
        Ok(())
    }

    /// The order with what the type says it reaches, the operator's folder made if it is among that, the rows as an absolute
    /// path, and what the type may renew.
    async fn placed(&self, id: &str, order: &Order) -> Result<Order, DeliveryError> {
        let not_started = |error: io::Error| DeliveryError::Fault(WorkerFault::NotStarted(error.to_string()));
        let reaches = self.describe(id).map(|description| description.reaches).unwrap_or_default();
        let operator = self.prepared(&reaches.of(&order.operator)).await.map_err(not_started)?;
        let rows = std::path::absolute(&order.rows).map_err(not_started)?;
        let refresh_token = self.describe(id).and_then(|of_type| refresh_token(&of_type).map(str::to_owned));
        Ok(Order { operator, rows, refresh_token, ..order.clone() })
    }

    /// Makes the operator's folder, as an absolute path and for the user of the workers, so that it is there when one
    /// looks.
    async fn prepared(&self, operator: &Operator) -> io::Result<Operator> {
        let mut operator = operator.clone();
        if let Some(root) = &mut operator.local_root {
            *root = std::path::absolute(&*root)?;
            tokio::fs::create_dir_all(&*root).await?;
            if let Some(user) = self.workers.user {
                std::os::unix::fs::lchown(&*root, Some(user.uid), Some(user.gid))?;
            }
        }
        Ok(operator)
    }

    fn known(&self) -> Arc<BTreeMap<String, Type>> {
        self.types.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the allow-list and the folders look like.
    async fn sights(&self) -> Vec<Sight> {
        let (list, folders) = (self.allow_list.path().to_owned(), self.folders.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let files = folders.iter().flat_map(|folder| libraries(folder));
            std::iter::once(list).chain(files).map(Sight::of).collect()
        });
        looked.await.unwrap_or_default()
    }

    /// The libraries in the folders with their hashes, in the order of folders and names.
    async fn candidates(&self) -> Vec<(PathBuf, FileHash)> {
        let folders = self.folders.clone();
        let listed = tokio::task::spawn_blocking(move || {
            let hashed = |file: PathBuf| match FileHash::of(&file) {
                Ok(hash) => Some((file, hash)),
                Err(error) => {
                    warn!(file = %file.display(), %error, "plugin cannot be read");
                    None
                }
            };
            folders.iter().flat_map(|folder| libraries(folder)).filter_map(hashed).collect()
        });
        listed.await.unwrap_or_default()
    }
}

/// A file as it looks from outside; one that was written or replaced looks otherwise.
#[derive(Debug, PartialEq, Eq)]
struct Sight {
    file: PathBuf,
    /// Its inode, size, and times of change in seconds and nanoseconds; none where it is not there.
    looks: Option<(u64, u64, [i64; 4])>,
}

impl Sight {
    fn of(file: PathBuf) -> Self {
        let looks = fs::metadata(&file).ok().map(|of| {
            let times = [of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()];
            (of.ino(), of.size(), times)
        });
        Self { file, looks }
    }
}

/// Starts workers of the version that a delivery began with, as long as its file is there and allowed; then of the one that
/// is used by then.
struct OwnVersion<'a> {
    registry: &'a Registry,
    id: &'a str,
    began_with: Mutex<Option<Type>>,
}

impl<'a> OwnVersion<'a> {
    fn new(registry: &'a Registry, id: &'a str) -> Self {
        Self { registry, id, began_with: Mutex::default() }
    }

    fn began_with(&self) -> MutexGuard<'_, Option<Type>> {
        self.began_with.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a version may still be loaded.
    fn is_allowed(&self, version: &Type) -> Result<bool, WorkerFault> {
        let not_started = |error: AllowListError| WorkerFault::NotStarted(error.to_string());
        version.hash.map_or(Ok(true), |hash| self.registry.allow_list.is_allowed(hash).map_err(not_started))
    }
}

#[async_trait]
impl Launcher for OwnVersion<'_> {
    async fn launch(&self, reach: &Reach) -> Result<Box<dyn Worker>, WorkerFault> {
        let used = self.registry.known().get(self.id).cloned();
        let own = self.began_with().clone();
        if let Some(own) = own
            && self.is_allowed(&own)?
        {
            match own.launcher.launch(reach).await {
                Err(WorkerFault::Unusable(reason)) if used.as_ref().is_some_and(|used| used.hash != own.hash) => {
                    info!(id = self.id, version = own.description.version, reason, "a version is gone");
                }
                launched => return launched,
            }
        }
        let none = || WorkerFault::NotStarted(format!("there is no destination type `{}`", self.id));
        let used = used.ok_or_else(none)?;
        if !self.is_allowed(&used)? {
            return Err(none());
        }
        *self.began_with() = Some(used.clone());
        used.launcher.launch(reach).await
    }
}

/// The setting that a type may renew.
fn refresh_token(of_type: &Description) -> Option<&str> {
    of_type.consent.as_ref().map(|consent| consent.refresh_token.as_str())
}

/// How often a plugin is asked what it is. The system may have ended a worker that does not live to say so.
const TRIES: usize = 3;

/// Asks a plugin what it is.
async fn describe(launcher: &dyn Launcher) -> Result<Description, WorkerError> {
    for _ in 1..TRIES {
        match described(launcher).await {
            Err(WorkerError::Fault(WorkerFault::NotStarted(_) | WorkerFault::Ended(_))) => {}
            told => return told,
        }
    }
    described(launcher).await
}

/// Asks it once. It needs nothing for that.
async fn described(launcher: &dyn Launcher) -> Result<Description, WorkerError> {
    launcher.launch(&Reach::default()).await?.describe().await
}

/// Whether what a plugin says it reaches is in what the operator was shown. Lists of earlier versions do not have it.
fn is_within(reaches: &Reaches, allowed: &Allowed) -> bool {
    allowed.reaches.as_ref().is_none_or(|allowed| reaches.is_within(allowed))
}

/// Adds a type; of two with the same id the higher version stays, of two with the same version the one allowed last, of the
/// same file at two places the first.
fn add(types: &mut BTreeMap<String, Type>, new: Type) {
    let id = new.description.id.clone();
    if let Some(other) = types.get(&id) {
        info!(%id, version = %new.description.version, other = %other.description.version, "two plugins of one type");
        let rank = |of: &Type| (version(&of.description.version), of.allowed);
        if rank(&new) <= rank(other) {
            return;
        }
    }
    types.insert(id, new);
}

/// The numbers of a version, so that 1.10 comes after 1.9.
fn version(text: &str) -> Vec<u64> {
    text.split(|character: char| !character.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

fn libraries(folder: &Path) -> Vec<PathBuf> {
    let entries = match std::path::absolute(folder).and_then(fs::read_dir) {
        Ok(entries) => entries,
        Err(error) => {
            info!(folder = %folder.display(), %error, "no plugins here");
            return Vec::new();
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(std::env::consts::DLL_SUFFIX) && path.is_file())
        .collect();
    files.sort();
    if files.len() > MAX_FILES {
        warn!(folder = %folder.display(), "more than {MAX_FILES} plugins; the rest is not looked at");
        files.truncate(MAX_FILES);
    }
    files
}
