//! What a driver finds in the buffers of a request, by how they were handed over and by whom.

use std::fmt::Write;

use vbus::wdf::*;
use vbus::wdm::{IoType, IoctlCode, Machine, Major, NtStatus, RequestorMode, Span};

use crate::bench::{Handles, Plan, Sent, note};

/// How much the driver asks for at least.
const MINIMUM: u32 = 8;

fn shown(result: Result<Span, NtStatus>) -> String {
    match result {
        Ok(span) if span.is_null() => format!("NULL of {}", span.len()),
        Ok(span) => span.len().to_string(),
        Err(status) => status.name().unwrap_or("?").trim_start_matches("STATUS_").to_lowercase(),
    }
}

fn ask(m: &mut Machine, request: Request) {
    let memory = |m: &mut Machine, found: Result<Memory, NtStatus>| found.and_then(|memory| memory.span(m));
    let (input, output) = (request.input_buffer(m, MINIMUM), request.output_buffer(m, MINIMUM));
    let (input_memory, output_memory) = (request.input_memory(m), request.output_memory(m));
    let (input_memory, output_memory) = (memory(m, input_memory), memory(m, output_memory));
    let (input_mdl, output_mdl) = (request.input_mdl(m), request.output_mdl(m));
    for (what, [buffer, memory, mdl]) in
        [("input", [input, input_memory, input_mdl]), ("output", [output, output_memory, output_mdl])]
    {
        let [buffer, memory, mdl] = [buffer, memory, mdl].map(shown);
        note(m, format!("\n    {what:<6}  buffer {buffer:<24} memory {memory:<24} MDL {mdl}"));
    }
}

/// What `ask` found.
fn row(io_type: IoType, sent: Sent) -> String {
    let plan =
        Plan { io_type, default_queue: Some(Handles::EachKind), zero_length: true, ask: Some(ask), ..Plan::default() };
    let line = plan.open().send(sent);
    let lines = line.lines().skip(1).map(|line| line.trim_end_matches([',', ' ']).split(": ").next().unwrap_or(line));
    lines.fold(String::new(), |text, line| text + "  " + line.trim_end_matches(',') + "\n")
}

/// The same for a driver's request and a program's, once if there is no difference.
fn rows(io_type: IoType, sent: Sent) -> String {
    let [kernel, user] = [RequestorMode::Kernel, RequestorMode::User].map(|mode| row(io_type, Sent { mode, ..sent }));
    if kernel == user { kernel } else { format!("  from a driver\n{kernel}  from a program\n{user}") }
}

#[test]
fn a_control_requests_buffers_are_where_its_method_puts_them() {
    let mut page = String::new();
    for major in [Major::DeviceControl, Major::InternalDeviceControl] {
        for method in 0..4 {
            let code = IoctlCode(0x0022_2000 | method);
            for length in [8, 4, 0] {
                let name = major.name().trim_start_matches("IRP_MJ_");
                writeln!(page, "{name} {:?}, {length} bytes", code.method()).unwrap();
                page += &rows(IoType::Buffered, Sent { code, input: length, output: length, ..Sent::of(major) });
            }
        }
    }
    approve!("callers_buffers_of_controls", page);
}

#[test]
fn a_transfers_buffer_is_where_the_devices_flags_put_it() {
    let mut page = String::new();
    for io_type in [IoType::Buffered, IoType::Direct, IoType::Neither] {
        for major in [Major::Read, Major::Write] {
            for length in [8, 4, 0] {
                let name = major.name().trim_start_matches("IRP_MJ_");
                writeln!(page, "{name} {io_type:?}, {length} bytes").unwrap();
                page += &rows(io_type, Sent { input: length, ..Sent::of(major) });
            }
        }
    }
    approve!("callers_buffers_of_transfers", page);
}
