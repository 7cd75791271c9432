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

impl Project {
    /// Two branches with a thousand files each that differ, `two` three commits ahead of where they part, and `one` one.
    fn of_two_branches() -> Self {
        let mut project = Self::new();
        project.shell(
            "git init -q .; git config user.name n; git config user.email e@e; git checkout -q -b one
             for i in $(seq 1000); do echo 0 > package/both$i.py; done; git add .; git commit -qm zero
             git checkout -q -b two
             for k in 0 1 2; do
                 for i in $(seq $((k + 1)) 3 1000); do echo 2 > package/both$i.py; done; git add .; git commit -qm two$k
             done
             git checkout -q one; for i in $(seq 1000); do echo > package/one$i.py; done; git add .; git commit -qm one",
        );
        let names = (1..=1000).flat_map(|number| [format!("both{number}.py"), format!("one{number}.py")]);
        let files: Vec<_> = names.map(|name| project.path("package").join(name)).collect();
        project.wanted.files.extend(files);
        project
    }

    /// What a development loop makes of what the script does, which ends with all files that are `of` a name holding `text`.
    fn batches(&mut self, script: &str, of: &str, text: Option<&str>) -> Vec<Batch> {
        let named =
            |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_str().unwrap().starts_with(of));
        let files: BTreeSet<_> = self.wanted.files.iter().filter(named).cloned().collect();
        let root = self.wanted.root.clone();
        let mut child = self.command(script).current_dir(root).spawn().unwrap();
        let (mut settling, mut batches) = (Settling::default(), Vec::new());
        while batches.is_empty() || settling.deadline().is_some() {
            let timeout = settling.deadline().map_or(PLENTY, |deadline| {
                // Poll counts in whole milliseconds.
                deadline.saturating_duration_since(Instant::now()) + Duration::from_millis(1)
            });
            let woken = self.wait(PollTimeout::try_from(timeout).unwrap());
            assert!(woken || settling.deadline().is_some(), "{script} is not heard");
            let now = Instant::now();
            let happened = self.take();
            settling.hear(happened, now);
            if let Some(batch) = settling.settled(now) {
                let is_final = |file: &PathBuf| fs::read_to_string(file).ok().as_deref() == text;
                assert!(files.iter().all(is_final), "the batch of {script} is of the final state");
                batches.push(batch);
            }
        }
        assert!(child.wait().unwrap().success());
        assert!(batches[0].paths.is_superset(&files), "{script}");
        batches
    }
}

#[test]
fn what_version_control_does_to_a_thousand_files_is_one_batch() {
    let mut project = Project::of_two_branches();
    project.watch();
    project.take();
    let scripts = [
        ("git checkout -q two", "one", None),
        ("git checkout -q one", "one", Some("\n")),
        ("git checkout -q two", "one", None),
        ("git rebase -q one", "both", Some("2\n")),
    ];
    for (script, of, text) in scripts {
        assert_eq!(project.batches(script, of, text).len(), 1, "{script}");
    }
    project.shell("for i in $(seq 1000); do echo 4 > package/both$i.py; done");
    project.take();
    for (script, text) in [("git stash -q", "2\n"), ("git stash pop -q", "4\n")] {
        assert_eq!(project.batches(script, "both", Some(text)).len(), 1, "{script}");
    }
}

#[test]
fn a_checkout_in_a_linked_worktree_is_one_batch() {
    let mut project = Project::of_two_branches();
    project.shell("git worktree add -q --detach ../elsewhere/tree one");
    let tree = project.path("../elsewhere/tree").canonicalize().unwrap();
    let moved = |path: &PathBuf| tree.join(path.strip_prefix(&project.wanted.root).unwrap());
    let wanted = Wanted {
        files: project.wanted.files.iter().map(moved).collect(),
        directories: project.wanted.directories.iter().map(moved).collect(),
        root: tree.clone(),
        ..Wanted::default()
    };
    project.wanted = wanted;
    project.watch();
    project.take();
    assert_eq!(project.batches("git checkout -q two", "both", Some("2\n")).len(), 1);
}

#[test]
fn a_rebase_is_one_operation_until_it_waits_for_the_user() {
    let mut project = Project::new();
    project.shell(
        "git init -q .; git config user.name n; git config user.email e@e; mkfifo ../between ../go
         git add .; git commit -qm zero; echo 2 > app.py; git commit -qam two; echo 3 > app.py; git commit -qam three",
    );
    project.watch();
    let rebase = "git rebase -q --force-rebase -x 'echo > ../between; read go < ../go' HEAD~2";
    let mut child = project.command(rebase).spawn().unwrap();
    for _ in 0..2 {
        fs::read(project.path("../between")).unwrap();
        assert!(!project.path(".git/index.lock").exists());
        assert!(project.take().operation, "between two commits");
        fs::write(project.path("../go"), "go\n").unwrap();
    }
    assert!(child.wait().unwrap().success());
    assert!(project.wait(PollTimeout::ZERO) && !project.take().operation, "its end wakes");
    project.shell("GIT_SEQUENCE_EDITOR='sed -i 1s/pick/edit/' git rebase -q -i --force-rebase HEAD~2 2>&1");
    assert!(project.path(".git/rebase-merge").exists());
    assert!(!project.take().operation, "what the user does now counts at once");
    project.shell("git rebase --quit");
}

