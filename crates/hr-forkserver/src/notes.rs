//! Notes: what runs tell their supervisor without being asked.
//!
//! All runs of a tree share one socket, which they inherit. A note is a datagram, so notes of several runs do not mix, and
//! none waits for a supervisor that is busy: a note that cannot be sent at once is lost. So may only be sent as a note what
//! the next run would find out again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use hr_protocol::Note;
use hr_protocol::frame::{Decoder, encode};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use crate::channel::above_streams;

/// The longest note in bytes. Less than what the kernel lets a socket hold (`net.core.wmem_default`).
const LONGEST: usize = 64 * 1024;

/// Sends a note through a socket that [`Notes::writer`] has given out.
///
/// # Errors
///
/// It is too long, or the kernel has not taken it.
pub fn send_note(socket: impl AsFd, note: &Note) -> io::Result<()> {
    let bytes = encode(note, 0).map_err(io::Error::other)?;
    if bytes.len() > LONGEST {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    send(socket, &bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?;
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

    /// The next note that has arrived. What is no note is passed over.
    pub(crate) fn next(&self) -> Option<Note> {
        let mut bytes = vec![0; LONGEST];
        loop {
            let (length, _) = recv(&self.reader, &mut bytes[..], RecvFlags::DONTWAIT).ok()?;
            let mut decoder = Decoder::default();
            decoder.push(&bytes[..length]);
            if let Ok(Some(frame)) = decoder.next_frame() {
                return Some(frame.message);
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
        send(&writer, b"anything", SendFlags::empty()).unwrap();
        send(&writer, b"", SendFlags::empty()).unwrap();
        send_note(&writer, &loaded("second")).unwrap();
        assert_eq!(notes.next(), Some(loaded("first")));
        assert_eq!(notes.next(), Some(loaded("second")));
        assert_eq!(notes.next(), None);
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
