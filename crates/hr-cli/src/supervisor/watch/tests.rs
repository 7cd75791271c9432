use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use proptest::sample::Index;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::*;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::stamp::stamp_of;

/// Paths that a template might have loaded, some of them ways to the same file.
const LOADED: [&str; 10] = [
    "real/lib/a.py",
    "real/lib/b.py",
    "real/lib/pkg/c.py",
    "vendor/lib/d.py",
    "link/d.py",
    "link/a.py",
    "link/../lib/b.py",
    "file_link.py",
    "real/lib/missing.py",
    "plugins/gone/e.py",
];

const DIRECTORIES: [&str; 7] = ["real", "real/lib", "real/lib/pkg", "vendor", "vendor/lib", "other", "link"];

/// What people, editors and installers do.
#[derive(Clone, Debug)]
enum Operation {
    Overwrite(Index),
    Append(Index),
    Truncate(Index),
    ReplaceByRename(Index),
    Remove(Index),
    Create(Index),
    Touch(Index),
    ChangeMode(Index),
    KeepOpen(Index),
    WriteToKept(Index),
    LinkElsewhere(Index),
    WriteThroughLink(Index),
    MoveAway(Index),
    MoveBack,
    Exchange(Index, Index),
    RemoveDirectory(Index),
    CreateDirectory(Index),
    PointLinkAt(Index),
    PointFileLinkAt(Index),
    CreateBeside(Index),
    /// Not something that happens to files: the template is built again.
    LoadAgain,
}

fn operation() -> impl Strategy<Value = Operation> {
    let one = |make: fn(Index) -> Operation| any::<Index>().prop_map(make).boxed();
    prop_oneof![
        one(Operation::Overwrite),
        one(Operation::Append),
        one(Operation::Truncate),
        one(Operation::ReplaceByRename),
        one(Operation::Remove),
        one(Operation::Create),
        one(Operation::Touch),
        one(Operation::ChangeMode),
        one(Operation::KeepOpen),
        one(Operation::WriteToKept),
        one(Operation::LinkElsewhere),
        one(Operation::WriteThroughLink),
        one(Operation::MoveAway),
        Just(Operation::MoveBack),
        any::<(Index, Index)>().prop_map(|(one, other)| Operation::Exchange(one, other)),
        one(Operation::RemoveDirectory),
        one(Operation::CreateDirectory),
        one(Operation::PointLinkAt),
        one(Operation::PointFileLinkAt),
        one(Operation::CreateBeside),
        Just(Operation::LoadAgain),
    ]
}

