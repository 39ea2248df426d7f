//! Memory objects and offsets: what the target sees in the IRP's buffer fields.

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Access, Context, DeviceObject, IoType, IoctlCode, Irp, Machine, Major, Method, NtStatus, Parameters};

use super::case::{Case, Event};
use super::world::*;

/// Every memory object of the cases.
const LENGTH: u32 = 16;

/// The two memory objects, and where they begin.
struct Memories {
    input: Option<Memory>,
    output: Option<Memory>,
}

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(0));
    let Fixture { driver, device } = fixture(&mut m, false, None);
    let on = target_device(&mut m, 2, "<TDEV>");
    let plain = on.driver(&mut m);
    for major in [Major::Read, Major::Write, Major::DeviceControl, Major::InternalDeviceControl] {
        plain.set_major(&mut m, major, fill_output);
    }
    m[on].io_type = match case.text_of("deviceIo") {
        "buffered" => IoType::Buffered,
        "direct" => IoType::Direct,
        _ => IoType::Neither,
    };
    let target = m.run(|m| open_target(m, device, on, "<TGT>")).unwrap();
    let mut memory = |key: &str, name_it: &str| {
        let wanted = case.text_of(key) != "none";
        let made = m.run(|m| wanted.then(|| Memory::create(m, driver, LENGTH, Attributes::none()).unwrap())).unwrap();
        made.inspect(|memory| name(&mut m, memory.handle(), name_it))
    };
    let memories = Memories { input: memory("in", "<MEMIN>"), output: memory("out", "<MEMOUT>") };
    m.add_extension(memories);
    let request = m.run(|m| Request::create(m, driver, Attributes::none()).unwrap()).unwrap();
    request_name(&mut m, request);
    start(&mut m, driver);
    let outcome = m.run(|m| play(m, case, request, target));
    finish(m, outcome)
}

fn data(case: &Case, key: &str, memory: Option<Memory>) -> Data {
    let Some(memory) = memory else { return Data::None };
    let (offset, length) = match case.text_of(key) {
        "len8" => (0, 8),
        "off4len8" => (4, 8),
        "off4len0" => (4, 0),
        "off8len16" => (8, 16),
        "off20len4" => (20, 4),
        _ => return Data::Memory(memory),
    };
    Data::Part { memory, offset, length }
}

fn play(m: &mut Machine, case: &Case, request: Request, target: IoTarget) {
    let Memories { input, output } = *m.extension::<Memories>();
    let (input, output) = (data(case, "in", input), data(case, "out", output));
    let method = match case.text_of("method") {
        "buffered" => Method::Buffered,
        "inDirect" => Method::InDirect,
        "outDirect" => Method::OutDirect,
        _ => Method::Neither,
    };
    let code = IoctlCode::new(0x22, 0x800, method, Access::ANY);
    let kind = case.text_of("fmt");
    let formatted = match kind {
        "intioctl" => target.format_internal_ioctl(m, request, code, input, output),
        "ioctl" => target.format_ioctl(m, request, code, input, output),
        "read" => target.format_read(m, request, output, 0),
        _ => target.format_write(m, request, input, 0),
    };
    record(m, format!("format {kind} {}", hex(NtStatus::from(formatted))));
    if formatted.is_err() {
        return;
    }
    request.set_completion_routine(m, completed, Context(0));
    let sent = request.send(m, target, SendOptions::none());
    record(m, format!("send {}", u8::from(sent)));
    let written = match m.extension::<Memories>().output {
        Some(memory) => {
            let span = memory.span(m).unwrap();
            let filled: Vec<usize> = (0..LENGTH as usize).filter(|&at| m.bytes(span)[at] == 0x5A).collect();
            (filled.first().map_or(-1, |&first| first as i64), filled.len())
        }
        None => (-1, 0),
    };
    record(m, format!("outBytesWritten {} {}", written.0, written.1));
    request.delete(m);
}

/// The target writes down the IRP's fields, fills the output with 0x5A and completes with its full length.
fn fill_output(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    record_arrival(m, device, irp);
    let location = m[irp].current();
    let (major, parameters) = (location.major, location.parameters);
    let (system, mdl, user, flags) = (m[irp].system_buffer, m[irp].mdl, m[irp].user_buffer, m[irp].flags);
    let (input_length, output_length, type3, output) = match parameters {
        Parameters::DeviceIoControl { input_length, output_length, code, type3_input } => {
            let output = match code.method() {
                Method::Buffered => system,
                Method::InDirect | Method::OutDirect => mdl,
                Method::Neither => user,
            };
            (input_length, output_length, type3_input, output)
        }
        Parameters::Transfer { length, .. } => (0, length, None, system.or(mdl).or(user)),
        _ => (0, 0, None, None),
    };
    let [system, mdl_start, user, type3] = [system, mdl, user, type3].map(|span| span.map_or(0, |span| span.address()));
    let names = [system, mdl_start, user, type3].map(|address| place(m, address));
    let mdl_bytes = mdl.map_or(-1, |mdl| i64::from(mdl.len()));
    let [system, mdl_start, user, type3] = names;
    record(
        m,
        format!("buffers {system} {mdl_start} {mdl_bytes} {user} {type3} {input_length} {output_length} 0x{flags:x}"),
    );
    if let Some(output) = output.and_then(|span| span.part(0, output_length)).filter(|_| major != Major::Write) {
        m.bytes_mut(output).fill(0x5A);
    }
    irp.complete_with(m, STATUS_SUCCESS, output_length.into())
}

/// An address inside one of the two memories, by name.
fn place(m: &mut Machine, address: u64) -> String {
    let Memories { input, output } = *m.extension::<Memories>();
    for (memory, name) in [(input, "IN"), (output, "OUT")] {
        let Some(span) = memory.map(|memory| memory.span(m).unwrap()) else { continue };
        match address.checked_sub(span.address()) {
            Some(0) => return format!("<{name}>"),
            Some(offset) if offset < u64::from(LENGTH) => return format!("<{name}+{offset}>"),
            _ => {}
        }
    }
    if address == 0 { "<NULL>".to_owned() } else { name_of(m, address) }
}

fn completed(m: &mut Machine, _: Request, _: IoTarget, params: &CompletionParams, _: Context) {
    let handle = |memory: Option<Memory>| memory.map_or(0, Memory::handle);
    let [input, output] = [handle(params.input), handle(params.output)]
        .map(|handle| if handle == 0 { "<NULL>".to_owned() } else { name_of(m, handle) });
    let (status, information) = (hex(params.io_status.status), params.io_status.information);
    let (input_offset, output_offset) = (params.input_offset, params.output_offset);
    let length = params.output_length;
    let kind = type_number(params.kind);
    record(m, format!("params {kind} {status} {information} {input} {input_offset} {output} {output_offset} {length}"));
}
