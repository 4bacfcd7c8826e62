//! The gateway's side of a worker process.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use entente_destination::descriptor;
use entente_destination::{Description, Operator, Progress, RefreshToken, Written};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::broker::Broker;
use super::confinement::{Confinement, InForce, Limits, Reach, User};
use super::contract::{Launcher, Opening, Worker, WorkerError, WorkerFault};
use super::frame::{FrameError, receive_async, send_async};
use super::plugin::FileHash;
use super::protocol::{Answer, CONNECTOR, Reply, Request, State};
use super::stderr_log::{Hidden, log};

/// How long a worker that hung up may take to end before it is killed.
const ENDING: Duration = Duration::from_secs(1);

/// How long each call may take before the worker is killed.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Starting the process, loading the plugin, asking what it is.
    pub load: Duration,
    /// Checking settings.
    pub check: Duration,
    /// Opening a delivery.
    pub open: Duration,
    /// Writing a batch.
    pub write: Duration,
    /// Asking for progress.
    pub poll: Duration,
    /// Finishing or aborting a delivery.
    pub finish: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            load: seconds(30),
            check: seconds(60),
            open: seconds(60),
            write: seconds(300),
            poll: seconds(60),
            finish: seconds(600),
        }
    }
}

/// How worker processes are started.
#[derive(Debug, Clone)]
pub struct Workers {
    /// The program that serves as a worker.
    pub program: PathBuf,
    /// What makes it one.
    pub arguments: Vec<OsString>,
    /// How long calls may take.
    pub timeouts: Timeouts,
    /// Whom they run as; none: as the gateway does.
    pub user: Option<User>,
    /// What each may use.
    pub limits: Limits,
}

impl Workers {
    /// This very program, as `plugin-worker`.
    ///
    /// # Errors
    /// Those of the system that does not tell what program this is.
    pub fn of_this_program() -> io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            arguments: vec!["plugin-worker".into()],
            timeouts: Timeouts::default(),
            user: None,
            limits: Limits::default(),
        })
    }

    /// What keeps a plugin within its bounds here, found out by a worker without one.
    ///
    /// # Errors
    /// [`WorkerFault`] where workers cannot be confined as they have to be.
    pub async fn probe(&self) -> Result<InForce, WorkerFault> {
        self.spawn("none")?.confine(None, self.confinement(&Reach::default())).await
    }

    /// Starts a worker and has it load the plugin, when it reaches nothing but `reach` any more.
    ///
    /// # Errors
    /// [`WorkerFault`].
    pub async fn start(&self, plugin: &PluginFile, reach: &Reach) -> Result<ProcessWorker, WorkerFault> {
        let mut worker = self.spawn(&plugin.file.display().to_string())?;
        worker.confine(Some(plugin.clone()), self.confinement(reach)).await?;
        worker.load().await?;
        Ok(worker)
    }

    fn confinement(&self, reach: &Reach) -> Confinement {
        Confinement { reach: reach.clone(), user: self.user, limits: self.limits }
    }

    fn spawn(&self, plugin: &str) -> Result<ProcessWorker, WorkerFault> {
        let not_started = |error: io::Error| WorkerFault::NotStarted(error.to_string());
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(not_started)?;
        ours.set_nonblocking(true).map_err(not_started)?;
        let (broker, connector) = Broker::start(plugin).map_err(not_started)?;
        descriptor::send(&ours, &CONNECTOR, Some(connector.as_fd())).map_err(not_started)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(not_started)?;
        // The command keeps the worker's end of the socket; without it the end of the worker is the end of the socket.
        drop(command);
        let hidden = Hidden::default();
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(log(stderr, plugin.to_owned(), hidden.clone()));
        }
        let channel = UnixStream::from_std(ours).map_err(not_started)?;
        Ok(ProcessWorker { child, channel, broker, timeouts: self.timeouts, hidden, renewed: None, lost: None })
    }
}

/// The file of a plugin and the hash that was allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginFile {
    /// Where it is; an absolute path.
    pub file: PathBuf,
    /// What it must be.
    pub hash: FileHash,
}

/// Starts workers for one file.
#[derive(Debug, Clone)]
pub struct ProcessLauncher {
    /// How.
    pub workers: Workers,
    /// For which.
    pub plugin: PluginFile,
}

#[async_trait]
impl Launcher for ProcessLauncher {
    async fn launch(&self, reach: &Reach) -> Result<Box<dyn Worker>, WorkerFault> {
        Ok(Box::new(self.workers.start(&self.plugin, reach).await?))
    }
}

/// A worker process. Dropping it kills it; so does a call that is not awaited to its end, the next time it is called.
#[derive(Debug)]
pub struct ProcessWorker {
    child: Child,
    channel: UnixStream,
    broker: Broker,
    timeouts: Timeouts,
    hidden: Hidden,
    renewed: Option<RefreshToken>,
    /// Why it is of no more use.
    lost: Option<WorkerFault>,
}

impl ProcessWorker {
    /// The process's id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Hangs up, as a gateway that is killed does, and leaves the process to itself.
    #[cfg(test)]
    pub(super) fn abandon(self) -> Child {
        drop(self.channel);
        self.child
    }

    async fn confine(&mut self, plugin: Option<PluginFile>, confinement: Confinement) -> Result<InForce, WorkerFault> {
        let request = Request::Confine { plugin, confinement };
        match self.call("confine", &request, self.timeouts.load).await {
            Ok(Reply::Confined(in_force)) => Ok(in_force),
            Ok(_) | Err(WorkerError::Destination(_)) => Err(self.lose(unexpected()).await),
            Err(WorkerError::Fault(fault)) => Err(fault),
        }
    }

