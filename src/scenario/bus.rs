//! `[[bus]]`: a bus, and what its driver does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use vbus_bus::{BusConfig, FormatCall, PreprocessStyle, Sender, TargetOpen, ToParent};
use vbus_iotarget::SendOptions;
use vbus_wdm::{IoType, Ticks};

use super::driver::DriverCode;
use super::filter::{Filter, is_default};
use super::queue::Queue;
use super::reader::Reader;
use super::source::Place;

/// A bus: its device's stack, what its driver does, and the readers on it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bus {
    /// The name of its driver and how steps name the bus.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What the driver adds to its own device's StackSize.
    #[serde(default, skip_serializing_if = "is_default")]
    pub extra_stack: i8,
    /// Filters above the bus's function driver, lowest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub upper_filters: Vec<Filter>,
    /// Filters between the PDO and the bus's function driver, lowest first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lower_filters: Vec<Filter>,
    /// A preprocess callback for IRP_MJ_DEVICE_CONTROL, which costs a stack location, and how it passes IRPs on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub preprocess: Option<Preprocess>,
    /// WDF_REMOVE_LOCK_OPTION_ACQUIRE_FOR_IO: costs a stack location, and uses it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remove_lock: bool,
    /// Which call formats a request for a reader.
    #[serde(default, skip_serializing_if = "is_default")]
    pub format: Format,
    /// Whose request is sent to a reader.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sender: SentRequest,
    /// How the targets are opened.
    #[serde(default, skip_serializing_if = "is_default")]
    pub target: Target,
    /// WDF_REQUEST_SEND_OPTIONS.
    #[serde(default, skip_serializing_if = "is_default")]
    pub send: Send,
    /// WdfDeviceInitSetIoType: how reads and writes carry their data.
    #[serde(default, skip_serializing_if = "is_default")]
    pub io_type: TransferType,
    /// Whether the readers' PDOs hand the requests that come down to them to the bus, as
    /// WdfRequestForwardToParentDeviceIoQueue does; without it they have no queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward_to_parent: Option<ForwardToParent>,
    /// The default queue.
    #[serde(default, skip_serializing_if = "is_default")]
    pub queue: Queue,
    /// What the driver does with a request for a reader, call by call, in place of what the bus does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<DriverCode>,
    /// The readers on it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reader: Vec<Reader>,
    /// Where it stands.
    #[serde(skip)]
    pub place: Option<Place>,
}

/// How a preprocess callback passes an IRP on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preprocess {
    /// IoSkipCurrentIrpStackLocation: gives the location back.
    Skip,
    /// IoCopyCurrentIrpStackLocationToNext: uses it.
    Copy,
}

/// The format call for a request to a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// WdfIoTargetFormatRequestForInternalIoctl.
    #[default]
    InternalIoctl,
    /// WdfIoTargetFormatRequestForIoctl.
    Ioctl,
}

/// Which request goes to a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SentRequest {
    /// The program's own, whose IRP the framework may not replace.
    #[default]
    Original,
    /// One that the driver creates, whose IRP the framework allocates for the target.
    DriverCreated,
}

/// WDF_DEVICE_IO_TYPE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransferType {
    /// WdfDeviceIoBuffered: in a buffer of the system's, which is copied.
    #[default]
    Buffered,
    /// WdfDeviceIoDirect: in an MDL that describes the program's own buffer.
    Direct,
    /// WdfDeviceIoNeither: as the program's own pointer, which a driver may not follow.
    Neither,
}

/// What a bus says of its readers' PDOs when it creates them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardToParent {
    /// WdfPdoInitAllowForwardingRequestToParent: a PDO has as many stack locations more as the bus has.
    Allowed,
    /// It forgets that call, and forwards all the same.
    NotAllowed,
}

/// How targets are opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// On the top of the reader's stack when the reader starts.
    #[default]
    ExistingDevice,
    /// By the name of the reader's PDO when the first request is for it.
    ByName,
}

