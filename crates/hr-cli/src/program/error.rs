//! Why words are not the command line of a program.

use std::path::PathBuf;

use thiserror::Error;

/// Words from which it cannot be told what to start.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum NotUnderstood {
    #[error("nothing to run")]
    Nothing,
    #[error("there is no file {}", path.display())]
    NoFile { path: PathBuf, nearest: Option<String> },
    #[error("{} is a directory without a __main__.py", path.display())]
    NoMain { path: PathBuf },
    #[error("{name} is a module, neither a script nor a command")]
    Module { name: String },
    #[error("{name:?} is neither a script nor a command of {}", python.display())]
    Unknown { name: String, python: PathBuf, nearest: Option<String> },
    #[error("{} is not a Python program", path.display())]
    NotPython { path: PathBuf },
    #[error("{word:?} is no module's name")]
    NotAModule { word: String },
    #[error("{name} is another Python than the one that was found, {}", found.display())]
    OtherPython { name: String, found: PathBuf },
    #[error("python without a program")]
    NoProgram,
    #[error(
        "python's option {option} cannot be honoured: the program is forked from a process that has started"
    )]
    PythonOption { option: String, instead: &'static str },
    #[error("{0} is not valid UTF-8")]
    NotText(String),
}

impl NotUnderstood {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Nothing => {
                "name a script, a command or a module: `hr run app.py`, `hr run uvicorn app:app`, \
                              `hr run -m package`"
                    .into()
            }
            Self::NoFile { nearest: Some(nearest), .. } | Self::Unknown { nearest: Some(nearest), .. } => {
                format!("did you mean {nearest}?")
            }
            Self::NoFile { nearest: None, .. } => "the path is relative to the current directory".into(),
            Self::NoMain { path } => {
                format!("name a script in it, or its module: `hr run -m {}`", module_of(path))
            }
            Self::Module { name } => format!("hr run -m {name}"),
            Self::Unknown { nearest: None, .. } => {
                "install it there, or name another interpreter with --python".into()
            }
            Self::NotPython { path } => format!(
                "start it without hr: {}",
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy()
            ),
            Self::NotAModule { .. } => "modules are named with dots: `hr run -m package.module`".into(),
            Self::OtherPython { name, .. } => format!("hr run --python {name} …"),
            Self::PythonOption { instead, .. } => (*instead).into(),
            Self::NoProgram => "name a script or a module: `hr run python app.py`".into(),
            Self::NotText(_) => "names of modules and commands are text".into(),
        }
    }
}

fn module_of(directory: &std::path::Path) -> String {
    directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
