//! Whoever wants to know what there is: `hr status`.
//!
//! They connect to a socket in Linux's abstract namespace, which ends with its process: one in a directory would be left
//! behind by a supervisor that was killed. Such a socket has no mode, so each side asks the kernel who the other is, and
//! tells nothing to other users than its own. Visitors are told what there is, and not listened to.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use hr_forkserver::protocol::VERSION;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::getuid;

/// What the names of the sockets of this user's supervisors begin with. The rest is a process id.
pub(crate) fn prefix() -> String {
    format!("hotreload/{VERSION}/{}/", getuid())
}

/// The address of the supervisor that is process `pid`.
pub(crate) fn address(pid: u32) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("{}{pid}", prefix()))
}

/// Whether the process at the other end belongs to this user.
pub(crate) fn is_own(stream: &UnixStream) -> bool {
    getsockopt(stream, PeerCredentials).is_ok_and(|peer| peer.uid() == getuid().as_raw())
}

/// The id of the process that a pidfd stands for, while it has not been collected.
pub(crate) fn process_behind(handle: &OwnedFd) -> Option<i32> {
    let information = fs::read_to_string(format!("/proc/self/fdinfo/{}", handle.as_raw_fd())).ok()?;
    information.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}

/// Where visitors come in.
#[derive(Debug)]
pub(crate) struct Visitors(Option<UnixListener>);

impl Visitors {
    /// Lets them in from now on. Where that cannot be, nobody comes.
    pub(crate) fn let_in() -> Self {
        let listen = || {
            let listener = UnixListener::bind_addr(&address(std::process::id())?)?;
            listener.set_nonblocking(true)?;
            io::Result::Ok(listener)
        };
        Self(listen().ok())
    }

    /// Readable when one is there.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    /// The next one who is there.
    pub(crate) fn next(&mut self) -> Option<OwnedFd> {
        loop {
            match self.0.as_ref()?.accept() {
                Ok((stream, _)) if is_own(&stream) => return Some(stream.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // With no descriptor left, those who wait would have this loop go round and round.
                Err(_) => self.0 = None,
            }
        }
    }
}
