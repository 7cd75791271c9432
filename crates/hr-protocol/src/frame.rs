//! Framing: from a message to bytes and back, over any stream.

use std::io::{Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The largest body of a frame, in bytes.
///
/// The largest honest message carries an environment (the kernel allows 2 MiB of it by default), `sys.path`
/// and an inline payload of at most 64 KiB, or a list of some ten thousand module files.
pub const MAX_BODY: usize = 16 * 1024 * 1024;

/// The most descriptors that may accompany one frame.
pub const MAX_DESCRIPTORS: u8 = 16;

/// What stands before each body: its length and the number of descriptors that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the body in bytes, at most [`MAX_BODY`].
    pub length: u32,
    /// Number of descriptors sent with the frame, at most [`MAX_DESCRIPTORS`].
    pub descriptors: u8,
}

impl Header {
    /// Size of an encoded header in bytes: the length (little-endian) and the number of descriptors.
    pub const SIZE: usize = 5;

    fn encode(self) -> [u8; Self::SIZE] {
        let [a, b, c, d] = self.length.to_le_bytes();
        [a, b, c, d, self.descriptors]
    }

    fn decode(bytes: [u8; Self::SIZE]) -> Result<Self, FrameError> {
        let [a, b, c, d, descriptors] = bytes;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length as usize > MAX_BODY {
            return Err(FrameError::TooLong { length: length as usize });
        }
        if descriptors > MAX_DESCRIPTORS {
            return Err(FrameError::TooManyDescriptors { descriptors: usize::from(descriptors) });
        }
        Ok(Self { length, descriptors })
    }
}

/// A message and the number of descriptors that came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<T> {
    /// The message.
    pub message: T,
    /// How many descriptors belong to it.
    pub descriptors: u8,
}

/// Why bytes are not a message, or a message cannot become bytes.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The body is over [`MAX_BODY`].
    #[error("a message of {length} bytes is over the limit of {MAX_BODY}")]
    TooLong {
        /// Length the sender announced, in bytes.
        length: usize,
    },
    /// More than [`MAX_DESCRIPTORS`] descriptors.
    #[error("{descriptors} descriptors with one message are over the limit of {MAX_DESCRIPTORS}")]
    TooManyDescriptors {
        /// The number announced.
        descriptors: usize,
    },
    /// The body is not such a message.
    #[error("not a message of this protocol: {0}")]
    Malformed(#[from] postcard::Error),
    /// Bytes are left over after the message.
    #[error("{extra} bytes after the end of a message")]
    TrailingBytes {
        /// How many.
        extra: usize,
    },
    /// The stream failed, or ended within a frame.
    #[error("the stream failed: {0}")]
    Stream(#[from] std::io::Error),
}

/// Encodes `message` as one frame that `descriptors` descriptors will accompany.
pub fn encode<T: Serialize>(message: &T, descriptors: usize) -> Result<Vec<u8>, FrameError> {
    let count = u8::try_from(descriptors).ok().filter(|count| *count <= MAX_DESCRIPTORS);
    let Some(count) = count else { return Err(FrameError::TooManyDescriptors { descriptors }) };
    let mut bytes = postcard::to_extend(message, vec![0; Header::SIZE])?;
    let length = bytes.len() - Header::SIZE;
    let header = match u32::try_from(length) {
        Ok(short) if length <= MAX_BODY => Header { length: short, descriptors: count },
        _ => return Err(FrameError::TooLong { length }),
    };
    bytes[..Header::SIZE].copy_from_slice(&header.encode());
    Ok(bytes)
}

fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    let (message, rest) = postcard::take_from_bytes(body)?;
    if rest.is_empty() { Ok(message) } else { Err(FrameError::TrailingBytes { extra: rest.len() }) }
}

/// Puts frames together from bytes as they arrive.
///
/// It holds no more than one partial frame beyond what its caller has pushed, and never sets memory aside on
/// the word of a header.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        // What was consumed goes when the buffer would have to move anyway.
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether bytes of an unfinished frame are held: the end of the stream now would cut a message short.
    pub fn is_partial(&self) -> bool {
        self.start < self.bytes.len()
    }

    /// The next whole frame, or `None` if more bytes are needed.
    ///
    /// After an error the stream has no known frame boundary any more and must be closed.
    pub fn next_frame<T: DeserializeOwned>(&mut self) -> Result<Option<Frame<T>>, FrameError> {
        let Some((header, rest)) = self.bytes[self.start..].split_first_chunk() else { return Ok(None) };
        let Header { length, descriptors } = Header::decode(*header)?;
        let length = length as usize;
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = decode_body(body)?;
        self.start += Header::SIZE + length;
        Ok(Some(Frame { message, descriptors }))
    }
}

/// Writes `message` as one frame without descriptors.
pub fn write<T: Serialize>(stream: &mut impl Write, message: &T) -> Result<(), FrameError> {
    stream.write_all(&encode(message, 0)?)?;
    Ok(stream.flush()?)
}

/// Reads one frame, or `None` where the stream ends between two frames.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut header = [0; Header::SIZE];
    let mut filled = 0;
    while filled < header.len() {
        match stream.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let Header { length, .. } = Header::decode(header)?;
    let mut body = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut body)?;
    if body.len() < length as usize {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    decode_body(&body).map(Some)
}
