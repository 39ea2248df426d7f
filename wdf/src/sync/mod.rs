//! Locks: those that drivers make, and the presentation lock of devices and queues.

pub(crate) mod presentation;
mod spin_lock;
mod wait_lock;

pub use spin_lock::SpinLock;
pub use wait_lock::WaitLock;