/// WDF_REQUEST_SEND_OPTIONS.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Send {
    /// TIMEOUT, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// SYNCHRONOUS.
    #[serde(skip_serializing_if = "is_default")]
    pub synchronous: bool,
    /// IGNORE_TARGET_STATE.
    #[serde(skip_serializing_if = "is_default")]
    pub ignore_target_state: bool,
    /// SEND_AND_FORGET.
    #[serde(skip_serializing_if = "is_default")]
    pub send_and_forget: bool,
}

impl Send {
    pub(crate) fn options(&self) -> SendOptions {
        let mut options = SendOptions::none();
        if self.synchronous {
            options = options.and_synchronous();
        }
        if self.ignore_target_state {
            options = options.ignoring_target_state();
        }
        if self.send_and_forget {
            options = options.and_send_and_forget();
        }
        match self.timeout_ms {
            Some(ms) => options.with_timeout(Ticks::from_millis(ms)),
            None => options,
        }
    }
}

impl Bus {
    /// A bus with this name, without readers, and everything else as it is where nothing is said.
    pub fn new(name: &str) -> Bus {
        Bus {
            name: Spanned::new(0..0, name.to_owned()),
            extra_stack: 0,
            upper_filters: Vec::new(),
            lower_filters: Vec::new(),
            preprocess: None,
            remove_lock: false,
            format: Format::default(),
            sender: SentRequest::default(),
            target: Target::default(),
            send: Send::default(),
            io_type: TransferType::default(),
            forward_to_parent: None,
            queue: Queue::default(),
            driver: None,
            reader: Vec::new(),
            place: None,
        }
    }

    /// The bus's name.
    pub fn name(&self) -> &str {
        self.name.get_ref()
    }

    /// The configuration of its driver.
    pub(crate) fn config(&self) -> BusConfig {
        BusConfig {
            extra_stack: self.extra_stack,
            format: match self.format {
                Format::InternalIoctl => FormatCall::InternalIoctl,
                Format::Ioctl => FormatCall::Ioctl,
            },
            sender: match self.sender {
                SentRequest::Original => Sender::Original,
                SentRequest::DriverCreated => Sender::DriverCreated,
            },
            remove_lock_for_io: self.remove_lock,
            preprocess: self.preprocess.map(|preprocess| match preprocess {
                Preprocess::Skip => PreprocessStyle::Skip,
                Preprocess::Copy => PreprocessStyle::Copy,
            }),
            queue: self.queue.options(),
            send: self.send.options(),
            target: match self.target {
                Target::ExistingDevice => TargetOpen::ExistingDevice,
                Target::ByName => TargetOpen::ByName,
            },
            forward: None,
            io_type: Some(match self.io_type {
                TransferType::Buffered => IoType::Buffered,
                TransferType::Direct => IoType::Direct,
                TransferType::Neither => IoType::Neither,
            }),
            read: None,
            write: None,
            to_parent: self.forward_to_parent.map(|forward| match forward {
                ForwardToParent::Allowed => ToParent::Allowed,
                ForwardToParent::NotAllowed => ToParent::NotAllowed,
            }),
            of_child: None,
        }
    }

    /// How many locations its readers' PDOs have for handing their requests to the bus.
    pub(crate) fn locations_of_children(&self) -> i32 {
        match self.forward_to_parent {
            Some(ForwardToParent::Allowed) => 2 + self.config().added_locations() + self.lower_filters.len() as i32,
            Some(ForwardToParent::NotAllowed) | None => 0,
        }
    }

    /// The DDI that formats its requests.
    pub(crate) fn format_call(&self) -> &'static str {
        match self.format {
            Format::InternalIoctl => "WdfIoTargetFormatRequestForInternalIoctl",
            Format::Ioctl => "WdfIoTargetFormatRequestForIoctl",
        }
    }
}
