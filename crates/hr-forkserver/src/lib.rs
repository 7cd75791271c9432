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
//! `examples/own_template.rs` is a program that is its own interpreter, in a hundred lines:
//!
//! ```console
//! $ cargo run -q -p hr-forkserver --example own_template
//! process 4242 was forked with these behind it: hello world
//! it ended: Exited(0)
//! ```
//!
//! What a program that is no interpreter comes to:
//!
//! ```
//! use hr_forkserver::protocol::Preparation;
//! use hr_forkserver::{Build, BuildError, Launch, Plan, Progress, SnapshotTree};
//!
//! let launch = Launch {
//!     program: "true".into(),
//!     arguments: Vec::new(),
//!     environment: std::env::vars_os().collect(),
//!     mask: nix::sys::signal::SigSet::empty(),
//! };
//! let plan = Plan {
//!     modules: vec!["json".into()],
//!     preparation: Preparation::default(),
//!     forced: Default::default(),
//!     written: Default::default(),
//!     import_limit: std::time::Duration::from_secs(60),
//! };
//! let mut tree = SnapshotTree::default();
//! let mut build = Build::boot(&mut tree, &launch, plan)?;
//! let error = 'built: loop {
//!     // An owner would poll these together with what else it waits for.
//!     let ready: Vec<_> = tree.sources().map(|(source, ..)| source).collect();
//!     for source in ready {
//!         tree.ready(source);
//!     }
//!     while let Some(event) = tree.next_event() {
//!         if let Progress::Finished(Err(error)) = build.handle(&mut tree, &event) {
//!             break 'built error;
//!         }
//!     }
//! };
//! assert!(matches!(error, BuildError::Interpreter(_)));
//! # Ok::<(), BuildError>(())
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!(
    "hotreload forks warm Python processes and keeps them in order with pidfds and subreapers: it runs on Linux only. \
     On Windows, use it inside WSL 2."
);

mod build;
mod channel;
mod chronicle;
mod content;
mod effects;
mod interpreter;
mod launch;
mod notes;
mod pause;
pub mod paused;
mod pools;
mod processes;
mod run;
mod sys;
mod threads;
pub mod transaction;
mod tree;

pub use build::{Build, BuildError, Plan, Progress, Template};
pub use channel::{Channel, ChannelError, Received, above_streams, socket_pair};
pub use content::content_of;
pub use hr_protocol as protocol;
pub use interpreter::{Forking, Interpreter, RunDescriptors};
pub use launch::Launch;
pub use notes::send_note;
pub use pause::{Side, pause};
pub use run::Resumption;
pub use tree::{SnapshotTree, Source, TreeEvent};
