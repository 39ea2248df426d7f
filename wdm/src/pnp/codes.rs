//! PnP minor function codes, and the enumerations that their parameters are made of.

use crate::enumeration::enumeration;

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
    DeviceEnumerated = 0x19, "IRP_MN_DEVICE_ENUMERATED";
}

enumeration! {
    /// DEVICE_RELATION_TYPE: what a QUERY_DEVICE_RELATIONS asks for.
    RelationType {
        /// The children of a bus.
        Bus = 0, "BusRelations";
        /// What goes when this device is ejected.
        Ejection = 1, "EjectionRelations";
        /// What must have power before this device has.
        Power = 2, "PowerRelations";
        /// What goes when this device is removed.
        Removal = 3, "RemovalRelations";
        /// The PDO of this stack.
        Target = 4, "TargetDeviceRelation";
    }
}

enumeration! {
    /// BUS_QUERY_ID_TYPE: which identification a QUERY_ID asks for.
    IdType {
        /// The device id: enumerator and device.
        Device = 0, "BusQueryDeviceID";
        /// What a driver package matches, most specific first.
        Hardware = 1, "BusQueryHardwareIDs";
        /// Less exact matches.
        Compatible = 2, "BusQueryCompatibleIDs";
        /// Tells equal devices of one bus apart.
        Instance = 3, "BusQueryInstanceID";
        /// Reserved.
        SerialNumber = 4, "BusQueryDeviceSerialNumber";
        /// A GUID that all functions of one physical device share.
        Container = 5, "BusQueryContainerID";
    }
}

enumeration! {
    /// DEVICE_TEXT_TYPE: which text a QUERY_DEVICE_TEXT asks for.
    TextType {
        /// What the device is.
        Description = 0, "DeviceTextDescription";
        /// Where it is on its bus.
        Location = 1, "DeviceTextLocationInformation";
    }
}

enumeration! {
    /// DEVICE_USAGE_NOTIFICATION_TYPE: what a DEVICE_USAGE_NOTIFICATION puts on a device.
    UsageType {
        /// A paging file.
        Paging = 1, "DeviceUsageTypePaging";
        /// The hibernation file.
        Hibernation = 2, "DeviceUsageTypeHibernation";
        /// The file for crash dumps.
        DumpFile = 3, "DeviceUsageTypeDumpFile";
        /// What the machine boots from.
        Boot = 4, "DeviceUsageTypeBoot";
    }
}
