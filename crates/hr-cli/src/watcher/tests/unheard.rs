//! What events do not tell: mounts, events that were lost, file systems that send none.

use super::*;

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
    where_mounts_are_allowed("watcher::tests::unheard::mounts_are_noticed", || {
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
