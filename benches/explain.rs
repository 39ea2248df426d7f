//! What it costs to explain a large log: 100 MB of a bus that forwards requests, in each layout, read as a file would be.
//!
//! The text is made before the clock starts. Run with `cargo bench --bench explain`; an argument `megabytes=N` takes
//! another size.

use std::time::Instant;

use vbus::Setup;
use vbus::explain::explain;
use vbus::wdf::LogLine;

/// Of a short command APDU's way through the bus.
const COMMAND: &[u8] = &[0x00, 0xB0, 0x81, 0x00, 0x00];

fn main() {
    let megabytes =
        std::env::args().find_map(|argument| argument.strip_prefix("megabytes=")?.parse().ok()).unwrap_or(100);
    let (forwarded, refused) = (lines_of_a_request(3), lines_of_a_request(0));
    println!("{megabytes} MB of a log, every hundredth request of it refused");
    type Layout = fn(u64, &LogLine) -> String;
    let layouts: [(&str, Layout); 3] = [
        ("plain", |number, line| format!("{number}: {} - {}\r\n", line.function, line.message)),
        ("with levels", |_, line| format!("[0]1a2c TRACE_LEVEL_VERBOSE {}:{}\r\n", line.function, line.message)),
        ("tracefmt, no functions", |_, line| {
            format!("[0]0004.1A2C::11/24/2026-19:33:02.123 [fxsource_cpp1]{}\r\n", line.message)
        }),
    ];
    for (name, layout) in layouts {
        let text = text(megabytes << 20, &forwarded, &refused, layout);
        let start = Instant::now();
        let explanation = explain(text.as_bytes()).expect("memory can be read");
        let seconds = start.elapsed().as_secs_f64();
        let rate = text.len() as f64 / seconds / f64::from(1 << 20);
        let (records, unknown) = (explanation.input.records, explanation.input.unknown_records);
        assert_eq!((unknown, explanation.failures[0].cause), (0, "irp-too-small"));
        println!("{name:<24}{seconds:>6.2} s {rate:>6.0} MB/s  {records:>9} records");
    }
}

/// The bus driver's verbose log of one request.
fn lines_of_a_request(extra_stack: i8) -> Vec<LogLine> {
    let setup = Setup::default().bus_extra_stack(extra_stack).reader(7);
    let mut vbus = setup.build().expect("the story's fixed stacks build");
    vbus.probe(7, COMMAND).expect("the bus is there").log
}

fn text(bytes: usize, forwarded: &[LogLine], refused: &[LogLine], layout: fn(u64, &LogLine) -> String) -> String {
    let mut text = String::with_capacity(bytes + 4096);
    let (mut number, mut request) = (0, 0_u64);
    while text.len() < bytes {
        request += 1;
        for line in if request % 100 == 0 { refused } else { forwarded } {
            number += 1;
            text += &layout(number, line);
        }
    }
    text
}
