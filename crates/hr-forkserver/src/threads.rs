//! The threads of this process, and whose they are, as the kernel and their stacks tell.
//!
//! Nothing records which library has started a thread. But the function that it began with was handed to the C library,
//! and lies in the thread's descriptor at the upper end of its stack (`struct pthread` of glibc and musl); below it are
//! the return addresses of the functions that it is in. Each of them lies in a mapping that names its file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes of a stack that are looked at, from its upper end.
const WINDOW: u64 = 64 * 1024;

/// Bytes after a thread's id in which its descriptor ends. The id lies in the middle of it, the function that it began with
/// near its end: 880 bytes apart in glibc 2.36 on x86-64.
const REST_OF_DESCRIPTOR: u64 = 2048;

/// Where in a stack the descriptor of its thread can lie: so many bytes from its upper end. Thread-local variables may lie
/// above it.
const TOP: u64 = 16 * 1024;

/// A thread, as far as one can tell from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    /// The name that it was given; that of the program if it was given none. At most 15 bytes.
    pub(crate) name: String,
    /// Whether it is on a processor, or waits for one: it may just have started, and may not have named itself yet.
    pub(crate) runs: bool,
    /// Files with code on its stack, the one it was started with first.
    pub(crate) libraries: Vec<PathBuf>,
}

/// Ids of all threads of this process but the calling one.
pub(crate) fn others() -> BTreeSet<i32> {
    let own = nix::unistd::gettid().as_raw();
    let Ok(entries) = fs::read_dir("/proc/self/task") else { return BTreeSet::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| *id != own).collect()
}

/// Looks at the threads `ids` of this process. One that has ended is left out.
pub(crate) fn look(ids: impl IntoIterator<Item = i32>) -> Vec<Task> {
    let mappings = Mappings::read();
    let memory = File::open("/proc/self/mem").ok();
    let task = |id| {
        let name = fs::read_to_string(format!("/proc/self/task/{id}/comm")).ok()?.trim_end().to_owned();
        let pointer = stack_pointer(id);
        let words =
            memory.as_ref().and_then(|memory| stack(id, pointer, &mappings, memory)).unwrap_or_default();
        Some(Task { name, runs: pointer.is_none(), libraries: mappings.files_of(&words) })
    };
    ids.into_iter().filter_map(task).collect()
}

/// The part of a thread's stack that is in use, up to the end of its descriptor where that is found, lowest word first.
fn stack(id: i32, pointer: Option<u64>, mappings: &Mappings, memory: &File) -> Option<Vec<u64>> {
    let range = match pointer.and_then(|pointer| Some((pointer, mappings.holding(pointer)?))) {
        Some((pointer, mapping)) => {
            let upper = mapping.addresses.end.min(pointer + WINDOW);
            let descriptor = find_id(id, pointer..upper, memory);
            pointer..descriptor.map_or(upper, |found| upper.min(found + REST_OF_DESCRIPTOR))
        }
        // It runs, and the kernel does not say where. Its descriptor tells which stack is its own.
        None => mappings.stacks().find_map(|stack| {
            let top = stack.end.saturating_sub(TOP).max(stack.start)..stack.end;
            let found = find_id(id, top, memory)?;
            let lower = stack.start.max(found.saturating_sub(WINDOW));
            Some(lower..stack.end.min(found + REST_OF_DESCRIPTOR))
        })?,
    };
    let bytes = read(memory, range.start.next_multiple_of(8)..range.end)?;
    Some(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect())
}

/// Where the stack of a thread ends downwards, if the thread waits: `syscall` of `proc_pid_syscall(5)`.
fn stack_pointer(id: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/task/{id}/syscall")).ok()?;
    let fields: Vec<_> = text.split_ascii_whitespace().collect();
    let [.., pointer, _] = fields.as_slice() else { return None };
    hexadecimal(pointer.strip_prefix("0x")?)
}

/// The highest place in `range` that holds a thread's id.
fn find_id(id: i32, range: Range<u64>, memory: &File) -> Option<u64> {
    let start = range.start.next_multiple_of(4);
    let bytes = read(memory, start..range.end)?;
    let index = bytes.as_chunks::<4>().0.iter().rposition(|word| i32::from_ne_bytes(*word) == id)?;
    Some(start + 4 * u64::try_from(index).ok()?)
}

fn read(memory: &File, range: Range<u64>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(range.end.checked_sub(range.start)?).ok()?];
    // The thread may end at any moment, and its stack with it.
    memory.read_exact_at(&mut bytes, range.start).ok()?;
    Some(bytes)
}

