//! The in-flight trace recorder: one ring per driver, as `!wdflogdump` reads it.
//!
//! Recording stores a static site and raw words; text is made only when a log is dumped.

mod child_sites;
mod format;
mod log;
mod names;
mod pnp_sites;
mod site;
pub mod sites;

pub use log::{Log, LogLine};
pub use site::{Level, Site};
