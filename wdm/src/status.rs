//! NTSTATUS values: their names, their severities, and what Win32 makes of them.

use std::fmt;

/// An NTSTATUS. Displays as the debugger's `%!STATUS!` does: `0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)`.
///
/// Source: ntstatus.h of the public Windows headers; rendering as in `!wdflogdump` output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NtStatus(pub u32);

macro_rules! statuses {
    ($($name:ident = $value:literal),+ $(,)?) => {
        /// Every status that the model knows by name.
        #[allow(missing_docs)] // The name is the documentation: each is the constant of ntstatus.h.
        pub mod constants {
            use super::NtStatus;
            $(pub const $name: NtStatus = NtStatus($value);)+
        }
        const NAMES: &[(u32, &str)] = &[$(($value, stringify!($name))),+];
    };
}

statuses! {
    STATUS_SUCCESS = 0x0000_0000,
    STATUS_TIMEOUT = 0x0000_0102,
    STATUS_PENDING = 0x0000_0103,
    STATUS_RESOURCE_REQUIREMENTS_CHANGED = 0x0000_0119,
    STATUS_OBJECT_NAME_EXISTS = 0x4000_0000,
    STATUS_WDF_QUEUED = 0x4020_0000,
    STATUS_WDF_POSTED = 0x4020_0002,
    STATUS_BUFFER_OVERFLOW = 0x8000_0005,
    STATUS_DEVICE_POWERED_OFF = 0x8000_000F,
    STATUS_DEVICE_BUSY = 0x8000_0011,
    STATUS_VERIFY_REQUIRED = 0x8000_0016,
    STATUS_NO_MORE_ENTRIES = 0x8000_001A,
    STATUS_PLUGPLAY_QUERY_VETOED = 0x8000_0028,
    STATUS_UNSUCCESSFUL = 0xC000_0001,
    STATUS_NOT_IMPLEMENTED = 0xC000_0002,
    STATUS_INFO_LENGTH_MISMATCH = 0xC000_0004,
    STATUS_ACCESS_VIOLATION = 0xC000_0005,
    STATUS_INVALID_HANDLE = 0xC000_0008,
    STATUS_INVALID_PARAMETER = 0xC000_000D,
    STATUS_NO_SUCH_DEVICE = 0xC000_000E,
    STATUS_INVALID_DEVICE_REQUEST = 0xC000_0010,
    STATUS_UNRECOGNIZED_MEDIA = 0xC000_0014,
    STATUS_MORE_PROCESSING_REQUIRED = 0xC000_0016,
    STATUS_ACCESS_DENIED = 0xC000_0022,
    STATUS_BUFFER_TOO_SMALL = 0xC000_0023,
    STATUS_OBJECT_NAME_INVALID = 0xC000_0033,
    STATUS_OBJECT_NAME_NOT_FOUND = 0xC000_0034,
    STATUS_OBJECT_NAME_COLLISION = 0xC000_0035,
    STATUS_OBJECT_PATH_INVALID = 0xC000_0039,
    STATUS_DELETE_PENDING = 0xC000_0056,
    STATUS_INTEGER_OVERFLOW = 0xC000_0095,
    STATUS_INSUFFICIENT_RESOURCES = 0xC000_009A,
    STATUS_DEVICE_DATA_ERROR = 0xC000_009C,
    STATUS_DEVICE_NOT_CONNECTED = 0xC000_009D,
    STATUS_DEVICE_POWER_FAILURE = 0xC000_009E,
    STATUS_DEVICE_NOT_READY = 0xC000_00A3,
    STATUS_IO_TIMEOUT = 0xC000_00B5,
    STATUS_NOT_SUPPORTED = 0xC000_00BB,
    STATUS_REQUEST_NOT_ACCEPTED = 0xC000_00D0,
    STATUS_INTERNAL_ERROR = 0xC000_00E5,
    STATUS_INVALID_USER_BUFFER = 0xC000_00E8,
    STATUS_INVALID_PARAMETER_2 = 0xC000_00F0,
    STATUS_CANCELLED = 0xC000_0120,
    STATUS_CANNOT_DELETE = 0xC000_0121,
    STATUS_NO_MEDIA = 0xC000_0178,
    STATUS_DEVICE_CONFIGURATION_ERROR = 0xC000_0182,
    STATUS_INVALID_DEVICE_STATE = 0xC000_0184,
    STATUS_DEVICE_PROTOCOL_ERROR = 0xC000_0186,
    STATUS_INVALID_BUFFER_SIZE = 0xC000_0206,
    STATUS_NOT_FOUND = 0xC000_0225,
    STATUS_RETRY = 0xC000_022D,
    STATUS_DEVICE_REMOVED = 0xC000_02B6,
    STATUS_POWER_STATE_INVALID = 0xC000_02D3,
    STATUS_INVALID_DEVICE_OBJECT_PARAMETER = 0xC000_0369,
    STATUS_WDF_INTERNAL_ERROR = 0xC020_0201,
    STATUS_WDF_PAUSED = 0xC020_0203,
    STATUS_WDF_BUSY = 0xC020_0204,
    STATUS_WDF_DEVICE_REMOVED_NOT_SENT = 0xC020_0206,
    STATUS_WDF_REQUEST_INVALID_STATE = 0xC020_0208,
    STATUS_WDF_OBJECT_ATTRIBUTES_INVALID = 0xC020_0209,
    STATUS_WDF_TOO_FRAGMENTED = 0xC020_020A,
    STATUS_WDF_NO_CALLBACK = 0xC020_020B,
    STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL = 0xC020_020C,
    STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED = 0xC020_020F,
    STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID = 0xC020_0210,
    STATUS_WDF_EXECUTION_LEVEL_INVALID = 0xC020_0211,
    STATUS_WDF_PARENT_NOT_SPECIFIED = 0xC020_0212,
    STATUS_WDF_TOO_MANY_TRANSFERS = 0xC020_0213,
    STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS = 0xC020_0214,
}

