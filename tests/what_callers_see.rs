//! What a program sees of a request: for everything that a driver may return, leave in IoStatus, mark and do later, and
//! for every way in which a program waits.

mod common;

use std::fmt::Write;

use vbus::wdm::constants::*;
use vbus::wdm::{
    Access, Context, DeviceObject, IoStatus, IoType, IoctlCode, Irp, Machine, Major, Method, NtStatus, OpenOptions,
    Overlapped, Stop, Ticks,
};

/// What the driver does with a request.
#[derive(Clone, Copy)]
struct Behaviour {
    returned: NtStatus,
    status: NtStatus,
    information: u64,
    marks: bool,
    later: bool,
}

const CODE: IoctlCode = IoctlCode::new(0x8000, 0x801, Method::Buffered, Access::ANY);

fn machine(behaviour: Behaviour) -> Machine {
    let mut m = Machine::new();
    m.add_extension(behaviour);
    let driver = m.create_driver("answers");
    driver.set_all_majors(&mut m, arrive);
    for major in [Major::Create, Major::Cleanup, Major::Close] {
        driver.set_major(&mut m, major, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
    }
    let device = m.create_device(driver);
    m[device].initializing = false;
    m.create_symbolic_link("\\??\\ANSWERS", device).unwrap();
    m
}

fn arrive(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    let behaviour = *m.extension::<Behaviour>();
    if let Some(buffer) = m[irp].system_buffer {
        m.bytes_mut(buffer).fill(0xEE);
    }
    if behaviour.marks {
        irp.mark_pending(m);
    }
    match behaviour.later {
        true => _ = m.set_timer(Ticks::from_millis(1), complete, irp.to_context()),
        false => complete(m, irp.to_context()),
    }
    behaviour.returned
}

fn complete(m: &mut Machine, context: Context) {
    let Behaviour { status, information, .. } = *m.extension::<Behaviour>();
    Irp::from_context(context).unwrap().complete_with(m, status, information);
}

fn copied(output: &[u8]) -> usize {
    output.iter().filter(|&&byte| byte == 0xEE).count()
}

fn short(status: NtStatus) -> &'static str {
    match status {
        STATUS_SUCCESS => "success",
        STATUS_PENDING => "pending",
        STATUS_OBJECT_NAME_EXISTS => "info",
        STATUS_BUFFER_OVERFLOW => "warning",
        STATUS_UNSUCCESSFUL => "error",
        _ => "?",
    }
}

/// What came later and stopped the machine.
fn late(stop: Stop) -> String {
    match stop {
        Stop::Undefined { ddi: "IoCompleteRequest", .. } => "!".to_owned(),
        stop => stop.to_string(),
    }
}

/// A program that waits in the call.
fn synchronous(behaviour: Behaviour) -> String {
    let mut m = machine(behaviour);
    let file = m.create_file("\\\\.\\ANSWERS", OpenOptions::READ_WRITE).unwrap().unwrap();
    let mut output = [0x11; 6];
    let seen = match m.device_io_control(file, CODE, &[1], &mut output) {
        Ok(IoStatus { status, information }) => format!("{} {information} [{}]", short(status), copied(&output)),
        Err(Stop::Hang { .. }) => return "waits for ever".to_owned(),
        Err(stop) => return stop.to_string(),
    };
    match m.advance(Ticks::from_millis(5)) {
        Ok(()) => seen,
        Err(stop) => format!("{seen} {}", late(stop)),
    }
}

/// How a program that goes on is told of the end.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Event,
    Apc,
    Port,
}

