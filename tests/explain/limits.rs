//! Texts without end: what is kept of them does not grow.

use std::io::{self, Read};

use vbus::explain::explain;

/// A log that is made while it is read.
struct Endless {
    line: u64,
    lines: u64,
    make: fn(u64) -> String,
    rest: Vec<u8>,
}

impl Endless {
    fn new(lines: u64, make: fn(u64) -> String) -> Endless {
        Endless { line: 0, lines, make, rest: Vec::new() }
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.len() < buffer.len() && self.line < self.lines {
            self.line += 1;
            self.rest.extend((self.make)(self.line).into_bytes());
        }
        let length = self.rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        Ok(length)
    }
}

/// Every line fails another request at another target, and none of them is ever completed.
fn failing(line: u64) -> String {
    let (request, target) = (0x3000_0000_0000 + line * 0x100, 0x3100_0000_0000 + line * 0x100);
    format!(
        "{line}: FxRequestBase::ValidateTarget - Cannot reallocate PIRP for WDFREQUEST {request:016X} using WDFIOTARGET {target:016X}, 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)\n"
    )
}

/// Every line is another stack, IRP or bug check.
fn objects(line: u64) -> String {
    let address = 0xFFFF_E000_0000_0000 + line * 0x100;
    format!(
        "!irp {address:x}\nIrp is active with 2 stacks 2 is current\n  !DevObj  !DrvObj  !DevExt\n  {address:x}  \\Driver\\d{line}  {address:x}\n\
         Device object ({address:x}) is for:\nAttachedTo (Lower) {address:x} \\Driver\\x\nBugCheck {:X}, {{{line:x}, 0, 0, 0}}\n",
        line % 0xFFFF
    )
}

/// The most memory that explaining a text of so many lines has at a time.
fn peak(lines: u64, make: fn(u64) -> String) -> u64 {
    allocation_counter::measure(|| _ = explain(Endless::new(lines, make)).unwrap()).bytes_max
}

#[test]
fn memory_does_not_grow_with_the_text() {
    for make in [failing as fn(u64) -> String, objects] {
        let (short, long) = (peak(20_000, make), peak(80_000, make));
        assert!(long < short + short / 10, "{short} bytes for 20,000 lines, {long} for 80,000");
        assert!(long < 32 << 20, "{long} bytes");
    }
}

#[test]
fn what_is_beyond_the_limit_is_counted_and_said() {
    let explanation = explain(Endless::new(20_000, failing)).unwrap();
    assert_eq!(explanation.failures[0].count, 20_000);
    // A line names a request and a target, and each kind has its own limit.
    assert_eq!(explanation.input.not_followed, 2 * (20_000 - 8_192));
    assert!(explanation.to_string().contains("beyond the 8192"));
}