/// A tree of files, and two accounts of them: one by events, one by comparing everything.
struct World {
    root: TempDir,
    watch: Watch,
    watched: Inputs,
    compared: Inputs,
    moved: Vec<(PathBuf, PathBuf)>,
    kept: Vec<File>,
    numbers: u32,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("real/lib/pkg")).unwrap();
        fs::create_dir_all(at("vendor/lib")).unwrap();
        fs::create_dir(at("other")).unwrap();
        symlink("vendor/lib", at("link")).unwrap();
        symlink("real/lib/a.py", at("file_link.py")).unwrap();
        for file in &LOADED[..4] {
            fs::write(at(file), "1234").unwrap();
        }
        let watch = Watch::start();
        let (watched, compared) = (load(root.path(), &watch), load(root.path(), &Watch::default()));
        Self { root, watch, watched, compared, moved: Vec::new(), kept: Vec::new(), numbers: 0 }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn file(&self, index: Index) -> PathBuf {
        self.at(index.get::<&str>(&LOADED))
    }

    fn directory(&self, index: Index) -> PathBuf {
        self.at(index.get::<&str>(&DIRECTORIES))
    }

    fn unused(&mut self) -> PathBuf {
        self.numbers += 1;
        self.at(&format!("other/{}", self.numbers))
    }

    fn point(&mut self, link: &str, target: &Path) -> std::io::Result<()> {
        let new = self.unused();
        symlink(target, &new)?;
        fs::rename(new, self.at(link))
    }

    /// Carries out `operation`. Many are not possible in the state that earlier ones have left.
    fn carry_out(&mut self, operation: &Operation) -> std::io::Result<()> {
        match *operation {
            Operation::Overwrite(file) => write(OpenOptions::new().write(true), &self.file(file)),
            Operation::Append(file) => write(OpenOptions::new().append(true), &self.file(file)),
            Operation::Truncate(file) => {
                OpenOptions::new().write(true).truncate(true).open(self.file(file)).map(drop)
            }
            Operation::ReplaceByRename(file) => {
                let new = self.unused();
                fs::write(&new, "1234")?;
                fs::rename(new, self.file(file))
            }
            Operation::Remove(file) => fs::remove_file(self.file(file)),
            Operation::Create(file) => {
                write(OpenOptions::new().write(true).create_new(true), &self.file(file))
            }
            Operation::Touch(file) => {
                File::options().append(true).open(self.file(file))?.set_modified(SystemTime::UNIX_EPOCH)
            }
            Operation::ChangeMode(file) => {
                fs::set_permissions(self.file(file), fs::Permissions::from_mode(0o600))
            }
            Operation::KeepOpen(file) => {
                self.kept.push(OpenOptions::new().append(true).open(self.file(file))?);
                Ok(())
            }
            Operation::WriteToKept(index) if !self.kept.is_empty() => {
                let index = index.index(self.kept.len());
                self.kept[index].write_all(b"x")
            }
            Operation::LinkElsewhere(file) => {
                let link = self.unused();
                fs::hard_link(self.file(file), link)
            }
            Operation::WriteThroughLink(index) if self.numbers > 0 => {
                let number = index.index(self.numbers as usize) + 1;
                write(OpenOptions::new().write(true), &self.at(&format!("other/{number}")))
            }
            Operation::MoveAway(directory) => {
                let (from, to) = (self.directory(directory), self.unused());
                fs::rename(&from, &to)?;
                self.moved.push((from, to));
                Ok(())
            }
            Operation::MoveBack => self.moved.pop().map_or(Ok(()), |(from, to)| fs::rename(to, from)),
            Operation::Exchange(one, other) => {
                let (one, other) = (self.directory(one), self.directory(other));
                Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
            }
            Operation::RemoveDirectory(directory) => fs::remove_dir_all(self.directory(directory)),
            Operation::CreateDirectory(directory) => fs::create_dir_all(self.directory(directory)),
            Operation::PointLinkAt(directory) => self.point("link", &self.directory(directory)),
            Operation::PointFileLinkAt(file) => self.point("file_link.py", &self.file(file)),
            Operation::CreateBeside(file) => fs::write(self.file(file).with_extension("pyc"), ""),
            Operation::LoadAgain => {
                self.watched = load(self.root.path(), &self.watch);
                self.compared = load(self.root.path(), &Watch::default());
                Ok(())
            }
            Operation::WriteToKept(_) | Operation::WriteThroughLink(_) => Ok(()),
        }
    }
}

fn write(options: &mut OpenOptions, file: &Path) -> std::io::Result<()> {
    options.open(file)?.write_all(b"5678")
}

/// What is loaded from `root` now, and so long ago that every change from now on shows in the files' times.
fn load(root: &Path, watch: &Watch) -> Inputs {
    // Only through the link.
    let loaded = LOADED.iter().filter(|file| !file.starts_with("vendor"));
    let files: Vec<_> = loaded.map(|file| root.join(file).into_os_string()).collect();
    let inputs = Inputs::new(files, SystemTime::now() + Duration::from_mins(1), watch);
    assert!(inputs.changed().is_empty());
    let probe = root.join("clock");
    let time = || {
        fs::write(&probe, "").unwrap();
        stamp_of(probe.as_os_str())
    };
    let before = time();
    while time() == before {}
    inputs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn events_lead_to_the_same_answer_as_comparing_everything(
        operations in prop::collection::vec(operation(), 1..24)
    ) {
        let mut world = World::new();
        for operation in &operations {
            let done = world.carry_out(operation);
            prop_assert_eq!(world.watched.changed(), world.compared.changed(), "{:?}: {:?}", operation, done);
        }
    }
}

fn names(files: &[PathBuf]) -> Vec<Name> {
    files.iter().map(|file| Rc::from(file.as_os_str())).collect()
}

