//! What the kernel tells of this process and those below it.

/// Processes below this one that have not ended.
pub(crate) fn descendants() -> Vec<String> {
    let this = nix::unistd::getpid().to_string();
    let mut parents = vec![this];
    let mut found = Vec::new();
    let stats: Vec<String> = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .collect();
    while let Some(parent) = parents.pop() {
        for stat in &stats {
            let (head, tail) = stat.rsplit_once(") ").unwrap();
            let fields: Vec<_> = tail.split(' ').collect();
            if fields[1] == parent {
                let pid = head.split(' ').next().unwrap().to_owned();
                if fields[0] != "Z" {
                    found.push(stat.clone());
                }
                parents.push(pid);
            }
        }
    }
    found
}

pub(crate) fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

pub(crate) fn sleeps() -> usize {
    descendants().iter().filter(|stat| stat.contains("(sleep)")).count()
}

/// Process ids of the children of `parent` that have not ended.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    let of_parent = |stat: &String| {
        let (head, tail) = stat.rsplit_once(") ")?;
        let mut fields = tail.split(' ');
        let running = fields.next()? != "Z";
        let pid = head.split(' ').next()?.parse().ok()?;
        (running && fields.next()?.parse() == Ok(parent)).then_some(pid)
    };
    descendants().iter().filter_map(of_parent).collect()
}
