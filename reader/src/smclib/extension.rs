//! SMARTCARD_EXTENSION and what is in it.

use std::collections::VecDeque;

use vbus_wdf::Device;
use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, IoctlCode, Irp, Machine, NtStatus, Span};

use super::remove_lock::RemoveLock;
use super::{PROTOCOL_UNDEFINED, ReaderState};
use crate::atr::{CLOCK_DEFAULT_KHZ, Parameters};
use crate::transmission::t1;

/// SMCLIB_VERSION: what a driver writes into [`SmartcardExtension::version`].
pub const SMCLIB_VERSION: u32 = 0x0150;
/// SMCLIB_VERSION_REQUIRED.
pub const SMCLIB_VERSION_REQUIRED: u32 = 0x0100;
/// MIN_BUFFER_SIZE: what the library's two buffers have at least.
pub const MIN_BUFFER_SIZE: usize = 288;

/// A driver's callback. The request is in the extension: [`Smartcard::extension`].
pub type ReaderFunction = fn(&mut Machine, Smartcard) -> NtStatus;

/// The `ReaderFunction` array of the extension, by the names of its RDF_ indices. Without a callback the library answers
/// STATUS_NOT_SUPPORTED.
///
/// A callback that returns STATUS_PENDING leaves the request with the driver, which ends it with
/// [`Smartcard::complete_pending`]; until then everything else is STATUS_DEVICE_BUSY.
///
/// Source: Windows driver documentation, "Smart Card Driver Library Callback Routines"; smclib.h.
#[derive(Clone, Copy, Default)]
pub struct ReaderFunctions {
    /// RDF_CARD_POWER. `minor_io_control_code` is the action.
    pub card_power: Option<ReaderFunction>,
    /// RDF_TRANSMIT.
    pub transmit: Option<ReaderFunction>,
    /// RDF_CARD_EJECT.
    pub card_eject: Option<ReaderFunction>,
    /// RDF_READER_SWALLOW.
    pub reader_swallow: Option<ReaderFunction>,
    /// RDF_CARD_TRACKING. The IRP is `notification_irp`; the callback returns STATUS_PENDING.
    pub card_tracking: Option<ReaderFunction>,
    /// RDF_SET_PROTOCOL. `minor_io_control_code` is the mask.
    pub set_protocol: Option<ReaderFunction>,
    /// RDF_CARD_CONFISCATE.
    pub card_confiscate: Option<ReaderFunction>,
    /// RDF_IOCTL_VENDOR. `major_io_control_code` is the code: any that is none of the library's.
    pub ioctl_vendor: Option<ReaderFunction>,
    /// RDF_ATR_PARSE: for an ATR that the library cannot read. STATUS_SUCCESS means that the driver filled in what matters.
    pub atr_parse: Option<ReaderFunction>,
}

/// VENDOR_ATTR.
#[derive(Clone, Debug, Default)]
pub struct VendorAttr {
    /// At most 32 bytes, as the others (MAXIMUM_ATTR_STRING_LENGTH).
    pub vendor_name: String,
    /// The reader's name.
    pub ifd_type: String,
    /// Counts readers of one name from 0.
    pub unit_no: u32,
    /// Major, minor and build.
    pub ifd_version: (u8, u8, u16),
    /// The reader's serial number.
    pub ifd_serial_no: String,
}

/// Reader types: SCARD_READER_TYPE_, the high half of SCARD_ATTR_CHANNEL_ID.
///
/// Source: winsmcrd.h.
pub const READER_TYPE_VENDOR: u16 = 0xF0;

/// SCARD_READER_CAPABILITIES.
#[derive(Clone, Debug)]
pub struct ReaderCapabilities {
    /// A mask of protocols.
    pub supported_protocols: u32,
    /// SCARD_READER_TYPE_.
    pub reader_type: u16,
    /// Which port.
    pub channel: u16,
    /// SCARD_READER_SWALLOWS 1, EJECTS 2, CONFISCATES 4, CONTACTLESS 8.
    pub mech_properties: u32,
    /// The state. Drivers change it as cards come and go.
    pub current_state: ReaderState,
    /// Default and highest clock, in kHz.
    pub clk_frequency: (u32, u32),
    /// Default and highest data rate, in bit/s.
    pub data_rate: (u32, u32),
    /// The largest information field that the reader can take.
    pub max_ifsd: u8,
    /// Whether a card can be powered down while it is in.
    pub power_mgmt_support: u32,
    /// A card was confiscated.
    pub card_confiscated: bool,
}

impl Default for ReaderCapabilities {
    fn default() -> Self {
        ReaderCapabilities {
            supported_protocols: 0,
            reader_type: READER_TYPE_VENDOR,
            channel: 0,
            mech_properties: 0,
            current_state: ReaderState::Unknown,
            clk_frequency: (CLOCK_DEFAULT_KHZ, CLOCK_DEFAULT_KHZ),
            data_rate: (9600, 9600),
            max_ifsd: 254,
            power_mgmt_support: 0,
            card_confiscated: false,
        }
    }
}

