//! Requests of the driver's own: creation, reuse, and the IRP that a bigger target makes necessary.

use vbus::iotarget::{CompletionParams, Data, IoTarget, ReuseParams, SendOptions, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine, NtStatus};

use super::case::{Case, Event};
use super::world::*;

pub fn run(case: &Case) -> Vec<Event> {
    let mut m = machine(Behaviour::succeed(4));
    let Fixture { driver, device } = fixture(&mut m, case.is_set("ver"), None);
    let devices =
        [("T1", "<TDEV1>"), ("T2", "<TDEV2>")].map(|(key, name)| target_device(&mut m, case.number_of(key), name));
    let targets = [(devices[0], "<TGT1>"), (devices[1], "<TGT2>")];
    let targets = targets.map(|(on, name)| m.run(|m| open_target(m, device, on, name)).unwrap());
    start(&mut m, driver);
    let outcome = m.run(|m| play(m, case, driver, targets));
    finish(m, outcome)
}

fn play(m: &mut Machine, case: &Case, driver: Driver, [first, second]: [IoTarget; 2]) {
    let mode = case.text_of("mode");
    let request = match mode {
        "create" => Request::create(m, driver, Attributes::none()).unwrap(),
        "createWithTarget" => first.create_request(m, Attributes::none()).unwrap(),
        _ => {
            let irp = m.allocate_irp(case.number_of("S")).unwrap();
            irp_name(m, irp);
            Request::create_from_irp(m, driver, irp, mode == "fromIrpFree", Attributes::none()).unwrap()
        }
    };
    request_name(m, request);
    record(m, format!("create {mode} {}", hex(STATUS_SUCCESS)));
    record_irp(m, request);
    if format(m, request, first) && case.is_set("sendBetween") {
        send(m, request, first);
    }
    match case.number_of("reuse") {
        0 => {}
        kind => {
            let new_irp = (kind == 2).then(|| m.allocate_irp(case.number_of("S2")).unwrap());
            if let Some(irp) = new_irp {
                name(m, irp.address(), "<IRPX>");
            }
            let reused = request.reuse(m, ReuseParams { status: STATUS_SUCCESS, new_irp, must_complete: false });
            record(m, format!("reuse {} {}", u8::from(kind == 2), hex(NtStatus::from(reused))));
            record_irp(m, request);
        }
    }
    if format(m, request, second) {
        send(m, request, second);
    }
    delete(m, request);
}

fn record_irp(m: &mut Machine, request: Request) {
    // The measured side asks twice.
    request.irp(m);
    let event = match request.irp(m) {
        Some(irp) => format!("irp {} {} {}", irp_name(m, irp), m[irp].stack_count(), m[irp].current_location()),
        None => "irp null".to_owned(),
    };
    record(m, event);
}

fn format(m: &mut Machine, request: Request, target: IoTarget) -> bool {
    let formatted = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
    record(m, format!("format intioctl {}", hex(NtStatus::from(formatted))));
    record_irp(m, request);
    formatted.is_ok()
}

fn send(m: &mut Machine, request: Request, target: IoTarget) {
    request.set_completion_routine(m, completed, Context(0));
    let sent = request.send(m, target, SendOptions::none());
    let status = request.status(m);
    record(m, format!("send {} {}", u8::from(sent), hex(status)));
}

fn delete(m: &mut Machine, request: Request) {
    record(m, "delete".to_owned());
    request.delete(m);
}

fn completed(m: &mut Machine, request: Request, target: IoTarget, params: &CompletionParams, _: Context) {
    record_completion(m, request, target, params);
}
