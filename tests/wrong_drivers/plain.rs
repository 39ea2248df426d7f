//! Where a driver without the framework is played: its device serves a program, between a filter and a device below.

use vbus::wdm::constants::*;
use vbus::wdm::{Context, Control, DeviceObject, Irp, Machine, Major, NtStatus, Ticks};

use crate::framework::answer_irp;
use crate::rig::{Answer, Outcome, Program, play};

/// What a driver's dispatch routine is, and what the device below does.
#[derive(Clone, Copy)]
pub struct Plain {
    /// The driver's IRP_MJ_DEVICE_CONTROL.
    pub serve: fn(&mut Machine, DeviceObject, Irp) -> NtStatus,
    /// The device below's.
    pub lower: fn(&mut Machine, DeviceObject, Irp) -> NtStatus,
    pub program: Program,
}

/// The device below answers at once.
pub const PLAIN: Plain = Plain { serve: pass_down, lower: answers, program: Program::Waits };

/// How many IRPs came back to the filter above the driver.
struct Returned(usize);

impl Plain {
    pub fn outcome(&self) -> Outcome {
        let mut m = Machine::new();
        m.add_extension(Returned(0));
        let answer = match self.life(&mut m) {
            Ok(Some((status, output))) => Outcome::answered(status, &output),
            Ok(None) => Outcome::waits(),
            Err(stop) => return Outcome::stopped(stop),
        };
        match m.extension::<Returned>().0 {
            0 => answer.but("the filter's completion routine never runs"),
            _ => answer,
        }
    }

    fn life(&self, m: &mut Machine) -> Answer {
        let below = device(m, "lower", self.lower, None);
        let middle = device(m, "driver", self.serve, Some(below));
        device(m, "filter", watch, Some(middle));
        m.create_symbolic_link("\\??\\Plain", below).expect("nobody has that name");
        play(m, self.program, "\\\\.\\Plain", None)
    }
}

type Serve = fn(&mut Machine, DeviceObject, Irp) -> NtStatus;

fn device(m: &mut Machine, name: &str, serve: Serve, below: Option<DeviceObject>) -> DeviceObject {
    let driver = m.create_driver(name);
    driver.set_all_majors(m, if below.is_some() { pass_down } else { succeed });
    driver.set_major(m, Major::DeviceControl, serve);
    let device = m.create_device(driver);
    if let Some(below) = below {
        device.attach_to_stack(m, below).expect("the device below is ready");
    }
    m[device].initializing = false;
    device
}

fn succeed(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    irp.complete_with(m, STATUS_SUCCESS, 0)
}

/// IoSkipCurrentIrpStackLocation and IoCallDriver.
pub fn pass_down(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    m[irp].skip_current_location();
    let lower = device.lower_device(m).expect("only a device with one below passes on");
    irp.call_driver(m, lower)
}

/// Sends the IRP on in a location of its own, to come back to `routine`.
pub fn send_down(m: &mut Machine, device: DeviceObject, irp: Irp, routine: vbus::wdm::CompletionRoutine) -> NtStatus {
    m[irp].copy_current_to_next();
    m[irp].set_completion_routine(routine, Context(0), Control::INVOKE_ALWAYS);
    let lower = device.lower_device(m).expect("only a device with one below passes on");
    irp.call_driver(m, lower)
}

/// The filter above the driver under test wants every request back.
fn watch(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    send_down(m, device, irp, |m, _, irp, _| {
        m.extension_mut::<Returned>().0 += 1;
        if m[irp].pending_returned {
            irp.mark_pending(m);
        }
        STATUS_SUCCESS
    })
}

pub fn answers(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    answer_irp(m, irp)
}

/// The device below pends, and fails the request after a second.
pub fn fails_later(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    irp.mark_pending(m);
    later(m, irp, |m, irp| _ = irp.complete_with(m, STATUS_UNSUCCESSFUL, 0));
    STATUS_PENDING
}

/// What a driver does with its IRP a second later.
pub fn later(m: &mut Machine, irp: Irp, act: fn(&mut Machine, Irp)) {
    struct Act(fn(&mut Machine, Irp), Irp);
    m.add_extension(Act(act, irp));
    m.set_timer(
        Ticks::from_millis(1000),
        |m, _| {
            let Act(act, irp) = *m.extension::<Act>();
            act(m, irp);
        },
        Context(0),
    );
}