/// How PTS_DATA was chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PtsType {
    /// PTS_TYPE_DEFAULT: F = 372, D = 1.
    #[default]
    Default = 0,
    /// PTS_TYPE_OPTIMAL: what both sides can do.
    Optimal = 1,
    /// PTS_TYPE_USER: the driver's own numbers.
    User = 2,
}

/// PTS_DATA: what a driver proposes to the card.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PtsData {
    /// How it is chosen. A driver sets it before it asks for the other members.
    pub kind: PtsType,
    /// FI.
    pub fl: u8,
    /// DI.
    pub dl: u8,
    /// The clock, in kHz.
    pub clk_frequency: u32,
    /// In bit/s.
    pub data_rate: u32,
}

/// SCARD_CARD_CAPABILITIES. The driver writes the ATR; the library fills in the rest.
#[derive(Clone, Debug)]
pub struct CardCapabilities {
    /// The ATR as the card sent it.
    pub atr: Vec<u8>,
    /// What it says: convention, FI, DI, N, WI, IFSC, BWI, CWI, EDC and the others.
    pub parameters: Parameters,
    /// Historical characters.
    pub historical_chars: Vec<u8>,
    /// The etu, in microseconds.
    pub etu: u32,
    /// The guard time, in microseconds.
    pub gt: u32,
    /// T0.WT, in microseconds.
    pub wt: u32,
    /// T1.CWT, T1.BWT and T1.BGT, in microseconds.
    pub cwt: u32,
    /// T1.BWT.
    pub bwt: u32,
    /// T1.BGT.
    pub bgt: u32,
    /// A mask of the protocols that card and reader both have.
    pub supported: u32,
    /// The protocol that is in force, one bit.
    pub selected: u32,
    /// What PPS is to propose.
    pub pts_data: PtsData,
}

impl Default for CardCapabilities {
    fn default() -> Self {
        CardCapabilities {
            atr: Vec::new(),
            parameters: Parameters::default(),
            historical_chars: Vec::new(),
            etu: 0,
            gt: 0,
            wt: 0,
            cwt: 0,
            bwt: 0,
            bgt: 0,
            supported: 0,
            selected: PROTOCOL_UNDEFINED,
            pts_data: PtsData::default(),
        }
    }
}

/// `IoRequest`: the buffers of the request that runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct IoRequest {
    /// RequestBuffer with its length.
    pub request: Option<Span>,
    /// ReplyBuffer with its length. The same memory as `request` where the code's method is buffered.
    pub reply: Option<Span>,
    /// `*Information`.
    pub information: u32,
    /// Length of the SCARD_IO_REQUEST in front of the data, which its cbPciLength says; 0 for a vendor's code, whose
    /// buffers have none.
    pub header: u32,
}

/// SMARTCARD_REQUEST and SMARTCARD_REPLY: one of the library's own buffers.
#[derive(Clone, Debug, Default)]
pub struct TransferBuffer {
    /// What is to be sent, or was received.
    pub bytes: Vec<u8>,
    /// BufferSize: how much the driver has room for.
    pub size: usize,
    /// What was received came with a wrong parity.
    pub wrong_parity: bool,
}

/// T0_DATA.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct T0Data {
    /// Bytes that the command sends.
    pub lc: u32,
    /// Bytes that it asks for.
    pub le: u32,
}

/// What the library counts, for the SCARD_ATTR_PERF_ attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Performance {
    /// How many transmissions.
    pub transmissions: u32,
    /// How many bytes both ways.
    pub bytes: u32,
    /// How long they took, in microseconds.
    pub time_us: u32,
}

/// OS_DATA: the library's own, made by [`Smartcard::initialize`].
#[derive(Debug, Default)]
pub(crate) struct OsData {
    pub(super) device_object: Option<DeviceObject>,
    pub(super) current_irp: Option<Irp>,
    pub(super) notification_irp: Option<Irp>,
    /// Mutex: a request runs.
    pub(super) running: bool,
    /// Requests whose threads wait for the mutex.
    pub(super) waiting: VecDeque<Irp>,
    pub(super) remove_lock: RemoveLock,
    pub(super) performance: Performance,
    pub(super) transmission_began: u64,
    /// SCARD_ATTR_SUPRESS_T1_IFS_REQUEST.
    pub(super) suppress_ifs: bool,
}

