//! `[framework]`: what the registry says of every framework driver.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The framework's settings, for all drivers of the scenario.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Framework {
    /// VerboseOn: verbose records reach the log.
    pub verbose: bool,
    /// VerifierOn: the framework verifier.
    pub verifier: bool,
    /// LogPages: how many pages of 4 KiB each driver's log has, 1 to 16. Without it 16: a scenario wants to see all.
    pub log_pages: u32,
}

impl Default for Framework {
    fn default() -> Framework {
        Framework { verbose: true, verifier: false, log_pages: 16 }
    }
}
