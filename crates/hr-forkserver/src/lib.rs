//! Processes that wait to be forked: the supervisor's end, and the loop inside a paused process.
//!
//! # Theory of operation
//!
//! A *snapshot* is a process that has imported some modules and waits in [`paused::serve`]. Forking it gives
//! another snapshot, or a *run*: a process that carries out one call and ends. What the interpreter has to do
//! is the [`Interpreter`] trait; this crate knows nothing of Python.
//!
//! The supervisor keeps a [`SnapshotTree`]: it sends commands down, polls the tree's descriptors, and takes
//! events out. Templates are built by [`Build`], which carries out the decisions of a
//! [`transaction::Transaction`]: whatever a module does while it is imported, the process that results is one in
//! which only the good ones ever ran.
//!
//! Who ends whom:
//!
//! - A snapshot notices the end of its stream, kills what its runs have left behind, and ends. While it imports,
//!   when it could not notice, `PR_SET_PDEATHSIG` ends it.
//! - A run has `PR_SET_PDEATHSIG` towards the snapshot that forked it.
//! - Supervisor and snapshots are subreapers: what a run has started stays below them, and each run marks it.
//! - Every process has a `pidfd`, taken before anyone could have reaped it, so that no signal ever reaches a
//!   process that merely has the same number.
//!
//! # Limits
//!
//! Linux only: `pidfd`, `signalfd` and subreapers have no counterpart on macOS. A snapshot must have no thread of
//! its own besides those of libraries that handle forks.
//!
//! # Example
//!
//! A program that is its own template: it starts itself, forks, and collects the run.
//!
//! ```no_run
//! # use std::os::fd::{FromRawFd, OwnedFd};
//! use hr_forkserver::{Build, Launch, Plan, Progress, SnapshotTree};
//! # use hr_forkserver::protocol::FirstParty;
//!
//! let mut tree = SnapshotTree::default();
//! let launch = Launch {
//!     program: "python3".into(),
//!     arguments: vec!["-c".into(), "import sys; from my_interpreter import serve; serve(int(sys.argv[1]))".into()],
//!     environment: std::env::vars_os().collect(),
//!     mask: nix::sys::signal::SigSet::empty(),
//! };
//! let plan = Plan {
//!     modules: vec!["json".into()],
//!     argv: Vec::new(),
//!     sys_path: Vec::new(),
//!     first_party: FirstParty::default(),
//!     import_limit: std::time::Duration::from_secs(60),
//! };
//! let mut build = Build::boot(&mut tree, &launch, plan)?;
//! // Poll tree.sources(), call tree.ready(source) for each that is ready, then:
//! while let Some(event) = tree.next_event() {
//!     if let Progress::Finished(template) = build.handle(&mut tree, &event) {
//!         println!("imported {:?}", template?.modules);
//!         break;
//!     }
//! }
//! # Ok::<(), hr_forkserver::BuildError>(())
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!(
    "hotreload forks warm Python processes and keeps them in order with pidfds and subreapers: it runs on Linux only. \
     On Windows, use it inside WSL 2."
);

mod build;
mod channel;
mod effects;
mod interpreter;
mod launch;
pub mod paused;
mod processes;
mod run;
mod sys;
pub mod transaction;
mod tree;

pub use build::{Build, BuildError, Plan, Progress, Template};
pub use channel::{Channel, ChannelError, Received, above_streams, socket_pair};
pub use hr_protocol as protocol;
pub use interpreter::{Interpreter, RunDescriptors};
pub use launch::Launch;
pub use tree::{SnapshotTree, Source, TreeEvent};