/// SMARTCARD_EXTENSION: what a reader's driver keeps for the library in its device context.
#[derive(Default)]
pub struct SmartcardExtension {
    /// [`SMCLIB_VERSION`], written by the driver.
    pub version: u32,
    /// The driver's.
    pub vendor_attr: VendorAttr,
    /// The driver's callbacks.
    pub reader_functions: ReaderFunctions,
    /// The card.
    pub card_capabilities: CardCapabilities,
    /// The status of the last request that pended.
    pub last_error: NtStatus,
    /// The request that runs.
    pub io_request: IoRequest,
    /// Its code.
    pub major_io_control_code: IoctlCode,
    /// The action of a power request, or the mask of a protocol request.
    pub minor_io_control_code: u32,
    /// The reader.
    pub reader_capabilities: ReaderCapabilities,
    /// What the Request routines fill.
    pub smartcard_request: TransferBuffer,
    /// What the driver fills for the Reply routines.
    pub smartcard_reply: TransferBuffer,
    /// What T0Request found.
    pub t0: T0Data,
    /// The state of T=1. Only its node address is a driver's to change.
    pub t1: t1::Reader,
    pub(crate) os_data: Option<Box<OsData>>,
    /// The command and the answer of the transmission that runs; their room is kept.
    pub(super) command: Vec<u8>,
    pub(super) answer: Vec<u8>,
}

impl SmartcardExtension {
    /// What a driver fills in before it calls [`Smartcard::initialize`], with the current version of the library.
    pub fn new(
        reader_functions: ReaderFunctions,
        vendor_attr: VendorAttr,
        reader_capabilities: ReaderCapabilities,
    ) -> SmartcardExtension {
        SmartcardExtension {
            version: SMCLIB_VERSION,
            reader_functions,
            vendor_attr,
            reader_capabilities,
            ..SmartcardExtension::default()
        }
    }

    /// `OsData->CurrentIrp`: the request that runs or pends.
    pub fn current_irp(&self) -> Option<Irp> {
        self.os_data.as_ref()?.current_irp
    }

    /// `OsData->NotificationIrp`: the tracking request that pends.
    pub fn notification_irp(&self) -> Option<Irp> {
        self.os_data.as_ref()?.notification_irp
    }

    /// `InterlockedExchangePointer(&OsData->NotificationIrp, NULL)`: whoever gets the IRP completes it.
    pub fn take_notification_irp(&mut self) -> Option<Irp> {
        self.os_data.as_mut()?.notification_irp.take()
    }

    /// `OsData->DeviceObject`, which the driver writes after [`Smartcard::initialize`].
    pub fn set_device_object(&mut self, device_object: DeviceObject) {
        if let Some(os_data) = &mut self.os_data {
            os_data.device_object = Some(device_object);
        }
    }

    /// Whether there is a card: UNKNOWN counts as none.
    ///
    /// Source: pscrcb.c, CBUpdateCardState (state > SCARD_ABSENT).
    pub fn has_card(&self) -> bool {
        self.reader_capabilities.current_state > ReaderState::Absent
    }
}

/// A SMARTCARD_EXTENSION pointer: the device whose context has the extension, and where in it.
#[derive(Clone, Copy)]
pub struct Smartcard {
    device: Device,
    locate: fn(&mut Machine, Device) -> &mut SmartcardExtension,
}

impl Smartcard {
    /// Points to the extension that `locate` finds in the device's context.
    pub fn new(device: Device, locate: fn(&mut Machine, Device) -> &mut SmartcardExtension) -> Smartcard {
        Smartcard { device, locate }
    }

    /// The reader's device.
    #[inline]
    pub fn device(self) -> Device {
        self.device
    }

    /// The extension.
    #[inline]
    pub fn extension(self, m: &mut Machine) -> &mut SmartcardExtension {
        (self.locate)(m, self.device)
    }

    /// `SmartcardInitialize`: call it in EvtDriverDeviceAdd, when callbacks, attributes, capabilities and version are
    /// filled in. PASSIVE_LEVEL.
    ///
    /// # Errors
    /// STATUS_UNSUCCESSFUL for a version that is too old (which status it is, is not documented).
    ///
    /// Source: Windows driver documentation, SmartcardInitialize (WDM).
    pub fn initialize(self, m: &mut Machine) -> Result<(), NtStatus> {
        let extension = self.extension(m);
        if extension.version < SMCLIB_VERSION_REQUIRED {
            return Err(STATUS_UNSUCCESSFUL);
        }
        for buffer in [&mut extension.smartcard_request, &mut extension.smartcard_reply] {
            // The memory itself comes with the first transmission, and stays: most readers of a large bus have none.
            buffer.size = buffer.size.max(MIN_BUFFER_SIZE);
        }
        extension.os_data = Some(Box::default());
        Ok(())
    }

    /// `SmartcardExit`: frees what [`Smartcard::initialize`] allocated, and nothing else. PASSIVE_LEVEL.
    ///
    /// Source: Windows driver documentation, SmartcardExit (WDM).
    pub fn exit(self, m: &mut Machine) {
        let extension = self.extension(m);
        extension.os_data = None;
        extension.smartcard_request = TransferBuffer::default();
        extension.smartcard_reply = TransferBuffer::default();
    }
}
