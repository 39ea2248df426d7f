//! A stack of such drivers above a plain one, and programs that use it.

use proptest::prelude::*;
use vbus::wdf::*;
use vbus::wdm::constants::*;
use vbus::wdm::{
    Access, Context, DeviceObject, DriverObject, Installation, IoStatus, IoctlCode, Irp, Machine, Major, Method,
    NtStatus, Observation, OpenOptions, Overlapped, Stop, Ticks,
};

use crate::invariants;
use crate::layer::{Deferred, LayerConfig, device_add, layers};

/// What the plain device at the bottom does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Bottom {
    Answers(NtStatus),
    AnswersAfter {
        ms: u64,
    },
    /// Cancelable until then.
    HoldsFor {
        ms: u64,
    },
}

/// What programs do.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    Sends {
        method: Method,
        input: usize,
        output: usize,
    },
    Cancels(prop::sample::Index),
    LetsPass {
        ms: u64,
    },
    /// Closes its handle and opens the device again.
    Reopens,
}

/// Everything that decides a run.
#[derive(Clone, Debug)]
pub struct Run {
    pub layers: Vec<LayerConfig>,
    pub bottom: Vec<Bottom>,
    pub actions: Vec<Action>,
    pub verifier: bool,
}

pub fn runs() -> impl Strategy<Value = Run> {
    let bottom = prop_oneof![
        prop::sample::select(&[STATUS_SUCCESS, STATUS_UNSUCCESSFUL][..]).prop_map(Bottom::Answers),
        (0..30u64).prop_map(|ms| Bottom::AnswersAfter { ms }),
        (0..30u64).prop_map(|ms| Bottom::HoldsFor { ms }),
    ];
    const METHODS: &[Method] = &[Method::Buffered, Method::InDirect, Method::OutDirect, Method::Neither];
    let lengths = || prop::sample::select(&[0usize, 4, 32][..]);
    let action = prop_oneof![
        4 => (prop::sample::select(METHODS), lengths(), lengths())
            .prop_map(|(method, input, output)| Action::Sends { method, input, output }),
        2 => any::<prop::sample::Index>().prop_map(Action::Cancels),
        2 => (0..25u64).prop_map(|ms| Action::LetsPass { ms }),
        1 => Just(Action::Reopens),
    ];
    let (bottom, actions) = (prop::collection::vec(bottom, 1..5), prop::collection::vec(action, 1..25));
    (layers(), bottom, actions, any::<bool>()).prop_map(|(layers, bottom, actions, verifier)| Run {
        layers,
        bottom,
        actions,
        verifier,
    })
}

/// What a run leaves.
#[derive(PartialEq, Debug)]
pub struct Trace {
    pub seen: Vec<Observation>,
    pub answers: Vec<Result<IoStatus, NtStatus>>,
    pub logs: Vec<String>,
}

/// The bottom's driver: what it does in turn, and what it holds.
struct Below {
    bottom: Vec<Bottom>,
    next: usize,
    held: Vec<Irp>,
}

impl Run {
    /// The machine with the stack, and its drivers from the lowest.
    pub fn build(&self) -> Result<(Machine, Vec<Driver>), Stop> {
        let mut m = Machine::new();
        m.add_extension(Deferred::default());
        m.add_extension(Below { bottom: self.bottom.clone(), next: 0, held: Vec::new() });
        let drivers: Vec<Driver> =
            self.layers.iter().enumerate().map(|(at, layer)| self.layer(&mut m, at, layer)).collect();
        let mut objects = drivers.iter().map(|driver| driver.driver_object(&m));
        let function = objects.next();
        let upper_filters = objects.collect();
        let lower_filters = vec![bottom_driver(&mut m)];
        let hardware_id = "ROOT\\STACK".to_owned();
        m.install(Installation { hardware_id, lower_filters, function, upper_filters, ..Installation::default() });
        let node = m.add_root_device("ROOT\\STACK")?;
        let pdo = node.pdo(&m).expect("a device has a PDO");
        m.create_symbolic_link("\\??\\Stack", pdo).expect("nobody has that name");
        Ok((m, drivers))
    }

    fn layer(&self, m: &mut Machine, at: usize, layer: &LayerConfig) -> Driver {
        let (device_add, verifier) = (Some(device_add as DeviceAdd), self.verifier);
        let config = DriverConfig { device_add, verifier, verbose: true, log_pages: 16, ..DriverConfig::default() };
        Driver::create(m, &format!("layer{at}"), config, Attributes::none().context(layer.clone()))
    }

    /// What the programs do, until everything that they sent is over.
    pub fn play(&self, m: &mut Machine) -> Result<Vec<Result<IoStatus, NtStatus>>, Stop> {
        let mut file = m.create_file("\\\\.\\Stack", OpenOptions::OVERLAPPED)?.expect("the device opens");
        let mut answers = Vec::new();
        let mut out: Vec<(usize, Overlapped)> = Vec::new();
        for &action in &self.actions {
            match action {
                Action::Sends { method, input, output } => {
                    let code = IoctlCode::new(0x8000, 0x801, method, Access::ANY);
                    match m.start_io_control(file, code, &vec![7; input], &vec![0; output])? {
                        Ok(request) => out.push((answers.len(), request)),
                        Err(status) => {
                            answers.push(Err(status));
                            continue;
                        }
                    }
                    // Its place, until the answer is there.
                    answers.push(Err(STATUS_PENDING));
                }
                Action::Cancels(index) if !out.is_empty() => _ = m.cancel_io(out[index.index(out.len())].1)?,
                Action::Cancels(_) => {}
                Action::LetsPass { ms } => m.advance(Ticks::from_millis(ms))?,
                Action::Reopens => {
                    m.close_handle(file)?;
                    file = m.create_file("\\\\.\\Stack", OpenOptions::OVERLAPPED)?.expect("the device opens");
                }
            }
            collect(m, &mut out, &mut answers);
        }
        m.close_handle(file)?;
        m.advance(Ticks::from_millis(10_000))?;
        collect(m, &mut out, &mut answers);
        Ok(answers)
    }

