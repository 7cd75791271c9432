//! What an update means for the template. Pure.

use std::ffi::OsString;

/// How many layers lie on top of each other before a fresh template takes their place.
const MAX_LAYERS: usize = 8;

/// What to do with the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It serves as it is.
    Keep,
    /// It lacks these modules and nothing else: import them on top of it.
    Layer(Vec<String>),
    /// Start again.
    Rebuild,
}

/// What is known when an update is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    /// Modules that were planned for the template, excluded ones too; `None` if there is no template.
    pub(crate) planned: Option<&'a [String]>,
    /// Modules the project asks for now.
    pub(crate) wanted: &'a [String],
    /// Files the template has loaded and that have changed.
    pub(crate) changed_files: &'a [OsString],
    /// Names the template has loaded that would be found elsewhere now.
    pub(crate) moved_names: &'a [String],
    /// Whether it was started with another `sys.path`, or has read environment variables that have other values now.
    pub(crate) unsuitable: bool,
    /// How many layers it stands on.
    pub(crate) layers: usize,
}

impl Situation<'_> {
    /// Modules wanted now that were not planned.
    pub(crate) fn added(&self) -> Vec<String> {
        let planned = self.planned.unwrap_or_default();
        self.wanted.iter().filter(|module| !planned.contains(module)).cloned().collect()
    }

    /// Modules planned that nobody wants any more.
    pub(crate) fn removed(&self) -> Vec<String> {
        let planned = self.planned.unwrap_or_default();
        planned.iter().filter(|module| !self.wanted.contains(module)).cloned().collect()
    }

    /// What to do. An import that was removed leaves the larger template valid.
    pub(crate) fn decide(&self) -> Decision {
        let added = self.added();
        let outdated = !self.changed_files.is_empty() || !self.moved_names.is_empty();
        if self.planned.is_none() || outdated || self.unsuitable {
            Decision::Rebuild
        } else if added.is_empty() {
            Decision::Keep
        } else if self.layers >= MAX_LAYERS {
            Decision::Rebuild
        } else {
            Decision::Layer(added)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(planned: Option<&[&str]>, wanted: &[&str], changed: &[&str], layers: usize) -> Decision {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let planned = planned.map(owned);
        let changed_files: Vec<_> = changed.iter().map(OsString::from).collect();
        let wanted = owned(wanted);
        let mut situation = Situation {
            planned: planned.as_deref(),
            wanted: &wanted,
            changed_files: &changed_files,
            moved_names: &[],
            unsuitable: false,
            layers,
        };
        let decision = situation.decide();
        situation.unsuitable = true;
        assert_eq!(situation.decide(), Decision::Rebuild);
        situation.unsuitable = false;
        let moved = ["colorsys".to_owned()];
        situation.moved_names = &moved;
        assert_eq!(situation.decide(), Decision::Rebuild);
        decision
    }

    #[test]
    fn only_what_the_template_lacks_or_holds_in_an_old_state_changes_it() {
        let layer = |name: &str| Decision::Layer(vec![name.to_owned()]);
        assert_eq!(decide(Some(&["a", "b"]), &["b", "a"], &[], 0), Decision::Keep);
        assert_eq!(
            decide(Some(&["a", "b"]), &["a"], &[], 0),
            Decision::Keep,
            "a larger template stays valid"
        );
        assert_eq!(decide(Some(&["a"]), &["a", "b"], &[], 0), layer("b"));
        assert_eq!(decide(Some(&["a"]), &["a", "b"], &[], MAX_LAYERS), Decision::Rebuild);
        assert_eq!(decide(Some(&["a"]), &["a", "b"], &["a.py"], 0), Decision::Rebuild);
        assert_eq!(decide(Some(&["a"]), &["a"], &["a.py"], 0), Decision::Rebuild);
        assert_eq!(decide(None, &["a"], &[], 0), Decision::Rebuild);
    }
}
