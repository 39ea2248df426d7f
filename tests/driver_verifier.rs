//! Driver Verifier's I/O verification: each rule with a driver that breaks it, and what happens with and without.

mod common;

use std::fmt::Write;

use common::{READ_CARD, card_text, exchange};
use vbus::Setup;
use vbus::wdm::constants::*;
use vbus::wdm::{
    Access, Context, Control, ControlRequest, DeviceObject, Event, IoType, IoctlCode, Irp, Irql, Machine, Major,
    Method, NtStatus, OpenOptions, PnpMinor, Severity, Span, Stop, SystemPowerState, Ticks, TransferRequest,
    VerifierOptions,
};

/// A stack of three plain devices: the lowest completes with success, unless it is told to hold, and the middle one is
/// where things are done wrong.
struct Stack {
    bottom: DeviceObject,
    middle: DeviceObject,
    top: DeviceObject,
}

type Dispatch = fn(&mut Machine, DeviceObject, Irp) -> NtStatus;

/// What the lowest device keeps, and what the middle one does.
#[derive(Default)]
struct World {
    holds: bool,
    held: Option<Irp>,
    wrong: Option<Dispatch>,
}

fn bottom(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    if m.extension::<World>().holds {
        irp.mark_pending(m);
        m.extension_mut::<World>().held = Some(irp);
        return STATUS_PENDING;
    }
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

fn skip(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    m[irp].skip_current_location();
    let lower = device.lower_device(m).unwrap();
    irp.call_driver(m, lower)
}

fn middle(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    match m.extension::<World>().wrong {
        Some(wrong) => wrong(m, device, irp),
        None => skip(m, device, irp),
    }
}

fn stack(m: &mut Machine) -> Stack {
    m.add_extension(World::default());
    let [bottom, middle, top] = [("bottom", bottom as _), ("middle", middle as _), ("top", skip as _)].map(
        |(name, dispatch): (&str, Dispatch)| {
            let driver = m.create_driver(name);
            driver.set_all_majors(m, dispatch);
            let device = m.create_device(driver);
            m[device].initializing = false;
            device
        },
    );
    middle.attach_to_stack(m, bottom).unwrap();
    top.attach_to_stack(m, middle).unwrap();
    Stack { bottom, middle, top }
}

/// Sends a request to the top of the stack as a driver above it would, and lets everything happen.
fn send(m: &mut Machine, stack: &Stack, major: Major) -> Irp {
    let irp = m.allocate_irp(m[stack.top].stack_size).unwrap();
    m[irp].io_status.status = STATUS_NOT_SUPPORTED;
    m[irp].next_mut().major = major;
    m[irp].set_completion_routine(keep, Context(0), Control::INVOKE_ALWAYS);
    irp.call_driver(m, stack.top);
    m.run_ready();
    irp
}

fn keep(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
    STATUS_MORE_PROCESSING_REQUIRED
}

fn goes_on(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
    STATUS_SUCCESS
}

fn never_called(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    irp.complete_with(m, STATUS_CANCELLED, 0);
}

fn does(m: &mut Machine, stack: &Stack, wrong: Dispatch) {
    m.extension_mut::<World>().wrong = Some(wrong);
    send(m, stack, Major::DeviceControl);
}

fn holding(m: &mut Machine, stack: &Stack, wrong: Dispatch) {
    m.extension_mut::<World>().holds = true;
    does(m, stack, wrong);
}

fn lower(m: &Machine, device: DeviceObject) -> DeviceObject {
    device.lower_device(m).unwrap()
}

type Wrong = fn(&mut Machine, &Stack);

/// One driver for each rule, with the code of the rule.
const WRONGS: &[(u32, Wrong)] = &[
    (0x01, |m, _| {
        let irp = m.allocate_irp(1).unwrap();
        irp.free(m);
        irp.free(m);
    }),
    (0x02, |m, stack| build(m, stack, None).free(m)),
    (0x03, |m, stack| {
        let irp = m.allocate_irp(3).unwrap();
        irp.free(m);
        irp.call_driver(m, stack.top);
    }),
    (0x04, |m, _| {
        let driver = m.create_driver("gone");
        let device = m.create_device(driver);
        device.delete(m);
        let irp = m.allocate_irp(1).unwrap();
        irp.call_driver(m, device);
    }),
    (0x05, |m, stack| {
        does(m, stack, |m, device, irp| {
            let status = skip(m, device, irp);
            m.set_irql(Irql::Dispatch);
            status
        });
    }),
    (0x06, |m, stack| does(m, stack, |m, _, irp| irp.complete_with(m, STATUS_PENDING, 0))),
    (0x07, |m, stack| {
        does(m, stack, |m, _, irp| {
            irp.set_cancel_routine(m, Some(never_called));
            irp.complete_with(m, STATUS_SUCCESS, 0)
        });
    }),
    (0x08, |m, stack| {
        m[stack.top].io_type = IoType::Direct;
        let nothing = TransferRequest { major: Major::Read, buffer: Some(Span::null(8)), offset: 0 };
        let irp = m.build_asynchronous_fsd_request(stack.top, nothing);
        assert_eq!(irp, Err(STATUS_INSUFFICIENT_RESOURCES));
    }),
    (0x09, |m, stack| {
        let code = IoctlCode::new(0x8000, 1, Method::OutDirect, Access::ANY);
        let nothing = ControlRequest { code, output: Some(Span::null(8)), ..ControlRequest::default() };
        let block = m.create_status_block();
        let irp = m.build_device_io_control_request(stack.top, nothing, None, block);
        assert_eq!(irp, Err(STATUS_INSUFFICIENT_RESOURCES));
    }),
    (0x0E, |m, stack| {
        does(m, stack, |m, _, irp| {
            m.set_irql(Irql::Device);
            irp.complete_with(m, STATUS_SUCCESS, 0)
        });
    }),
    (0x10, |m, stack| {
        let irp = m.allocate_irp(3).unwrap();
        m[irp].next_mut().major = Major::DeviceControl;
        m.set_irql(Irql::Device);
        irp.call_driver(m, stack.top);
    }),
    (0x201, |m, stack| stack.middle.delete(m)),
    (0x202, |m, stack| stack.bottom.detach(m)),
    (0x203, |m, stack| {
        does(m, stack, |m, device, irp| {
            irp.set_cancel_routine(m, Some(never_called));
            skip(m, device, irp)
        });
    }),
    (0x205, |m, stack| {
        holding(m, stack, |m, device, irp| {
            m[irp].copy_current_to_next();
            m[irp].set_completion_routine(keep, Context(0), Control::INVOKE_ALWAYS);
            irp.mark_pending(m);
            let lower = lower(m, device);
            irp.call_driver(m, lower);
            m[irp].skip_current_location();
            irp.call_driver(m, lower)
        });
    }),
    (0x206, |m, stack| {
        does(m, stack, |m, device, irp| {
            irp.mark_pending(m);
            let by_hand = *m[irp].current();
            *m[irp].next_mut() = by_hand;
            let lower = lower(m, device);
            irp.call_driver(m, lower);
            STATUS_PENDING
        });
    }),
    (0x207, |m, stack| {
        does(m, stack, |m, device, irp| {
            let by_hand = *m[irp].current();
            *m[irp].next_mut() = by_hand;
            let lower = lower(m, device);
            irp.call_driver(m, lower)
        });
    }),
    (0x208, |m, stack| {
        let irp = m.allocate_irp(1).unwrap();
        irp.call_driver(m, stack.bottom);
        let irp = m.allocate_irp(1).unwrap();
        m[irp].set_next_location();
        irp.call_driver(m, stack.bottom);
    }),
    (0x209, |m, stack| {
        holding(m, stack, |m, device, irp| {
            m[irp].copy_current_to_next();
            m[irp].set_completion_routine(goes_on, Context(0), Control::INVOKE_ALWAYS);
            let lower = lower(m, device);
            irp.call_driver(m, lower);
            irp.complete_with(m, STATUS_UNSUCCESSFUL, 0)
        });
    }),
    (0x20B, |m, stack| {
        m.extension_mut::<World>().holds = true;
        send(m, stack, Major::DeviceControl).free(m);
    }),
    (0x20E, |m, stack| {
        let irp = m.allocate_irp(3).unwrap();
        m[irp].next_mut().major = Major::Pnp;
        m[irp].next_mut().minor = PnpMinor::QueryCapabilities as u8;
        irp.call_driver(m, stack.top);
    }),
    (0x20F, |m, stack| {
        let irp = m.allocate_irp(3).unwrap();
        m[irp].next_mut().major = Major::Power;
        irp.call_driver(m, stack.top);
    }),
    (0x210, |m, stack| {
        let irp = m.allocate_irp(3).unwrap();
        m[irp].next_mut().major = Major::SystemControl;
        irp.call_driver(m, stack.top);
    }),
    (0x211, |m, stack| {
        let irp = m.allocate_irp(3).unwrap();
        m[irp].next_mut().major = Major::DeviceControl;
        fn past_the_middle(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
            m[irp].skip_current_location();
            let bottom = device.bottom_of_stack(m);
            irp.call_driver(m, bottom)
        }
        let top = stack.top.driver(m);
        top.set_all_majors(m, past_the_middle);
        irp.call_driver(m, stack.top);
    }),
    (0x215, |m, stack| {
        m.extension_mut::<World>().wrong = Some(|m, device, irp| {
            m[irp].io_status.status = STATUS_UNSUCCESSFUL;
            skip(m, device, irp)
        });
        query_capabilities(m, stack, STATUS_NOT_SUPPORTED);
    }),
    (0x216, |m, stack| {
        m.extension_mut::<World>().wrong = Some(|m, device, irp| {
            m[irp].io_status.status = STATUS_NOT_SUPPORTED;
            skip(m, device, irp)
        });
        let top = stack.top.driver(m);
        top.set_all_majors(m, |m, device, irp| {
            m[irp].io_status.status = STATUS_SUCCESS;
            skip(m, device, irp)
        });
        query_capabilities(m, stack, STATUS_NOT_SUPPORTED);
    }),
    (0x21C, |m, stack| {
        does(m, stack, |m, device, irp| {
            m[irp].copy_current_to_next();
            let lower = lower(m, device);
            irp.call_driver(m, lower)
        });
    }),
    (0x224, |m, stack| {
        does(m, stack, |m, _, irp| {
            irp.complete_with(m, STATUS_UNSUCCESSFUL, 0);
            STATUS_SUCCESS
        });
    }),
    (0x225, |m, stack| {
        does(m, stack, |m, device, irp| {
            skip(m, device, irp);
            NtStatus(0xFFFF_FFFF)
        });
    }),
    (0x226, |m, stack| does(m, stack, |_, _, _| STATUS_SUCCESS)),
    (0x228, |m, stack| {
        holding(m, stack, |m, device, irp| {
            m[irp].copy_current_to_next();
            m[irp].set_completion_routine(goes_on, Context(0), Control::INVOKE_ALWAYS);
            let lower = lower(m, device);
            irp.call_driver(m, lower)
        });
        let held = m.extension_mut::<World>().held.take().unwrap();
        held.complete_with(m, STATUS_UNSUCCESSFUL, 0);
    }),
    (0x229, |m, stack| {
        holding(m, stack, |m, device, irp| {
            m[irp].copy_current_to_next();
            m[irp].set_completion_routine(goes_on, Context(0), Control::INVOKE_ALWAYS);
            let lower = lower(m, device);
            let status = irp.call_driver(m, lower);
            irp.set_cancel_routine(m, Some(never_called));
            status
        });
    }),
    (0x22E, |m, stack| {
        m.extension_mut::<World>().wrong = Some(|m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
        query_capabilities(m, stack, STATUS_NOT_SUPPORTED);
    }),
    (0x22F, |m, stack| {
        m.extension_mut::<World>().wrong = Some(|m, _, irp| irp.complete_with(m, STATUS_NOT_SUPPORTED, 0));
        query_capabilities(m, stack, STATUS_NOT_SUPPORTED);
    }),
    (0x231, |m, stack| {
        m.extension_mut::<World>().wrong = Some(|m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
        send(m, stack, Major::Power);
    }),
    (0x232, |m, stack| {
        m.extension_mut::<World>().wrong = Some(|m, _, irp| irp.complete_with(m, STATUS_NOT_SUPPORTED, 0));
        send(m, stack, Major::Power);
    }),
    (0x237, |m, stack| {
        let irp = m.allocate_irp(3).unwrap();
        m[irp].io_status.status = STATUS_NOT_SUPPORTED;
        m[irp].next_mut().major = Major::Pnp;
        m[irp].next_mut().minor = PnpMinor::RemoveDevice as u8;
        irp.call_driver(m, stack.top);
    }),
    (0x239, |m, _| {
        let irp = m.allocate_irp(1).unwrap();
        irp.complete_with(m, STATUS_SUCCESS, 0);
    }),
    (0x23A, |m, stack| {
        m.set_irql(Irql::Dispatch);
        send(m, stack, Major::Create);
    }),
    (0x23D, |m, stack| {
        m.extension_mut::<World>().holds = false;
        does(m, stack, |m, _, irp| {
            m.queue_work_item(
                |m, context| _ = Irp::from_context(context).unwrap().complete_with(m, STATUS_SUCCESS, 0),
                irp.to_context(),
            );
            STATUS_PENDING
        });
    }),
    (0x23E, |m, stack| {
        does(m, stack, |m, _, irp| {
            irp.mark_pending(m);
            irp.complete_with(m, STATUS_SUCCESS, 0)
        });
    }),
    (0x240, |m, stack| {
        // The device above keeps it.
        stack.bottom.delete(m);
        stack.bottom.delete(m);
    }),
    (0x302, |m, stack| {
        let irp = build(m, stack, None);
        m.set_irql(Irql::Apc);
        irp.call_driver(m, stack.top);
    }),
    (0x307, |m, stack| {
        let event = m.create_event();
        event.set(m);
        m.extension_mut::<World>().holds = true;
        build(m, stack, Some(event)).call_driver(m, stack.top);
    }),
    (0x310, |m, stack| {
        m.extension_mut::<World>().holds = true;
        send(m, stack, Major::DeviceControl).reuse(m, STATUS_SUCCESS);
    }),
    (0x311, |m, stack| build(m, stack, None).reuse(m, STATUS_SUCCESS)),
    (0x312, |m, stack| _ = answers_a_program(m, stack, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 5))),
];

/// A program asks the stack for four bytes, in a buffered request.
fn answers_a_program(m: &mut Machine, stack: &Stack, answer: Dispatch) -> Result<NtStatus, Stop> {
    m.create_symbolic_link("\\??\\Stack", stack.bottom).unwrap();
    let file = m.create_file("\\\\.\\Stack", OpenOptions::READ_WRITE)?.unwrap();
    m.extension_mut::<World>().wrong = Some(answer);
    let code = IoctlCode::new(0x8000, 1, Method::Buffered, Access::ANY);
    Ok(m.device_io_control(file, code, b"ping", &mut [0; 4])?.status)
}

/// A control request that a driver builds in its thread.
fn build(m: &mut Machine, stack: &Stack, event: Option<Event>) -> Irp {
    let block = m.create_status_block();
    m.build_device_io_control_request(stack.top, ControlRequest::default(), event, block).unwrap()
}

fn query_capabilities(m: &mut Machine, stack: &Stack, status: NtStatus) {
    let irp = m.allocate_irp(3).unwrap();
    m[irp].io_status.status = status;
    m[irp].next_mut().major = Major::Pnp;
    m[irp].next_mut().minor = PnpMinor::QueryCapabilities as u8;
    irp.call_driver(m, stack.top);
}

/// How a run of a driver ends.
fn outcome(wrong: Wrong, options: Option<VerifierOptions>) -> (Result<(), Stop>, Vec<String>) {
    let mut m = Machine::new();
    let stack = stack(&mut m);
    if let Some(options) = options {
        m.verify_drivers(options);
    }
    let result = m.run(|m| wrong(m, &stack));
    (result, m.verifier_findings().iter().map(ToString::to_string).collect())
}

fn told(outcome: &(Result<(), Stop>, Vec<String>)) -> String {
    match outcome {
        (Err(stop), _) => stop.to_string(),
        (Ok(()), findings) if findings.is_empty() => "goes on".to_owned(),
        (Ok(()), findings) => findings.join("; "),
    }
}

#[test]
fn every_rule_is_broken_by_its_driver() {
    let mut table = String::new();
    for &(code, wrong) in WRONGS {
        let (verified, plain) = (outcome(wrong, Some(VerifierOptions::default())), outcome(wrong, None));
        writeln!(table, "{code:#X}\n  verified: {}\n  plain:    {}", told(&verified), told(&plain)).unwrap();
        match &verified {
            (Err(Stop::BugCheck(check)), _) => assert_eq!((check.code, check.parameters[0]), (0xC9, code.into())),
            (Ok(()), findings) => assert!(findings.iter().any(|f| f.starts_with(&format!("{code:#X} warning")))),
            other => panic!("{code:#X}: {other:?}"),
        }
    }
    approve!("driver_verifier_rules", table);
}

#[test]
fn a_driver_may_fill_the_output_part_of_the_system_buffer_to_its_end_or_need_more_and_say_so() {
    let answers: [(Dispatch, NtStatus); 2] = [
        (|m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 4), STATUS_SUCCESS),
        // How much it needs may be more than there is: an error copies nothing.
        (|m, _, irp| irp.complete_with(m, STATUS_BUFFER_TOO_SMALL, 5), STATUS_BUFFER_TOO_SMALL),
    ];
    for (answer, status) in answers {
        let mut m = Machine::new();
        let stack = stack(&mut m);
        m.verify_drivers(VerifierOptions::default());
        assert_eq!(answers_a_program(&mut m, &stack, answer), Ok(status));
        assert_eq!(m.verifier_findings(), []);
    }
}

#[test]
fn whoever_sits_at_the_debugger_may_ignore_a_wdm_driver_error_and_nothing_else() {
    let ignore = VerifierOptions { ignore: true, ..VerifierOptions::default() };
    let mut table = String::new();
    for &(code, wrong) in WRONGS {
        let (result, findings) = outcome(wrong, Some(ignore));
        if code < 0x200 {
            assert!(matches!(result, Err(Stop::BugCheck(check)) if check.code == 0xC9), "{code:#X}");
            continue;
        }
        writeln!(table, "{code:#X}").unwrap();
        findings.iter().for_each(|finding| writeln!(table, "  {finding}").unwrap());
        let end = result.err().map_or("goes on".to_owned(), |stop| stop.to_string());
        writeln!(table, "  {end}").unwrap();
    }
    approve!("driver_verifier_ignored", table);
}

#[test]
fn a_completion_routine_returns_at_the_level_at_which_it_was_called() {
    fn raises(m: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
        m.set_irql(Irql::Dispatch);
        STATUS_MORE_PROCESSING_REQUIRED
    }
    let mut m = Machine::new();
    let stack = stack(&mut m);
    m.verify_drivers(VerifierOptions::default());
    let stop = m.run(|m| {
        let irp = m.allocate_irp(3).unwrap();
        m[irp].next_mut().major = Major::Read;
        m[irp].set_completion_routine(raises, Context(0), Control::INVOKE_ALWAYS);
        irp.call_driver(m, stack.top);
    });
    let Err(Stop::BugCheck(check)) = stop else { panic!("{stop:?}") };
    assert_eq!((check.code, check.parameters[0], check.parameters[2..].to_vec()), (0xC4, 0xFA, vec![0, 2]));
}

#[test]
fn the_virtual_bus_and_its_readers_break_no_rule() {
    for force_pending in [false, true] {
        let mut vbus = Setup::default().bus_extra_stack(3).build().unwrap();
        vbus.machine.verify_drivers(VerifierOptions { force_pending, ignore: true });
        let service = vbus.service().unwrap();
        service.plug_in(&mut vbus.machine, vbus::bus::ReaderId(8)).unwrap();
        vbus.machine.advance(Ticks::from_millis(10)).unwrap();
        service.close(&mut vbus.machine).unwrap();
        let (result, answer) = exchange(&mut vbus, 8, READ_CARD);
        assert_eq!((result.status, answer), (STATUS_SUCCESS, card_text(8)));
        let service = vbus.service().unwrap();
        service.unplug(&mut vbus.machine, vbus::bus::ReaderId(8)).unwrap();
        service.close(&mut vbus.machine).unwrap();
        vbus.machine.sleep(SystemPowerState::Sleeping3).unwrap().unwrap();
        vbus.machine.wake().unwrap();
        let bus = vbus.buses[0];
        vbus.machine.stop_device(bus).unwrap().unwrap();
        vbus.machine.restart_device(bus).unwrap();
        vbus.machine.remove_device(bus).unwrap().unwrap();
        let broken = vbus.machine.verifier_findings().iter().filter(|finding| finding.severity != Severity::Warning);
        assert_eq!(broken.map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }
}

#[test]
fn a_forced_pending_completion_comes_when_the_sender_was_told_status_pending() {
    fn sees(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
        let pended = m[irp].pending_returned;
        m.extension_mut::<Vec<String>>().push(format!("routine, PendingReturned {pended}"));
        STATUS_MORE_PROCESSING_REQUIRED
    }
    for force_pending in [false, true] {
        let mut m = Machine::new();
        let stack = stack(&mut m);
        m.add_extension(Vec::<String>::new());
        m.verify_drivers(VerifierOptions { force_pending, ..VerifierOptions::default() });
        m.run(|m| {
            let irp = m.allocate_irp(3).unwrap();
            m[irp].next_mut().major = Major::Read;
            m[irp].set_completion_routine(sees, Context(0), Control::INVOKE_ALWAYS);
            let status = irp.call_driver(m, stack.top);
            m.extension_mut::<Vec<String>>().push(format!("IoCallDriver {status}"));
        })
        .unwrap();
        let expected = match force_pending {
            false => ["routine, PendingReturned false", "IoCallDriver STATUS_SUCCESS"],
            true => ["IoCallDriver 0x00000103(STATUS_PENDING)", "routine, PendingReturned true"],
        };
        assert_eq!(m.extension::<Vec<String>>(), &expected);
    }
}
