//! What a supervisor reports, as objects of Python.

use std::ffi::OsString;

use hr_forkserver::protocol::{TemplateState, Update as UpdateMessage};
use pyo3::prelude::*;

/// A template, for people.
#[pyclass(frozen, get_all)]
#[derive(Clone)]
pub(crate) struct State {
    supervisor: i32,
    template: i32,
    modules: Vec<String>,
    excluded: Vec<(String, String, OsString, u32)>,
    problems: Vec<(OsString, u32, u32, String)>,
}

impl From<TemplateState> for State {
    fn from(state: TemplateState) -> Self {
        let excluded = state.excluded.into_iter();
        let problems = state.problems.into_iter();
        Self {
            supervisor: state.supervisor,
            template: state.template,
            modules: state.modules,
            excluded: excluded.map(|it| (it.module, it.cause, it.file, it.line)).collect(),
            problems: problems.map(|it| (it.file, it.line, it.column, it.message)).collect(),
        }
    }
}

/// What an update found and did.
#[pyclass(frozen, get_all)]
pub(crate) struct Update {
    changed: bool,
    added: Vec<String>,
    removed: Vec<String>,
    files: Vec<OsString>,
    reason: String,
    state: State,
}

impl From<UpdateMessage> for Update {
    fn from(update: UpdateMessage) -> Self {
        let UpdateMessage { changed, added, removed, files, source: _, reason, state } = update;
        Self { changed, added, removed, files, reason, state: state.into() }
    }
}