fn overlapped(behaviour: Behaviour, told: Told) -> String {
    let mut m = machine(behaviour);
    let options = OpenOptions { completion_port: told == Told::Port, ..OpenOptions::OVERLAPPED };
    let file = m.create_file("\\\\.\\ANSWERS", options).unwrap().unwrap();
    let started = match told {
        Told::Apc => m.start_io_control_with_apc(file, CODE, &[1], &[0x11; 6]),
        Told::Event | Told::Port => m.start_io_control(file, CODE, &[1], &[0x11; 6]),
    };
    let started = started.unwrap();
    if let Err(stop) = m.advance(Ticks::from_millis(5)) {
        return format!("error: {}", late(stop));
    }
    let announced: Option<Overlapped> = match told {
        Told::Apc => m.next_apc(),
        Told::Port => m.next_completion(),
        Told::Event => None,
    };
    let mut output = [0; 6];
    let request = started.ok().or(announced);
    let block = request.and_then(|request| m.overlapped_result(request, &mut output));
    let api = if started.is_ok() { "accepted" } else { "error" };
    let end = match block {
        Some(IoStatus { status, information }) => format!("{} {information} [{}]", short(status), copied(&output)),
        None => "-".to_owned(),
    };
    let how = match (told, announced.is_some()) {
        (Told::Event, _) => "",
        (Told::Apc, true) => ", APC",
        (Told::Port, true) => ", packet",
        (_, false) => ", not told",
    };
    format!("{api}: {end}{how}")
}

const RETURNED: [NtStatus; 4] = [STATUS_SUCCESS, STATUS_BUFFER_OVERFLOW, STATUS_UNSUCCESSFUL, STATUS_PENDING];
const STATUSES: [NtStatus; 4] =
    [STATUS_SUCCESS, STATUS_OBJECT_NAME_EXISTS, STATUS_BUFFER_OVERFLOW, STATUS_UNSUCCESSFUL];

#[test]
fn every_combination_of_what_a_driver_returns_leaves_marks_and_does_later() {
    let mut table = "Information is 4 of the 6 bytes that the program has room for; [n] is how many of them it finds changed.\n\
         The driver returns, leaves in IoStatus, marks the IRP pending or not, completes it in its dispatch routine or later.
! means that it then writes into memory of a program that went on: Windows does, vbus stops there.\n\n"
        .to_owned();
    let columns = ["synchronous", "overlapped, event", "APC", "completion port"];
    let [a, b, c, d] = columns;
    writeln!(table, "{:<8}{:<9}{:<7}{:<6}| {a:<17}| {b:<24}| {c:<29}| {d}", "returns", "IoStatus", "marks", "when")
        .unwrap();
    for returned in RETURNED {
        for status in STATUSES {
            for (marks, later) in [(false, false), (false, true), (true, false), (true, true)] {
                let behaviour = Behaviour { returned, status, information: 4, marks, later };
                let cells = [Told::Event, Told::Apc, Told::Port].map(|told| overlapped(behaviour, told));
                let [event, apc, port] = cells;
                let (marks, when) = (if marks { "yes" } else { "no" }, if later { "later" } else { "now" });
                let (returned, status, waits) = (short(returned), short(status), synchronous(behaviour));
                let row =
                    format!("{returned:<8}{status:<9}{marks:<7}{when:<6}| {waits:<17}| {event:<24}| {apc:<29}| {port}");
                writeln!(table, "{}", row.trim_end()).unwrap();
            }
        }
    }
    approve!("what_callers_see", table);
}

