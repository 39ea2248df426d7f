//! Where a framework driver is played: its device serves a program, and has a target on a stack below.

use vbus::iotarget::{CompletionParams, Data, IoTarget, SendRequest};
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, DeviceObject, FilterStyle, Installation, Irp, Machine, Major, NtStatus, PnpAnswer, Stop, Ticks,
    create_filter,
};

use crate::rig::{Outcome, PONG, Program, play};

/// A driver of the framework and its surroundings.
#[derive(Clone, Copy)]
pub struct Framework {
    /// EvtIoDefault of its default queue.
    pub serve: fn(&mut Machine, Queue, Request),
    /// EvtIoStop of that queue.
    pub on_stop: Option<fn(&mut Machine, Queue, Request, StopAction)>,
    /// What it does in EvtDriverDeviceAdd besides.
    pub add: fn(&mut Machine, Device),
    /// What the device below its target does with a request.
    pub lower: Lower,
    /// How many filters are above that device.
    pub filters: usize,
    pub program: Program,
}

/// What the device below the target does.
#[derive(Clone, Copy)]
pub enum Lower {
    /// Answers at once.
    Answers,
    /// Keeps the request until it is cancelled.
    Holds,
    /// Answers after a second, whatever happens meanwhile.
    AnswersLater,
}

/// A driver with an empty default queue's callback, to say what is different.
pub const FRAMEWORK: Framework = Framework {
    serve: answer,
    on_stop: None,
    add: |_, _| {},
    lower: Lower::Answers,
    filters: 0,
    program: Program::Waits,
};

/// What is there for a driver's callbacks.
pub struct Parts {
    framework: Framework,
    driver: Option<Driver>,
    device: Option<Device>,
    target: Option<IoTarget>,
    /// What EvtDriverDeviceAdd of the driver makes.
    pub queue: Option<Queue>,
    pub lock: Option<SpinLock>,
}

pub fn target(m: &Machine) -> IoTarget {
    m.extension::<Parts>().target.expect("the target is made before the program comes")
}

pub fn driver(m: &Machine) -> Driver {
    m.extension::<Parts>().driver.expect("the driver is loaded")
}

pub fn parts(m: &mut Machine) -> &mut Parts {
    m.extension_mut::<Parts>()
}

/// What a driver without a mistake does: it answers.
pub fn answer(m: &mut Machine, _: Queue, request: Request) {
    let written = request.output_memory(m).and_then(|memory| memory.copy_from(m, 0, PONG));
    match written {
        Ok(()) => request.complete_with_information(m, STATUS_SUCCESS, PONG.len() as u64),
        Err(status) => request.complete(m, status),
    }
}

/// Gets the program's request ready for the target.
pub fn format(m: &mut Machine, request: Request) -> Result<(), NtStatus> {
    let code = request.ioctl_code(m).ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
    let target = target(m);
    target.format_ioctl(m, request, code, Data::Request, Data::Request)?;
    request.set_completion_routine(m, came_back, Context(0));
    Ok(())
}

/// The completion routine of a forwarded request: the program gets what the device below said.
pub fn came_back(m: &mut Machine, request: Request, _: IoTarget, params: &CompletionParams, _: Context) {
    request.complete_with_information(m, params.io_status.status, params.io_status.information);
}

impl Framework {
    pub fn outcome(&self, verifier: bool) -> Outcome {
        let mut m = Machine::new();
        m.add_extension(Parts { framework: *self, driver: None, device: None, target: None, queue: None, lock: None });
        let config = DriverConfig { device_add: Some(device_add), verifier, ..DriverConfig::default() };
        let driver = Driver::create(&mut m, "driver", config, Attributes::none());
        parts(&mut m).driver = Some(driver);
        match self.life(&mut m, driver) {
            Ok(outcome) => outcome,
            Err(stop) => Outcome::stopped(stop),
        }
        .with_log_of(&m, driver)
    }

