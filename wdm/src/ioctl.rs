//! I/O control codes.

use std::fmt;

/// An IOCTL or FSCTL code: device type, required access, function, transfer method.
///
/// Source: Windows driver documentation, "Defining I/O control codes" (CTL_CODE).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IoctlCode(pub u32);

/// Where a request's data is: the low two bits of an [`IoctlCode`].
///
/// Source: Windows driver documentation, "Buffer descriptions for I/O control codes".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// One system buffer for input and output, copied both ways by the I/O manager.
    Buffered,
    /// Input in a system buffer, the second buffer an MDL probed for reading.
    InDirect,
    /// Input in a system buffer, the second buffer an MDL probed for writing.
    OutDirect,
    /// The caller's own pointers, unprobed.
    Neither,
}

/// The rights a handle must have been opened with, as bits: bits 15..14 of an [`IoctlCode`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Access(pub u8);

impl Access {
    /// `FILE_ANY_ACCESS`.
    pub const ANY: Access = Access(0);
    /// `FILE_READ_ACCESS` / `FILE_READ_DATA`.
    pub const READ: Access = Access(1);
    /// `FILE_WRITE_ACCESS` / `FILE_WRITE_DATA`.
    pub const WRITE: Access = Access(2);
    /// Both.
    pub const READ_WRITE: Access = Access(3);

    /// Whether a handle with these rights satisfies `required`.
    pub const fn grants(self, required: Access) -> bool {
        self.0 & required.0 == required.0
    }
}

impl IoctlCode {
    /// `CTL_CODE(device_type, function, method, access)`.
    pub const fn new(device_type: u16, function: u16, method: Method, access: Access) -> IoctlCode {
        IoctlCode(
            (device_type as u32) << 16
                | (access.0 as u32) << 14
                | (function as u32 & 0xFFF) << 2
                | match method {
                    Method::Buffered => 0,
                    Method::InDirect => 1,
                    Method::OutDirect => 2,
                    Method::Neither => 3,
                },
        )
    }

    /// The transfer method.
    #[inline]
    pub const fn method(self) -> Method {
        match self.0 & 3 {
            0 => Method::Buffered,
            1 => Method::InDirect,
            2 => Method::OutDirect,
            _ => Method::Neither,
        }
    }

    /// The rights the I/O manager demands of a user-mode handle.
    #[inline]
    pub const fn access(self) -> Access {
        Access((self.0 >> 14) as u8 & 3)
    }

    /// The device type.
    pub const fn device_type(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The function number.
    pub const fn function(self) -> u16 {
        (self.0 >> 2) as u16 & 0xFFF
    }
}

impl fmt::Display for IoctlCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

impl fmt::Debug for IoctlCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_storys_code_decodes_to_its_parts() {
        let code = IoctlCode(0x55FF_9C0E);
        assert_eq!(code.device_type(), 0x55FF);
        assert_eq!(code.access(), Access::WRITE);
        assert_eq!(code.function(), 0x703);
        assert_eq!(code.method(), Method::OutDirect);
        assert_eq!(IoctlCode::new(0x55FF, 0x703, Method::OutDirect, Access::WRITE), code);
    }
}
