//! Attributes: IOCTL_SMARTCARD_GET_ATTRIBUTE and SET_ATTRIBUTE.
//!
//! Source: winsmcrd.h for the tags; Windows driver documentation, IOCTL_SMARTCARD_GET_ATTRIBUTE for their meanings.

use vbus_wdm::NtStatus;
use vbus_wdm::constants::*;

use super::{ReaderState, SmartcardExtension};
use crate::transmission::Edc;

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)+) => { $($(#[$doc])* pub const $name: u32 = $value;)+ };
}

tags! {
    /// SCARD_ATTR_VENDOR_NAME: ASCII.
    ATTR_VENDOR_NAME = 0x0001_0100,
    /// SCARD_ATTR_VENDOR_IFD_TYPE: ASCII.
    ATTR_VENDOR_IFD_TYPE = 0x0001_0101,
    /// SCARD_ATTR_VENDOR_IFD_VERSION: 0xMMmmbbbb.
    ATTR_VENDOR_IFD_VERSION = 0x0001_0102,
    /// SCARD_ATTR_VENDOR_IFD_SERIAL_NO: ASCII.
    ATTR_VENDOR_IFD_SERIAL_NO = 0x0001_0103,
    /// SCARD_ATTR_CHANNEL_ID: 0xDDDDCCCC, the reader type and the channel.
    ATTR_CHANNEL_ID = 0x0002_0110,
    /// SCARD_ATTR_PROTOCOL_TYPES (also ASYNC_PROTOCOL_TYPES).
    ATTR_PROTOCOL_TYPES = 0x0003_0120,
    /// SCARD_ATTR_DEFAULT_CLK, kHz.
    ATTR_DEFAULT_CLK = 0x0003_0121,
    /// SCARD_ATTR_MAX_CLK, kHz.
    ATTR_MAX_CLK = 0x0003_0122,
    /// SCARD_ATTR_DEFAULT_DATA_RATE, bit/s.
    ATTR_DEFAULT_DATA_RATE = 0x0003_0123,
    /// SCARD_ATTR_MAX_DATA_RATE, bit/s.
    ATTR_MAX_DATA_RATE = 0x0003_0124,
    /// SCARD_ATTR_MAX_IFSD, bytes.
    ATTR_MAX_IFSD = 0x0003_0125,
    /// SCARD_ATTR_POWER_MGMT_SUPPORT.
    ATTR_POWER_MGMT_SUPPORT = 0x0004_0131,
    /// SCARD_ATTR_CHARACTERISTICS.
    ATTR_CHARACTERISTICS = 0x0006_0150,
    /// SCARD_ATTR_CURRENT_PROTOCOL_TYPE.
    ATTR_CURRENT_PROTOCOL_TYPE = 0x0008_0201,
    /// SCARD_ATTR_CURRENT_CLK, kHz.
    ATTR_CURRENT_CLK = 0x0008_0202,
    /// SCARD_ATTR_CURRENT_F.
    ATTR_CURRENT_F = 0x0008_0203,
    /// SCARD_ATTR_CURRENT_D.
    ATTR_CURRENT_D = 0x0008_0204,
    /// SCARD_ATTR_CURRENT_N.
    ATTR_CURRENT_N = 0x0008_0205,
    /// SCARD_ATTR_CURRENT_W: WI.
    ATTR_CURRENT_W = 0x0008_0206,
    /// SCARD_ATTR_CURRENT_IFSC, bytes.
    ATTR_CURRENT_IFSC = 0x0008_0207,
    /// SCARD_ATTR_CURRENT_IFSD, bytes.
    ATTR_CURRENT_IFSD = 0x0008_0208,
    /// SCARD_ATTR_CURRENT_BWT: the integer BWI, as Microsoft's NFC class extension answers.
    ATTR_CURRENT_BWT = 0x0008_0209,
    /// SCARD_ATTR_CURRENT_CWT: the integer CWI.
    ATTR_CURRENT_CWT = 0x0008_020A,
    /// SCARD_ATTR_CURRENT_EBC_ENCODING: 0 LRC, 1 CRC.
    ATTR_CURRENT_EBC_ENCODING = 0x0008_020B,
    /// SCARD_ATTR_EXTENDED_BWT: the waiting time extension in force.
    ATTR_EXTENDED_BWT = 0x0008_020C,
    /// SCARD_ATTR_ICC_PRESENCE, one byte: 0 absent, 1 present, 2 swallowed, 4 confiscated.
    ATTR_ICC_PRESENCE = 0x0009_0300,
    /// SCARD_ATTR_ICC_INTERFACE_STATUS, one byte: 0 contacts off.
    ATTR_ICC_INTERFACE_STATUS = 0x0009_0301,
    /// SCARD_ATTR_ATR_STRING.
    ATTR_ATR_STRING = 0x0009_0303,
    /// SCARD_ATTR_ICC_TYPE_PER_ATR, one byte: 0 unknown, 1 asynchronous after ISO/IEC 7816.
    ATTR_ICC_TYPE_PER_ATR = 0x0009_0304,
    /// SCARD_ATTR_DEVICE_UNIT.
    ATTR_DEVICE_UNIT = 0x7FFF_0001,
    /// SCARD_ATTR_DEVICE_IN_USE: set by the resource manager.
    ATTR_DEVICE_IN_USE = 0x7FFF_0002,
    /// SCARD_ATTR_SUPRESS_T1_IFS_REQUEST: set by programs.
    ATTR_SUPRESS_T1_IFS_REQUEST = 0x7FFF_0007,
    /// SCARD_PERF_NUM_TRANSMISSIONS.
    ATTR_PERF_NUM_TRANSMISSIONS = 0x7FFE_0001,
    /// SCARD_PERF_BYTES_TRANSMITTED.
    ATTR_PERF_BYTES_TRANSMITTED = 0x7FFE_0002,
    /// SCARD_PERF_TRANSMISSION_TIME, microseconds here; the unit is not documented.
    ATTR_PERF_TRANSMISSION_TIME = 0x7FFE_0003,
}

/// When an attribute has a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// While a card is there that was reset, else STATUS_INVALID_DEVICE_STATE.
    Reset,
}

/// How a value is made.
enum Value {
    Text(fn(&SmartcardExtension) -> &str),
    Word(fn(&SmartcardExtension) -> u32),
    Byte(fn(&SmartcardExtension) -> u8),
    Bytes(fn(&SmartcardExtension) -> &[u8]),
}

use Value::{Byte, Bytes, Text, Word};
use When::{Always, Reset};

/// Everything that can be read. What is not here is STATUS_NOT_SUPPORTED: the authentication devices, which this reader
/// has none of; CURRENT_IO_STATE, which is not documented; the names that the resource manager answers itself; whatever
/// belongs to a vendor.
const READABLE: &[(u32, When, Value)] = &[
    (ATTR_VENDOR_NAME, Always, Text(|x| &x.vendor_attr.vendor_name)),
    (ATTR_VENDOR_IFD_TYPE, Always, Text(|x| &x.vendor_attr.ifd_type)),
    (ATTR_VENDOR_IFD_VERSION, Always, Word(version)),
    (ATTR_VENDOR_IFD_SERIAL_NO, Always, Text(|x| &x.vendor_attr.ifd_serial_no)),
    (
        ATTR_CHANNEL_ID,
        Always,
        Word(|x| u32::from(x.reader_capabilities.reader_type) << 16 | u32::from(x.reader_capabilities.channel)),
    ),
    (ATTR_PROTOCOL_TYPES, Always, Word(|x| x.reader_capabilities.supported_protocols)),
    (ATTR_DEFAULT_CLK, Always, Word(|x| x.reader_capabilities.clk_frequency.0)),
    (ATTR_MAX_CLK, Always, Word(|x| x.reader_capabilities.clk_frequency.1)),
    (ATTR_DEFAULT_DATA_RATE, Always, Word(|x| x.reader_capabilities.data_rate.0)),
    (ATTR_MAX_DATA_RATE, Always, Word(|x| x.reader_capabilities.data_rate.1)),
    (ATTR_MAX_IFSD, Always, Word(|x| x.reader_capabilities.max_ifsd.into())),
    (ATTR_POWER_MGMT_SUPPORT, Always, Word(|x| x.reader_capabilities.power_mgmt_support)),
    (ATTR_CHARACTERISTICS, Always, Word(|x| x.reader_capabilities.mech_properties)),
    (ATTR_CURRENT_PROTOCOL_TYPE, Reset, Word(|x| x.card_capabilities.selected)),
    (ATTR_CURRENT_CLK, Reset, Word(|x| x.card_capabilities.pts_data.clk_frequency)),
    (ATTR_CURRENT_F, Reset, Word(|x| x.current_rate().f.into())),
    (ATTR_CURRENT_D, Reset, Word(|x| x.current_rate().d.into())),
    (ATTR_CURRENT_N, Reset, Word(|x| x.card_capabilities.parameters.extra_guard.into())),
    (ATTR_CURRENT_W, Reset, Word(|x| x.card_capabilities.parameters.wi.into())),
    (ATTR_CURRENT_IFSC, Reset, Word(|x| x.t1.sizes().0.into())),
    (ATTR_CURRENT_IFSD, Reset, Word(|x| x.t1.sizes().1.into())),
    (ATTR_CURRENT_BWT, Reset, Word(|x| x.card_capabilities.parameters.bwi.into())),
    (ATTR_CURRENT_CWT, Reset, Word(|x| x.card_capabilities.parameters.cwi.into())),
    (ATTR_CURRENT_EBC_ENCODING, Reset, Word(|x| (x.card_capabilities.parameters.edc == Edc::Crc).into())),
    (
        ATTR_EXTENDED_BWT,
        Reset,
        Word(|x| if x.t1.waiting_multiplier() == 1 { 0 } else { x.t1.waiting_multiplier().into() }),
    ),
    (ATTR_ICC_PRESENCE, Always, Byte(presence)),
    (ATTR_ICC_INTERFACE_STATUS, Always, Byte(|x| (x.reader_capabilities.current_state >= ReaderState::Powered).into())),
    (ATTR_ATR_STRING, Reset, Bytes(|x| &x.card_capabilities.atr)),
    (ATTR_ICC_TYPE_PER_ATR, Always, Byte(|x| (x.reader_capabilities.current_state >= ReaderState::Negotiable).into())),
    (ATTR_DEVICE_UNIT, Always, Word(|x| x.vendor_attr.unit_no)),
    (ATTR_PERF_NUM_TRANSMISSIONS, Always, Word(|x| x.performance().transmissions)),
    (ATTR_PERF_BYTES_TRANSMITTED, Always, Word(|x| x.performance().bytes)),
    (ATTR_PERF_TRANSMISSION_TIME, Always, Word(|x| x.performance().time_us)),
];

/// MAXIMUM_ATTR_STRING_LENGTH.
const STRING_MAX: usize = 32;

fn version(extension: &SmartcardExtension) -> u32 {
    let (major, minor, build) = extension.vendor_attr.ifd_version;
    u32::from(major) << 24 | u32::from(minor) << 16 | u32::from(build)
}

fn presence(extension: &SmartcardExtension) -> u8 {
    match extension.reader_capabilities.current_state {
        _ if extension.reader_capabilities.card_confiscated => 4,
        ReaderState::Unknown | ReaderState::Absent => 0,
        ReaderState::Present => 1,
        _ => 2,
    }
}

impl SmartcardExtension {
    /// Puts an attribute's value into `answer`. Strings come without a NUL.
    pub(super) fn attribute(&mut self, tag: u32) -> Result<(), NtStatus> {
        let found = READABLE.iter().find(|(known, ..)| *known == tag);
        let (_, when, value) = found.ok_or(STATUS_NOT_SUPPORTED)?;
        if *when == Reset && self.reader_capabilities.current_state < ReaderState::Negotiable {
            return Err(STATUS_INVALID_DEVICE_STATE);
        }
        let mut answer = std::mem::take(&mut self.answer);
        answer.clear();
        match value {
            Text(text) => answer.extend(text(self).bytes().take(STRING_MAX)),
            Word(word) => answer.extend(word(self).to_le_bytes()),
            Byte(byte) => answer.push(byte(self)),
            Bytes(bytes) => answer.extend_from_slice(bytes(self)),
        }
        self.answer = answer;
        Ok(())
    }

    /// Sets an attribute.
    ///
    /// Source: Windows driver documentation, IOCTL_SMARTCARD_SET_ATTRIBUTE: SUPRESS_T1_IFS_REQUEST is the one that programs
    /// set; the resource manager sets DEVICE_IN_USE, which drivers accept.
    pub(super) fn set_attribute(&mut self, tag: u32, value: &[u8]) -> Result<(), NtStatus> {
        match (tag, value) {
            (ATTR_DEVICE_IN_USE, _) => Ok(()),
            (ATTR_SUPRESS_T1_IFS_REQUEST, &[a, b, c, d]) => {
                if let Some(os_data) = &mut self.os_data {
                    os_data.suppress_ifs = u32::from_le_bytes([a, b, c, d]) != 0;
                }
                Ok(())
            }
            (ATTR_SUPRESS_T1_IFS_REQUEST, _) => Err(STATUS_INVALID_PARAMETER),
            _ => Err(STATUS_NOT_SUPPORTED),
        }
    }
}
