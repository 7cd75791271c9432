//! Trees as people read them.

use std::fmt::Write as _;

use super::{Process, Seconds, Tree};
use crate::commands::quantities::{bytes, duration};

/// How much of a command line is shown, in characters.
const SHOWN: usize = 80;

/// Draws all trees, one below the other.
pub(super) fn render(trees: &[Tree]) -> String {
    let mut text = String::new();
    for (index, tree) in trees.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        draw(tree, &mut text);
    }
    text
}

fn draw(tree: &Tree, text: &mut String) {
    let project = tree.project.as_deref().unwrap_or("no project yet");
    let _ = writeln!(text, "{project} · {} · for process {}", tree.python, tree.client);
    let _ = writeln!(text, "{}", shortened(&tree.command));
    let branches = branches(&tree.processes);
    let labels: Vec<_> = branches
        .iter()
        .zip(&tree.processes)
        .map(|(branch, process)| format!("{branch}{}", label(process)))
        .collect();
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or_default();
    for (label, process) in labels.iter().zip(&tree.processes) {
        let line = format!("  {label:width$}  {}", facts(process));
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn shortened(command: &str) -> String {
    if command.chars().count() <= SHOWN {
        return command.to_owned();
    }
    command.chars().take(SHOWN - 1).chain(['…']).collect()
}

/// What stands before the name of each process, to show what it was forked from.
fn branches(processes: &[Process]) -> Vec<String> {
    let mut branches: Vec<String> = Vec::new();
    // Of each process, what stands before those forked from it.
    let mut below: Vec<String> = Vec::new();
    for (index, process) in processes.iter().enumerate() {
        let parent = processes[..index].iter().rposition(|other| Some(other.pid) == process.parent);
        let Some(parent) = parent else {
            branches.push(String::new());
            below.push(String::new());
            continue;
        };
        let is_last = !processes[index + 1..].iter().any(|other| other.parent == process.parent);
        branches.push(format!("{}{}", below[parent], if is_last { "└─ " } else { "├─ " }));
        below.push(format!("{}{}", below[parent], if is_last { "   " } else { "│  " }));
    }
    branches
}

fn label(process: &Process) -> String {
    let module = process.module.as_deref().unwrap_or_default();
    match process.role {
        "checkpoint" => format!("before {module}"),
        "call" => format!("calls of {module}"),
        "other" => "paused".to_owned(),
        role => role.to_owned(),
    }
}

fn facts(process: &Process) -> String {
    let modules = process.modules.map_or(String::new(), |modules| match modules {
        1 => "1 module".to_owned(),
        _ => format!("{modules} modules"),
    });
    let saves = process.saves.map_or(String::new(), |Seconds(saves)| {
        let micros = u64::try_from(saves.as_micros()).unwrap_or(u64::MAX);
        format!("saves {}", duration(micros))
    });
    let age = process.age.map_or(String::new(), age);
    let memory = process
        .private_memory
        .map_or(String::new(), |memory| bytes(i64::try_from(memory).unwrap_or(i64::MAX)));
    format!("{modules:>13}  {saves:>13}  {age:>6}  {memory:>7}  process {}", process.pid)
}

fn age(Seconds(age): Seconds) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn process(pid: i32, parent: Option<i32>, role: &'static str) -> Process {
        Process {
            pid,
            parent,
            role,
            module: None,
            modules: None,
            saves: None,
            age: Some(Seconds(Duration::from_millis(3700))),
            private_memory: Some(12_000_000),
        }
    }

    #[test]
    fn what_was_forked_hangs_below_what_it_was_forked_from() {
        let template = Process {
            modules: Some(40),
            saves: Some(Seconds(Duration::from_millis(910))),
            ..process(10, None, "template")
        };
        let before = |pid, module: &str, modules, milliseconds| Process {
            module: Some(module.to_owned()),
            modules: Some(modules),
            saves: Some(Seconds(Duration::from_millis(milliseconds))),
            ..process(pid, Some(10), "checkpoint")
        };
        let processes = vec![
            template,
            before(11, "shop.one", 800, 50),
            before(12, "shop.views", 1391, 610),
            Process { age: Some(Seconds(Duration::from_mins(3))), ..process(15, Some(12), "run") },
            process(16, Some(10), "spare"),
        ];
        let tree = Tree {
            project: Some("/home/me/shop".into()),
            python: "python3".into(),
            client: 9,
            command: "hr run app.py".into(),
            supervisor: 8,
            processes,
        };
        let drawn = "\
/home/me/shop · python3 · for process 9
hr run app.py
  template                 40 modules   saves 910 ms     3 s    12 MB  process 10
  ├─ before shop.one      800 modules    saves 50 ms     3 s    12 MB  process 11
  ├─ before shop.views   1391 modules   saves 610 ms     3 s    12 MB  process 12
  │  └─ run                                            3 min    12 MB  process 15
  └─ spare                                               3 s    12 MB  process 16
";
        assert_eq!(render(&[tree]), drawn);
    }

    #[test]
    fn long_command_lines_are_cut() {
        assert_eq!(shortened(&"x".repeat(100)).chars().count(), SHOWN);
        assert_eq!(shortened("hr run"), "hr run");
    }
}
