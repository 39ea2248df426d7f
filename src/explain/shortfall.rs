//! Errors that teach: what failed, where, the numbers, what to change.

use std::fmt;

use vbus_wdm::NtStatus;

use crate::style::{BOLD, GREEN, PLAIN, RED, status_with_code};

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
    /// The smallest StackSize of the forwarding device that works; none where the target's grows with it, because its PDO
    /// forwards to that device.
    pub minimum: Option<i8>,
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
        match minimum {
            Some(minimum) => writeln!(
                f,
                "{GREEN}help{PLAIN}: raise {driver}'s StackSize by {} ({stack_size} -> {minimum}), or send a request the driver created (WdfRequestCreate)",
                minimum - stack_size
            ),
            None => writeln!(f, "{GREEN}help{PLAIN}: {}", grows_with(driver)),
        }
    }
}

/// What to do where no StackSize is big enough.
pub fn grows_with(driver: &str) -> String {
    format!(
        "send a request the driver created (WdfRequestCreate): raising {driver}'s StackSize would raise the target's as well, \
         whose PDO forwards to {driver}"
    )
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
