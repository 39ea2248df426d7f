//! What happened on a machine: recorded, as plain data, and drawn on one page.
//!
//! [`start`] puts a recorder on a machine, [`finish`] gives what it wrote down as a [`Record`], and [`page`] makes one HTML
//! file of that, which needs nothing else and no network. `docs/report.md` says how to read it.

mod attribute;
mod page;
mod reason;
pub mod record;
mod recorder;
mod stacks;
mod summary;
mod svg;
mod timeline;
mod travel;
mod words;

pub use page::page;
pub use record::Record;
pub use recorder::{action, finish, outcome, start};
pub use summary::summary;