fn hexadecimal(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

/// The memory of this process, by address.
struct Mappings(Vec<Mapping>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    addresses: Range<u64>,
    /// Such as `rw-p`.
    access: String,
    /// Empty if there is no file.
    file: String,
}

impl Mappings {
    fn read() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/maps").unwrap_or_default())
    }

    /// Lines of `proc_pid_maps(5)`: addresses, access, offset, device, inode, file.
    fn parse(text: &str) -> Self {
        let mapping = |line: &str| {
            let mut fields = line.splitn(6, ' ');
            let (start, end) = fields.next()?.split_once('-')?;
            Some(Mapping {
                addresses: hexadecimal(start)?..hexadecimal(end)?,
                access: fields.next()?.to_owned(),
                file: fields.nth(3).unwrap_or_default().trim_start().to_owned(),
            })
        };
        Self(text.lines().filter_map(mapping).collect())
    }

    /// The mapping that an address lies in.
    fn holding(&self, address: u64) -> Option<&Mapping> {
        let after = self.0.partition_point(|mapping| mapping.addresses.end <= address);
        self.0.get(after).filter(|mapping| mapping.addresses.contains(&address))
    }

    /// What may be the stack of a thread: writable memory without a file, right above pages that nobody may touch.
    fn stacks(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.windows(2).filter_map(|pair| {
            let [guard, stack] = pair else { return None };
            let guarded = guard.access.starts_with("---") && guard.addresses.end == stack.addresses.start;
            (guarded && stack.access.starts_with("rw") && stack.file.is_empty())
                .then(|| stack.addresses.clone())
        })
    }

    /// The files whose code `words` point to, that of the last one first, each once.
    fn files_of(&self, words: &[u64]) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for word in words.iter().rev() {
            let Some(mapping) = self.holding(*word) else { continue };
            let file = mapping.file.strip_suffix(" (deleted)").unwrap_or(&mapping.file);
            let is_code = mapping.access.as_bytes().get(2) == Some(&b'x') && file.starts_with('/');
            if is_code && !files.iter().any(|known| known.as_os_str() == file) {
                files.push(file.into());
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    const MAPS: &str = "\
00400000-00500000 r-xp 00000000 08:01 11                                 /usr/bin/my program
7f0000000000-7f0000001000 ---p 00000000 00:00 0
7f0000001000-7f0000801000 rw-p 00000000 00:00 0
7f0000801000-7f0000900000 r-xp 00002000 08:01 12                         /lib/libfoo.so (deleted)
7f0000900000-7f0000901000 r--p 00002000 08:01 12                         /lib/libfoo.so
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
";

    #[test]
    fn addresses_lead_to_the_files_whose_code_lies_there() {
        let mappings = Mappings::parse(MAPS);
        let mut stacks = mappings.stacks();
        assert_eq!((stacks.next(), stacks.next()), (Some(0x7f00_0000_1000..0x7f00_0080_1000), None));
        let words =
            [0x0040_0000, 0x7f00_0080_1000, 0x7f00_0090_0000, 0x7f00_0000_2000, 0x0041_0000, 0, u64::MAX];
        let files: Vec<PathBuf> = vec!["/usr/bin/my program".into(), "/lib/libfoo.so".into()];
        assert_eq!(mappings.files_of(&words), files);
        assert_eq!(mappings.files_of(&[0x0050_0000, 0x7ffc_0000_0010]), Vec::<PathBuf>::new());
    }

    /// Looks at a thread of this program's own that is in `work`, which ends when it is told to.
    fn look_at(name: &str, work: impl FnOnce(&AtomicBool) + Send + 'static) -> Task {
        let (ended, started) = (Arc::new(AtomicBool::new(false)), channel());
        let (told, signal) = (Arc::clone(&ended), started.0);
        let body = move || {
            signal.send(nix::unistd::gettid().as_raw()).unwrap();
            work(&told);
        };
        let worker = thread::Builder::new().name(name.to_owned()).spawn(body).unwrap();
        let id = started.1.recv().unwrap();
        assert!(others().contains(&id));
        let found = look([id]).remove(0);
        ended.store(true, Ordering::Release);
        worker.thread().unpark();
        worker.join().unwrap();
        found
    }

    #[test]
    fn a_thread_is_known_by_its_name_and_the_program_that_started_it() {
        let program = std::env::current_exe().unwrap();
        let waiting = look_at("waits", |ended| {
            while !ended.load(Ordering::Acquire) {
                thread::park();
            }
        });
        let busy = look_at("is busy", |ended| {
            while !ended.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
        for (task, name) in [(waiting, "waits"), (busy, "is busy")] {
            assert_eq!(task.name, name);
            assert!(task.runs || name == "waits", "{task:?}");
            assert_eq!(task.libraries.first(), Some(&program), "{task:?}");
        }
        assert_eq!(look([i32::MAX]), []);
    }
}
