//! What can go wrong between a command and its supervisor.

use std::ffi::OsString;
use std::io;

use hr_forkserver::ChannelError;
use hr_forkserver::protocol::{Failure, Reply};
use thiserror::Error;

/// Why a supervisor did not do what it was asked for.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// There is none.
    #[error("{} could not be started: {detail}", program.display())]
    Start {
        /// This executable.
        program: OsString,
        /// What the system said.
        detail: String,
    },
    /// It is gone.
    #[error("the supervisor has ended, and template and runs with it")]
    Died,
    /// It declines.
    #[error("{}", reason(.0))]
    Refused(Failure),
    /// It answers what was not asked.
    #[error("the supervisor gave an answer to another question: {0:?}")]
    Unexpected(Box<Reply>),
    /// The connection broke.
    #[error("the connection to the supervisor broke: {0}")]
    Connection(ChannelError),
    /// The system denied something to this process.
    #[error("no connection to a supervisor could be made: {0}")]
    System(#[from] io::Error),
}

impl From<ChannelError> for ClientError {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Closed | ChannelError::CutShort => Self::Died,
            other => Self::Connection(other),
        }
    }
}

impl ClientError {
    /// The error for a reply that does not fit its request.
    pub(crate) fn unexpected(reply: Reply) -> Self {
        match reply {
            Reply::Failed(failure) => Self::Refused(failure),
            other => Self::Unexpected(Box::new(other)),
        }
    }
}

/// The reason for a failure, for people.
pub(crate) fn reason(failure: &Failure) -> &str {
    match failure {
        Failure::UnknownPackage { message, .. }
        | Failure::Interpreter { message }
        | Failure::Invalid { message } => message,
    }
}
