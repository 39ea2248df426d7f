//! Errors that teach: what failed, where, the numbers, what to change.

use std::fmt;

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

/// A dispatched request with too few stack locations for its target, in numbers.
///
/// Displays with ANSI styles, like a good compiler's error; whoever prints to something else than a terminal strips
/// them.
#[derive(Clone, Debug)]
pub struct Shortfall {
    /// The failing call's status.
    pub status: NtStatus,
    /// The format call.
    pub call: &'static str,
    /// The forwarding driver.
    pub driver: String,
    /// StackSize of its device object.
    pub stack_size: i8,
    /// StackCount of the program's IRP: the StackSize of the top of that stack.
    pub irp_stack_count: i8,
    /// CurrentLocation on arrival at the forwarding driver.
    pub current_location: i8,
    /// The target and, from its top, the drivers below it.
    pub target: String,
    /// What the target cached.
    pub target_stack_size: i8,
    /// The smallest StackSize of the forwarding device that works.
    pub minimum: i8,
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shortfall { driver, stack_size, irp_stack_count: count, current_location: at, minimum, .. } = self;
        let (left, needs) = (at - 1, self.target_stack_size);
        writeln!(f, "{RED}error{PLAIN}{BOLD}: {} from {}{PLAIN}", status_with_code(self.status), self.call)?;
        writeln!(
            f,
            "  the request's IRP came from the I/O manager with {count} stack locations: the top device of {driver}'s stack has StackSize {count}"
        )?;
        match count - at {
            0 => {}
            1 => writeln!(f, "  the driver above {driver} used 1 of them")?,
            used => writeln!(f, "  the drivers above {driver} used {used} of them")?,
        }
        writeln!(f, "  it reached {driver}'s FDO at location {at}, which leaves {left} for lower drivers")?;
        writeln!(f, "  target {} needs {needs}", self.target)?;
        writeln!(f, "  the framework did not allocate this IRP, so it may not reallocate it")?;
        if let Some((code, name)) = self.status.win32_error() {
            writeln!(f, "  the program sees {name} ({code})")?;
        }
        let more = minimum - stack_size;
        writeln!(
            f,
            "{GREEN}help{PLAIN}: raise {driver}'s StackSize by {more} ({stack_size} -> {minimum}), or send a request the driver created (WdfRequestCreate)"
        )
    }
}

/// Two stacks beside each other, highest devices first, with what they are and their StackSizes. `mark` stands behind
/// the first line.
///
/// # Errors
/// The formatter's.
pub fn write_stacks(f: &mut fmt::Formatter<'_>, left: &Stack, right: &Stack, mark: &str) -> fmt::Result {
    let cell = |stack: &Stack, row: usize| match stack.get(row) {
        Some((driver, size)) => {
            let role = ["PDO", "FDO", "filter"][(stack.len() - 1 - row).min(2)];
            format!("{driver:<12}{role:<8}StackSize {size}")
        }
        None => String::new(),
    };
    for row in 0..left.len().max(right.len()) {
        let line = format!("  {:<38}{}{}", cell(left, row), cell(right, row), if row == 0 { mark } else { "" });
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A stack as text: the drivers' names and their devices' StackSizes, highest first: what
/// [`crate::VirtualBus::describe`] gives.
pub type Stack = Vec<(String, i8)>;

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
