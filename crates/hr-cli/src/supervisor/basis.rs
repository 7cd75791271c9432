//! What a template was started with, and whether a run may start from it. Pure.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use hr_forkserver::protocol::{ProcessContext, TargetInterpreter, Variables};

/// Beginnings of the names of variables that native code reads with `getenv`, where nobody can watch: the interpreter
/// itself, the loader, locale and memory of the C library, and the thread pools of numeric libraries.
const READ_UNSEEN: [&[u8]; 14] = [
    b"BLIS_",
    b"GOTO_",
    b"KMP_",
    b"LANG",
    b"LC_",
    b"LD_",
    b"MALLOC_",
    b"MKL_",
    b"NPY_",
    b"NUMEXPR_",
    b"OMP_",
    b"OPENBLAS_",
    b"PYTHON",
    b"VECLIB_",
];

/// The search path and the environment of a template.
#[derive(Clone, Debug)]
pub(crate) struct Basis {
    sys_path: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    /// Variables that imports have read.
    variables: Vec<OsString>,
    /// The environment that has suited last: the next run will most likely have the same.
    suited: RefCell<Option<Variables>>,
}

impl Basis {
    /// The basis of a template of `interpreter` whose imports have read `variables`.
    pub(crate) fn new(interpreter: &TargetInterpreter, variables: Vec<OsString>) -> Self {
        let environment = interpreter.environment.iter().cloned().collect();
        let suited = RefCell::default();
        Self { sys_path: interpreter.sys_path.clone(), environment, variables, suited }
    }

    /// Whether a process with `context` would have imported the same: any variable may differ but those that were read.
    pub(crate) fn suits(&self, context: &ProcessContext) -> bool {
        if self.sys_path != context.sys_path {
            return false;
        }
        if self.suited.borrow().as_ref() == Some(&context.environment) {
            return true;
        }
        let suits = self.finds_the_same_in(&context.environment);
        if suits {
            *self.suited.borrow_mut() = Some(context.environment.clone());
        }
        suits
    }

    fn finds_the_same_in(&self, environment: &Variables) -> bool {
        let matters = |name: &OsStr| is_read_unseen(name) || self.variables.iter().any(|read| read == name);
        let ours = self.environment.keys().filter(|name| matters(name)).count();
        let wanted: BTreeMap<&OsStr, &OsStr> = environment.iter().filter(|(name, _)| matters(name)).collect();
        // Each that is wanted is ours with the same value, and there are no more of ours.
        let same = |(name, value): (&&OsStr, &&OsStr)| {
            self.environment.get(*name).is_some_and(|ours| ours.as_os_str() == *value)
        };
        wanted.len() == ours && wanted.iter().all(same)
    }
}

/// Whether native code reads variables of this name, where nobody can watch.
pub(crate) fn is_read_unseen(name: &OsStr) -> bool {
    READ_UNSEEN.iter().any(|beginning| name.as_bytes().starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn only_variables_that_were_read_tell_runs_apart() {
        let environment = pairs(&[("READ", "1"), ("OTHER", "1"), ("OMP_NUM_THREADS", "4")]);
        let basis = Basis {
            sys_path: vec!["/app".into()],
            environment: environment.into_iter().collect(),
            variables: vec!["READ".into(), "ABSENT".into()],
            suited: RefCell::default(),
        };
        let suits = |sys_path: &str, variables: &[(&str, &str)]| {
            let environment = pairs(variables).into_iter().collect();
            basis.suits(&ProcessContext {
                sys_path: vec![sys_path.into()],
                environment,
                ..ProcessContext::default()
            })
        };
        let same = [("READ", "1"), ("OMP_NUM_THREADS", "4"), ("NEW", "x")];
        assert!(suits("/app", &same));
        assert!(suits("/app", &same), "again");
        assert!(!suits("/lib", &[("READ", "1"), ("OMP_NUM_THREADS", "4")]), "another search path");
        assert!(!suits("/app", &[("READ", "2"), ("OMP_NUM_THREADS", "4")]));
        assert!(!suits("/app", &[("OMP_NUM_THREADS", "4")]), "it was there when it was read");
        assert!(!suits("/app", &[("READ", "1"), ("OMP_NUM_THREADS", "4"), ("ABSENT", "")]));
        assert!(!suits("/app", &[("READ", "1"), ("OMP_NUM_THREADS", "8")]), "native code reads it");
        assert!(!suits("/app", &[("READ", "1"), ("OMP_NUM_THREADS", "4"), ("LC_ALL", "C")]));
    }
}
