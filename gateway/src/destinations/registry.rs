//! The destination types that there are: plugins found in folders, allowed by their hash, described by themselves.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use entente_destination::{Description, Operator};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::allow_list::{AllowList, AllowListError};
use super::backoff::RetryPolicy;
use super::confinement::Reach;
use super::contract::{Launcher, Worker, WorkerError, WorkerFault};
use super::delivery::{AckSink, Delivered, DeliveryError, Order, deliver};
use super::plugin::FileHash;
use super::process::{PluginFile, ProcessLauncher, Workers};

/// The most plugin files that one folder may have.
const MAX_FILES: usize = 1000;

/// A destination type as the gateway knows it.
#[derive(Clone)]
struct Type {
    description: Description,
    /// None for a plugin in this process.
    hash: Option<FileHash>,
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
}

impl Registry {
    /// A registry of what [`Self::refresh`] will find in `folders`; empty until then.
    pub fn new(folders: Vec<PathBuf>, allow_list: AllowList, workers: Workers) -> Self {
        Self { folders, allow_list, workers, types: RwLock::default() }
    }

    /// Looks into the folders again. A plugin that is already known by its hash is not asked again. Deliveries that are
    /// under way keep their workers; a worker started from now on has the new version.
    ///
    /// # Errors
    /// [`AllowListError`]; what was known stays known.
    pub async fn refresh(&self) -> Result<Found, AllowListError> {
        let known = self.known();
        let mut types: BTreeMap<String, Type> = known
            .iter()
            .filter(|(_, known)| known.hash.is_none())
            .map(|(id, known)| (id.clone(), known.clone()))
            .collect();
        let mut found = Found::default();
        for (file, hash) in self.candidates().await {
            if !self.allow_list.is_allowed(hash)? {
                info!(file = %file.display(), sha256 = %hash, "plugin is not allowed; `entente plugin allow` allows it");
                found.not_allowed.push(file);
                continue;
            }
            let launcher: Arc<dyn Launcher> = Arc::new(ProcessLauncher {
                workers: self.workers.clone(),
                plugin: PluginFile { file: file.clone(), hash },
            });
            let described = match known.values().find(|known| known.hash == Some(hash)) {
                Some(known) => Ok(known.description.clone()),
                None => describe(launcher.as_ref()).await,
            };
            match described {
                Ok(description) => add(&mut types, Type { description, hash: Some(hash), launcher }),
                Err(error) => {
                    warn!(file = %file.display(), %error, "plugin cannot be used");
                    found.unusable.push((file, error.to_string()));
                }
            }
        }
        found.types = types.keys().cloned().collect();
        *self.types.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(types);
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
        changed.insert(id.clone(), Type { description, hash: None, launcher });
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

    /// Tries settings against the real endpoint.
    ///
    /// # Errors
    /// [`RegistryError`]; the destination's own are in `Worker`.
    pub async fn check(&self, id: &str, settings: &Value, operator: &Operator) -> Result<(), RegistryError> {
        let known = self.known();
        let known = known.get(id).ok_or_else(|| RegistryError::Unknown(id.to_owned()))?;
        let operator = self.prepared(operator).await.map_err(RegistryError::Folder)?;
        let mut worker = known.launcher.launch(&Reach::of(&operator)).await.map_err(WorkerError::from)?;
        Ok(worker.check(settings, &operator).await?)
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
        cancel: &CancellationToken,
    ) -> Result<Delivered, DeliveryError> {
        let not_started = |error: io::Error| DeliveryError::Fault(WorkerFault::NotStarted(error.to_string()));
        let operator = self.prepared(&order.operator).await.map_err(not_started)?;
        let rows = std::path::absolute(&order.rows).map_err(not_started)?;
        let order = Order { operator, rows, ..order.clone() };
        deliver(&CurrentVersion { registry: self, id }, &order, sink, policy, cancel).await
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

/// Starts whatever version of a type is known when a worker is needed.
struct CurrentVersion<'a> {
    registry: &'a Registry,
    id: &'a str,
}

#[async_trait]
impl Launcher for CurrentVersion<'_> {
    async fn launch(&self, reach: &Reach) -> Result<Box<dyn Worker>, WorkerFault> {
        let launcher = self.registry.known().get(self.id).map(|known| known.launcher.clone());
        match launcher {
            Some(launcher) => launcher.launch(reach).await,
            None => Err(WorkerFault::NotStarted(format!("there is no destination type `{}`", self.id))),
        }
    }
}

/// Asks a plugin what it is. It needs nothing for that.
async fn describe(launcher: &dyn Launcher) -> Result<Description, WorkerError> {
    launcher.launch(&Reach::default()).await?.describe().await
}

/// Adds a type; of two with the same id the higher version stays, of two with the same version the first.
fn add(types: &mut BTreeMap<String, Type>, new: Type) {
    let id = new.description.id.clone();
    if let Some(other) = types.get(&id) {
        let (mine, theirs) = (version(&new.description.version), version(&other.description.version));
        warn!(%id, version = %new.description.version, other = %other.description.version, "two plugins of one type");
        if mine <= theirs {
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
