//! Typed messages and descriptors over a Unix socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use hr_protocol::frame::{Decoder, FrameError, MAX_DESCRIPTORS, encode};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A message and the descriptors that came with it.
#[derive(Debug)]
pub struct Received<R> {
    /// The message.
    pub message: R,
    /// Its descriptors, in the order in which they were sent. They are closed on `exec`.
    pub descriptors: Vec<OwnedFd>,
}

/// Why a channel can no longer be used.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// The other side is gone.
    #[error("the other side is gone")]
    Closed,
    /// The other side went, or the stream was cut, within a message.
    #[error("the stream ended within a message")]
    CutShort,
    /// What arrived is no message of this conversation.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Descriptors came without a message, or a message without its descriptors.
    #[error("the descriptors that arrived are not those that were announced")]
    Descriptors,
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(#[from] io::Error),
}

impl From<Errno> for ChannelError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::PIPE | Errno::CONNRESET => Self::Closed,
            other => Self::Socket(other.into()),
        }
    }
}

/// One end of a conversation: it sends `S` and receives `R`.
///
/// The socket is never put into non-blocking mode, since a fork would share that mode. The `try_` methods ask
/// for it call by call, so the same end serves a process that may wait and one that must not.
#[derive(Debug)]
pub struct Channel<S, R> {
    socket: OwnedFd,
    decoder: Decoder,
    arrived: VecDeque<OwnedFd>,
    outbox: VecDeque<Outgoing>,
    messages: PhantomData<fn(S) -> R>,
}

#[derive(Debug)]
struct Outgoing {
    bytes: Vec<u8>,
    sent: usize,
    descriptors: Arc<[OwnedFd]>,
}

impl<S, R> AsFd for Channel<S, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl<S, R> From<OwnedFd> for Channel<S, R> {
    fn from(socket: OwnedFd) -> Self {
        Self {
            socket,
            decoder: Decoder::default(),
            arrived: VecDeque::new(),
            outbox: VecDeque::new(),
            messages: PhantomData,
        }
    }
}

impl<S, R> From<Channel<S, R>> for OwnedFd {
    fn from(channel: Channel<S, R>) -> Self {
        channel.socket
    }
}

/// Two connected sockets, closed on `exec`, neither of them under the number of a standard stream.
pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    Ok((above_streams(ours)?, above_streams(theirs)?))
}

/// The same file under a number above those of the standard streams.
///
/// In a process whose stdin, stdout or stderr is closed, the next file gets that number, and would be taken for the
/// stream by whoever writes to it.
pub fn above_streams(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() > 2 {
        Ok(descriptor)
    } else {
        Ok(rustix::io::fcntl_dupfd_cloexec(&descriptor, 3)?)
    }
}

impl<S: Serialize, R: DeserializeOwned> Channel<S, R> {
    /// Both ends of a new conversation.
    pub fn pair() -> io::Result<(Self, Channel<R, S>)> {
        let (ours, theirs) = socket_pair()?;
        Ok((ours.into(), theirs.into()))
    }

    /// Sends `message` with `descriptors`, and waits until the kernel has taken all of it.
    pub fn send(&mut self, message: &S, descriptors: Vec<OwnedFd>) -> Result<(), ChannelError> {
        self.queue(message, descriptors)?;
        self.flush_with(SendFlags::empty()).map(drop)
    }

    /// Puts `message` into the outbox, for [`Channel::try_flush`] to send.
    pub fn queue(&mut self, message: &S, descriptors: impl Into<Arc<[OwnedFd]>>) -> Result<(), ChannelError> {
        let descriptors = descriptors.into();
        let bytes = encode(message, descriptors.len())?;
        self.outbox.push_back(Outgoing { bytes, sent: 0, descriptors });
        Ok(())
    }

    /// Whether anything waits in the outbox: the owner should flush when the socket becomes writable.
    pub fn wants_to_write(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Sends what can be sent without waiting.
    pub fn try_flush(&mut self) -> Result<(), ChannelError> {
        self.flush_with(SendFlags::DONTWAIT)
    }

    fn flush_with(&mut self, flags: SendFlags) -> Result<(), ChannelError> {
        while let Some(outgoing) = self.outbox.front_mut() {
            match send_part(self.socket.as_fd(), outgoing, flags | SendFlags::NOSIGNAL) {
                Ok(()) if outgoing.sent == outgoing.bytes.len() => drop(self.outbox.pop_front()),
                Ok(()) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The next message, waiting for it; `None` when the other side has closed.
    pub fn receive(&mut self) -> Result<Option<Received<R>>, ChannelError> {
        loop {
            if let Some(received) = self.decode()? {
                return Ok(Some(received));
            }
            match self.fill(RecvFlags::empty()) {
                Ok(0) => return self.ended().map(|()| None),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next message if one can be had without waiting: `Ok(None)` when there is none yet,
    /// [`ChannelError::Closed`] when there will be none.
    pub fn try_receive(&mut self) -> Result<Option<Received<R>>, ChannelError> {
        loop {
            if let Some(received) = self.decode()? {
                return Ok(Some(received));
            }
            match self.fill(RecvFlags::DONTWAIT) {
                Ok(0) => return self.ended().and(Err(ChannelError::Closed)),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn ended(&self) -> Result<(), ChannelError> {
        if self.decoder.is_partial() { Err(ChannelError::CutShort) } else { Ok(()) }
    }

    fn decode(&mut self) -> Result<Option<Received<R>>, ChannelError> {
        let Some(frame) = self.decoder.next_frame()? else { return Ok(None) };
        let count = usize::from(frame.descriptors);
        if count > self.arrived.len() {
            return Err(ChannelError::Descriptors);
        }
        Ok(Some(Received { message: frame.message, descriptors: self.arrived.drain(..count).collect() }))
    }

    fn fill(&mut self, flags: RecvFlags) -> Result<usize, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS as usize))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut bytes = [0; 16 * 1024];
        let received = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            flags | RecvFlags::CMSG_CLOEXEC,
        )?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                for descriptor in descriptors {
                    self.arrived.push_back(above_streams(descriptor).map_err(|_| Errno::MFILE)?);
                }
            }
        }
        // An honest sender has at most one message under way whose bytes are not all here.
        if self.arrived.len() > 4 * usize::from(MAX_DESCRIPTORS) {
            return Err(Errno::MFILE);
        }
        self.decoder.push(&bytes[..received.bytes]);
        Ok(received.bytes)
    }
}

/// Sends the next part of a message. The descriptors go with its first byte.
fn send_part(socket: BorrowedFd<'_>, outgoing: &mut Outgoing, flags: SendFlags) -> Result<(), Errno> {
    let slices = [IoSlice::new(&outgoing.bytes[outgoing.sent..])];
    let descriptors: Vec<_> = outgoing.descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS as usize))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        let fits = ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        debug_assert!(fits, "encode() admits no more descriptors than there is space for");
    }
    let sent = rustix::net::sendmsg(socket, &slices, &mut ancillary, flags)?;
    outgoing.sent += sent;
    outgoing.descriptors = Arc::new([]);
    Ok(())
}
