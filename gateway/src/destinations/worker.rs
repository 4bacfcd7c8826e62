//! The worker: the process that loads one plugin and calls it. The gateway starts its own program as
//! `entente plugin-worker`; nothing else should.
//!
//! It talks over the socket it finds as its standard input, which it moves elsewhere before the plugin is loaded, so
//! that a plugin may read and print what it likes. Over it comes a second one, which is the plugin's: on it connections
//! are asked for. Before the plugin is loaded it gives up what no plugin needs, see [`confine`]. It ends when the
//! gateway's end of the socket is closed, even in the middle of a call.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use entente_destination::Operator;
use entente_destination::caller::{CallError, Plugin, Session};
use entente_destination::descriptor;
use rustix::io::{FdFlags, fcntl_getfd};

use super::answers::Answers;
use super::confinement::{Confinement, InForce, Limits, NotConfined, confine, renew_processor_time};
use super::frame::{FrameError, receive, send};
use super::plugin::{LoadError, SealedCopy};
use super::process::PluginFile;
use super::protocol::{Answer, CONNECTOR, Reply, Request, State};
use super::rows_file::{RowsError, RowsFile};

/// Serves the gateway until it hangs up. The first thing that `entente plugin-worker` does, before it opens anything.
pub fn run_worker() -> ExitCode {
    match prepare().and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails too.
            let _ = writeln!(io::stderr(), "plugin worker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Moves the socket out of the plugin's way and closes what was inherited.
fn prepare() -> io::Result<UnixStream> {
    let stdin = io::stdin();
    if !rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&stdin)?.st_mode).is_socket() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "only the gateway itself starts a plugin worker"));
    }
    close_inherited();
    let channel = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    Ok(channel)
}

/// Closes the files that whoever started the gateway left open to all its children.
fn close_inherited() {
    let Ok(listing) = std::fs::read_dir("/dev/fd") else { return };
    let open = listing.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    let is_inherited = |fd: &RawFd| {
        // SAFETY: it was open a moment ago and this process has no other thread yet that could have closed it.
        let flags = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(*fd) });
        // What this process opened is closed on exec, every one of them. A file without the flag came from outside.
        flags.is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
    };
    let inherited: Vec<RawFd> = open.filter(|fd| *fd > 2).filter(is_inherited).collect();
    for fd in inherited {
        // SAFETY: an inherited file that nothing in this process knows about.
        unsafe { rustix::io::close(fd) };
    }
}

/// Takes the socket on which the plugin asks for connections. It stays open for as long as the process lives, unless
/// the plugin closes it: nothing here uses it.
fn take_connector(channel: &UnixStream) -> io::Result<RawFd> {
    let mut frame = CONNECTOR;
    let connector = descriptor::receive(channel, &mut frame)?.descriptor;
    Ok(connector.ok_or_else(another_language)?.into_raw_fd())
}

fn another_language() -> io::Error {
    io::Error::other("the gateway speaks another language")
}

fn serve(mut channel: UnixStream) -> io::Result<()> {
    let connector = take_connector(&channel)?;
    // While there is no other thread yet: what a thread gives up, only those that it starts afterwards give up with it.
    let mut worker = match receive(&mut channel) {
        Ok(Request::Confine { plugin, confinement }) => match begin(plugin, &confinement, connector) {
            Ok((worker, in_force)) => {
                send(&mut channel, &Answer::from(Reply::Confined(in_force))).map_err(io::Error::other)?;
                worker
            }
            Err(error) => return send(&mut channel, &Answer::from(Reply::from(error))).map_err(io::Error::other),
        },
        Ok(_) => return Err(another_language()),
        Err(FrameError::Io(_)) => return Ok(()),
        Err(error) => return Err(io::Error::other(error)),
    };
    let requests = read_requests(channel.try_clone()?);
    while let Ok(request) = requests.recv() {
        renew_processor_time(worker.limits);
        let reply = answer(request, &mut worker);
        let refresh_token = worker.plugin.as_ref().and_then(Plugin::renewed);
        let answer = Answer { reply, refresh_token };
        send(&mut channel, &answer).map_err(io::Error::other)?;
        if answer.reply.is_last() {
            break;
        }
    }
    Ok(())
}

/// Takes the files that the worker is for, and gives up all else.
fn begin(
    plugin: Option<PluginFile>,
    confinement: &Confinement,
    connector: RawFd,
) -> Result<(Worker, InForce), NotBegun> {
    let file = plugin.map(|plugin| SealedCopy::of_allowed(&plugin.file, plugin.hash)).transpose()?;
    let rows = confinement.reach.rows.as_deref().map(RowsFile::open).transpose()?;
    let in_force = confine(confinement)?;
    Ok((Worker { limits: confinement.limits, connector, file, rows, plugin: None, open: None }, in_force))
}

