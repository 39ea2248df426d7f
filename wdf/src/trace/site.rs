//! A place in the framework that writes to the log.

/// How important a record is. Everything below [`Level::Verbose`] is always recorded.
///
/// Source: S/inc/private/common/fxtrace.h:86; evntrace.h, TRACE_LEVEL_ values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// TRACE_LEVEL_FATAL.
    Fatal = 1,
    /// TRACE_LEVEL_ERROR.
    Error = 2,
    /// TRACE_LEVEL_WARNING.
    Warning = 3,
    /// TRACE_LEVEL_INFORMATION.
    Information = 4,
    /// TRACE_LEVEL_VERBOSE: reaches the recorder only with VerboseOn.
    Verbose = 5,
}

/// A static trace site: what the framework's message file holds of it.
#[derive(Debug)]
pub struct Site {
    /// What `%!FUNC!` prints.
    pub function: &'static str,
    /// The level.
    pub level: Level,
    /// The WPP flag. It filters sessions, not the recorder.
    pub flag: &'static str,
    /// The format string.
    pub message: &'static str,
    /// How many bytes its arguments take in a record.
    pub(super) argument_bytes: u32,
}

impl Site {
    /// A site. Sites are constants: the log keeps references to them.
    pub const fn new(function: &'static str, level: Level, flag: &'static str, message: &'static str) -> Site {
        Site { function, level, flag, message, argument_bytes: argument_bytes(message.as_bytes()) }
    }

    /// The text of its message with these arguments, as the debugger prints it. A missing one prints as zero.
    pub fn render(&self, arguments: &[u64]) -> String {
        super::format::render(self.message, arguments, &[])
    }
}

/// Pointers and 64-bit integers take 8 bytes, everything else 4.
const fn argument_bytes(message: &[u8]) -> u32 {
    let mut total = 0;
    let mut at = 0;
    while at + 1 < message.len() {
        if message[at] == b'%' {
            at += 1;
            total += match message[at] {
                b'p' | b'I' => 8,
                _ => 4,
            };
            if message[at] == b'!' {
                at += 1;
                while at < message.len() && message[at] != b'!' {
                    at += 1;
                }
            }
        }
        at += 1;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_arguments_bytes() {
        assert_eq!(argument_bytes(b"no arguments"), 0);
        assert_eq!(argument_bytes(b"WDFREQUEST 0x%p, %!STATUS!, 0x%x, %I64d"), 8 + 4 + 4 + 8);
    }
}
