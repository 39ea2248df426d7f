//! What happened on a machine: recorded, as plain data, and drawn on one page.
//!
//! [`start`] puts a recorder on a machine, [`finish`] gives what it wrote down as a [`Record`], [`page`] makes one HTML file
//! of that, which needs nothing else and no network.

mod attribute;
mod page;
mod reason;
pub mod record;
mod recorder;
mod stacks;
mod svg;
mod timeline;
mod travel;
mod words;

pub use page::page;
pub use record::Record;
pub use recorder::{action, finish, outcome, start};
