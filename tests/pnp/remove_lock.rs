//! A driver that answers a second later, on a device that is removed meanwhile: with a remove lock as it should be, and
//! with one that is used wrong in one way each.

use std::fmt::Write;

use vbus::wdm::constants::*;
use vbus::wdm::{
    Context, Control, DevNode, DeviceObject, DriverObject, Installation, Irp, Machine, Major, NtStatus, PnpMinor,
    RemoveLock, RemoveLockLimits, Stop, Ticks, VerifierOptions,
};

use crate::bench;

/// What the driver does wrong.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Wrong {
    Nothing,
    /// It leaves the dispatch routine with the lock, when it fails a request.
    KeepsTheLockOnAnErrorPath,
    /// It takes the lock twice for a request, and gives it back once.
    TakesItTwice,
    /// It answers later without holding the lock.
    PendsWithoutTheLock,
    /// It goes on although the lock is refused, and gives back what it never had.
    DoesNotLookWhetherItHasTheLock,
    /// It deletes its device without waiting.
    DoesNotWaitInRemove,
    /// It waits in QUERY_REMOVE_DEVICE: nobody gets the lock any more, although the device stays.
    WaitsBeforeRemove,
}

const WRONGS: [(Wrong, &str); 7] = [
    (Wrong::Nothing, ""),
    (Wrong::KeepsTheLockOnAnErrorPath, "RemoveLockReleaseInternalDeviceControl"),
    (Wrong::TakesItTwice, "MultRemoveLock, RemoveLockRelease2"),
    (Wrong::PendsWithoutTheLock, "RemoveLock, RemoveLockForwardDeviceControlInternal"),
    (Wrong::DoesNotLookWhetherItHasTheLock, "RemoveLockCheck"),
    (Wrong::DoesNotWaitInRemove, "RemoveLockMnRemove"),
    (Wrong::WaitsBeforeRemove, "IoReleaseRemoveLockAndWaitOutsideRemoveDevice"),
];

/// The device extension.
struct Extension {
    lock: RemoveLock,
    /// What it has not answered yet.
    waiting: Vec<Irp>,
}

/// The minor code of a request that the driver refuses.
const BAD: u8 = 1;

fn driver(m: &mut Machine) -> DriverObject {
    let driver = m.create_driver("driver");
    driver.set_add_device(m, |m, driver, pdo| {
        let status = bench::add_device(m, driver, pdo);
        let lock = m.create_remove_lock(RemoveLockLimits::default());
        let device = pdo.top_of_stack(m);
        device.set_extension(m, Extension { lock, waiting: Vec::new() });
        status
    });
    driver.set_major(m, Major::Pnp, pnp);
    driver.set_major(m, Major::InternalDeviceControl, serve);
    driver
}

fn serve(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let (wrong, lock) = (*m.extension::<Wrong>(), device.extension::<Extension>(m).lock);
    if wrong != Wrong::PendsWithoutTheLock {
        let held = lock.acquire(m, irp.address());
        if let (Err(status), true) = (held, wrong != Wrong::DoesNotLookWhetherItHasTheLock) {
            return irp.complete_with(m, status, 0);
        }
        if wrong == Wrong::TakesItTwice {
            lock.acquire(m, irp.address()).unwrap();
        }
    }
    if m[irp].current().minor == BAD {
        if ![Wrong::KeepsTheLockOnAnErrorPath, Wrong::PendsWithoutTheLock].contains(&wrong) {
            lock.release(m, irp.address());
        }
        return irp.complete_with(m, STATUS_INVALID_PARAMETER, 0);
    }
    irp.mark_pending(m);
    device.extension::<Extension>(m).waiting.push(irp);
    m.set_timer(
        Ticks::from_millis(1000),
        |m, irp| {
            let irp = Irp::from_context(irp).unwrap();
            let device = m[irp].current().device.unwrap();
            device.extension::<Extension>(m).waiting.retain(|&waiting| waiting != irp);
            irp.complete_with(m, STATUS_SUCCESS, 0);
            if *m.extension::<Wrong>() != Wrong::PendsWithoutTheLock {
                let lock = device.extension::<Extension>(m).lock;
                lock.release(m, irp.address());
            }
        },
        irp.to_context(),
    );
    STATUS_PENDING
}

fn pnp(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    let (wrong, lock) = (*m.extension::<Wrong>(), device.extension::<Extension>(m).lock);
    let minor = PnpMinor::from_code(m[irp].current().minor);
    match minor {
        Some(PnpMinor::QueryRemoveDevice) if wrong == Wrong::WaitsBeforeRemove => {
            lock.acquire(m, 0u64).unwrap();
            lock.release_and_wait(m, 0u64);
            bench::pass_down(m, device, irp)
        }
        Some(PnpMinor::RemoveDevice) => {
            let held = lock.acquire(m, 0u64);
            let status = bench::pass_down(m, device, irp);
            if held.is_ok() && wrong != Wrong::DoesNotWaitInRemove {
                lock.release_and_wait(m, 0u64);
            }
            device.detach(m);
            lock.delete(m);
            device.delete(m);
            status
        }
        _ => bench::pass_down(m, device, irp),
    }
}

fn keep(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
    STATUS_MORE_PROCESSING_REQUIRED
}

