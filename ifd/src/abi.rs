//! The functions that pcscd looks for, with their C types. Each turns pointers into slices and calls [`crate::handler`].
//!
//! Source: pcsc-lite, ifdhandler.h: version 3 of the interface, which having IFDHCreateChannelByName stands for. DWORD is
//! `unsigned long` and RESPONSECODE `long` outside of Windows.

#![allow(unsafe_code)]
#![allow(non_snake_case)]

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_ulong};
use std::slice;
use std::time::Duration;

use crate::handler;
use crate::message::ResponseCode;

/// SCARD_IO_HEADER.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IoHeader {
    protocol: c_ulong,
    length: c_ulong,
}

fn code(code: ResponseCode) -> c_long {
    code.0.into()
}

/// A buffer to read.
///
/// # Safety
/// `data` is null, or points to `length` bytes that nobody changes while the slice is used.
unsafe fn input<'a>(data: *const c_uchar, length: c_ulong) -> &'a [u8] {
    match usize::try_from(length) {
        // SAFETY: it is not null, and the caller vouches for the rest.
        Ok(length) if length > 0 && !data.is_null() => unsafe { slice::from_raw_parts(data, length) },
        _ => &[],
    }
}

/// A buffer to write.
///
/// # Safety
/// `data` is null, or points to `length` bytes that nobody else uses while the slice is used.
unsafe fn output<'a>(data: *mut c_uchar, length: c_ulong) -> &'a mut [u8] {
    match usize::try_from(length) {
        // SAFETY: it is not null, and the caller vouches for the rest. pcscd's buffers are initialised memory.
        Ok(length) if length > 0 && !data.is_null() => unsafe { slice::from_raw_parts_mut(data, length) },
        _ => &mut [],
    }
}

/// Puts bytes into a buffer whose length is in `length`, where their number goes. On an error the length is left alone:
/// after IFD_ERROR_TAG pcscd answers some attributes itself, into a buffer of that length.
///
/// # Safety
/// `length` is null or points to a length; `data` is null, or points to as many bytes.
unsafe fn give(given: Result<Vec<u8>, ResponseCode>, data: *mut c_uchar, length: *mut c_ulong) -> c_long {
    // SAFETY: the caller vouches for it.
    let Some(length) = (unsafe { length.as_mut() }) else { return code(ResponseCode::COMMUNICATION_ERROR) };
    let bytes = match given {
        Ok(bytes) => bytes,
        Err(error) => return code(error),
    };
    // SAFETY: the caller vouches for it.
    let room = unsafe { output(data, *length) };
    match room.get_mut(..bytes.len()) {
        Some(place) => {
            place.copy_from_slice(&bytes);
            *length = bytes.len() as c_ulong;
            code(ResponseCode::SUCCESS)
        }
        None => code(ResponseCode::ERROR_INSUFFICIENT_BUFFER),
    }
}

/// Opens a reader by its DEVICENAME.
///
/// # Safety
/// `name` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHCreateChannelByName(lun: c_ulong, name: *const c_char) -> c_long {
    if name.is_null() {
        return code(ResponseCode::COMMUNICATION_ERROR);
    }
    // SAFETY: it is not null, and pcscd's names end.
    let name = unsafe { CStr::from_ptr(name) };
    code(name.to_str().map_or(ResponseCode::COMMUNICATION_ERROR, |name| handler::create(lun, name)))
}

/// Opens a reader by its CHANNELID, which says nothing about where it is.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHCreateChannel(_lun: c_ulong, _channel: c_ulong) -> c_long {
    code(ResponseCode::NO_SUCH_DEVICE)
}

/// Closes a reader.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHCloseChannel(lun: c_ulong) -> c_long {
    code(handler::close(lun))
}

/// The functions that pcscd asks for as attributes. The thread that waits must not be cancelled: TAG_IFD_POLLING_THREAD_KILLABLE
/// is none of ours.
const TAG_IFD_STOP_POLLING_THREAD: c_ulong = 0x0FB2;
const TAG_IFD_POLLING_THREAD_WITH_TIMEOUT: c_ulong = 0x0FB3;

/// Waits until something happens to a reader's card, for so many milliseconds.
extern "C" fn wait_for_event(lun: c_ulong, timeout_ms: c_int) -> c_long {
    let limit = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    code(handler::wait_for_event(lun, limit))
}

