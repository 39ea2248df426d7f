//! How text for people looks: styles of a terminal, and how words and bytes are written.

use vbus_wdm::NtStatus;

/// ANSI style of headlines.
pub const BOLD: &str = "\x1b[1m";
/// ANSI style of what failed.
pub const RED: &str = "\x1b[1;31m";
/// ANSI style of what works, and of what to do.
pub const GREEN: &str = "\x1b[1;32m";
/// ANSI style of asides.
pub const DIM: &str = "\x1b[2m";
/// Ends any style.
pub const PLAIN: &str = "\x1b[0m";

/// A status as an error's headline names it: `STATUS_REQUEST_NOT_ACCEPTED (0xC00000D0)`.
pub(crate) fn status_with_code(status: NtStatus) -> String {
    match status.name() {
        Some(name) => format!("{name} (0x{:08X})", status.0),
        None => format!("0x{:08X}", status.0),
    }
}

/// Bytes as people write APDUs: `00 B0 81 00 00`.
pub fn spaced_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}