/// Why a worker cannot be what it was started for.
#[derive(Debug, thiserror::Error)]
enum NotBegun {
    #[error(transparent)]
    Plugin(#[from] LoadError),
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(transparent)]
    Confined(#[from] NotConfined),
}

impl From<NotBegun> for Reply {
    fn from(error: NotBegun) -> Self {
        let what = error.to_string();
        match error {
            NotBegun::Plugin(_) => Self::Unusable(what),
            NotBegun::Rows(_) => Self::Rows(what),
            NotBegun::Confined(_) => Self::NotConfined(what),
        }
    }
}

/// Requests as they come. When the gateway is gone the process ends at once, whatever the plugin is doing.
fn read_requests(mut channel: UnixStream) -> mpsc::Receiver<Request> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(request) = receive::<Request>(&mut channel) {
            if sender.send(request).is_err() {
                return;
            }
        }
        std::process::exit(0);
    });
    receiver
}

/// The files that a worker is for, and then the plugin and the delivery that is open.
struct Worker {
    limits: Limits,
    connector: RawFd,
    file: Option<SealedCopy>,
    rows: Option<RowsFile>,
    plugin: Option<Plugin>,
    open: Option<(Session, Answers)>,
}

impl Worker {
    fn plugin(&self) -> Result<&Plugin, CallFailed> {
        self.plugin.as_ref().ok_or(CallFailed::NotOpen)
    }

    fn rows(&self) -> Result<&RowsFile, CallFailed> {
        self.rows.as_ref().ok_or(CallFailed::NotOpen)
    }

    /// The delivery that is open, with its rows.
    fn delivery(&mut self) -> Result<(&mut Session, &mut Answers, &RowsFile), CallFailed> {
        match (&mut self.open, &self.rows) {
            (Some((session, answers)), Some(rows)) => Ok((session, answers, rows)),
            _ => Err(CallFailed::NotOpen),
        }
    }

    /// What the operator allows, and how the plugin asks for connections.
    fn operator(&self, operator: Operator) -> Operator {
        Operator { connector: Some(self.connector), ..operator }
    }

    fn load(&mut self) -> Reply {
        let Some(file) = self.file.take() else { return Reply::Unusable("there is no plugin to load".to_owned()) };
        match file.load() {
            Ok(plugin) => {
                self.plugin = Some(plugin);
                Reply::Done
            }
            Err(error) => Reply::Unusable(error.to_string()),
        }
    }
}

fn answer(request: Request, worker: &mut Worker) -> Reply {
    match call(request, worker) {
        Ok(reply) => reply,
        Err(CallFailed::Call(CallError::Destination(error))) => Reply::Failed(error),
        Err(CallFailed::Call(CallError::Panicked)) => Reply::Panicked,
        Err(CallFailed::Call(CallError::Malformed(what))) => Reply::Malformed(what.to_owned()),
        Err(CallFailed::Rows(error)) => Reply::Rows(error.to_string()),
        Err(CallFailed::NotOpen) => Reply::Malformed("nothing is open".to_owned()),
    }
}

enum CallFailed {
    Call(CallError),
    Rows(RowsError),
    NotOpen,
}

impl From<CallError> for CallFailed {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<RowsError> for CallFailed {
    fn from(error: RowsError) -> Self {
        Self::Rows(error)
    }
}

fn call(request: Request, worker: &mut Worker) -> Result<Reply, CallFailed> {
    Ok(match request {
        Request::Confine { .. } => return Err(CallFailed::NotOpen),
        Request::Load => worker.load(),
        Request::Describe => Reply::Described(Box::new(worker.plugin()?.describe()?)),
        Request::Check { settings, operator } => {
            worker.plugin()?.check(&settings, &worker.operator(operator))?;
            Reply::Done
        }
        Request::Open { settings, operator, mut delivery, state } => {
            worker.open = None;
            delivery.state = state.0;
            let batches = worker.rows()?.batches();
            let session = worker.plugin()?.open(&settings, &worker.operator(operator), &delivery)?;
            worker.open = Some((session, Answers::default()));
            Reply::Opened { batches }
        }
        Request::Write { sequence, key } => {
            let (session, answers, rows) = worker.delivery()?;
            let batch = rows.read(sequence)?;
            let mut written = session.write(sequence, &key, &batch)?;
            answers.written(sequence, batch.num_rows() as u64, &written);
            let state = State(std::mem::take(&mut written.state));
            Reply::Written(written, state)
        }
        Request::Poll => {
            let (session, answers, rows) = worker.delivery()?;
            let mut progress = session.poll()?;
            for settled in &progress.settled {
                let Ok(batch) = rows.read(settled.sequence) else {
                    return Err(CallError::Malformed("it answered for a batch that there is not").into());
                };
                answers.settled(batch.num_rows() as u64, settled)?;
            }
            let state = progress.state.take().map(State);
            Reply::Progress(progress, state)
        }
        Request::Finish => {
            let (session, answers, _) = worker.delivery()?;
            if !answers.are_all_there() {
                return Err(CallError::Malformed("it left rows without an answer").into());
            }
            session.finish()?;
            Reply::Done
        }
        Request::Abort => {
            worker.delivery()?.0.abort()?;
            Reply::Done
        }
    })
}
