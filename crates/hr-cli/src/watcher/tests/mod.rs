//! What is heard of what real programs do to real files.
//!
//! The kernel queues events within the system calls that cause them. So when a command has ended, everything it did is
//! there to be taken, and no test waits.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::settling::Settling;
use super::*;

mod unheard;
mod version_control;

/// How long a test waits for what must happen.
const PLENTY: Duration = Duration::from_secs(30);

/// A project of two modules, a package, a template and a `.gitignore`, listened to.
struct Project {
    directory: tempfile::TempDir,
    wanted: Wanted,
    watcher: Watcher,
}

impl Project {
    fn new() -> Self {
        Self::heard_by(Watcher::start().unwrap())
    }

    fn heard_by(watcher: Watcher) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap().join("project");
        let mut project = Self { directory, wanted: Wanted { root, ..Wanted::default() }, watcher };
        project.shell(
            "mkdir -p ../elsewhere $PWD/package templates data
             echo 1 > app.py; echo 1 > views.py; echo > package/__init__.py; echo 1 > package/models.py
             echo hello > templates/index.html; echo KEY=1 > .env; echo data > data/big.html
             printf 'data/\\n.env\\n*.db\\n' > .gitignore",
        );
        let path = |name: &str| project.wanted.root.join(name);
        project.wanted.files =
            ["app.py", "views.py", "package/__init__.py", "package/models.py", ".gitignore"].map(path).into();
        project.wanted.directories = ["", "package"].map(path).into();
        let globs = ["*.html", "*.db", ".env"].map(str::to_owned);
        project.wanted.globs = Selection::new(&project.wanted.root, &globs, &[]).unwrap();
        project.watch();
        project
    }

    fn watch(&mut self) -> Vec<Trouble> {
        self.watcher.watch(&self.wanted).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.wanted.root.join(name)
    }

    fn command(&self, script: &str) -> Command {
        fs::create_dir_all(&self.wanted.root).unwrap();
        let mut command = Command::new("sh");
        command.args(["-euc", script]).current_dir(&self.wanted.root);
        command
            .stdout(Stdio::null())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        command
    }

    fn shell(&self, script: &str) {
        assert!(self.command(script).status().unwrap().success(), "{script}");
    }

    fn take(&mut self) -> Happened {
        self.watcher.take().unwrap()
    }

    /// The paths that count, relative to the root, of what the script does.
    fn heard(&mut self, script: &str) -> Vec<String> {
        self.shell(script);
        let happened = self.take();
        assert!(!happened.everything);
        let relative = |path: &PathBuf| {
            let relative = path.strip_prefix(&self.wanted.root).unwrap_or(path);
            relative.to_str().unwrap().to_owned()
        };
        happened.paths.iter().map(relative).collect()
    }

    /// Waits until something can be taken.
    fn wait(&self, timeout: impl Into<PollTimeout>) -> bool {
        let mut sources = [PollFd::new(self.watcher.wake(), PollFlags::POLLIN)];
        poll(&mut sources, timeout.into()).unwrap() == 1
    }

    /// Waits until something has happened to `path`.
    fn wait_for(&mut self, path: &str) {
        let path = self.path(path);
        let deadline = Instant::now() + PLENTY;
        // A timer that ticks wakes without end.
        while !self.take().paths.contains(&path) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nothing happens to {}", path.display());
            self.wait(PollTimeout::try_from(left).unwrap());
        }
    }
}

#[test]
fn editors_save_one_file() {
    let mut project = Project::new();
    let saves = [
        ("vim, backupcopy=yes", "cat views.py > views.py~; echo 2 > views.py; rm views.py~"),
        (
            "vim, backupcopy=no",
            "echo > .views.py.swp; echo > 4913; rm 4913; mv views.py views.py~; echo 3 > views.py; rm views.py~ .views.py.swp",
        ),
        (
            "emacs",
            "ln -s me@host.1 .#views.py; echo 4 > '#views.py#'; cp views.py views.py~; echo 4 > views.py; rm '#views.py#' .#views.py",
        ),
        (
            "JetBrains",
            "echo 5 > views.py___jb_tmp___; mv views.py views.py___jb_old___; mv views.py___jb_tmp___ views.py; rm views.py___jb_old___",
        ),
        ("VS Code", "printf 6 > views.py"),
        ("atomic rename", "echo 7 > views.py.tmp.4711.99; mv views.py.tmp.4711.99 views.py"),
        ("sed", "sed -i s/7/8/ views.py"),
        ("touch", "touch views.py"),
    ];
    for (editor, script) in saves {
        assert_eq!(project.heard(script), ["views.py"], "{editor}");
    }
}