#[test]
fn only_what_happens_to_a_file_makes_it_suspect() {
    let root = tempfile::tempdir().unwrap();
    let files = ["one.py", "two.py"].map(|name| root.path().join(name));
    for file in &files {
        fs::write(file, "").unwrap();
    }
    let names = names(&files);
    let mut registration = Watch::start().register(names.iter().cloned(), std::iter::empty());
    let suspects = |names: &[Name]| Suspects::Files(names.iter().cloned().collect());

    fs::create_dir(root.path().join("__pycache__")).unwrap();
    fs::write(root.path().join("new.py"), "").unwrap();
    fs::read(&files[0]).unwrap();
    assert_eq!(registration.suspects(), suspects(&[]));

    fs::write(&files[1], "changed").unwrap();
    assert_eq!(registration.suspects(), suspects(&names[1..]));
    assert_eq!(registration.suspects(), suspects(&[]), "it was looked at");

    fs::rename(root.path(), root.path().with_extension("moved")).unwrap();
    assert_eq!(registration.suspects(), Suspects::Everything);
    fs::rename(root.path().with_extension("moved"), root.path()).unwrap();
}

#[test]
fn a_directory_is_suspect_when_it_gets_or_loses_an_entry() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("real")).unwrap();
    fs::write(at("real/one.py"), "").unwrap();
    symlink("real", at("link")).unwrap();
    let names = names(&[at("link"), at("missing/deep")]);
    let mut registration = Watch::start().register(std::iter::empty(), names.iter().cloned());
    let suspects = |names: &[Name]| Suspects::Files(names.iter().cloned().collect());

    fs::write(at("real/one.py"), "changed").unwrap();
    fs::set_permissions(at("real/one.py"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(registration.suspects(), suspects(&[]), "its entries are the same");
    fs::write(at("real/two.py"), "").unwrap();
    assert_eq!(registration.suspects(), suspects(&names[..1]));
    fs::rename(at("real/two.py"), at("two.py")).unwrap();
    assert_eq!(registration.suspects(), suspects(&names), "it was moved to where the other may appear");
    fs::create_dir_all(at("missing/deep")).unwrap();
    assert_eq!(registration.suspects(), suspects(&names[1..]));
    assert_eq!(registration.suspects(), suspects(&[]));
    fs::write(at("missing/deep/three.py"), "").unwrap();
    assert_eq!(registration.suspects(), suspects(&names[1..]));
}

#[test]
fn everything_is_suspect_when_events_were_lost() {
    let root = tempfile::tempdir().unwrap();
    let files = ["one.py", "two.py"].map(|name| root.path().join(name));
    let mut written = files.clone().map(|file| File::create(file).unwrap());
    let mut registration = Watch::start().register(names(&files).iter().cloned(), std::iter::empty());
    let queue = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    // One after the other, since the kernel merges events that are the same.
    for _ in 0..=queue.trim().parse::<usize>().unwrap() / 2 {
        for file in &mut written {
            file.write_all(b"x").unwrap();
        }
    }
    assert_eq!(registration.suspects(), Suspects::Everything);
}

#[test]
fn a_file_that_cannot_be_watched_is_always_suspect() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("module.py");
    fs::write(&file, "").unwrap();
    let names = names(&[file, "/proc/self/status".into(), "relative.py".into()]);
    let suspects = Suspects::Files(names[1..].iter().cloned().collect());
    let watch = Watch::start();
    let mut registration = watch.register(names.iter().cloned(), std::iter::empty());
    assert_eq!([registration.suspects(), registration.suspects()], [suspects.clone(), suspects]);

    // The user's limit is reached.
    watch.0.as_ref().unwrap().borrow_mut().limit = 0;
    let all = Suspects::Files(names.iter().cloned().collect());
    assert_eq!(watch.register(names.iter().cloned(), std::iter::empty()).suspects(), all);
    assert_eq!(Watch::default().register(names.iter().cloned(), std::iter::empty()).suspects(), all);
}

#[test]
fn a_watch_ends_with_the_last_registration_that_needs_it() {
    let root = tempfile::tempdir().unwrap();
    let files = ["one.py", "two.py"].map(|name| root.path().join(name));
    for file in &files {
        fs::write(file, "").unwrap();
    }
    let names = names(&files);
    let watch = Watch::start();
    let watches = || watch.0.as_ref().unwrap().borrow().watched.len();
    let first = watch.register(names.iter().cloned(), std::iter::empty());
    let both = watches();
    let mut second = watch.register(names[..1].iter().cloned(), std::iter::empty());
    assert_eq!(watches(), both, "watches are shared");
    drop(first);
    assert_eq!(watches(), both - 1);

    fs::write(&files[0], "changed").unwrap();
    assert_eq!(second.suspects(), Suspects::Files(names[..1].iter().cloned().collect()));
    drop(second);
    assert_eq!(watches(), 0);
}
