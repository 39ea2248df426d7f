//! Reads what the debugger's other commands print, mixed with anything.
//!
//! Source: the formats in the debugger's documents (`!devstack`, `!devobj`, `!irp`, `!wdfkd.wdfiotarget`,
//! `!wdfkd.wdfrequest`, `!analyze`, `.bugcheck`, `dt`).

mod bugcheck;
mod device;
mod irp;
mod target;

use super::assemble::prompt;
use super::facts::Facts;

/// What the lines are part of.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Block {
    #[default]
    None,
    /// `!devstack`: its lines list devices.
    Stack,
    /// `!devobj` or `dt nt!_DEVICE_OBJECT` of this device.
    Device(u64),
    /// `!irp` of this IRP.
    Irp(u64),
    /// `!wdfiotarget` of this handle.
    Target(u64),
    /// `!wdfrequest` of this handle.
    Request(u64),
    /// `!analyze -v`, or `.bugcheck`.
    BugCheck,
}

/// Reads line after line. Keeps no text.
#[derive(Default)]
pub(super) struct Debugger {
    block: Block,
    /// The driver whose log the user asked for last.
    pub(super) log_of: Option<String>,
}

impl Debugger {
    /// Takes a line. Whether it was understood.
    pub(super) fn line(&mut self, number: u64, line: &str, facts: &mut Facts) -> bool {
        if let Some(command) = prompt(line) {
            self.command(command);
            return true;
        }
        let text = line.trim();
        // Output names other commands, too, but with capitals: !DevObj, !DevNode, !IRP.
        let is_extension = text.starts_with('!') && text[1..].starts_with(|letter: char| letter.is_ascii_lowercase());
        if (is_extension || text.starts_with("dt ")) && self.command(text) {
            return true;
        }
        bugcheck::line(&mut self.block, number, text, facts)
            || irp::line(&mut self.block, number, text, facts)
            || device::line(&mut self.block, text, facts)
            || target::line(&mut self.block, text, facts)
    }

    /// What a command's output will be. Whether the command is one of those that are read.
    fn command(&mut self, command: &str) -> bool {
        let mut words = command.split_ascii_whitespace();
        let name = words.next().unwrap_or_default().to_ascii_lowercase();
        let argument = words.next().unwrap_or_default();
        let of = |block: fn(u64) -> Block| address(argument).map_or(Block::None, block);
        self.block = match name.rsplit(['!', '.']).next().unwrap_or_default() {
            "devstack" => Block::Stack,
            "devobj" => of(Block::Device),
            "irp" => of(Block::Irp),
            "wdfiotarget" => of(Block::Target),
            "wdfrequest" => of(Block::Request),
            "analyze" | "bugcheck" => Block::BugCheck,
            "dt" if argument.to_ascii_lowercase().ends_with("_device_object") => {
                words.next().and_then(address).map_or(Block::None, Block::Device)
            }
            "wdflogdump" | "wdfcrashdump" => {
                let driver = argument.trim_end_matches(".sys");
                self.log_of = (!driver.is_empty() && !driver.starts_with('-')).then(|| driver.to_owned());
                Block::None
            }
            _ => {
                self.block = Block::None;
                return false;
            }
        };
        true
    }
}

/// An address as debuggers print it: with and without `0x`, in two halves, with a comma behind.
fn address(word: &str) -> Option<u64> {
    let word = word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let digits = word.strip_prefix("0x").unwrap_or(word);
    if digits.len() > 17 || digits.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for digit in digits.chars().filter(|&letter| letter != '`') {
        value = value.checked_mul(16)? + u64::from(digit.to_digit(16)?);
    }
    Some(value)
}

/// A driver object's name without its directory.
fn driver_name(path: &str) -> Option<&str> {
    let at = path.find('\\')?;
    let name = path[at..].trim_start_matches('\\');
    let name = name.split_once('\\').map_or(name, |(_, name)| name);
    name.split_ascii_whitespace().next()
}

/// What stands behind a label, if a line begins with it.
fn after<'l>(line: &'l str, label: &str) -> Option<&'l str> {
    line.strip_prefix(label).map(str::trim_start)
}