/// Ends that.
extern "C" fn stop_waiting(lun: c_ulong) -> c_long {
    code(handler::stop_waiting(lun))
}

/// Reads an attribute.
///
/// # Safety
/// `length` points to the length of the buffer at `value`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHGetCapabilities(
    lun: c_ulong,
    tag: c_ulong,
    length: *mut c_ulong,
    value: *mut c_uchar,
) -> c_long {
    let given = match tag {
        TAG_IFD_POLLING_THREAD_WITH_TIMEOUT => Ok((wait_for_event as *const () as usize).to_ne_bytes().to_vec()),
        TAG_IFD_STOP_POLLING_THREAD => Ok((stop_waiting as *const () as usize).to_ne_bytes().to_vec()),
        _ => handler::get_capability(lun, tag),
    };
    // SAFETY: pcscd passes a buffer and its length.
    unsafe { give(given, value, length) }
}

/// Writes an attribute.
///
/// # Safety
/// `value` points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHSetCapabilities(
    lun: c_ulong,
    tag: c_ulong,
    length: c_ulong,
    value: *const c_uchar,
) -> c_long {
    // SAFETY: pcscd passes a buffer and its length.
    code(handler::set_capability(lun, tag, unsafe { input(value, length) }))
}

/// Chooses a protocol.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHSetProtocolParameters(
    lun: c_ulong,
    protocol: c_ulong,
    _flags: c_uchar,
    _pts1: c_uchar,
    _pts2: c_uchar,
    _pts3: c_uchar,
) -> c_long {
    code(handler::protocol(lun, protocol))
}

/// Powers a card up or down, or resets it.
///
/// # Safety
/// `length` points to the length of the buffer at `atr`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHPowerICC(
    lun: c_ulong,
    action: c_ulong,
    atr: *mut c_uchar,
    length: *mut c_ulong,
) -> c_long {
    let given = handler::power(lun, action);
    let failed = given.is_err();
    // SAFETY: pcscd passes a buffer and its length.
    let result = unsafe { give(given, atr, length) };
    // SAFETY: pcscd passes a length, or nothing.
    if let (true, Some(length)) = (failed, unsafe { length.as_mut() }) {
        *length = 0;
    }
    result
}

/// Sends a command APDU.
///
/// # Safety
/// `command` points to `command_length` bytes; `response_length` to the length of the buffer at `response`;
/// `received` is null or points to a header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHTransmitToICC(
    lun: c_ulong,
    send: IoHeader,
    command: *const c_uchar,
    command_length: c_ulong,
    response: *mut c_uchar,
    response_length: *mut c_ulong,
    received: *mut IoHeader,
) -> c_long {
    // SAFETY: pcscd passes a length.
    let Some(length) = (unsafe { response_length.as_mut() }) else { return code(ResponseCode::COMMUNICATION_ERROR) };
    // SAFETY: pcscd passes two buffers of their own, and their lengths.
    let (command, response) = unsafe { (input(command, command_length), output(response, *length)) };
    let result = handler::transmit(lun, send.protocol, command, response);
    *length = result.unwrap_or(0) as c_ulong;
    // SAFETY: pcscd passes a header, or nothing.
    if let Some(received) = unsafe { received.as_mut() } {
        *received = IoHeader { protocol: send.protocol, length: size_of::<IoHeader>() as c_ulong };
    }
    code(result.err().unwrap_or(ResponseCode::SUCCESS))
}

/// Sends a control code.
///
/// # Safety
/// `data` points to `data_length` bytes, `response` to `response_length`, `returned` is null or points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn IFDHControl(
    lun: c_ulong,
    control: c_ulong,
    data: *const c_uchar,
    data_length: c_ulong,
    response: *mut c_uchar,
    response_length: c_ulong,
    returned: *mut c_ulong,
) -> c_long {
    // SAFETY: pcscd passes two buffers of their own, and their lengths.
    let (data, response) = unsafe { (input(data, data_length), output(response, response_length)) };
    let result = handler::control(lun, control, data, response);
    // SAFETY: pcscd passes a number, or nothing.
    if let Some(returned) = unsafe { returned.as_mut() } {
        *returned = result.unwrap_or(0) as c_ulong;
    }
    code(result.err().unwrap_or(ResponseCode::SUCCESS))
}

/// Says whether a card is there.
#[unsafe(no_mangle)]
pub extern "C" fn IFDHICCPresence(lun: c_ulong) -> c_long {
    code(handler::presence(lun))
}