    /// From the installation of the device to the unloading of the driver.
    fn life(&self, m: &mut Machine, driver: Driver) -> Result<Outcome, Stop> {
        let function = Some(driver.driver_object(m));
        m.install(Installation { hardware_id: "ROOT\\DRIVER".into(), function, ..Installation::default() });
        let node = m.add_root_device("ROOT\\DRIVER")?;
        let pdo = node.pdo(m).expect("a device has a PDO");
        m.create_symbolic_link("\\??\\Driver", pdo).expect("nobody has that name");
        let lower = self.lower_stack(m);
        let device = m.extension::<Parts>().device.expect("the device was added");
        let target = m.run(|m| {
            let target = IoTarget::create(m, device, Attributes::none()).expect("the device is there");
            target.open_existing_device(m, lower).expect("the device below is there");
            target
        })?;
        parts(m).target = Some(target);
        let Some((status, output)) = play(m, self.program, "\\\\.\\Driver", Some(node))? else {
            return Ok(Outcome::waits());
        };
        if node.pdo(m).is_some_and(|pdo| pdo.stack(m).len() > 1) {
            m.remove_device(node)?.expect("nobody vetoes");
        }
        m.run(|m| driver.unload(m))?;
        Ok(Outcome::answered(status, &output))
    }

    fn lower_stack(&self, m: &mut Machine) -> DeviceObject {
        let driver = m.create_driver("lower");
        driver.set_all_majors(m, arrive);
        driver.set_major(m, Major::Pnp, |m, device, irp| {
            m[irp].pnp_answer = PnpAnswer::Relations(vec![device]);
            irp.complete_with(m, STATUS_SUCCESS, 0)
        });
        m.on_pnp_request(|_, _, _| {});
        let mut top = m.create_device(driver);
        m[top].initializing = false;
        for _ in 0..self.filters {
            let filter = create_filter(m, "filter", FilterStyle::Copy);
            let device = m.create_device(filter);
            device.attach_to_stack(m, top).expect("the device below is ready");
            m[device].initializing = false;
            top = device;
        }
        top
    }
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let framework = m.extension::<Parts>().framework;
    let device = init.create(m, Attributes::none())?;
    parts(m).device = Some(device);
    let queue = Queue::config(Dispatch::Parallel).on_default(framework.serve);
    match framework.on_stop {
        Some(on_stop) => queue.on_stop(on_stop),
        None => queue,
    }
    .create_default(m, device)?;
    (framework.add)(m, device);
    Ok(())
}

/// The device below.
fn arrive(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    if m[irp].current().major != Major::DeviceControl {
        return irp.complete_with(m, STATUS_SUCCESS, 0);
    }
    match m.extension::<Parts>().framework.lower {
        Lower::Answers => answer_irp(m, irp),
        Lower::Holds => {
            irp.set_cancel_routine(
                m,
                Some(|m, _, irp| {
                    irp.release_cancel_spin_lock(m);
                    irp.complete_with(m, STATUS_CANCELLED, 0);
                }),
            );
            irp.mark_pending(m);
            STATUS_PENDING
        }
        Lower::AnswersLater => {
            irp.mark_pending(m);
            m.set_timer(Ticks::from_millis(1000), answer_later, irp.to_context());
            STATUS_PENDING
        }
    }
}

fn answer_later(m: &mut Machine, irp: Context) {
    let irp = Irp::from_context(irp).expect("the timer was given an IRP");
    if !irp.exists(m) {
        m.undefined(
            "IoCompleteRequest",
            "a driver has the IRP that it was sent for as long as it does not complete it",
        );
    }
    answer_irp(m, irp);
}

pub fn answer_irp(m: &mut Machine, irp: Irp) -> NtStatus {
    if let Some(buffer) = m[irp].system_buffer {
        m.bytes_mut(buffer)[..PONG.len()].copy_from_slice(PONG);
    }
    irp.complete_with(m, STATUS_SUCCESS, PONG.len() as u64)
}