impl NtStatus {
    /// `NT_SUCCESS`: success and informational statuses. This test decides whether a completion routine counts as
    /// invoked "on success".
    #[inline]
    pub const fn is_success(self) -> bool {
        self.0 < 0x8000_0000
    }

    /// `NT_ERROR`: the test that decides whether a buffered request's output is copied back; warnings are copied.
    #[inline]
    pub const fn is_error(self) -> bool {
        self.0 >= 0xC000_0000
    }

    /// The name in ntstatus.h, where the model knows the value.
    pub fn name(self) -> Option<&'static str> {
        NAMES.binary_search_by_key(&self.0, |&(value, _)| value).ok().map(|at| NAMES[at].1)
    }

    /// The status with this ntstatus.h name.
    pub fn from_name(name: &str) -> Option<NtStatus> {
        NAMES.iter().find(|(_, known)| *known == name).map(|&(value, _)| NtStatus(value))
    }

    /// Every name that [`NtStatus::from_name`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|&(_, name)| name)
    }

    /// What `GetLastError` says to a Win32 program whose call ended so, where the mapping is known.
    ///
    /// Source: the documented NTSTATUS to Win32 table; `ERROR_REQ_NOT_ACCEP` (71) is the story's.
    pub fn win32_error(self) -> Option<(u32, &'static str)> {
        use constants::*;
        Some(match self {
            STATUS_SUCCESS => (0, "ERROR_SUCCESS"),
            STATUS_PENDING => (997, "ERROR_IO_PENDING"),
            STATUS_INVALID_DEVICE_REQUEST => (1, "ERROR_INVALID_FUNCTION"),
            STATUS_OBJECT_NAME_NOT_FOUND => (2, "ERROR_FILE_NOT_FOUND"),
            STATUS_ACCESS_DENIED | STATUS_DELETE_PENDING | STATUS_CANNOT_DELETE => (5, "ERROR_ACCESS_DENIED"),
            STATUS_INVALID_HANDLE => (6, "ERROR_INVALID_HANDLE"),
            STATUS_DEVICE_NOT_READY => (21, "ERROR_NOT_READY"),
            STATUS_INVALID_DEVICE_STATE => (22, "ERROR_BAD_COMMAND"),
            STATUS_NOT_SUPPORTED => (50, "ERROR_NOT_SUPPORTED"),
            STATUS_REQUEST_NOT_ACCEPTED => (71, "ERROR_REQ_NOT_ACCEP"),
            STATUS_INVALID_PARAMETER => (87, "ERROR_INVALID_PARAMETER"),
            STATUS_BUFFER_TOO_SMALL => (122, "ERROR_INSUFFICIENT_BUFFER"),
            STATUS_DEVICE_BUSY => (170, "ERROR_BUSY"),
            STATUS_OBJECT_NAME_COLLISION => (183, "ERROR_ALREADY_EXISTS"),
            STATUS_NO_SUCH_DEVICE => (433, "ERROR_NO_SUCH_DEVICE"),
            STATUS_CANCELLED => (995, "ERROR_OPERATION_ABORTED"),
            STATUS_NO_MEDIA => (1112, "ERROR_NO_MEDIA_IN_DRIVE"),
            STATUS_DEVICE_NOT_CONNECTED => (1167, "ERROR_DEVICE_NOT_CONNECTED"),
            STATUS_INSUFFICIENT_RESOURCES => (1450, "ERROR_NO_SYSTEM_RESOURCES"),
            STATUS_DEVICE_REMOVED => (1617, "ERROR_DEVICE_REMOVED"),
            _ => return None,
        })
    }

    /// `Ok` for `NT_SUCCESS`, else the status itself: for `?` in driver code.
    pub const fn ok(self) -> Result<(), NtStatus> {
        if self.is_success() { Ok(()) } else { Err(self) }
    }
}

impl From<Result<(), NtStatus>> for NtStatus {
    fn from(result: Result<(), NtStatus>) -> NtStatus {
        match result {
            Ok(()) => constants::STATUS_SUCCESS,
            Err(status) => status,
        }
    }
}

impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some("STATUS_SUCCESS") => f.write_str("STATUS_SUCCESS"),
            Some(name) => write!(f, "0x{:08x}({name})", self.0),
            None => write!(f, "0x{:08x}", self.0),
        }
    }
}

impl fmt::Debug for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for NtStatus {}

#[cfg(test)]
mod tests {
    use super::{NAMES, NtStatus, constants::*};

    #[test]
    fn the_table_is_sorted_so_that_every_name_is_found() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
        for &(value, name) in NAMES {
            assert_eq!(NtStatus(value).name(), Some(name));
            assert_eq!(NtStatus::from_name(name), Some(NtStatus(value)));
        }
    }

    #[test]
    fn a_status_reads_as_the_debugger_prints_it() {
        assert_eq!(STATUS_REQUEST_NOT_ACCEPTED.to_string(), "0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)");
        assert_eq!(STATUS_SUCCESS.to_string(), "STATUS_SUCCESS");
        assert_eq!(NtStatus(0xE000_0001).to_string(), "0xe0000001");
    }

    #[test]
    fn warnings_are_neither_success_nor_error() {
        assert!(!STATUS_BUFFER_OVERFLOW.is_success());
        assert!(!STATUS_BUFFER_OVERFLOW.is_error());
        assert!(STATUS_OBJECT_NAME_EXISTS.is_success());
    }
}
