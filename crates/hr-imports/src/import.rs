//! What a source file imports: the types this crate hands out.

use serde::{Deserialize, Serialize};

use crate::target::ModuleName;

/// A place in a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Line, counted from 1. Lines end at `\n`, `\r\n` or `\r`, as for Python.
    pub line: u32,
    /// Column in characters (not bytes), counted from 1.
    pub column: u32,
}

/// One module named by one import statement, or by one call that imports a literal name.
///
/// `import a, b` gives two of them, `from a import b, c` one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The absolute dotted name; relative imports are already resolved against the importing module.
    pub module: String,
    /// How the statement is written.
    pub form: Form,
    /// Where the statement (or the call) begins.
    pub location: Location,
    /// What surrounds it.
    pub context: Context,
}

/// The shape of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// `import module` or `import module as alias`.
    Module {
        /// The name after `as`.
        alias: Option<String>,
    },
    /// `from module import a, b as c`. Each name is an attribute or a submodule: only a file system can tell.
    Names(Vec<ImportedName>),
    /// `from module import *`.
    Star,
    /// A call such as `importlib.import_module("module")`, with the literal names of `fromlist=`, if any.
    Call(Vec<ImportedName>),
}

/// One name of a `from … import` statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedName {
    /// The name as the module defines it.
    pub name: String,
    /// The name after `as`.
    pub alias: Option<String>,
}

impl Import {
    /// What a `from` statement comes to, given its dots and the module named after them.
    pub(crate) fn from_statement(
        importer: ModuleName<'_>,
        level: u32,
        written: String,
        names: Vec<ImportedName>,
        location: Location,
        context: Context,
    ) -> Result<Self, UnresolvedRelative> {
        let module = if level == 0 {
            written
        } else if let Some(module) = importer.resolve_relative(level, Some(&written)) {
            module
        } else {
            let written = format!("{}{written}", ".".repeat(level as usize));
            return Err(UnresolvedRelative { written, names, location, context });
        };
        let form = match names.as_slice() {
            [only] if only.name == "*" => Form::Star,
            _ => Form::Names(names),
        };
        Ok(Self { module, form, location, context })
    }

    /// The names taken from the module; empty for `import module` and for a star.
    pub fn names(&self) -> &[ImportedName] {
        match &self.form {
            Form::Names(names) | Form::Call(names) => names,
            Form::Module { .. } | Form::Star => &[],
        }
    }

    /// Whether a call imports it, not a statement.
    pub fn is_call(&self) -> bool {
        matches!(self.form, Form::Call(_))
    }

    /// The strongest thing that can be said about when Python executes this import.
    pub fn how(&self) -> How {
        self.context.how(self.is_call())
    }
}

/// What surrounds an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, every combination of which occurs")]
pub struct Context {
    /// Inside a function or a lambda: executed when that is called, if ever.
    pub in_function: bool,
    /// Inside a branch that only type checkers enter (`if TYPE_CHECKING:`).
    pub typing: bool,
    /// Inside a `try` that handles `ImportError`, in such a handler, or under `suppress(ImportError)`: it may fail.
    pub optional: bool,
    /// PEP 810 `lazy import`: resolved when the name is first used.
    pub lazy_keyword: bool,
    /// Under `if __name__ == "__main__":`, hence executed only in the program's own entry.
    pub main_only: bool,
    /// Below a condition that is not known before the program runs, in a loop or in a `try` statement: loading the module
    /// need not come by here.
    pub uncertain: bool,
    /// Under a condition that depends on the platform or the Python version.
    pub branch: Branch,
}

/// Whether the target interpreter enters the branch that holds an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Branch {
    /// No condition on the platform or version stands above it.
    #[default]
    Unconditional,
    /// There is one, and the target interpreter enters it.
    Taken,
    /// The target interpreter never enters it. `if False:` counts, too.
    NotTaken,
}

impl Context {
    /// See [`Import::how`].
    pub fn how(self, is_call: bool) -> How {
        if self.typing {
            How::Typing
        } else if self.branch == Branch::NotTaken {
            How::Conditional
        } else if self.in_function || self.lazy_keyword || is_call {
            How::Lazy
        } else if self.optional {
            How::Optional
        } else if self.branch == Branch::Taken {
            How::Conditional
        } else {
            How::Eager
        }
    }

    /// Whether the target interpreter can execute the import at all.
    pub fn is_reachable(self) -> bool {
        !self.typing && self.branch != Branch::NotTaken
    }

    /// Whether the import is executed when its module is (as far as platform and version decide).
    pub fn runs_at_load(self, is_call: bool) -> bool {
        self.is_reachable() && !self.in_function && !self.lazy_keyword && !is_call
    }
}

/// How an import is reached, from the strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Whenever the module that holds it is executed.
    Eager,
    /// When a condition on platform or version holds.
    Conditional,
    /// When the module is executed, but its absence is handled.
    Optional,
    /// When a function is called, a lazy name is used, or a call names the module.
    Lazy,
    /// Never at run time: for type checkers.
    Typing,
}

impl How {
    /// The word used in output: `eager`, `conditional`, `optional`, `lazy` or `typing`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eager => "eager",
            Self::Conditional => "conditional",
            Self::Optional => "optional",
            Self::Lazy => "lazy",
            Self::Typing => "typing",
        }
    }
}

/// Something that keeps a file from being understood as Python would. The scan went on regardless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where it is.
    pub location: Location,
    /// What it is, without the place.
    pub message: String,
}

/// A relative import that names nothing, because it leaves its top-level package. `ImportError` at run time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedRelative {
    /// The module as written, dots included: `..`, `...x.y`.
    pub written: String,
    /// The names asked of it.
    pub names: Vec<ImportedName>,
    /// Where the statement begins.
    pub location: Location,
    /// What surrounds it.
    pub context: Context,
}

/// A variable that the module writes to the process environment while it is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentWrite {
    /// The variable.
    pub key: String,
    /// What it is set to, if that is a constant; `None` for what is computed at run time.
    pub value: Option<String>,
    /// Whether an existing value survives (`os.environ.setdefault`).
    pub only_if_unset: bool,
    /// Where the statement or call begins.
    pub location: Location,
    /// What surrounds it.
    pub context: Context,
}

/// A call that replaces parts of the standard library and must run before what it replaces is imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldPatch {
    /// The function's full name, such as `gevent.monkey.patch_all`.
    pub function: String,
    /// Where the call begins.
    pub location: Location,
    /// What surrounds it.
    pub context: Context,
}