fn send(m: &mut Machine, device: DeviceObject, minor: u8) -> NtStatus {
    let irp = m.allocate_irp(m[device].stack_size).unwrap();
    (m[irp].next_mut().major, m[irp].next_mut().minor) = (Major::InternalDeviceControl, minor);
    m[irp].set_completion_routine(keep, Context(0), Control::INVOKE_ALWAYS);
    irp.call_driver(m, device)
}

/// The device that somebody sends a request who does not know that it goes, and what came of it.
struct Late(DeviceObject, Option<NtStatus>);

struct Scene {
    m: Machine,
    node: DevNode,
    device: DeviceObject,
    said: Vec<String>,
}

fn name(status: NtStatus) -> &'static str {
    status.name().unwrap_or("?")
}

impl Scene {
    fn new(wrong: Wrong, verified: bool) -> Scene {
        let mut m = Machine::new();
        m.add_extension(wrong);
        let function = Some(driver(&mut m));
        m.install(Installation { hardware_id: "ROOT\\LOCKED".into(), function, ..Installation::default() });
        if verified {
            m.verify_drivers(VerifierOptions::default());
        }
        let node = m.add_root_device("ROOT\\LOCKED").unwrap();
        let device = node.pdo(&m).unwrap().top_of_stack(&m);
        Scene { m, node, device, said: Vec::new() }
    }

    /// Another driver sends a request, and does not wait for it.
    fn send(&mut self, minor: u8) -> Result<(), Stop> {
        let device = self.device;
        let status = self.m.run(|m| send(m, device, minor))?;
        self.said.push(format!("a request: {}", name(status)));
        Ok(())
    }

    fn remove(&mut self) -> Result<(), Stop> {
        self.m.remove_device(self.node)?.expect("nobody has a handle");
        self.said.push("removed".to_owned());
        self.m.advance(Ticks::from_millis(5000))
    }

    /// What becomes of it, in one line.
    fn told(mut self, play: impl FnOnce(&mut Scene) -> Result<(), Stop>) -> String {
        let end = play(&mut self).err().map(|stop| match stop {
            Stop::BugCheck(check) => format!("bug check {:#X}/{:X}", check.code, check.parameters[0]),
            other => other.to_string(),
        });
        self.said.extend(end);
        self.said.join(", ")
    }
}

/// A request, and the device goes; the same after one that is refused; a request that comes while the removal waits; and a
/// removal that somebody else refuses.
fn lives(wrong: Wrong, verified: bool) -> [String; 4] {
    let in_flight = Scene::new(wrong, verified).told(|scene| {
        scene.send(0)?;
        scene.remove()
    });
    let after_an_error = Scene::new(wrong, verified).told(|scene| {
        scene.send(BAD)?;
        scene.remove()
    });
    let late = Scene::new(wrong, verified).told(|scene| {
        scene.send(0)?;
        scene.m.add_extension(Late(scene.device, None));
        let send_late = |m: &mut Machine, _| {
            let Late(device, _) = *m.extension::<Late>();
            if device.exists(m) {
                let status = send(m, device, 0);
                m.extension_mut::<Late>().1 = Some(status);
            }
        };
        scene.m.set_timer(Ticks::from_millis(500), send_late, Context(0));
        let ended = scene.remove();
        if let Some(status) = scene.m.extension::<Late>().1 {
            scene.said.push(format!("a late request: {}", name(status)));
        }
        ended
    });
    let vetoed = Scene::new(wrong, verified).told(|scene| {
        let pdo = scene.node.pdo(&scene.m).unwrap();
        let root = pdo.driver(&mut scene.m);
        let agrees = root.major(&scene.m, Major::Pnp);
        root.set_major(&mut scene.m, Major::Pnp, |m, _, irp| {
            let refused = m[irp].current().minor == PnpMinor::QueryRemoveDevice as u8;
            irp.complete_with(m, if refused { STATUS_DEVICE_BUSY } else { STATUS_SUCCESS }, 0)
        });
        let refused = scene.m.remove_device(scene.node)?.unwrap_err();
        scene.said.push(format!("the removal: {}", name(refused)));
        root.set_major(&mut scene.m, Major::Pnp, agrees);
        scene.send(0)?;
        scene.m.advance(Ticks::from_millis(5000))
    });
    [in_flight, after_an_error, late, vetoed]
}

#[test]
fn a_remove_lock_holds_a_removal_back_exactly_as_long_as_the_device_is_in_use() {
    let mut page = String::new();
    let what = ["in flight", "after an error", "late", "vetoed"];
    let right = lives(Wrong::Nothing, false);
    for (wrong, rules) in WRONGS {
        let [plain, verified] = [false, true].map(|verified| lives(wrong, verified));
        assert_eq!(wrong == Wrong::Nothing, plain == right, "{wrong:?} is told from the repaired driver");
        writeln!(page, "{}", format!("{wrong:?} {rules}").trim_end()).unwrap();
        for ((what, plain), verified) in what.into_iter().zip(plain).zip(verified) {
            writeln!(page, "  {what:<15} {plain}").unwrap();
            if plain != verified {
                writeln!(page, "       verified   {verified}").unwrap();
            }
        }
    }
    approve!("remove_lock", page);
}
