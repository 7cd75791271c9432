//! How the first process of a tree is started.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};

use nix::sys::signal::SigSet;
use nix::unistd::Pid;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{processes, sys};

/// A program that will call [`crate::paused::serve`].
#[derive(Clone, Debug)]
pub struct Launch {
    /// The interpreter.
    pub program: OsString,
    /// Its arguments. The number of the descriptor to serve is appended as the last one.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Its signal mask, and that of its runs.
    pub mask: SigSet,
}

/// A process that was just started.
pub(crate) struct Launched {
    pub(crate) pid: Pid,
    pub(crate) handle: OwnedFd,
    /// What it writes to stdout and stderr while it imports.
    pub(crate) output: OwnedFd,
}

impl Launch {
    /// Starts the process with `socket` as the descriptor to serve.
    ///
    /// It dies with the calling *thread* until it has taken over, so this belongs on the main one.
    pub(crate) fn start(&self, socket: &OwnedFd) -> io::Result<Launched> {
        let (output, written) = pipe_with(PipeFlags::CLOEXEC)?;
        // Everything this thread starts from here to the end of the call would inherit the socket; it starts
        // one thing.
        fcntl_setfd(socket, FdFlags::empty())?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(socket.as_raw_fd().to_string())
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written);
        sys::bind_to_parent(&mut command, self.mask);
        let child = command.spawn()?;
        // `Child` neither kills nor reaps when it is dropped; the tree does both.
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        Ok(Launched { pid, handle: processes::handle(pid)?, output })
    }
}
