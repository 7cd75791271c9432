//! From a fork to a run: the process takes on the outside of the program it is to be.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use hr_protocol::{Call, Checkpointing, Job, Payload, ProcessContext, RunId, Taken, Work};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid};
use rustix::io::fcntl_dupfd_cloexec;

use crate::channel::{Channel, ChannelError, Received};
use crate::interpreter::{Interpreter, RunDescriptors};
use crate::{processes, sys};

/// Numbers below this are left to the program.
const FIRST_PRIVATE_DESCRIPTOR: i32 = 200;

/// Length of the pickle in a rehearsal: that of a call of a function by its name, with a few arguments.
const REHEARSED_BYTES: usize = 256;

/// Exit code of a run that could not even start its call.
const CANNOT_START: i32 = 127;

/// Makes this process, a fork of `snapshot`, end when that does, and marks it as part of `run`.
pub(crate) fn bind(run: RunId, snapshot: Pid) {
    if set_pdeathsig(Signal::SIGKILL).is_err() || getppid() != snapshot {
        sys::exit_now(CANNOT_START);
    }
    processes::mark(run);
}

/// What a run goes on as that was paused and forked.
#[derive(Debug)]
pub struct Resumption {
    /// Its new name.
    pub run: RunId,
    /// Its new call. All but the function of [`Work::Function`](hr_protocol::Work) is as it was.
    pub call: Call,
    /// Where it is to leave further checkpoints.
    pub checkpointing: Option<Checkpointing>,
    /// Its new descriptors, without a socket for notes: it has one.
    pub descriptors: RunDescriptors,
}

/// A call with every descriptor in its place.
pub(crate) struct NewRun {
    run: RunId,
    call: Call,
    checkpointing: Option<Checkpointing>,
    working_directory: OwnedFd,
    stdio: [Option<OwnedFd>; 3],
    result: OwnedFd,
    function: Option<OwnedFd>,
}