    /// The whole life, with everything that has to hold of it.
    pub fn trace(&self) -> Trace {
        let (mut m, drivers) = self.build().expect("the stack starts");
        m.watch_irps();
        let answers = self.play(&mut m).expect("legal drivers stop no machine");
        assert!(!answers.contains(&Err(STATUS_PENDING)), "every request is answered: {answers:?}");
        assert_eq!(m.extension::<Deferred>().moved, [], "CurrentLocation goes back to where it was");
        let node = m.root_devnodes()[0];
        m.remove_device(node).unwrap().expect("nobody holds the device open");
        for driver in &drivers {
            m.run(|m| driver.unload(m)).unwrap();
        }
        let seen = m.take_observations();
        invariants::accounting_closes(&m, &seen);
        for &driver in &drivers {
            invariants::log_is_whole(&m, driver);
            if self.verifier {
                invariants::nothing_to_complain_of(&m, driver);
            }
        }
        let logs = drivers.iter().flat_map(|driver| driver.log(&m)).map(|line| line.to_string()).collect();
        Trace { seen, answers, logs }
    }
}

/// Takes the results that are there.
fn collect(m: &mut Machine, out: &mut Vec<(usize, Overlapped)>, answers: &mut [Result<IoStatus, NtStatus>]) {
    out.retain(|&(at, request)| match m.overlapped_result(request, &mut [0; 32]) {
        Some(block) => {
            assert_eq!(answers[at], Err(STATUS_PENDING), "a request is answered once");
            answers[at] = Ok(block);
            false
        }
        None => true,
    });
}

fn bottom_driver(m: &mut Machine) -> DriverObject {
    let driver = m.create_driver("bottom");
    driver.set_all_majors(m, pass_down);
    for major in [Major::DeviceControl, Major::InternalDeviceControl] {
        driver.set_major(m, major, arrive);
    }
    for major in [Major::Create, Major::Cleanup, Major::Close] {
        driver.set_major(m, major, |m, _, irp| irp.complete_with(m, STATUS_SUCCESS, 0));
    }
    driver.set_major(m, Major::Pnp, |m, device, irp| {
        let leaves = m[irp].current().minor == vbus::wdm::PnpMinor::RemoveDevice as u8;
        let status = pass_down(m, device, irp);
        if leaves {
            device.detach(m);
            device.delete(m);
        }
        status
    });
    driver.set_add_device(m, |m, driver, pdo| {
        let device = m.create_device(driver);
        device.attach_to_stack(m, pdo).expect("the PDO is ready");
        m[device].initializing = false;
        STATUS_SUCCESS
    });
    driver
}

fn pass_down(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    m[irp].skip_current_location();
    let lower = device.lower_device(m).expect("it attached to a PDO");
    irp.call_driver(m, lower)
}

fn arrive(m: &mut Machine, _: DeviceObject, irp: Irp) -> NtStatus {
    let below = m.extension_mut::<Below>();
    let what = below.bottom[below.next % below.bottom.len()];
    below.next += 1;
    let (ms, cancelable) = match what {
        Bottom::Answers(status) => return irp.complete_with(m, status, 0),
        Bottom::AnswersAfter { ms } => (ms, false),
        Bottom::HoldsFor { ms } => (ms, true),
    };
    irp.mark_pending(m);
    m.extension_mut::<Below>().held.push(irp);
    m.set_timer(Ticks::from_millis(ms), answer_held, irp.to_context());
    if cancelable {
        irp.set_cancel_routine(m, Some(cancelled));
        // Who cancelled it before there was a routine called none.
        if m[irp].cancel && irp.set_cancel_routine(m, None).is_some() {
            let_go(m, irp, STATUS_CANCELLED);
        }
    }
    STATUS_PENDING
}

fn cancelled(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    let_go(m, irp, STATUS_CANCELLED);
}

fn answer_held(m: &mut Machine, irp: Context) {
    let irp = Irp::from_context(irp).expect("an IRP's word");
    if m.extension::<Below>().held.contains(&irp) {
        irp.set_cancel_routine(m, None);
        let_go(m, irp, STATUS_SUCCESS);
    }
}

fn let_go(m: &mut Machine, irp: Irp, status: NtStatus) {
    m.extension_mut::<Below>().held.retain(|&held| held != irp);
    irp.complete_with(m, status, 0);
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn whatever_legal_drivers_do_every_irp_completes_once_and_the_same_run_leaves_the_same_trace(run in runs()) {
        let trace = run.trace();
        prop_assert_eq!(trace, run.trace());
    }
}
