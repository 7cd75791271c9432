//! The client of a supervisor: starts `hr serve` for one command, and asks it for things.
//!
//! It waits for each answer, since a command has nothing else to do meanwhile.

mod error;
mod run;
mod target;

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hr_forkserver::protocol::{BuildEvent, Call, Hello, ImportProfile, Open, Reply, Request, TemplateState};
use hr_forkserver::{Channel, Received, above_streams, socket_pair};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use rustix::fs::{Mode, OFlags};
use rustix::process::{PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};

pub(crate) use self::error::{ClientError, reason};
pub(crate) use self::run::Run;
pub(crate) use self::target::target_interpreter;
use crate::sys;

/// How long a supervisor may take to end everything before it is ended itself.
const CLOSE_LIMIT: Duration = Duration::from_secs(15);

/// The stream on which the supervisor answers one request.
#[derive(Debug)]
pub(crate) struct Replies(Channel<(), Reply>);

impl Replies {
    /// A reply that is here already.
    pub(crate) fn take(&mut self) -> Result<Option<Reply>, ClientError> {
        Ok(self.0.try_receive()?.map(|received| received.message))
    }

    /// Waits for the next reply.
    fn wait(&mut self) -> Result<Reply, ClientError> {
        Ok(self.0.receive()?.ok_or(ClientError::Died)?.message)
    }
}

impl AsFd for Replies {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A connection to a supervisor that ends with this process, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Client {
    connection: Channel<Request, ()>,
    /// Stands for the supervisor's process.
    handle: OwnedFd,
}

impl Client {
    /// Starts a supervisor. What it has to tell people goes to `voice`.
    pub(crate) fn start(voice: Stdio) -> Result<Self, ClientError> {
        Self::start_with(voice, SigSet::thread_get_mask().map_err(std::io::Error::from)?)
    }

