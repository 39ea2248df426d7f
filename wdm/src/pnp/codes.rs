//! PnP minor function codes and what travels with them.

use crate::device::DeviceObject;

macro_rules! minors {
    ($($variant:ident = $code:literal, $name:literal;)+) => {
        /// A PnP minor function code.
        ///
        /// Source: wdm.h, IRP_MN_ codes of IRP_MJ_PNP.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        #[allow(missing_docs)] // The names are the IRP_MN_ codes'.
        pub enum PnpMinor { $($variant = $code),+ }

        impl PnpMinor {
            /// The minor function with this code.
            pub fn from_code(code: u8) -> Option<PnpMinor> {
                match code { $($code => Some(PnpMinor::$variant),)+ _ => None }
            }

            /// The code's name, as logs print it.
            pub const fn name(self) -> &'static str {
                match self { $(PnpMinor::$variant => $name),+ }
            }
        }
    };
}

minors! {
    StartDevice = 0x00, "IRP_MN_START_DEVICE";
    QueryRemoveDevice = 0x01, "IRP_MN_QUERY_REMOVE_DEVICE";
    RemoveDevice = 0x02, "IRP_MN_REMOVE_DEVICE";
    CancelRemoveDevice = 0x03, "IRP_MN_CANCEL_REMOVE_DEVICE";
    StopDevice = 0x04, "IRP_MN_STOP_DEVICE";
    QueryStopDevice = 0x05, "IRP_MN_QUERY_STOP_DEVICE";
    CancelStopDevice = 0x06, "IRP_MN_CANCEL_STOP_DEVICE";
    QueryDeviceRelations = 0x07, "IRP_MN_QUERY_DEVICE_RELATIONS";
    QueryInterface = 0x08, "IRP_MN_QUERY_INTERFACE";
    QueryCapabilities = 0x09, "IRP_MN_QUERY_CAPABILITIES";
    QueryResources = 0x0A, "IRP_MN_QUERY_RESOURCES";
    QueryResourceRequirements = 0x0B, "IRP_MN_QUERY_RESOURCE_REQUIREMENTS";
    QueryDeviceText = 0x0C, "IRP_MN_QUERY_DEVICE_TEXT";
    FilterResourceRequirements = 0x0D, "IRP_MN_FILTER_RESOURCE_REQUIREMENTS";
    Eject = 0x11, "IRP_MN_EJECT";
    SetLock = 0x12, "IRP_MN_SET_LOCK";
    QueryId = 0x13, "IRP_MN_QUERY_ID";
    QueryPnpDeviceState = 0x14, "IRP_MN_QUERY_PNP_DEVICE_STATE";
    QueryBusInformation = 0x15, "IRP_MN_QUERY_BUS_INFORMATION";
    DeviceUsageNotification = 0x16, "IRP_MN_DEVICE_USAGE_NOTIFICATION";
    SurpriseRemoval = 0x17, "IRP_MN_SURPRISE_REMOVAL";
}

/// What a QUERY_DEVICE_RELATIONS asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RelationType {
    /// The children of a bus.
    Bus = 0,
    /// What goes when this device is ejected.
    Ejection = 1,
    /// Power dependencies.
    Power = 2,
    /// What goes when this device is removed.
    Removal = 3,
    /// The PDO of this stack.
    Target = 4,
}

impl RelationType {
    /// The enumerator's name, as logs print it.
    pub const fn name(self) -> &'static str {
        match self {
            RelationType::Bus => "BusRelations",
            RelationType::Ejection => "EjectionRelations",
            RelationType::Power => "PowerRelations",
            RelationType::Removal => "RemovalRelations",
            RelationType::Target => "TargetDeviceRelation",
        }
    }
}

/// Which identification a QUERY_ID asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum IdType {
    /// The device id: enumerator and device.
    Device = 0,
    /// What a driver package matches.
    Hardware = 1,
    /// Less exact matches.
    Compatible = 2,
    /// Tells equal devices of one bus apart.
    Instance = 3,
}

/// The `Parameters` of a PnP location, where the minor function has any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PnpParameters {
    /// None.
    None,
    /// `QueryDeviceRelations.Type`.
    Relations(RelationType),
    /// `QueryId.IdType`.
    Id(IdType),
    /// `SetLock.Lock`.
    SetLock(bool),
    /// `UsageNotification.Type` and `InPath`: whether the file comes or goes.
    Usage(UsageType, bool),
}

/// DEVICE_USAGE_NOTIFICATION_TYPE: what special file a DEVICE_USAGE_NOTIFICATION is about.
///
/// Source: wdm.h, DEVICE_USAGE_NOTIFICATION_TYPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the enumerators'.
pub enum UsageType {
    Paging = 1,
    Hibernation,
    DumpFile,
    Boot,
}

/// What a PnP IRP carries back where Windows puts a pointer into `Information`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum PnpAnswer {
    /// Nothing was answered.
    #[default]
    None,
    /// DEVICE_RELATIONS, each object referenced for the asker.
    Relations(Vec<DeviceObject>),
    /// An id string.
    Id(String),
}
