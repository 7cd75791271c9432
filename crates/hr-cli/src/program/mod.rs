//! What is started.
use hr_forkserver::protocol;
use std::ffi::OsString;
use std::path::PathBuf;
#[allow(dead_code, reason = "what words mean is told by the next step")]
pub(crate) struct CommandLine {
    pub(crate) program: protocol::Program,
    pub(crate) argv: Vec<OsString>,
    pub(crate) first_on_path: Option<PathBuf>,
    pub(crate) modules: Vec<String>,
    pub(crate) target: protocol::Target,
    pub(crate) name: String,
    pub(crate) notices: Vec<String>,
    pub(crate) environment: Vec<(OsString, Option<OsString>)>,
}
