//! Commands of version control are heard as one change.

use super::*;

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
