//! The interpreter a file is read for, and the module that the file is.

/// The facts about an interpreter which decide branches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Major and minor version: `(3, 12)`.
    pub version: (u8, u8),
    /// `sys.platform`, such as `linux`, `darwin` or `win32`.
    pub platform: String,
}

impl Default for Target {
    /// Python 3.14 on Linux.
    fn default() -> Self {
        Self { version: (3, 14), platform: "linux".to_owned() }
    }
}

impl Target {
    /// `os.name` on this platform.
    pub fn os_name(&self) -> &'static str {
        if self.platform == "win32" { "nt" } else { "posix" }
    }

    /// `platform.system()` on this platform, where it is one of the usual ones.
    pub fn system(&self) -> Option<&'static str> {
        match self.platform.as_str() {
            "linux" => Some("Linux"),
            "darwin" => Some("Darwin"),
            "win32" => Some("Windows"),
            _ => None,
        }
    }
}

/// The name under which a file is loaded, against which its relative imports are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleName<'a> {
    /// The dotted name; empty for a script, which is in no package.
    pub name: &'a str,
    /// Whether the file is a package's `__init__`.
    pub is_package: bool,
}

impl<'a> ModuleName<'a> {
    /// A plain module, such as `app.models` from `app/models.py`.
    pub fn module(name: &'a str) -> Self {
        Self { name, is_package: false }
    }

    /// A package, such as `app` from `app/__init__.py`.
    pub fn package(name: &'a str) -> Self {
        Self { name, is_package: true }
    }

    /// A script: it is executed as `__main__` and has no package.
    pub fn script() -> Self {
        Self { name: "", is_package: false }
    }

    /// What `__package__` is in this module.
    pub fn parent(self) -> &'a str {
        if self.is_package { self.name } else { parent(self.name) }
    }

    /// The absolute name of `level` dots followed by `module`, or `None` where that leaves the top-level package.
    pub fn resolve_relative(self, level: u32, module: Option<&str>) -> Option<String> {
        resolve_in_package(self.parent(), level, module)
    }
}

/// Resolves `level` dots and `module` against a package, as `importlib.util.resolve_name` does.
pub(crate) fn resolve_in_package(package: &str, level: u32, module: Option<&str>) -> Option<String> {
    let mut base = package;
    if base.is_empty() {
        return None;
    }
    for _ in 1..level {
        base = parent(base);
        if base.is_empty() {
            return None;
        }
    }
    Some(match module {
        Some(module) if !module.is_empty() => format!("{base}.{module}"),
        _ => base.to_owned(),
    })
}

/// Everything before the last dot.
pub(crate) fn parent(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(parent, _)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_names_resolve_as_python_does() {
        let module = ModuleName::module("a.b.c");
        assert_eq!(module.resolve_relative(1, None).as_deref(), Some("a.b"));
        assert_eq!(module.resolve_relative(1, Some("x.y")).as_deref(), Some("a.b.x.y"));
        assert_eq!(module.resolve_relative(2, Some("x")).as_deref(), Some("a.x"));
        assert_eq!(module.resolve_relative(3, Some("x")), None);
        let package = ModuleName::package("a.b.c");
        assert_eq!(package.resolve_relative(1, None).as_deref(), Some("a.b.c"));
        assert_eq!(package.resolve_relative(3, None).as_deref(), Some("a"));
        assert_eq!(package.resolve_relative(u32::MAX, None), None);
        assert_eq!(ModuleName::script().resolve_relative(1, Some("x")), None);
        assert_eq!(ModuleName::module("top").resolve_relative(1, Some("x")), None);
    }
}