#[test]
fn what_cannot_count_is_not_heard() {
    let mut project = Project::new();
    let script = "cat app.py views.py package/*.py; chmod 600 app.py; ls -R .; git init -q .;
         mkdir package/__pycache__ node_modules .pytest_cache; echo > package/__pycache__/models.cpython-313.pyc
         echo > package/__pycache__/new.py; echo > node_modules/index.html; echo > .views.py.swp; echo log > out.log
         echo > data/more.html; echo > cache.db; python3 -c 'import os; os.utime(\"app.py\")'";
    assert_eq!(project.heard(script), [""; 0]);
    project.shell("cat app.py views.py package/*.py");
    assert!(!project.wait(PollTimeout::ZERO), "reading does not even wake");
}

#[test]
fn globs_are_heard_unless_version_control_ignores_what_they_do_not_name() {
    let mut project = Project::new();
    assert_eq!(project.heard("echo > templates/index.html"), ["templates/index.html"]);
    assert_eq!(project.heard("echo KEY=2 > .env; echo > data/big.html; echo > x.db"), [".env"]);
    assert_eq!(
        project.heard("mkdir -p templates/mail/en; echo > templates/mail/en/a.html"),
        ["templates/mail/en/a.html"]
    );
    let globs = ["data/*.html", "later/on/*.yaml"].map(str::to_owned);
    project.wanted.globs = Selection::new(&project.wanted.root, &globs, &["views.py".to_owned()]).unwrap();
    project.watch();
    assert_eq!(project.heard("echo 9 > data/big.html; echo > views.py; echo > .env"), ["data/big.html"]);
    let globs = ["data/big.html", "later/on/*.yaml"].map(str::to_owned);
    project.wanted.globs = Selection::new(&project.wanted.root, &globs, &[]).unwrap();
    project.watch();
    assert_eq!(project.heard("echo 9 > data/big.html"), ["data/big.html"]);
    let heard = project.heard("mkdir -p later/on; echo > later/on/a.yaml; echo > later/on/a.txt");
    assert!(heard.contains(&"later/on/a.yaml".to_owned()) && !heard.contains(&"later/on/a.txt".to_owned()));
}

#[test]
fn what_version_control_ignores_may_change() {
    let mut project = Project::new();
    assert_eq!(project.heard("echo > data/big.html; echo > x.db"), [""; 0]);
    assert_eq!(project.heard("echo 'data/' > .gitignore; echo 2 > x.db"), [".gitignore", "x.db"]);
    assert_eq!(project.heard("echo '*.html' > .gitignore; echo 2 > templates/index.html"), [".gitignore"]);
}

#[test]
fn new_directories_are_searched() {
    let mut project = Project::new();
    let heard =
        project.heard("mkdir -p package/a/b/c; echo > package/a/b/c/module.py; echo > package/a/notes.txt");
    for expected in ["package/a", "package/a/b", "package/a/b/c", "package/a/b/c/module.py"] {
        assert!(heard.contains(&expected.to_owned()), "{expected}: {heard:?}");
    }
    assert!(!heard.contains(&"package/a/notes.txt".to_owned()));
    assert_eq!(project.heard("echo 2 > package/a/b/c/module.py"), ["package/a/b/c/module.py"]);
    project.watch();
    assert_eq!(project.heard("echo > package/a/b/late.py"), ["package/a/b/late.py"], "it still counts");
}

#[test]
fn who_makes_directories_without_end_is_not_followed_for_ever() {
    for listening in [Listening::start(usize::MAX), Err(nix::errno::Errno::EMFILE)] {
        let mut project = Project::heard_by(Watcher::limited(listening).unwrap());
        // As if there were more after each time that it is looked.
        project.watcher.rounds = 1;
        project.shell("mkdir -p package/a/b; echo > package/a/b/module.py");
        let mut happened = project.take();
        while happened.paths.is_empty() && !happened.everything {
            assert!(project.wait(PollTimeout::try_from(PLENTY).unwrap()));
            happened = project.take();
        }
        assert!(happened.everything && project.watcher.behind.is_some());
        // What is wanted may be said anew in between.
        project.watch();
        project.watcher.rounds = MOST_PLANS;
        project.wait_for("package/a/b/module.py");
        project.shell("echo 2 > package/a/b/module.py");
        project.wait_for("package/a/b/module.py");
        assert!(!project.take().everything && project.watcher.behind.is_none());
        let polls = !project.watcher.polling.directories().is_empty();
        assert_eq!(project.watcher.polling.interval().is_some(), polls, "the timer ends with its reason");
    }
}