#[test]
fn operations_of_linked_worktrees_are_seen() {
    let mut project = Project::new();
    project.shell(
        "cd ../elsewhere; git init -q .; git config user.name n; git config user.email e@e
         git commit -q --allow-empty -m one; git worktree add -q tree",
    );
    project.wanted.root = project.path("../elsewhere/tree");
    project.watch();
    assert!(!project.take().operation);
    project.shell("echo > ../.git/worktrees/tree/index.lock");
    assert!(project.wait(PollTimeout::ZERO) && project.take().operation);
    project.shell("rm ../.git/worktrees/tree/index.lock");
    assert!(project.wait(PollTimeout::ZERO) && !project.take().operation, "its end wakes");
}

/// Runs this very test again where everybody may mount. It does nothing where the kernel does not let users have that.
fn where_mounts_are_allowed(test: &str, body: impl FnOnce()) {
    const INSIDE: &str = "TEST_MAY_MOUNT";
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let namespace = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]).stdout(Stdio::null());
        command
    };
    if namespace().arg("true").status().is_ok_and(|status| status.success()) {
        let this = std::env::current_exe().unwrap();
        let status = namespace().arg(this).args(["--exact", test]).env(INSIDE, "1").status().unwrap();
        assert!(status.success());
    }
}

#[test]
fn mounts_are_noticed() {
    where_mounts_are_allowed("watcher::tests::mounts_are_noticed", || {
        let mut project = Project::new();
        project.shell("mkdir ../elsewhere/package; echo 2 > ../elsewhere/package/models.py");
        project.take();
        assert!(!project.wait(PollTimeout::ZERO));
        for script in ["mount --bind ../elsewhere/package package", "umount package"] {
            project.shell(script);
            assert!(project.wait(PollTimeout::ZERO), "{script} wakes");
            let happened = project.take();
            assert!(happened.everything && happened.paths.contains(&project.path("package/models.py")));
            let after = project.take();
            assert!(after.paths.is_empty() && !after.everything, "once");
            assert!(!project.wait(PollTimeout::ZERO));
            assert_eq!(project.heard("echo 3 > package/models.py"), ["package/models.py"], "{script}");
        }
        project.shell("mount --bind ../elsewhere/package/models.py views.py");
        assert!(project.wait(PollTimeout::ZERO) && project.take().everything, "files are mounted over, too");
        project.shell("umount views.py");
    });
}

#[test]
fn lost_events_are_everything() {
    let mut project = Project::new();
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let (one, two) = (project.path("one.py"), project.path("two.py"));
    fs::write(&one, "").unwrap();
    // Each makes two events, none of which are merged.
    for _ in 0..=limit / 4 {
        fs::rename(&one, &two).unwrap();
        fs::rename(&two, &one).unwrap();
    }
    project.shell("mkdir package/unheard; echo > package/unheard/module.py");
    assert!(project.take().everything);
    assert_eq!(project.heard("echo 2 > package/unheard/module.py"), ["package/unheard/module.py"]);
}

#[test]
fn what_cannot_be_listened_to_is_polled() {
    for listening in [Err(nix::errno::Errno::EMFILE), Listening::start(3)] {
        let mut project = Project::heard_by(Watcher::limited(listening).unwrap());
        // It was told when the project was made, and is told once.
        assert_eq!(project.watcher.told.len(), 1);
        assert_eq!(project.watch(), []);
        project.shell("echo changed > package/models.py");
        project.wait_for("package/models.py");
        project.shell("mkdir package/new");
        project.wait_for("package/new");
        project.shell("echo > package/new/module.py");
        project.wait_for("package/new/module.py");
        project.shell("mkdir -p package/ready/made; echo > package/ready/made/module.py");
        project.wait_for("package/ready/made/module.py");
        project.shell("mkdir -p more-templates/e-mail; echo > more-templates/e-mail/a.html");
        project.wait_for("more-templates/e-mail/a.html");
        project.shell("echo changed > more-templates/e-mail/a.html");
        project.wait_for("more-templates/e-mail/a.html");
        project.shell("rm -r package");
        project.wait_for("package/models.py");
    }
}

#[test]
fn what_others_change_is_polled_wherever_paths_lead() {
    let mut project = Project::new();
    project.watcher.changed_elsewhere =
        |path| path.components().any(|part| part.as_os_str() == "elsewhere").then_some("NFS");
    assert_eq!(project.watch(), [], "nothing leads there");
    let trouble = |directory: PathBuf| Trouble::NoEvents { directory, file_system: "NFS" };
    let polled = |project: &Project| project.watcher.polling.directories();

    let missing = project.path("../elsewhere/later/on");
    project.wanted.directories.insert(missing.clone());
    assert_eq!(project.watch(), [trouble(missing.clone())]);
    assert_eq!(polled(&project), std::slice::from_ref(&missing));
    project.wanted.directories.remove(&missing);

    project.shell("echo > ../elsewhere/real.py; ln -s ../../elsewhere/real.py package/link.py");
    project.wanted.files.insert(project.path("package/link.py"));
    assert_eq!(project.watch(), [], "it was told");
    assert_eq!(polled(&project), [project.path("package")]);
    project.shell("ln -sf ../../elsewhere/later/missing.py package/link.py");
    assert_eq!(project.watch(), []);
    assert_eq!(polled(&project), [project.path("package")]);

    project.shell("ln -s ../elsewhere/later linked");
    project.wanted.files = [project.path("linked/module.py")].into();
    assert_eq!(project.watch(), []);
    assert_eq!(polled(&project), [project.path("linked")]);
}

#[test]
fn a_watcher_without_troubles_has_no_timer() {
    let project = Project::new();
    assert!(project.watcher.polling.directories().is_empty());
    assert_eq!(project.watcher.polling.interval(), None);
    assert!(project.directory.path().exists());
}