impl NewRun {
    /// Takes `descriptors` apart in the order that [`Call`] documents.
    pub(crate) fn new(job: Job, descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let Job { run, call, checkpointing } = job;
        let call = Arc::unwrap_or_clone(call);
        if descriptors.len() != call.descriptors() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a call came without its descriptors"));
        }
        let mut descriptors = descriptors.into_iter();
        let mut next = || descriptors.next().ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof));
        let (working_directory, result) = (next()?, next()?);
        let mut stdio = [None, None, None];
        for (slot, open) in stdio.iter_mut().zip(call.context.stdio) {
            *slot = if open { Some(next()?) } else { None };
        }
        let function = if call.work.has_descriptor() { Some(next()?) } else { None };
        Ok(Self { run, call, checkpointing, working_directory, stdio, result, function })
    }

    /// Takes a job like those that will come, so that the memory this touches is this process's own when it counts.
    pub(crate) fn rehearse() -> Result<(), ChannelError> {
        let (mut supervisor, mut spare) = Channel::<Job, Taken>::pair()?;
        let context = ProcessContext {
            argv: std::env::args_os().collect(),
            environment: std::env::vars_os().collect(),
            ..ProcessContext::default()
        };
        let payload = Payload::Inline { bytes: vec![0; REHEARSED_BYTES], lengths: vec![0] };
        let work = Work::Function { payload, module: None };
        let run = RunId(0);
        let descriptors = vec![supervisor.as_fd().try_clone_to_owned()?, spare.as_fd().try_clone_to_owned()?];
        let call = Arc::new(Call { context, work });
        supervisor.send(&Job { run, call, checkpointing: None }, descriptors)?;
        if let Some(Received { message, descriptors }) = spare.receive()? {
            Self::new(message, descriptors)?;
        }
        spare.send(&Taken { run }, Vec::new())
    }

    /// Waits, as a spare, for the job that makes this process a run. Ends it if there will be none.
    pub(crate) fn from_job(jobs: OwnedFd) -> Self {
        let mut jobs: Channel<Taken, Job> = jobs.into();
        let Ok(Some(Received { message: job, descriptors })) = jobs.receive() else { sys::exit_now(0) };
        // From the answer on, signals are for this run.
        if forget_signals().is_err() || jobs.send(&Taken { run: job.run }, Vec::new()).is_err() {
            sys::exit_now(CANNOT_START);
        }
        Self::new(job, descriptors).unwrap_or_else(|_| sys::exit_now(CANNOT_START))
    }

    /// Carries out the call, in a process that may tell `notes`. The process ends here.
    pub(crate) fn carry_out(
        self,
        interpreter: &mut impl Interpreter,
        notes: Option<OwnedFd>,
        mask: &SigSet,
    ) -> ! {
        // Unwinding past this point would run the snapshot's code in the run.
        let _end = EndOfProcess;
        let Self { run, call, checkpointing, working_directory, stdio, result, function } = self;
        let descriptors = RunDescriptors { result, function, notes };
        let ready = install_stdio(stdio)
            .and_then(|()| Ok(nix::unistd::fchdir(&working_directory)?))
            .and_then(|()| out_of_the_way(descriptors));
        drop(working_directory);
        let Ok(descriptors) = ready else { sys::exit_now(CANNOT_START) };
        umask(Mode::from_bits_truncate(call.context.umask));
        if become_receptive(mask).is_err() {
            sys::exit_now(CANNOT_START);
        }
        let code = interpreter.run(run, call, descriptors, checkpointing);
        sys::exit_now(code)
    }

    /// Goes on as this run in a process that was another one until it paused. Directory and umask are what that had made of
    /// them; its place in the world is the new one's.
    pub(crate) fn go_on(self, mask: &SigSet) -> io::Result<Resumption> {
        let Self { run, call, checkpointing, working_directory, stdio, result, function } = self;
        drop(working_directory);
        install_stdio(stdio)?;
        let descriptors = out_of_the_way(RunDescriptors { result, function, notes: None })?;
        become_receptive(mask)?;
        Ok(Resumption { run, call, checkpointing, descriptors })
    }
}

/// Forgets what was sent to the whole job while this process waited: it was meant for other runs.
fn forget_signals() -> nix::Result<()> {
    let blocked = SigSet::thread_get_mask()?;
    let pending = SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    while pending.read_signal()?.is_some() {}
    Ok(())
}

/// Restores the signal mask. What has come since this process is a run, it gets now.
fn become_receptive(mask: &SigSet) -> nix::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(mask), None)
}

struct EndOfProcess;

impl Drop for EndOfProcess {
    fn drop(&mut self) {
        sys::exit_now(CANNOT_START);
    }
}

fn install_stdio(stdio: [Option<OwnedFd>; 3]) -> io::Result<()> {
    let [stdin, stdout, stderr] = stdio;
    match stdin {
        Some(descriptor) => dup2_stdin(descriptor)?,
        None => nix::unistd::close(0)?,
    }
    match stdout {
        Some(descriptor) => dup2_stdout(descriptor)?,
        None => nix::unistd::close(1)?,
    }
    match stderr {
        Some(descriptor) => dup2_stderr(descriptor)?,
        None => nix::unistd::close(2)?,
    }
    Ok(())
}

fn out_of_the_way(descriptors: RunDescriptors) -> io::Result<RunDescriptors> {
    let high = |descriptor: OwnedFd| match fcntl_dupfd_cloexec(&descriptor, FIRST_PRIVATE_DESCRIPTOR) {
        Ok(moved) => Ok(moved),
        // The limit on descriptors may be lower than that.
        Err(rustix::io::Errno::INVAL) => Ok(descriptor),
        Err(error) => Err(io::Error::from(error)),
    };
    Ok(RunDescriptors {
        result: high(descriptors.result)?,
        function: descriptors.function.map(high).transpose()?,
        notes: descriptors.notes.map(high).transpose()?,
    })
}
