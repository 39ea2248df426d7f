//! The control codes that a reader answers.

use vbus_wdm::{Access, Guid, IoctlCode, Method};

/// Device interface class of smart-card readers.
///
/// Source: winsmcrd.h, SmartCardReaderGuid.
pub const GUID_SMARTCARD_READER: Guid = Guid(0x50DD5230_BA8A_11D1_BF5D_0000F805F530);

/// FILE_DEVICE_SMARTCARD.
pub const FILE_DEVICE_SMARTCARD: u16 = 0x31;

/// The device type of the bus's own codes.
pub const FILE_DEVICE_VBUS: u16 = 0x55FF;

const fn smartcard(function: u16) -> IoctlCode {
    IoctlCode::new(FILE_DEVICE_SMARTCARD, function, Method::Buffered, Access::ANY)
}

/// Power a card up (its answer is the ATR), warm or cold, or down. Input: a u32 [`crate::smclib::PowerAction`].
///
/// Source for this and the following: winsmcrd.h, SCARD_CTL_CODE.
pub const IOCTL_SMARTCARD_POWER: IoctlCode = smartcard(1);
/// Read an attribute. Input: a u32 tag.
pub const IOCTL_SMARTCARD_GET_ATTRIBUTE: IoctlCode = smartcard(2);
/// Set an attribute. Input: a u32 tag and the value.
pub const IOCTL_SMARTCARD_SET_ATTRIBUTE: IoctlCode = smartcard(3);
/// Keep the card for good.
pub const IOCTL_SMARTCARD_CONFISCATE: IoctlCode = smartcard(4);
/// Send an APDU. Input and output begin with a SCARD_IO_REQUEST: u32 protocol, u32 length of this header.
pub const IOCTL_SMARTCARD_TRANSMIT: IoctlCode = smartcard(5);
/// Push the card out.
pub const IOCTL_SMARTCARD_EJECT: IoctlCode = smartcard(6);
/// Pull the card in.
pub const IOCTL_SMARTCARD_SWALLOW: IoctlCode = smartcard(7);
/// Complete when a card is there: at once, or when one is inserted.
pub const IOCTL_SMARTCARD_IS_PRESENT: IoctlCode = smartcard(10);
/// Complete when no card is there: at once, or when it is removed.
pub const IOCTL_SMARTCARD_IS_ABSENT: IoctlCode = smartcard(11);
/// Choose a protocol. Input: a u32 mask; output: the one bit that was chosen.
pub const IOCTL_SMARTCARD_SET_PROTOCOL: IoctlCode = smartcard(12);
/// The reader's state, a u32.
pub const IOCTL_SMARTCARD_GET_STATE: IoctlCode = smartcard(14);
/// The status of the last overlapped operation, a u32.
pub const IOCTL_SMARTCARD_GET_LAST_ERROR: IoctlCode = smartcard(15);
/// Counters of checked builds.
pub const IOCTL_SMARTCARD_GET_PERF_CNTR: IoctlCode = smartcard(16);
/// CM_IOCTL_GET_FEATURE_REQUEST: what the reader can do of PC/SC part 10.
///
/// Source: PC/SC part 10, 2.2 (SCARD_CTL_CODE(3400)).
pub const IOCTL_SMARTCARD_GET_FEATURE_REQUEST: IoctlCode = smartcard(3400);

/// The bus's vendor code, 0x55ff9c0e: exchange an APDU with the reader's card, which is powered up and given a protocol
/// if it has none. Input: the command APDU; without one the answer is the ATR. Output: the response APDU.
///
/// A reader takes it as an *internal* control code only: it is the bus's to send, not a program's.
pub const IOCTL_VBUS_EXCHANGE: IoctlCode = IoctlCode::new(FILE_DEVICE_VBUS, 0x703, Method::OutDirect, Access::WRITE);