    async fn load(&mut self) -> Result<(), WorkerFault> {
        match self.call("load", &Request::Load, self.timeouts.load).await {
            Ok(Reply::Done) => Ok(()),
            Ok(_) | Err(WorkerError::Destination(_)) => Err(self.lose(unexpected()).await),
            Err(WorkerError::Fault(fault)) => Err(fault),
        }
    }

    async fn call(&mut self, call: &'static str, request: &Request, limit: Duration) -> Result<Reply, WorkerError> {
        if let Some(fault) = &self.lost {
            return Err(fault.clone().into());
        }
        // Should this call be dropped half-way, the reply to it must not be taken for the reply to the next.
        self.lost = Some(WorkerFault::Garbage(format!("`{call}` was given up")));
        let channel = &mut self.channel;
        let exchange = async {
            send_async(channel, request).await?;
            let Answer { reply, refresh_token } = receive_async(channel).await?;
            if let Some(token) = refresh_token {
                self.hidden.hide(&Value::from(token.reveal()));
                self.renewed = Some(token);
            }
            Ok(reply)
        };
        let fault = match timeout(limit, exchange).await {
            Err(_) => WorkerFault::TimedOut { call, after: limit },
            Ok(Err(FrameError::Garbage(what))) => WorkerFault::Garbage(what.to_owned()),
            Ok(Err(FrameError::Io(_))) => WorkerFault::Ended(self.ending().await),
            Ok(Ok(Reply::Panicked)) => WorkerFault::Panicked,
            Ok(Ok(Reply::Malformed(what))) => WorkerFault::Garbage(what),
            Ok(Ok(Reply::NotConfined(what))) => WorkerFault::NotStarted(what),
            Ok(Ok(Reply::Unusable(what))) => WorkerFault::Unusable(what),
            Ok(Ok(Reply::Rows(what))) => WorkerFault::Rows(what),
            Ok(Ok(reply)) => {
                self.lost = None;
                return match reply {
                    Reply::Failed(error) => Err(error.into()),
                    reply => Ok(reply),
                };
            }
        };
        Err(self.lose(fault).await.into())
    }

    /// Kills the process and remembers why.
    async fn lose(&mut self, fault: WorkerFault) -> WorkerFault {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.child.kill().await;
        self.lost = Some(fault.clone());
        fault
    }

    /// How the process ended, as far as it has.
    async fn ending(&mut self) -> String {
        match timeout(ENDING, self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it closed its socket".to_owned(),
        }
    }

    async fn call_done(&mut self, call: &'static str, request: &Request, limit: Duration) -> Result<(), WorkerError> {
        match self.call(call, request, limit).await? {
            Reply::Done => Ok(()),
            _ => Err(self.lose(unexpected()).await.into()),
        }
    }
}

fn unexpected() -> WorkerFault {
    WorkerFault::Garbage("its reply is to another request".to_owned())
}

#[async_trait]
impl Worker for ProcessWorker {
    async fn describe(&mut self) -> Result<Description, WorkerError> {
        match self.call("describe", &Request::Describe, self.timeouts.load).await? {
            Reply::Described(description) if description.is_sound() => Ok(*description),
            _ => Err(self.lose(unexpected()).await.into()),
        }
    }

    async fn check(&mut self, settings: &Value, operator: &Operator) -> Result<(), WorkerError> {
        self.hidden.hide(settings);
        self.broker.admit(operator, settings);
        let request = Request::Check { settings: settings.clone(), operator: operator.clone() };
        self.call_done("check", &request, self.timeouts.check).await
    }

    async fn open(&mut self, opening: &Opening) -> Result<u64, WorkerError> {
        self.hidden.hide(&opening.settings);
        self.broker.admit(&opening.operator, &opening.settings);
        let request = Request::Open {
            settings: opening.settings.clone(),
            operator: opening.operator.clone(),
            delivery: opening.delivery.clone(),
            state: State(opening.delivery.state.clone()),
        };
        match self.call("open", &request, self.timeouts.open).await? {
            Reply::Opened { batches } => Ok(batches),
            _ => Err(self.lose(unexpected()).await.into()),
        }
    }

    async fn write(&mut self, sequence: u64, key: &str) -> Result<Written, WorkerError> {
        let request = Request::Write { sequence, key: key.to_owned() };
        match self.call("write", &request, self.timeouts.write).await? {
            Reply::Written(written, state) => Ok(Written { state: state.0, ..written }),
            _ => Err(self.lose(unexpected()).await.into()),
        }
    }

    async fn poll(&mut self) -> Result<Progress, WorkerError> {
        match self.call("poll", &Request::Poll, self.timeouts.poll).await? {
            Reply::Progress(progress, state) => Ok(Progress { state: state.map(|state| state.0), ..progress }),
            _ => Err(self.lose(unexpected()).await.into()),
        }
    }

    async fn finish(&mut self) -> Result<(), WorkerError> {
        self.call_done("finish", &Request::Finish, self.timeouts.finish).await
    }

    async fn abort(&mut self) -> Result<(), WorkerError> {
        self.call_done("abort", &Request::Abort, self.timeouts.finish).await
    }

    fn renewed(&mut self) -> Option<RefreshToken> {
        self.renewed.take()
    }
}
