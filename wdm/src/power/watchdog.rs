//! The watchdog over power IRPs: a driver that keeps one for ten minutes ends the system.
//!
//! Source: Windows debugger documentation, bug check 0x9F; Windows driver documentation, PoQueryWatchdogTime; ReactOS,
//! PopIrpWatchdogDpcRoutine (600 seconds, one count a second).

use crate::address::Pool;
use crate::device::DeviceObject;
use crate::irp::Irp;
use crate::machine::Machine;
use crate::schedule::{Context, Ticks, Timer};
use crate::stop::{BugCheck, Stop};

/// How long a stack may take for a power IRP, and the power manager waits for the PnP manager.
///
/// Source: Windows debugger documentation, bug check 0x9F ("usually 10 minutes"; 0x258 seconds for parameter 1 = 4). Crash dumps of newer
/// systems show 0x12C seconds there.
pub(super) const LIMIT: Ticks = Ticks::from_millis(600 * 1000);

/// DRIVER_POWER_STATE_FAILURE.
const FAILURE: u32 = 0x9F;

/// TRIAGE_9F_POWER: the lists of power IRPs and worker threads, for the debugger.
const TRIAGE_POWER: u32 = 0;
/// TRIAGE_9F_PNP: the PnP IRPs that are out.
const TRIAGE_PNP: u32 = 1;

/// A power IRP that is with its stack.
pub(super) struct Watchdog {
    pdo: DeviceObject,
    irp: Irp,
    timer: Timer,
}

impl DeviceObject {
    /// `PoQueryWatchdogTime`: how many seconds are left until the system stops for the first power IRP that the stack of
    /// this PDO keeps; `None` (FALSE) while it has none that is watched.
    ///
    /// Source: Windows driver documentation, PoQueryWatchdogTime.
    pub fn query_watchdog_time(self, m: &Machine) -> Option<u64> {
        let own = m.power.watchdogs.iter().filter(|watchdog| watchdog.pdo == self);
        let due = own.map(|watchdog| watchdog.timer.due.0).min()?;
        Some(due.saturating_sub(m.now().0) / Ticks::from_millis(1000).0)
    }
}

impl DeviceObject {
    /// The device object is freed: bug check 0x9F/1 if its driver still has a power IRP, or its stack one that was sent to
    /// it. Where Windows looks for such IRPs is not documented.
    ///
    /// Source: Windows debugger documentation, bug check 0x9F.
    pub(crate) fn check_power_requests(self, m: &Machine) {
        let out = m.power.watchdogs.iter().filter(|watchdog| watchdog.irp.is_out(m));
        let mut own = out.filter(|watchdog| watchdog.pdo == self || m[watchdog.irp].current().device == Some(self));
        if own.next().is_some() {
            m.bug_check(FAILURE, [1, self.address(), 0, 0], "IoDeleteDevice");
        }
    }
}

impl Irp {
    /// The power IRP goes to the stack of `pdo`. A WAIT_WAKE is not watched: it waits as long as the device sleeps.
    pub(super) fn watch(self, m: &mut Machine, pdo: DeviceObject) {
        let timer = m.set_timer(LIMIT, bites, self.to_context());
        m.power.watchdogs.push(Watchdog { pdo, irp: self, timer });
    }

    /// Whether some driver still has it. One that a driver freed is nobody's.
    fn is_out(self, m: &Machine) -> bool {
        m.irps.get(self.0).is_some_and(|irp| !irp.is_completed())
    }

    /// Every driver is done with it.
    pub(super) fn stop_watching(self, m: &mut Machine) {
        let watchdogs = &mut m.power.watchdogs;
        if let Some(at) = watchdogs.iter().position(|watchdog| watchdog.irp == self) {
            let timer = watchdogs.remove(at).timer;
            m.cancel_timer(timer);
        }
    }
}

/// The time of a power IRP is up: bug check 0x9F/3, in the name of the driver that has it. Where a system-power IRP waits
/// for the device-power IRP that the stack's power policy owner asked for, and both had the same time, that one is named,
/// as in the crash dump that the documentation shows.
fn bites(m: &mut Machine, context: Context) {
    let now = m.now();
    let out = m.power.watchdogs.iter().filter(|watchdog| watchdog.irp.is_out(m));
    let of_timer = |watchdog: &&Watchdog| watchdog.irp.to_context() == context;
    let Some(pdo) = out.clone().find(of_timer).map(|watchdog| watchdog.pdo) else { return };
    let overdue = |other: &&Watchdog| other.pdo == pdo && other.timer.due <= now;
    let Some(irp) = out.rev().find(overdue).map(|last| last.irp) else { return };
    let driver = m[irp].current().device.map(|device| device.driver_name(m).to_owned());
    let parameters = [3, pdo.address(), Pool::Triage.address(TRIAGE_POWER), irp.address()];
    let ddi = "PopIrpWatchdog";
    m.stop(Stop::BugCheck(BugCheck { code: FAILURE, parameters, ddi, driver, log: Vec::new() }))
}

impl Machine {
    /// A change of the system's power waits until the PnP manager is done with what another processor runs: bug check
    /// 0x9F/4 after ten minutes. On one processor nothing is between the two: whoever asks runs inside the other's wait,
    /// which cannot end before.
    ///
    /// Source: Windows debugger documentation, bug check 0x9F.
    pub(super) fn synchronize_with_pnp(&mut self) {
        if self.pnp.lock_owner().is_none() || !self.has_processors() {
            return;
        }
        if self.wait_at_most(LIMIT, |m| m.pnp.lock_owner().is_none()) {
            return;
        }
        let holder = self.pnp.lock_owner().map_or(0, |thread| thread.address());
        let seconds = LIMIT.0 / Ticks::from_millis(1000).0;
        self.bug_check(
            FAILURE,
            [4, seconds, holder, Pool::Triage.address(TRIAGE_PNP)],
            "PopBuildDeviceNotifyListWatchdog",
        );
    }
}
