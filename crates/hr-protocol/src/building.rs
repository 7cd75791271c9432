//! What happens while a template is built.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Effect;

/// Something that happens while a template is built. Modules are counted from 1, in the order of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BuildEvent {
    /// The import of a module begins. It may begin again, if a module after it has to be undone.
    Importing {
        /// Which.
        module: String,
        /// The how manieth it is.
        index: usize,
        /// Of how many.
        total: usize,
    },
    /// An import takes long.
    StillImporting {
        /// Which.
        module: String,
        /// For how long it has been imported.
        elapsed: Duration,
        /// How long it may take.
        limit: Duration,
    },
    /// A module is imported. Told once of each.
    Imported {
        /// Which.
        module: String,
        /// The how manieth it is.
        index: usize,
        /// Of how many.
        total: usize,
        /// How long that took, with all that it has imported itself.
        elapsed: Duration,
        /// What it did beyond loading modules, which is tolerated because it is forced into the template.
        effects: Vec<Effect>,
    },
    /// A module will not be in the template.
    Excluded {
        /// Which.
        module: String,
        /// The how manieth it is.
        index: usize,
        /// Of how many.
        total: usize,
        /// Why, as a phrase whose subject is the module.
        cause: String,
    },
    /// The template stands.
    Ready {
        /// How many modules were imported.
        imported: usize,
        /// How many were left out.
        excluded: usize,
        /// How long all of it took.
        elapsed: Duration,
        /// The modules that took longest, and how long, the slowest first.
        slowest: Vec<(String, Duration)>,
    },
}
