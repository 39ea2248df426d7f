//! A child that goes while its bus has a target open on it, with a request in flight, at every moment and by every way to
//! let go of the target: no request is lost, none completes twice, no target outlives what it points to.

use vbus::iotarget::{CompletionParams, Data, IoTarget, OpenParams, SendOptions, SendRequest, SentIo};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{Context, DevNode, IoctlCode, Machine, NtStatus, OpenOptions};

use crate::bus::{Bus, GUID_CHILD, Wanted, complete_held, note};

const CODE: IoctlCode = IoctlCode(0x0022_0003);

/// How the target is opened.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Open {
    ByName,
    ExistingDevice,
}

/// When the request is sent.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Sent {
    Before,
    InFlight,
    After,
    Never,
}

/// How the child goes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    PulledOut,
    Ejected,
    Uninstalled,
    WithItsBus,
}

/// What the driver does with its target before the child goes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum LetGo {
    No,
    Stop,
    Purge,
    Close,
    Delete,
}

/// How often the request's completion routine ran, and with what.
#[derive(Default)]
struct Completions(Vec<NtStatus>);

fn completed(m: &mut Machine, request: Request, _: IoTarget, params: &CompletionParams, _: Context) {
    m.extension_mut::<Completions>().0.push(params.io_status.status);
    request.delete(m);
}

/// The bus sends a request of its own. `Err` says why it was not accepted.
fn send(m: &mut Machine, target: IoTarget) -> Result<(), NtStatus> {
    let request = target.create_request(m, Attributes::none())?;
    let formatted = target.format_internal_ioctl(m, request, CODE, Data::None, Data::None);
    request.set_completion_routine(m, completed, Context(0));
    let sent = match formatted {
        Ok(()) if request.send(m, target, SendOptions::none()) => return Ok(()),
        Ok(()) => Err(request.status(m)),
        Err(status) => Err(status),
    };
    request.delete(m);
    sent
}

fn opened(m: &mut Machine, bus: Device, child: Device, open: Open) -> IoTarget {
    let target = IoTarget::create(m, bus, Attributes::none()).unwrap();
    let params = match open {
        Open::ByName => {
            let link = child.interface_link(m, GUID_CHILD, None).unwrap();
            OpenParams::by_name(&link, OpenOptions::OVERLAPPED)
        }
        Open::ExistingDevice => {
            let top = child.device_object(m).top_of_stack(m);
            OpenParams::existing_device(top)
        }
    };
    target.open(m, params).unwrap();
    target
}

fn let_go(m: &mut Machine, target: IoTarget, how: LetGo) {
    match how {
        LetGo::No => {}
        LetGo::Stop => target.stop(m, SentIo::LeavePending),
        LetGo::Purge => target.purge(m, true),
        LetGo::Close => target.close(m),
        LetGo::Delete => target.delete(m),
    }
}

/// The child goes.
fn go(bus: &mut Bus, way: Way) {
    match way {
        Way::PulledOut => bus.run(|m, list| list.update_as_missing(m, 7)).unwrap(),
        Way::Ejected => assert!(bus.run(|m, list| list.request_eject(m, 7))),
        Way::Uninstalled => {
            let child = bus.child(7);
            let pdo = bus.run(|m, _| child.device_object(m));
            let node = DevNode::of(&bus.machine, pdo).unwrap();
            _ = bus.machine.remove_device(node).unwrap();
        }
        Way::WithItsBus => _ = bus.machine.remove_device(bus.node).unwrap(),
    }
}

/// Plays one scene, and says in a line how it ended.
fn play(open: Open, sent: Sent, how: LetGo, way: Way) -> String {
    let mut bus = Bus::new(Wanted::default());
    bus.machine.add_extension(Completions::default());
    bus.run(|m, list| list.add_or_update(m, 7)).unwrap();
    // Whoever waits for the child's request gets it.
    bus.machine.on_idle(|m| {
        let any = complete_held(m, STATUS_SUCCESS);
        if any {
            note(m, "the child completes at last");
        }
        any
    });
    let (device, child) = (bus.device(), bus.child(7));
    let target = bus.run(|m, _| opened(m, device, child, open));
    let mut accepted = Ok(());
    if sent == Sent::Before || sent == Sent::InFlight {
        accepted = bus.run(|m, _| send(m, target));
    }
    if sent == Sent::Before {
        bus.complete_held();
    }
    bus.run(|m, _| let_go(m, target, how));
    go(&mut bus, way);
    let exists = target.object().exists(&bus.machine);
    let state = if exists { format!("{:?}", bus.run(|m, _| target.state(m))) } else { "gone".to_owned() };
    if sent == Sent::After && exists {
        accepted = match bus.machine.run(|m| send(m, target)) {
            Ok(accepted) => accepted,
            // A target that was opened on a device object hears nothing of its end.
            Err(stop) => return line(open, sent, how, way, &state, &stop.to_string()),
        };
    }
    bus.complete_held();
    if exists && bus.device().object().exists(&bus.machine) {
        bus.run(|m, _| target.delete(m));
    }
    let completions = std::mem::take(&mut bus.machine.extension_mut::<Completions>().0);
    let expected = usize::from(accepted.is_ok() && sent != Sent::Never && (sent != Sent::After || exists));
    let scene = format!("{open:?}, sent {sent:?}, {how:?}, {way:?}");
    assert_eq!(completions.len(), expected, "{scene}: a request completes once");
    let request = match (accepted, completions.first()) {
        (Err(status), _) => format!("refused, {status}"),
        (Ok(()), Some(status)) => status.to_string(),
        (Ok(()), None) => "-".to_owned(),
    };
    bus.end();
    line(open, sent, how, way, &state, &request)
}

fn line(open: Open, sent: Sent, how: LetGo, way: Way, state: &str, request: &str) -> String {
    let [open, sent, how, way] = [format!("{open:?}"), format!("{sent:?}"), format!("{how:?}"), format!("{way:?}")];
    format!("{open:<15} {sent:<9} {how:<7} {way:<12} {state:<21} {request}\n")
}

#[test]
fn whenever_a_child_goes_its_request_completes_once_and_its_target_is_closed() {
    let mut table = String::new();
    for open in [Open::ByName, Open::ExistingDevice] {
        for sent in [Sent::Before, Sent::InFlight, Sent::After] {
            for how in [LetGo::No, LetGo::Stop, LetGo::Purge, LetGo::Close, LetGo::Delete] {
                for way in [Way::PulledOut, Way::Ejected, Way::Uninstalled, Way::WithItsBus] {
                    table += &play(open, sent, how, way);
                }
            }
        }
    }
    approve!("targets_of_children_that_go", table);
}
