//! Notes: what runs tell their supervisor without being asked.
//!
//! All runs of a tree share one socket, which they inherit. A note is a datagram, so notes of several runs do not mix, and
//! none waits for a supervisor that is busy: a note that cannot be sent at once is lost. So may only be sent as a note what
//! the next run would find out again.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use hr_protocol::Note;
use hr_protocol::frame::{Decoder, encode};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::channel::above_streams;

/// The longest note in bytes. Less than what the kernel lets a socket hold (`net.core.wmem_default`).
const LONGEST: usize = 64 * 1024;

/// How many descriptors come with a note at most.
const MOST_DESCRIPTORS: usize = 2;

/// Sends a note through a socket that [`Notes::writer`] has given out.
///
/// # Errors
///
/// It is too long, or the kernel has not taken it.
pub fn send_note(socket: impl AsFd, note: &Note) -> io::Result<()> {
    send_note_with(socket, note, &[])
}

/// The same, with `descriptors`.
pub(crate) fn send_note_with(
    socket: impl AsFd,
    note: &Note,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = encode(note, descriptors.len()).map_err(io::Error::other)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fits = descriptors.is_empty() || ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
    if bytes.len() > LONGEST || !fits {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(socket, &[IoSlice::new(&bytes)], &mut ancillary, flags)?;
    Ok(())
}

/// The supervisor's end.
#[derive(Debug)]
pub(crate) struct Notes {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Notes {
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) =
            socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Self { reader: above_streams(reader)?, writer: above_streams(writer)? })
    }

    /// An end for a snapshot and its runs.
    pub(crate) fn writer(&self) -> io::Result<OwnedFd> {
        self.writer.try_clone()
    }

    /// The next note that has arrived, and the descriptors that came with it. What is no note is passed over.
    pub(crate) fn next(&self) -> Option<(Note, Vec<OwnedFd>)> {
        let mut bytes = vec![0; LONGEST];
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let received =
                recvmsg(&self.reader, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags).ok()?;
            let mut descriptors = Vec::new();
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(arrived) = message {
                    descriptors.extend(arrived.filter_map(|descriptor| above_streams(descriptor).ok()));
                }
            }
            let mut decoder = Decoder::default();
            decoder.push(&bytes[..received.bytes]);
            if let Ok(Some(frame)) = decoder.next_frame() {
                // With too few open files left, the kernel hands on the note without them.
                if usize::from(frame.descriptors) == descriptors.len() {
                    return Some((frame.message, descriptors));
                }
            }
        }
    }
}

impl AsFd for Notes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(module: &str) -> Note {
        Note::Loaded { modules: vec![module.to_owned()] }
    }

    #[test]
    fn notes_arrive_whole_and_in_order_and_what_is_none_is_passed_over() {
        let notes = Notes::new().unwrap();
        let writer = notes.writer().unwrap();
        send_note(&writer, &loaded("first")).unwrap();
        rustix::net::send(&writer, b"anything", SendFlags::empty()).unwrap();
        rustix::net::send(&writer, b"", SendFlags::empty()).unwrap();
        send_note_with(&writer, &loaded("second"), &[notes.as_fd(), writer.as_fd()]).unwrap();
        let (first, none) = notes.next().unwrap();
        assert_eq!((first, none.len()), (loaded("first"), 0));
        let (second, descriptors) = notes.next().unwrap();
        assert_eq!((second, descriptors.len()), (loaded("second"), 2));
        assert!(notes.next().is_none());
    }

    #[test]
    fn nobody_waits_for_a_supervisor_that_does_not_read() {
        let notes = Notes::new().unwrap();
        let writer = notes.writer().unwrap();
        let sent = (0..100_000).take_while(|_| send_note(&writer, &loaded("again")).is_ok()).count();
        assert!(sent < 100_000);
        assert_eq!(std::iter::from_fn(|| notes.next()).count(), sent);
    }
}
