//! An interpreter whose modules and functions are instructions.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command as Program;

use hr_forkserver::protocol::{
    Call, Checkpoint, Checkpointing, ImportFailure, ImportOutcome, Loaded, Payload, Preparation, RunId, Work,
};
use hr_forkserver::{Forking, Interpreter, RunDescriptors, Side, pause, paused};

/// Makes this program an interpreter when it is in the environment.
pub(crate) const ROLE: &str = "HR_FORKSERVER_TEST_INTERPRETER";

/// Becomes a paused process, and does not return, if that is what this process was started for.
pub(crate) fn serve_if_asked() {
    if std::env::var_os(ROLE).is_some() {
        let number = std::env::args().next_back().and_then(|number| number.parse().ok());
        paused::serve(Instructions::default(), inherited(number.expect("the descriptor to serve")));
    }
}

fn inherited(number: i32) -> OwnedFd {
    // Opening it anew keeps this file free of unsafe code; a socket cannot be opened that way, so it is fetched from
    // the process itself.
    let this =
        rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).unwrap();
    let socket =
        rustix::process::pidfd_getfd(&this, number, rustix::process::PidfdGetfdFlags::empty()).unwrap();
    // The number that was inherited must not keep the stream open.
    nix::unistd::close(number).unwrap();
    socket
}

#[derive(Default)]
struct Instructions {
    imported: BTreeSet<String>,
}

impl Instructions {
    fn instruct(&self, instruction: &str) -> i32 {
        match instruction.split_once(' ').unwrap_or((instruction, "")) {
            ("exit", code) => return code.parse().unwrap(),
            ("modules", _) => {
                println!("{}", self.imported.iter().cloned().collect::<Vec<_>>().join(" "));
            }
            ("crash", _) => std::process::abort(),
            ("hang", _) => loop {
                nix::unistd::pause();
            },
            // A daemon: its parent has ended, its session is its own.
            ("daemon", _) => {
                let shell = "setsid sh -c 'sleep 1000 & sleep 1000' >/dev/null 2>&1 & echo started";
                Program::new("sh").args(["-c", shell]).status().unwrap();
            }
            ("daemon-then-hang", _) => {
                self.instruct("daemon");
                std::io::stdout().flush().unwrap();
                self.instruct("hang");
            }
            ("chdir", to) => std::env::set_current_dir(to).unwrap(),
            ("thread", name) => {
                let park = || loop {
                    std::thread::park();
                };
                std::thread::Builder::new().name(name.to_owned()).spawn(park).unwrap();
            }
            ("listen", _) => std::mem::forget(TcpListener::bind("127.0.0.1:0").unwrap()),
            _ => {}
        }
        std::io::stdout().flush().unwrap();
        0
    }
}

/// Tells which side of it this is.
fn leave_checkpoint(run: RunId, descriptors: RunDescriptors) {
    let RunDescriptors { notes, result, .. } = descriptors;
    let let_go = || {
        let null = std::fs::File::options().read(true).write(true).open("/dev/null").unwrap();
        nix::unistd::dup2_stdout(&null).unwrap();
        drop(result);
    };
    let describe = || Some(Checkpoint { module: "module".to_owned(), ..Checkpoint::default() });
    let side = pause(Instructions::default(), notes.unwrap().as_fd(), run, let_go, describe).unwrap();
    match side {
        Side::Original => {
            let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
            println!("the first of its kind, with {} children", children.split_whitespace().count());
        }
        Side::Resumed(_) => println!("process {} goes on", std::process::id()),
    }
    std::io::stdout().flush().unwrap();
}

impl Forking for Instructions {
    fn before_fork(&mut self) {}
    fn after_fork_in_parent(&mut self) {}
    fn after_fork_in_child(&mut self) {}
}

impl Interpreter for Instructions {
    fn prepare(&mut self, _preparation: Preparation) {}

    fn import(&mut self, module: &str, _written: usize) -> ImportOutcome {
        match module {
            "missing" => {
                return ImportOutcome::Failed { failure: ImportFailure::NotFound, left_traces: false };
            }
            "broken" => {
                self.imported.insert("half-of-broken".to_owned());
                let failure = ImportFailure::Raised { type_name: "Error".to_owned(), message: String::new() };
                return ImportOutcome::Failed { failure, left_traces: true };
            }
            "exits" => std::process::exit(3),
            other => drop(self.instruct(other)),
        }
        self.imported.insert(module.to_owned());
        ImportOutcome::Imported { effects: Vec::new() }
    }

    fn settle(&mut self) -> Loaded {
        Loaded { files: self.imported.iter().map(Into::into).collect(), ..Loaded::default() }
    }

    fn warm_up(&mut self) {}

    fn run(&mut self, run: RunId, call: Call, descriptors: RunDescriptors, _: Option<Checkpointing>) -> i32 {
        let Work::Function { payload: Payload::Inline { bytes, .. }, .. } = call.work else { return 1 };
        let instruction = String::from_utf8(bytes).unwrap();
        let Some(then) = instruction.strip_prefix("pause") else { return self.instruct(&instruction) };
        leave_checkpoint(run, descriptors);
        self.instruct(then.trim_start_matches("-then-"))
    }
}
