//! Prints what a project imports: `cargo run --example scan -- PATH [PYTHON [CACHE]]`.

use std::path::PathBuf;

use hr_graph::{Interpreter, Project, ScanOptions, Target};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let path = PathBuf::from(arguments.next().unwrap_or_else(|| ".".into()));
    let python = PathBuf::from(arguments.next().unwrap_or_else(|| "python3".into()));
    let cache_dir = arguments.next().map(PathBuf::from);
    let interpreter = match &cache_dir {
        Some(cache) => Interpreter::query_cached(&python, cache)?,
        None => Interpreter::query(&python)?,
    };
    let project = Project::locate(&Target::Path(path), &interpreter)?;
    let options = ScanOptions { cache_dir, ..ScanOptions::default() };
    let graph = hr_graph::scan(&project, &interpreter, &options);
    for module in graph.plan(&options).modules {
        println!(
            "{} ({}, {}) at {}",
            module.name,
            module.kind.as_str(),
            module.how.as_str(),
            module.location
        );
    }
    for problem in graph.problems() {
        eprintln!("{}:{}:{} {}", problem.file.display(), problem.line, problem.column, problem.message);
    }
    Ok(())
}