#[test]
fn packages_are_renamed_removed_and_made_again() {
    let mut project = Project::new();
    let all = ["package", "package/__init__.py", "package/models.py"].map(str::to_owned);
    let contains_all = |heard: &[String]| all.iter().all(|path| heard.contains(path));
    let heard = project.heard("mv package renamed");
    assert!(contains_all(&heard) && heard.contains(&"renamed/models.py".to_owned()), "{heard:?}");
    assert_eq!(project.heard("echo 2 > renamed/models.py"), ["renamed/models.py"]);
    assert!(contains_all(&project.heard("mv renamed package")));
    assert_eq!(project.heard("echo 3 > package/models.py"), ["package/models.py"]);
    assert!(contains_all(&project.heard("rm -r package")));
    assert!(contains_all(
        &project.heard("mkdir package; echo > package/__init__.py; echo > package/models.py")
    ));
    assert_eq!(project.heard("echo 4 > package/models.py; rm views.py"), ["package/models.py", "views.py"]);
    assert!(contains_all(&project.heard("mv package ../elsewhere/kept; echo > ../elsewhere/kept/other.py")));
    assert!(project.heard("echo 5 > ../elsewhere/kept/models.py").is_empty());
}

#[test]
fn the_root_is_removed_and_made_again() {
    let mut project = Project::new();
    let heard = project.heard("cd ..; mv project gone; mkdir project; echo > project/app.py");
    assert!(heard.contains(&"app.py".to_owned()) && heard.contains(&"views.py".to_owned()), "{heard:?}");
    assert_eq!(project.heard("echo 2 > app.py; echo 2 > ../gone/views.py"), ["app.py"]);
    let heard = project.heard("cd ..; rm -r project; mv gone project");
    assert!(heard.contains(&"package/models.py".to_owned()), "{heard:?}");
    assert_eq!(project.heard("echo 3 > package/models.py"), ["package/models.py"]);
}

#[test]
fn links_are_followed() {
    let mut project = Project::new();
    project.shell("echo 1 > ../elsewhere/real.py; mkdir ../elsewhere/one ../elsewhere/two; echo 1 > ../elsewhere/one/m.py");
    symlink("../elsewhere/real.py", project.path("link.py")).unwrap();
    symlink("../elsewhere/one", project.path("linked")).unwrap();
    symlink("linked", project.path("again")).unwrap();
    let files = ["link.py", "linked/m.py", "again/m.py"].map(|name| project.path(name));
    project.wanted.files.extend(files);
    project.watch();
    project.take();
    assert_eq!(project.heard("echo 2 > ../elsewhere/real.py"), ["link.py"]);
    assert_eq!(
        project.heard("echo 3 > ../elsewhere/new; mv ../elsewhere/new ../elsewhere/real.py"),
        ["link.py"]
    );
    assert_eq!(project.heard("echo 2 > ../elsewhere/one/m.py"), ["again/m.py", "linked/m.py"]);
    let heard = project.heard("ln -s ../elsewhere/two linked.tmp; mv -T linked.tmp linked");
    assert!(
        heard.contains(&"linked/m.py".to_owned()) && heard.contains(&"again/m.py".to_owned()),
        "{heard:?}"
    );
    assert_eq!(project.heard("echo 3 > ../elsewhere/two/m.py"), ["again/m.py", "linked/m.py"]);
    assert!(project.heard("echo 3 > ../elsewhere/one/m.py").is_empty());
    let heard = project.heard("ln -sf ../elsewhere/two/m.py link.py; echo 4 > ../elsewhere/two/m.py");
    assert!(heard.contains(&"link.py".to_owned()));
    assert!(project.heard("echo 5 > ../elsewhere/two/m.py").contains(&"link.py".to_owned()));
}

#[test]
fn nothing_is_missed_while_the_wanted_changes() {
    let mut project = Project::new();
    project.shell("echo 2 > app.py");
    project.wanted.outside.insert(project.path("../elsewhere/library.py"));
    project.watch();
    assert_eq!(project.heard(":"), ["app.py"]);
    assert_eq!(project.heard("echo > ../elsewhere/library.py"), ["../elsewhere/library.py"]);
    project.wanted.files.clear();
    project.wanted.directories.clear();
    project.watch();
    assert!(project.heard("echo 3 > app.py").is_empty());
}
