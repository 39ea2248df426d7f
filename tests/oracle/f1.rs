//! A dispatched request, formatted and sent on to a target.

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine, NtStatus};

use super::case::{Case, Event};
use super::world::*;

/// What the queue's callback does.
struct Plan {
    format: String,
    target: IoTarget,
}

pub fn run(case: &Case) -> Vec<Event> {
    let (status, information, pends) = match case.text_of("target") {
        "error" => (STATUS_DEVICE_DATA_ERROR, 0, Pends::Never),
        "pend_success" => (STATUS_SUCCESS, 7, Pends::Deaf),
        "pend_error" => (STATUS_DEVICE_DATA_ERROR, 0, Pends::Deaf),
        _ => (STATUS_SUCCESS, 4, Pends::Never),
    };
    let mut m = machine(Behaviour { status, information, pends });
    let Fixture { driver, device } = fixture(&mut m, case.is_set("ver"), Some(on_request));
    let on = target_device(&mut m, case.number_of("T"), "<TDEV>");
    let target = m.run(|m| open_target(m, device, on, "<TGT>")).unwrap();
    m.add_extension(Plan { format: case.text_of("fmt").to_owned(), target });
    start(&mut m, driver);
    let outcome = m.run(|m| {
        dispatch(m, device, case.number_of("S"), case.number_of("c"));
        targets_complete(m, status, information);
    });
    finish(m, outcome)
}

fn on_request(m: &mut Machine, _: Queue, request: Request) {
    let name = request_name(m, request);
    let irp = request.current_irp(m).unwrap();
    let (count, current) = (m[irp].stack_count(), m[irp].current_location());
    irp_name(m, irp);
    record(m, format!("queueCallback {name} {count} {current}"));
    let Plan { format, target } = m.extension::<Plan>();
    let (format, target) = (format.clone(), *target);
    let formatted = match format.as_str() {
        "intioctl" => target.format_internal_ioctl(m, request, CODE, Data::None, Data::None),
        "ioctl" => target.format_ioctl(m, request, CODE, Data::None, Data::None),
        "read" => target.format_read(m, request, Data::None, 0),
        "write" => target.format_write(m, request, Data::None, 0),
        _ => {
            request.format_using_current_type(m);
            Ok(())
        }
    };
    let shown = if format == "current" { "void".to_owned() } else { hex(NtStatus::from(formatted)) };
    record(m, format!("format {format} {shown}"));
    if let Err(status) = formatted {
        return request.complete(m, status);
    }
    request.set_completion_routine(m, completed, Context(0));
    if request.send(m, target, SendOptions::none()) {
        record(m, "send 1".to_owned());
    } else {
        let status = request.status(m);
        record(m, format!("send 0 {}", hex(status)));
        request.complete(m, status);
    }
}

fn completed(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _: Context) {
    record_completion(m, request, target, params);
    request.complete_with_information(m, params.io_status.status, params.io_status.information);
}
