//! Runs of one kind: they begin alike, so one may go on from what another has left.

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use hr_forkserver::protocol::{Call, ProcessContext, Program, Work};
use nix::unistd::isatty;
use rustix::fs::fstat;

/// Everything that a program can see of its beginning but files. What was begun in another way has another past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    context: ProcessContext,
    begins: Begins,
    /// Device and inode of the working directory.
    directory: (u64, u64),
    /// Which standard streams are terminals.
    terminals: Vec<bool>,
}

impl Kind {
    /// That of a call with its `descriptors`; none for a function that is imported from nowhere.
    pub(crate) fn of(call: &Call, descriptors: &[OwnedFd]) -> Option<Self> {
        let begins = match &call.work {
            Work::Program { program, reloaded, early, entry, changed: _ } => Begins::Program {
                program: program.clone(),
                reloaded: *reloaded,
                early: *early,
                entry: entry.clone(),
            },
            Work::Function { payload: _, module } => Begins::Module(module.clone()?),
        };
        let directory = fstat(descriptors.first()?).ok()?;
        let streams =
            descriptors.iter().skip(2).take(call.context.stdio.iter().filter(|open| **open).count());
        Some(Self {
            context: call.context.clone(),
            begins,
            directory: (directory.st_dev, directory.st_ino),
            terminals: streams.map(|stream| isatty(stream).unwrap_or_default()).collect(),
        })
    }
}

/// What a run executes first.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Begins {
    Program {
        program: Program,
        reloaded: bool,
        early: bool,
        entry: Option<String>,
    },
    /// The module of the function that it calls, whichever that is and with whatever arguments.
    Module(String),
}

impl Kind {
    /// Whether it is a call of a function, and no program.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.begins, Begins::Module(_))
    }

    /// Where modules are searched when a run of this kind begins.
    pub(super) fn sys_path(&self) -> &[OsString] {
        &self.context.sys_path
    }
}

#[cfg(test)]
impl Kind {
    /// That of calls of functions in `module`.
    pub(super) fn call(module: &str) -> Self {
        let begins = Begins::Module(module.to_owned());
        Self { context: ProcessContext::default(), begins, directory: (0, 0), terminals: Vec::new() }
    }

    /// That of `python -m module`.
    pub(super) fn program(module: &str) -> Self {
        let program = Program::Module(module.to_owned());
        let begins = Begins::Program { program, reloaded: true, early: true, entry: None };
        Self { begins, ..Self::call(module) }
    }
}
