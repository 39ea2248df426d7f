//! What travels with a PnP IRP: the parameters in its location, and the answer.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::capabilities::DeviceCapabilities;
use super::codes::{IdType, RelationType, TextType, UsageType};
use crate::device::DeviceObject;
use crate::irp::IrpData;
use crate::machine::Machine;
use crate::names::Guid;
use crate::schedule::Context;

/// The `Parameters` of a PnP location, where the minor function has any.
///
/// What the C structures reach through a pointer is in the IRP's [`PnpAnswer`]: the capabilities, the interface, the
/// resources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PnpParameters {
    /// None.
    None,
    /// `QueryDeviceRelations.Type`.
    Relations(RelationType),
    /// `QueryId.IdType`.
    Id(IdType),
    /// `QueryDeviceText`.
    Text {
        /// `DeviceTextType`.
        kind: TextType,
        /// `LocaleId`.
        locale: u32,
    },
    /// `QueryInterface`.
    Interface(InterfaceQuery),
    /// `UsageNotification`.
    Usage {
        /// `Type`.
        kind: UsageType,
        /// `InPath`: the file comes; else it goes.
        in_path: bool,
    },
    /// `SetLock.Lock`.
    Lock(bool),
}

impl fmt::Display for PnpParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            PnpParameters::None => Ok(()),
            PnpParameters::Relations(kind) => f.write_str(kind.name()),
            PnpParameters::Id(kind) => f.write_str(kind.name()),
            PnpParameters::Text { kind, .. } => f.write_str(kind.name()),
            PnpParameters::Interface(query) => query.interface.fmt(f),
            PnpParameters::Usage { kind, in_path } => {
                write!(f, "{}, {}", kind.name(), if in_path { "comes" } else { "goes" })
            }
            PnpParameters::Lock(lock) => f.write_str(if lock { "lock" } else { "unlock" }),
        }
    }
}

/// `Parameters.QueryInterface`: which interface a QUERY_INTERFACE asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterfaceQuery {
    /// `InterfaceType`.
    pub interface: &'static Guid,
    /// `Size`: how many bytes the asker has room for.
    pub size: u16,
    /// `Version`.
    pub version: u16,
    /// `InterfaceSpecificData`.
    pub specific_data: Context,
}

/// InterfaceReference and InterfaceDereference.
pub type InterfaceCount = fn(&mut Machine, Context);

/// An INTERFACE: routines that one driver lends to another.
///
/// The asker makes it, empty or with what it offers itself, and the driver that has the interface fills it in.
///
/// Source: Windows driver documentation, INTERFACE and IRP_MN_QUERY_INTERFACE.
#[derive(Clone, Default)]
pub struct Interface {
    /// `Size`, in bytes.
    pub size: u16,
    /// `Version`.
    pub version: u16,
    /// `Context`: given to the lender's routines.
    pub context: Context,
    /// `InterfaceReference`. The lender calls it before it answers.
    pub reference: Option<InterfaceCount>,
    /// `InterfaceDereference`. The asker calls it when it is done.
    pub dereference: Option<InterfaceCount>,
    /// What follows the INTERFACE in memory: the interface's own routines and data, as the type that both sides know.
    pub routines: Option<Arc<dyn Any + Send + Sync>>,
}

impl Interface {
    /// What is lent, if it is of this type.
    pub fn routines<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.routines.clone()?.downcast().ok()
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interface").field("size", &self.size).field("version", &self.version).finish_non_exhaustive()
    }
}

/// PNP_BUS_INFORMATION: the kind of bus that a device is on, and which of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BusInformation {
    /// `BusTypeGuid`.
    pub bus_type: Guid,
    /// `LegacyBusType`: an INTERFACE_TYPE, 15 for a PNPBus.
    pub legacy_type: i32,
    /// `BusNumber`.
    pub number: u32,
}

/// A hardware resource: a CM_PARTIAL_RESOURCE_DESCRIPTOR, or a requirement that takes one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resource {
    /// What kind of resource.
    pub kind: ResourceKind,
    /// Its first address, or its interrupt vector.
    pub start: u64,
    /// How many addresses, or vectors.
    pub length: u64,
}

/// The kinds of hardware resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResourceKind {
    /// I/O ports.
    Port,
    /// Memory-mapped registers.
    Memory,
    /// An interrupt.
    Interrupt,
}

/// What a PnP IRP carries where Windows has a pointer: back in `Information`, or down and back in its parameters.
#[derive(Clone, Debug, Default)]
pub enum PnpAnswer {
    /// Nothing was answered.
    #[default]
    None,
    /// DEVICE_RELATIONS, each object referenced for the asker.
    Relations(Vec<DeviceObject>),
    /// An id string.
    Id(String),
    /// A list of ids (REG_MULTI_SZ), most specific first.
    Ids(Vec<String>),
    /// A device text.
    Text(String),
    /// What QUERY_BUS_INFORMATION answers.
    BusInformation(BusInformation),
    /// The DEVICE_CAPABILITIES that a QUERY_CAPABILITIES brings along for every driver to change.
    Capabilities(DeviceCapabilities),
    /// The INTERFACE that a QUERY_INTERFACE brings along to be filled in.
    Interface(Interface),
    /// What QUERY_RESOURCES and QUERY_RESOURCE_REQUIREMENTS answer, FILTER_RESOURCE_REQUIREMENTS brings along to be
    /// changed, and START_DEVICE assigns.
    Resources(Vec<Resource>),
}

impl IrpData {
    /// `Parameters.DeviceCapabilities.Capabilities`: the structure that every driver on the way changes.
    ///
    /// A sender that brought none gets one that says what a sender initializes it to.
    pub fn capabilities(&mut self) -> &mut DeviceCapabilities {
        if !matches!(self.pnp_answer, PnpAnswer::Capabilities(_)) {
            self.pnp_answer = PnpAnswer::Capabilities(DeviceCapabilities::default());
        }
        match &mut self.pnp_answer {
            PnpAnswer::Capabilities(capabilities) => capabilities,
            _ => unreachable!("it was made so above"),
        }
    }
}
