//! A run, as the command that asked for it sees it.

use std::os::fd::AsFd as _;

use hr_forkserver::protocol::{ExitStatus, Outcome, Reply};
use hr_forkserver::{Channel, ChannelError};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{ClientError, Replies};

/// A run and the two streams that tell of it: the supervisor's about it, and its own.
#[derive(Debug)]
pub(crate) struct Run {
    replies: Replies,
    results: Channel<(), Outcome>,
    /// The run's stream has ended, and would only wake whoever waits for it.
    results_ended: bool,
    outcome: Option<Outcome>,
}

impl Run {
    pub(super) fn new(replies: Replies, results: Channel<(), Outcome>) -> Self {
        Self { replies, results, results_ended: false, outcome: None }
    }

    /// Waits for the end. The outcome is what the function came to, if the run lived to tell.
    pub(crate) fn wait(mut self) -> Result<(ExitStatus, Option<Outcome>), ClientError> {
        loop {
            let status = match self.replies.take()? {
                Some(Reply::Ended(status)) => Some(status),
                Some(Reply::Notice(_)) => continue,
                Some(other) => return Err(ClientError::unexpected(other)),
                None => None,
            };
            // After the status: whatever the run has sent is here by then.
            self.take_results();
            match status {
                Some(status) => return Ok((status, self.outcome)),
                None => self.wait_for_more()?,
            }
        }
    }

    fn take_results(&mut self) {
        while !self.results_ended {
            match self.results.try_receive() {
                Ok(Some(outcome)) => self.outcome = Some(outcome.message),
                Ok(None) => break,
                // Cut short: it was killed while it wrote. The status tells the rest.
                Err(ChannelError::Closed | _) => self.results_ended = true,
            }
        }
    }

    fn wait_for_more(&self) -> Result<(), ClientError> {
        let replies = PollFd::new(self.replies.as_fd(), PollFlags::POLLIN);
        let results = PollFd::new(self.results.as_fd(), PollFlags::POLLIN);
        let mut sources = if self.results_ended { vec![replies] } else { vec![replies, results] };
        match poll(&mut sources, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(ClientError::System(error.into())),
        }
    }
}
