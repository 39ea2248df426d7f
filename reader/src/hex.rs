//! Bytes as people write them.

use std::fmt;

/// Writes upper-case hexadecimal, bytes separated by blanks.
pub(crate) fn spaced(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for (offset, byte) in bytes.iter().enumerate() {
        let gap = if offset == 0 { "" } else { " " };
        write!(f, "{gap}{byte:02X}")?;
    }
    Ok(())
}

/// Bytes that display as upper-case hexadecimal, separated by blanks.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        spaced(f, self.0)
    }
}
