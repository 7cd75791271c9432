//! What is to be built, given what stands. Pure.

use super::snapshots::Fit;

/// How many layers lie on top of each other before a fresh template takes their place.
const MAX_LAYERS: usize = 8;

/// What to do with the template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It serves as it is.
    Keep,
    /// It lacks modules and nothing else: import them on top of it.
    Layer,
    /// Start again from nothing.
    Boot,
}

/// The best snapshot there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best {
    /// How far it is from what the project asks for.
    pub(crate) fit: Fit,
    /// How many snapshots it stands on.
    pub(crate) layers: usize,
}

/// What somebody who waits for a template is to get. An import that was removed leaves the larger template valid.
pub(crate) fn now(best: Option<Best>) -> Decision {
    match best {
        None => Decision::Boot,
        Some(Best { fit: Fit { missing: 0, .. }, .. }) => Decision::Keep,
        Some(_) => Decision::Layer,
    }
}

/// What is worth building while nobody waits.
pub(crate) fn later(best: Best) -> Decision {
    if best.fit.missing > 0 {
        Decision::Layer
    } else if best.fit.surplus > 0 || best.layers >= MAX_LAYERS {
        Decision::Boot
    } else {
        Decision::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(missing: usize, surplus: usize, layers: usize) -> Best {
        Best { fit: Fit { missing, surplus }, layers }
    }

    #[test]
    fn whoever_waits_gets_what_is_missing_and_nothing_else_is_waited_for() {
        assert_eq!(now(None), Decision::Boot);
        assert_eq!(now(Some(best(0, 0, 0))), Decision::Keep);
        assert_eq!(now(Some(best(0, 3, MAX_LAYERS + 1))), Decision::Keep, "a larger template stays valid");
        assert_eq!(now(Some(best(1, 0, MAX_LAYERS + 1))), Decision::Layer);
    }

    #[test]
    fn what_nobody_wants_and_what_is_piled_up_is_cleared_away_later() {
        assert_eq!(later(best(0, 0, MAX_LAYERS - 1)), Decision::Keep);
        assert_eq!(later(best(0, 0, MAX_LAYERS)), Decision::Boot);
        assert_eq!(later(best(0, 1, 0)), Decision::Boot);
        assert_eq!(later(best(1, 1, 0)), Decision::Layer);
    }

    #[test]
    fn what_was_built_later_leaves_nothing_to_be_built() {
        // A fresh template holds what is wanted, and stands on nothing.
        assert_eq!(later(best(0, 0, 0)), Decision::Keep);
        assert_eq!(now(Some(best(0, 0, 0))), Decision::Keep);
    }
}
