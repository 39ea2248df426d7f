//! The virtual bus: a KMDF bus driver whose children are smart-card readers, and the user-mode side that plugs them in.
//!
//! Each child gets one I/O target, whose context holds the child's id. A program's IOCTL for a child is found by that
//! id, formatted as an internal IOCTL, given a completion routine and sent; the program's request ends with the
//! child's status and information.
//!
//! The driver uses nothing but the public API of [`vbus_wdf`], [`vbus_iotarget`] and [`vbus_wdm`].

mod children;
mod driver;
mod forward;
mod ioctl;
mod service;

pub use children::hand_to_parent;
pub use driver::{
    BusConfig, FormatCall, Forward, Forwarding, OfChild, OnStop, OnTransfer, PreprocessStyle, QueueOptions, Sender,
    TargetOpen, ToParent, Transferring, create_driver, create_driver_named, target_of,
};
pub use ioctl::{
    GUID_DEVINTERFACE_VBUS, HARDWARE_ID_BUS, HARDWARE_ID_READER, IOCTL_VBUS_EJECT, IOCTL_VBUS_PLUG_IN,
    IOCTL_VBUS_UNPLUG, ReaderId, reader_hardware_id,
};
pub use service::{OpenError, Service};
pub use vbus_reader::ioctl::IOCTL_VBUS_EXCHANGE;