#[test]
fn reads_and_writes_follow_the_flags_of_the_highest_device() {
    for io_type in [IoType::Buffered, IoType::Direct, IoType::Neither] {
        let mut m = Machine::new();
        m.add_extension(Vec::<u8>::new());
        let driver = m.create_driver("transfers");
        driver.set_all_majors(&mut m, |m, _, irp| {
            let data = &m[irp];
            let spans = [data.system_buffer, data.mdl, data.user_buffer];
            let (reads, buffer) = (data.current().major == Major::Read, spans.into_iter().flatten().next());
            let Some(buffer) = buffer else { return irp.complete_with(m, STATUS_SUCCESS, 0) };
            match reads {
                true => m.bytes_mut(buffer).fill(0xEE),
                false => {
                    let bytes = m.bytes(buffer).to_vec();
                    *m.extension_mut() = bytes;
                }
            }
            irp.complete_with(m, STATUS_SUCCESS, 3)
        });
        let device = m.create_device(driver);
        m[device].initializing = false;
        m[device].io_type = io_type;
        m.create_symbolic_link("\\??\\TRANSFERS", device).unwrap();
        let file = m.create_file("\\\\.\\TRANSFERS", OpenOptions::READ_WRITE).unwrap().unwrap();
        let mut output = [0x11; 4];
        assert_eq!(m.read_file(file, &mut output, 0).unwrap().information, 3);
        // A buffered read brings back what Information says, the others what the driver wrote.
        let expected = if io_type == IoType::Buffered { [0xEE, 0xEE, 0xEE, 0x11] } else { [0xEE; 4] };
        assert_eq!(output, expected, "{io_type:?}");
        assert_eq!(m.write_file(file, &[1, 2, 3], 512).unwrap().status, STATUS_SUCCESS);
        assert_eq!(m.extension::<Vec<u8>>(), &[1, 2, 3], "{io_type:?}");
        assert_eq!(m.read_file(file, &mut [], 0).unwrap(), IoStatus { status: STATUS_SUCCESS, information: 0 });
    }
}

#[test]
fn an_overlapped_read_is_collected_with_its_bytes_and_an_overlapped_write_with_its_count() {
    let success =
        Behaviour { returned: STATUS_PENDING, status: STATUS_SUCCESS, information: 2, marks: true, later: true };
    let mut m = machine(success);
    let file = m.create_file("\\\\.\\ANSWERS", OpenOptions::OVERLAPPED).unwrap().unwrap();
    let read = m.start_read(file, &[0x11; 4], 0).unwrap().unwrap();
    let write = m.start_write(file, &[1, 2], 0).unwrap().unwrap();
    m.advance(Ticks::from_millis(1)).unwrap();
    let mut output = [0; 4];
    assert_eq!(m.overlapped_result(read, &mut output).map(|result| result.information), Some(2));
    // The device has neither flag: its driver has the program's own buffer, and did not touch it.
    assert_eq!(output, [0x11; 4]);
    assert_eq!(m.overlapped_result(write, &mut []).map(|result| result.information), Some(2));
}

#[test]
fn a_handle_reads_and_writes_only_with_the_rights_it_was_opened_with() {
    let ok = Behaviour { returned: STATUS_SUCCESS, status: STATUS_SUCCESS, information: 0, marks: false, later: false };
    let mut m = machine(ok);
    for (access, reads, writes) in [
        (Access::ANY, STATUS_ACCESS_DENIED, STATUS_ACCESS_DENIED),
        (Access::READ, STATUS_SUCCESS, STATUS_ACCESS_DENIED),
        (Access::WRITE, STATUS_ACCESS_DENIED, STATUS_SUCCESS),
        (Access::READ_WRITE, STATUS_SUCCESS, STATUS_SUCCESS),
    ] {
        let file = m.create_file("\\\\.\\ANSWERS", OpenOptions { access, ..OpenOptions::default() }).unwrap().unwrap();
        assert_eq!(m.read_file(file, &mut [0; 2], 0).unwrap().status, reads, "{access:?}");
        assert_eq!(m.write_file(file, &[0; 2], 0).unwrap().status, writes, "{access:?}");
    }
}

#[test]
fn an_apc_and_a_completion_port_exclude_each_other() {
    let ok = Behaviour { returned: STATUS_SUCCESS, status: STATUS_SUCCESS, information: 0, marks: false, later: false };
    let mut m = machine(ok);
    let file = m.create_file("\\\\.\\ANSWERS", OpenOptions::OVERLAPPED).unwrap().unwrap();
    let started = m.start_io_control_with_apc(file, CODE, &[], &[]).unwrap();
    assert_eq!(started, Err(STATUS_INVALID_PARAMETER));
}