    /// The same, with this signal mask for the supervisor, and for runs.
    pub(crate) fn start_with(voice: Stdio, mask: SigSet) -> Result<Self, ClientError> {
        let program = std::env::current_exe()?;
        let failed =
            |detail: String| ClientError::Start { program: program.clone().into_os_string(), detail };
        let (ours, theirs) = socket_pair()?;
        let owner = above_streams(pidfd_open(getpid(), PidfdFlags::empty()).map_err(std::io::Error::from)?)?;
        let number = |descriptor: &OwnedFd| descriptor.as_raw_fd().to_string();
        let mut command = Command::new(&program);
        command
            .args([OsStr::new("serve"), OsStr::new("--connection"), OsStr::new(&number(&theirs))])
            .args([OsStr::new("--owner"), OsStr::new(&number(&owner))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(voice);
        sys::inherit(&mut command, &[&theirs, &owner]);
        sys::with_mask(&mut command, mask);
        // The program goes on in the background at once; what ends here is what it was started as.
        let status = command.status();
        match status {
            Ok(status) if !status.success() => return Err(failed(status.to_string())),
            // Where SIGCHLD is ignored, the kernel collects children; the greeting will tell.
            Err(error) if error.raw_os_error() != Some(Errno::ECHILD as i32) => {
                return Err(failed(error.to_string()));
            }
            Ok(_) | Err(_) => {}
        }
        drop((theirs, owner));
        let mut connection: Channel<Request, ()> = ours.into();
        let mut replies = request(&mut connection, &Request::Hello(Hello::OURS), Vec::new())?;
        let Received { message, mut descriptors } =
            replies.0.receive()?.ok_or_else(|| failed("it ended at once".to_owned()))?;
        match (message, descriptors.pop()) {
            (Reply::Hello(Hello::OURS), Some(handle)) => Ok(Self { connection, handle }),
            // It is this very program, unless somebody has replaced the file.
            (Reply::Hello(theirs), _) => {
                Err(failed(format!("it speaks version {} of the protocol", theirs.version)))
            }
            (other, _) => Err(ClientError::unexpected(other)),
        }
    }

    /// Scans a project and builds its template. What happens meanwhile, `building` is told.
    pub(crate) fn open(
        &mut self,
        open: Open,
        mut building: impl FnMut(&BuildEvent),
    ) -> Result<TemplateState, ClientError> {
        let mut replies = self.request(&Request::Open(Box::new(open)))?;
        loop {
            match replies.wait()? {
                Reply::Building(event) => building(&event),
                Reply::Opened(state) => return Ok(state),
                other => return Err(ClientError::unexpected(other)),
            }
        }
    }

    /// What the template's imports have cost. The project must have been opened with a profile.
    pub(crate) fn profile(&mut self) -> Result<ImportProfile, ClientError> {
        match self.ask(&Request::Profile)? {
            Reply::Profile(profile) => Ok(profile),
            other => Err(ClientError::unexpected(other)),
        }
    }

    /// Asks for something, and leaves waiting for the answer to the caller.
    pub(crate) fn request(&mut self, message: &Request) -> Result<Replies, ClientError> {
        request(&mut self.connection, message, Vec::new())
    }

    /// Asks for a run with the working directory of this process, and with `streams` for those standard streams that
    /// `call` says are open. Returns where the supervisor tells of it, and where the run tells what came of a function.
    pub(crate) fn begin(
        &mut self,
        call: Call,
        streams: Vec<OwnedFd>,
    ) -> Result<(Replies, OwnedFd), ClientError> {
        let (results, theirs) = socket_pair()?;
        let mut descriptors = vec![working_directory()?, theirs];
        descriptors.extend(streams);
        let replies = request(&mut self.connection, &Request::Exec(Box::new(call)), descriptors)?;
        Ok((replies, results))
    }

    /// Forks a run, as [`Client::begin`], and waits until it is there.
    pub(crate) fn exec(&mut self, call: Call, streams: Vec<OwnedFd>) -> Result<Run, ClientError> {
        let (mut replies, results) = self.begin(call, streams)?;
        match replies.wait()? {
            Reply::Started { .. } => Ok(Run::new(replies, results.into())),
            other => Err(ClientError::unexpected(other)),
        }
    }

    /// Ends every process, the supervisor last.
    pub(crate) fn close(mut self) {
        // It ends as well if it cannot be asked: the connection closes.
        let replies = request(&mut self.connection, &Request::Close, Vec::new());
        let Self { connection, handle } = self;
        drop(connection);
        let mut sources = [PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
        let deadline = Instant::now() + CLOSE_LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match poll(&mut sources, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
                Err(Errno::EINTR) => {}
                Ok(0) => drop(pidfd_send_signal(&handle, Signal::KILL)),
                Ok(_) | Err(_) => break,
            }
            if left.is_zero() {
                break;
            }
        }
        drop(replies);
    }

    fn ask(&mut self, message: &Request) -> Result<Reply, ClientError> {
        let mut replies = self.request(message)?;
        loop {
            match replies.wait()? {
                // The supervisor tells people itself.
                Reply::Building(_) => {}
                reply => return Ok(reply),
            }
        }
    }
}

/// Sends `message`, and returns the stream that its replies come on.
fn request(
    connection: &mut Channel<Request, ()>,
    message: &Request,
    mut descriptors: Vec<OwnedFd>,
) -> Result<Replies, ClientError> {
    let (ours, theirs) = socket_pair()?;
    descriptors.insert(0, theirs);
    connection.send(message, descriptors)?;
    Ok(Replies(ours.into()))
}

/// The working directory as a descriptor: it may have been removed or be unreadable, and is still ours.
fn working_directory() -> std::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    above_streams(rustix::fs::open(".", flags, Mode::empty())?)
}

/// The umask by the kernel's account of this process: `umask(2)` can only be read by changing it.
pub(crate) fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    value.and_then(|value| u32::from_str_radix(value.trim(), 8).ok()).unwrap_or(0o022)
}
