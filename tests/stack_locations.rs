//! StackSize, CurrentLocation and the walk up: the I/O manager's arithmetic, in the order in which a driver writer meets it.

mod common;

use std::fmt::Write;

use vbus::wdm::constants::*;
use vbus::wdm::{Context, Control, DeviceObject, Irp, Machine, Major, NtStatus};

type Dispatch = fn(&mut Machine, DeviceObject, Irp) -> NtStatus;

fn device(m: &mut Machine, name: &str, dispatch: Dispatch) -> DeviceObject {
    let driver = m.create_driver(name);
    driver.set_all_majors(m, dispatch);
    let device = m.create_device(driver);
    m[device].initializing = false;
    device
}

fn succeed(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

fn keep(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
    STATUS_MORE_PROCESSING_REQUIRED
}

#[test]
fn a_stack_size_is_copied_once_by_whoever_attaches() {
    let mut m = Machine::new();
    let [pdo, function, filter, late] = ["pdo", "function", "filter", "late"].map(|name| device(&mut m, name, succeed));
    assert_eq!(m[pdo].stack_size, 1, "IoCreateDevice");
    assert_eq!(function.attach_to_stack(&mut m, pdo), Ok(pdo));
    // As a driver does in AddDevice: who attaches later sees it.
    m[function].stack_size += 1;
    // Whatever device of the stack is named, the present top is meant.
    assert_eq!(filter.attach_to_stack(&mut m, pdo), Ok(function));
    assert_eq!([pdo, function, filter].map(|device| m[device].stack_size), [1, 3, 4]);
    m[pdo].stack_size = 7;
    assert_eq!([function, filter].map(|device| m[device].stack_size), [3, 4], "nobody computes it again");
    filter.detach(&mut m);
    assert_eq!([function, filter].map(|device| m[device].stack_size), [3, 4], "nor when a device leaves");
    m[function].stack_size = i8::MAX;
    assert_eq!(filter.attach_to_stack(&mut m, pdo), Ok(function));
    assert_eq!(m[filter].stack_size, i8::MIN, "it is a CCHAR");
    m[filter].initializing = true;
    assert_eq!(late.attach_to_stack(&mut m, pdo), Err(STATUS_NO_SUCH_DEVICE), "the top is not ready yet");
    m[filter].initializing = false;
    filter.refuse_opens(&mut m);
    assert_eq!(late.attach_to_stack(&mut m, pdo), Err(STATUS_NO_SUCH_DEVICE), "the top goes");
}

/// CurrentLocation, and what is in the location that a driver would be called with next.
fn state(m: &mut Machine, irp: Irp) -> String {
    let data = &m[irp];
    let (current, next) = (*data.current(), *data.next());
    format!(
        "CL {}  current: {:?} Control {:02x}  next: {:?} Control {:02x} routine {}",
        data.current_location(),
        current.major,
        current.control.0,
        next.major,
        next.control.0,
        if next.completion.is_some() { "set" } else { "none" }
    )
}

#[test]
fn each_primitive_moves_or_fills_a_location_and_does_nothing_else() {
    type Primitive = fn(&mut Machine, Irp);
    let primitives: [(&str, Primitive); 6] = [
        ("IoCopyCurrentIrpStackLocationToNext", |m, irp| m[irp].copy_current_to_next()),
        ("IoSetCompletionRoutine(TRUE, FALSE, TRUE)", |m, irp| {
            m[irp].set_completion_routine(
                keep,
                Context(0),
                Control(Control::INVOKE_ON_SUCCESS.0 | Control::INVOKE_ON_CANCEL.0),
            );
        }),
        ("IoMarkIrpPending", |m, irp| irp.mark_pending(m)),
        ("IoSkipCurrentIrpStackLocation", |m, irp| m[irp].skip_current_location()),
        ("IoSetNextIrpStackLocation", |m, irp| m[irp].set_next_location()),
        ("both", |m, irp| {
            m[irp].copy_current_to_next();
            m[irp].set_next_location();
        }),
    ];
    let mut table = String::new();
    for (name, primitive) in primitives {
        let mut m = Machine::new();
        let irp = m.allocate_irp(3).unwrap();
        assert_eq!((m[irp].stack_count(), m[irp].current_location()), (3, 4), "IoAllocateIrp: one past the end");
        m[irp].set_next_location();
        m[irp].current_mut().major = Major::DeviceControl;
        let before = state(&mut m, irp);
        m.run(|m| primitive(m, irp)).unwrap();
        if table.is_empty() {
            writeln!(table, "{:<42} {before}", "a driver's, of 3 locations").unwrap();
        }
        writeln!(table, "{name:<42} {}", state(&mut m, irp)).unwrap();
    }
    approve!("primitives", table);
}

/// Notes of who was called with which CurrentLocation.
fn note(m: &mut Machine, irp: Irp, who: &str) {
    let (location, pending) = (m[irp].current_location(), m[irp].pending_returned);
    let notes = m.extension_mut::<Vec<String>>();
    notes.push(format!("{who:<28} CL {location}{}", if pending { ", PendingReturned" } else { "" }));
}

#[test]
fn the_worked_example_of_a_filter_that_copies_and_a_function_driver_that_skips() {
    fn back(m: &mut Machine, owner: Option<DeviceObject>, irp: Irp, _: Context) -> NtStatus {
        let who = owner.map_or("nobody".to_owned(), |owner| owner.driver_name(m).to_owned());
        note(m, irp, &format!("routine of {who}"));
        if who == "nobody" { STATUS_MORE_PROCESSING_REQUIRED } else { STATUS_SUCCESS }
    }
    let filter: Dispatch = |m, device, irp| {
        note(m, irp, "filter: copies");
        m[irp].copy_current_to_next();
        m[irp].set_completion_routine(back, Context(0), Control::INVOKE_ALWAYS);
        let lower = device.lower_device(m).unwrap();
        irp.call_driver(m, lower)
    };
    let function: Dispatch = |m, device, irp| {
        note(m, irp, "function driver: skips");
        m[irp].skip_current_location();
        let lower = device.lower_device(m).unwrap();
        irp.call_driver(m, lower)
    };
    let pdo: Dispatch = |m, _, irp| {
        note(m, irp, "PDO: completes");
        irp.complete_with(m, STATUS_SUCCESS, 0)
    };
    let mut m = Machine::new();
    m.add_extension(Vec::<String>::new());
    let [pdo, function, filter] = [("pdo", pdo), ("function", function), ("filter", filter)]
        .map(|(name, dispatch)| device(&mut m, name, dispatch));
    function.attach_to_stack(&mut m, pdo).unwrap();
    filter.attach_to_stack(&mut m, pdo).unwrap();
    m.run(|m| {
        let irp = m.allocate_irp(m[filter].stack_size).unwrap();
        m[irp].next_mut().major = Major::DeviceControl;
        m[irp].set_completion_routine(back, Context(0), Control::INVOKE_ALWAYS);
        note(m, irp, "sender");
        irp.call_driver(m, filter);
        assert!(m[irp].location(1).is_some_and(|location| location.device.is_none()), "nobody uses location 1");
    })
    .unwrap();
    approve!("worked_example", m.extension::<Vec<String>>().join("\n"));
}

#[test]
fn a_routine_is_called_for_a_success_an_error_or_a_cancelled_irp_as_it_was_set() {
    const STATUSES: [(&str, NtStatus); 4] = [
        ("success", STATUS_SUCCESS),
        ("informational", NtStatus(0x4000_0000)),
        ("warning", STATUS_BUFFER_OVERFLOW),
        ("error", STATUS_UNSUCCESSFUL),
    ];
    let bits = [Control::INVOKE_ON_SUCCESS, Control::INVOKE_ON_ERROR, Control::INVOKE_ON_CANCEL];
    let mut table = String::from("                           on success  on error  on cancel\n");
    for (name, status) in STATUSES {
        for cancelled in [false, true] {
            let called = bits.map(|bit| {
                fn called(m: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
                    *m.extension_mut::<bool>() = true;
                    STATUS_MORE_PROCESSING_REQUIRED
                }
                let mut m = Machine::new();
                m.add_extension(false);
                m.add_extension(status);
                let lower = device(&mut m, "lower", |m, _, irp| {
                    let status = *m.extension::<NtStatus>();
                    irp.complete_with(m, status, 0)
                });
                m.run(|m| {
                    let irp = m.allocate_irp(1).unwrap();
                    m[irp].next_mut().major = Major::Read;
                    m[irp].set_completion_routine(called, Context(0), bit);
                    if cancelled {
                        assert!(!irp.cancel(m), "nobody has a cancel routine: only the flag is set");
                    }
                    irp.call_driver(m, lower);
                })
                .unwrap();
                if *m.extension::<bool>() { "called" } else { "" }
            });
            let who = format!("{name}{}", if cancelled { ", Cancel is TRUE" } else { "" });
            let line = format!("{who:<28} {:<11} {:<9} {}", called[0], called[1], called[2]);
            writeln!(table, "{}", line.trim_end()).unwrap();
        }
    }
    approve!("invoke_rule", table);
}

#[test]
fn the_pending_mark_climbs_past_drivers_without_a_routine_only() {
    fn passes(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
        m[irp].copy_current_to_next();
        let lower = device.lower_device(m).unwrap();
        irp.call_driver(m, lower)
    }
    fn with_routine(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
        m[irp].copy_current_to_next();
        m[irp].set_completion_routine(|_, _, _, _| STATUS_SUCCESS, Context(0), Control::INVOKE_ALWAYS);
        let lower = device.lower_device(m).unwrap();
        irp.call_driver(m, lower)
    }
    fn with_routine_that_marks(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
        m[irp].copy_current_to_next();
        let marks = |m: &mut Machine, _, irp: Irp, _| {
            if m[irp].pending_returned {
                irp.mark_pending(m);
            }
            STATUS_SUCCESS
        };
        m[irp].set_completion_routine(marks, Context(0), Control::INVOKE_ALWAYS);
        let lower = device.lower_device(m).unwrap();
        irp.call_driver(m, lower)
    }
    let middles: [(Dispatch, bool); 3] = [(passes, true), (with_routine, false), (with_routine_that_marks, true)];
    for (middle, arrives) in middles {
        let mut m = Machine::new();
        m.add_extension(Vec::<String>::new());
        let pends: Dispatch = |m, _, irp| {
            irp.mark_pending(m);
            m.queue_work_item(
                |m, irp| _ = Irp::from_context(irp).unwrap().complete_with(m, STATUS_SUCCESS, 0),
                irp.to_context(),
            );
            STATUS_PENDING
        };
        let lower = device(&mut m, "lower", pends);
        let middle = device(&mut m, "middle", middle);
        middle.attach_to_stack(&mut m, lower).unwrap();
        let irp = m.run(|m| {
            let irp = m.allocate_irp(2).unwrap();
            m[irp].next_mut().major = Major::Read;
            m[irp].set_completion_routine(keep, Context(0), Control::INVOKE_ALWAYS);
            assert_eq!(irp.call_driver(m, middle), STATUS_PENDING);
            irp
        });
        assert_eq!(m[irp.unwrap()].pending_returned, arrives);
    }
}
