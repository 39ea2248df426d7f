//! `vbus`: a virtual bus and smart-card-reader device-stack emulator.
//!
//! It runs the Windows driver I/O model (WDM) and the request path of the Kernel-Mode Driver Framework (KMDF) on any
//! machine. This crate is the harness: [`Setup`] puts a bus and its readers on a [`wdm::Machine`], [`Host`] lets
//! services on threads of their own talk to it, [`repro`] tells the story that the project grew from.
//!
//! The model itself is in the crates below, re-exported here under the names of their rooms: [`wdm`], [`wdf`],
//! [`iotarget`], [`reader`] and [`bus`].
//!
//! ```
//! use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId};
//! use vbus::wdm::constants::*;
//! use vbus::Setup;
//!
//! // A bus FDO with its natural StackSize of 2, and one reader behind Windows' smart-card class filter.
//! let mut vbus = Setup::default().reader(7).build()?;
//! let service = vbus.service()?;
//! let mut output = [0; 32];
//! let result = service.control(&mut vbus.machine, ReaderId(7), IOCTL_VBUS_EXCHANGE, &[], &mut output)?;
//! assert_eq!(result.status, STATUS_REQUEST_NOT_ACCEPTED);
//! # Ok::<(), anyhow::Error>(())
//! ```

pub mod apdu;
mod attempt;
pub mod budget;
pub mod diff;
pub mod explain;
pub mod explore;
pub mod faults;
mod host;
mod probe;
pub mod readers;
pub mod report;
pub mod repro;
pub mod run;
pub mod scenario;
#[cfg(unix)]
pub mod serve;
mod setup;
pub mod style;
pub mod sweep;
pub mod testing;
mod topology;

pub use attempt::Attempt;
pub use explain::Shortfall;
pub use host::{Client, Host, HostError, RemoteFile};
pub use probe::Probe;
pub use scenario::Scenario;
pub use setup::{Setup, SetupError, VirtualBus};

pub use vbus_bus as bus;
pub use vbus_iotarget as iotarget;
pub use vbus_reader as reader;
pub use vbus_wdf as wdf;
pub use vbus_wdm as wdm;
