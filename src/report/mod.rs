//! What happened on a machine: recorded, as plain data, and drawn on one page.

mod attribute;
pub mod record;
mod recorder;

pub use record::Record;
pub use recorder::{action, finish, outcome, start};
