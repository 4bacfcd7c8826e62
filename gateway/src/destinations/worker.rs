//! The worker: the process that loads one plugin and calls it. The gateway starts its own program as
//! `entente plugin-worker`; nothing else should.
//!
//! It talks over the socket it finds as its standard input, which it moves elsewhere before the plugin is loaded, so
//! that a plugin may read and print what it likes. It ends when the gateway's end of the socket is closed, even in the
//! middle of a call.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use entente_destination::caller::{CallError, Plugin, Session};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::frame::{receive, send};
use super::plugin::load;
use super::protocol::{Reply, Request, State};
use super::rows_file::{RowsError, RowsFile};

/// The most memory of its own that a worker may have, in bytes; mapped files do not count.
const MAX_MEMORY: u64 = 4 * 1024 * 1024 * 1024;
/// The most open files.
const MAX_FILES: u64 = 512;

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

/// Moves the socket out of the plugin's way, closes what was inherited and sets limits.
fn prepare() -> io::Result<UnixStream> {
    let stdin = io::stdin();
    if !rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&stdin)?.st_mode).is_socket() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "only the gateway itself starts a plugin worker"));
    }
    close_inherited();
    let channel = UnixStream::from(rustix::io::fcntl_dupfd_cloexec(&stdin, 3)?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    limit(Resource::Core, 0);
    limit(Resource::Nofile, MAX_FILES);
    limit(Resource::Data, MAX_MEMORY);
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    Ok(channel)
}

/// Lowers a limit; one that is lower already stays.
fn limit(resource: Resource, most: u64) {
    let maximum = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    // A system without the limit has other ways to bound a process.
    let _ = setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) });
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

fn serve(channel: UnixStream) -> io::Result<()> {
    let requests = read_requests(channel.try_clone()?);
    let mut channel = channel;
    let mut worker = None;
    while let Ok(request) = requests.recv() {
        let reply = answer(request, &mut worker);
        send(&mut channel, &reply).map_err(io::Error::other)?;
        if reply.is_last() {
            break;
        }
    }
    Ok(())
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

/// The plugin and the delivery that is open.
struct Loaded {
    plugin: Plugin,
    open: Option<(Session, RowsFile)>,
}

impl Loaded {
    fn delivery(&mut self) -> Result<&mut (Session, RowsFile), CallFailed> {
        self.open.as_mut().ok_or(CallFailed::NotOpen)
    }
}

fn answer(request: Request, worker: &mut Option<Loaded>) -> Reply {
    if let Request::Load { file, hash } = request {
        return match load(&file, hash) {
            Ok(plugin) => {
                *worker = Some(Loaded { plugin, open: None });
                Reply::Done
            }
            Err(error) => Reply::Unusable(error.to_string()),
        };
    }
    let Some(worker) = worker else { return Reply::Unusable("nothing is loaded".to_owned()) };
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

fn call(request: Request, worker: &mut Loaded) -> Result<Reply, CallFailed> {
    Ok(match request {
        Request::Load { .. } => return Err(CallFailed::NotOpen),
        Request::Describe => Reply::Described(worker.plugin.describe()?),
        Request::Check { settings, operator } => {
            worker.plugin.check(&settings, &operator)?;
            Reply::Done
        }
        Request::Open { settings, operator, mut delivery, state, rows } => {
            worker.open = None;
            delivery.state = state.0;
            let rows = RowsFile::open(&rows)?;
            let batches = rows.batches();
            worker.open = Some((worker.plugin.open(&settings, &operator, &delivery)?, rows));
            Reply::Opened { batches }
        }
        Request::Write { sequence, key } => {
            let (session, rows) = worker.delivery()?;
            let mut written = session.write(sequence, &key, &rows.read(sequence)?)?;
            let state = State(std::mem::take(&mut written.state));
            Reply::Written(written, state)
        }
        Request::Poll => {
            let mut progress = worker.delivery()?.0.poll()?;
            let state = progress.state.take().map(State);
            Reply::Progress(progress, state)
        }
        Request::Finish => {
            worker.delivery()?.0.finish()?;
            Reply::Done
        }
        Request::Abort => {
            worker.delivery()?.0.abort()?;
            Reply::Done
        }
    })
}
