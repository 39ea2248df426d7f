//! What a program says to the bus.

use vbus_reader::ioctl::FILE_DEVICE_VBUS;
use vbus_wdf::Request;
use vbus_wdm::constants::STATUS_INVALID_PARAMETER;
use vbus_wdm::{Access, Guid, IoctlCode, Machine, Method, NtStatus};

/// Device interface class of the bus.
pub const GUID_DEVINTERFACE_VBUS: Guid = Guid(0x8C5E1E6A_7B1D_4C7B_9B0E_5A6E0C4D2F11);

/// The root-enumerated bus device.
pub const HARDWARE_ID_BUS: &str = "ROOT\\VBUS";

/// The readers that the bus enumerates.
pub const HARDWARE_ID_READER: &str = "VBUS\\Reader";

/// The hardware id of one reader of the bus that a driver of this name drives: it is matched before
/// [`HARDWARE_ID_READER`], for readers that have drivers of their own.
pub fn reader_hardware_id(bus_driver: &str, reader: ReaderId) -> String {
    format!("{}\\Reader_{:04}", bus_driver.to_uppercase(), reader.0)
}

/// How a program names a reader: the first four bytes, little-endian, of every request to the bus.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReaderId(pub u32);

/// How many bytes of a request's input name the reader; what follows is the reader's.
pub(crate) const ID_LENGTH: u32 = 4;

const fn control(function: u16) -> IoctlCode {
    IoctlCode::new(FILE_DEVICE_VBUS, function, Method::Buffered, Access::WRITE)
}

/// Plugs a reader in, or several: their ids follow each other, and the PnP manager asks for all of them once.
/// STATUS_OBJECT_NAME_COLLISION if an id is taken; the others are plugged in all the same. STATUS_INVALID_PARAMETER for a
/// length that is no number of ids.
pub const IOCTL_VBUS_PLUG_IN: IoctlCode = control(0x700);
/// Pulls a reader out, whatever it is doing. STATUS_NO_SUCH_DEVICE for an unknown id.
pub const IOCTL_VBUS_UNPLUG: IoctlCode = control(0x701);
/// Asks for a reader's orderly removal. STATUS_NO_SUCH_DEVICE for an unknown id.
pub const IOCTL_VBUS_EJECT: IoctlCode = control(0x702);

/// The ids that a request consists of.
///
/// # Errors
/// STATUS_BUFFER_TOO_SMALL without any, STATUS_INVALID_PARAMETER for a part of one.
pub(crate) fn reader_ids(m: &mut Machine, request: Request) -> Result<Vec<ReaderId>, NtStatus> {
    let input = request.input_buffer(m, ID_LENGTH)?;
    let (ids, rest) = m.bytes(input).as_chunks();
    match rest {
        [] => Ok(ids.iter().map(|&id| ReaderId(u32::from_le_bytes(id))).collect()),
        _ => Err(STATUS_INVALID_PARAMETER),
    }
}

/// The id that a request begins with.
///
/// # Errors
/// STATUS_BUFFER_TOO_SMALL if it has no room for one.
pub(crate) fn reader_id(m: &mut Machine, request: Request) -> Result<ReaderId, NtStatus> {
    let input = request.input_buffer(m, ID_LENGTH)?;
    let bytes = m.bytes(input);
    // At least four bytes, as asked for.
    Ok(ReaderId(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
}
