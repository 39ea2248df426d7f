//! Watching IRPs from outside: what a debugger with a breakpoint on every step would write down.

use crate::device::DeviceObject;
use crate::irp::{Irp, Major};
use crate::machine::Machine;
use crate::status::NtStatus;

/// What happened to an IRP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A driver was called; the location it got is current now.
    Call {
        /// The device that was called.
        device: DeviceObject,
        /// The major function it was called with.
        major: Major,
    },
    /// A driver called IoCompleteRequest; the walk up begins.
    Complete {
        /// The device that owns the location in which it did; `None` for an originator without one.
        owner: Option<DeviceObject>,
    },
    /// A completion routine is about to run.
    Routine {
        /// The routine owner's device; `None` for an originator without a location.
        owner: Option<DeviceObject>,
    },
    /// Somebody called IoCancelIrp: the flag is set, and the cancel routine, if there is one, is about to run.
    Cancel {
        /// Whether there is one.
        has_routine: bool,
    },
    /// The walk passed the last location.
    Done,
    /// The IRP is about to be freed.
    Free,
}

/// One step of one IRP with its accounting at that moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observation {
    /// The IRP.
    pub irp: Irp,
    /// What happened.
    pub step: Step,
    /// StackCount.
    pub stack_count: i8,
    /// CurrentLocation.
    pub current_location: i8,
    /// IoStatus.Status.
    pub status: NtStatus,
    /// IoStatus.Information.
    pub information: u64,
    /// PendingReturned.
    pub pending_returned: bool,
}

/// Called at every step of every IRP, at the moment it happens.
pub type StepHook = fn(&mut Machine, Observation);

/// Who looks on. Both may, each for itself.
#[derive(Default)]
pub(crate) struct Observer {
    /// The observations since watching began.
    seen: Option<Vec<Observation>>,
    hook: Option<StepHook>,
}

impl Machine {
    /// Begins to write down every step of every IRP. Costs nothing on the I/O path until it is called.
    pub fn watch_irps(&mut self) {
        self.observer.get_or_insert_default().seen = Some(Vec::new());
        self.look_closer();
    }

    /// Calls `hook` at every step of every IRP from now on, whether the steps are written down as well or not.
    pub fn on_irp_step(&mut self, hook: StepHook) {
        self.observer.get_or_insert_default().hook = Some(hook);
        self.look_closer();
    }

    /// Whether somebody looks on. For the layer above, which has steps of its own to tell.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.observer.is_some()
    }

    /// What was written down since [`Machine::watch_irps`] or the last call; watching goes on.
    pub fn take_observations(&mut self) -> Vec<Observation> {
        let seen = self.observer.as_mut().and_then(|observer| observer.seen.as_mut());
        seen.map(std::mem::take).unwrap_or_default()
    }

    #[cold]
    pub(crate) fn observe(&mut self, irp: Irp, step: Step) {
        let data = &self[irp];
        let seen = Observation {
            irp,
            step,
            stack_count: data.stack_count(),
            current_location: data.current_location(),
            status: data.io_status.status,
            information: data.io_status.information,
            pending_returned: data.pending_returned,
        };
        let Some(observer) = &mut self.observer else { return };
        if let Some(written) = &mut observer.seen {
            written.push(seen);
        }
        if let Some(hook) = observer.hook {
            hook(self, seen);
        }
    }
}
