//! The machine that calls a driver's self-managed I/O callbacks. A device whose driver has none of them has no machine.
//!
//! Source: S/irphandlers/pnp/selfmanagediostatemachine.cpp.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::states::SelfManagedIoState::{self, *};
use crate::device::Device;
use crate::trace::sites;

/// What happens to the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SelfManagedIoEvent {
    Start,
    Suspend,
    Flush,
    Cleanup,
}

fn target(state: SelfManagedIoState, event: SelfManagedIoEvent) -> Option<SelfManagedIoState> {
    use SelfManagedIoEvent as E;
    let rows: &[(SelfManagedIoEvent, SelfManagedIoState)] = match state {
        Created => &[(E::Start, Init), (E::Flush, Created), (E::Cleanup, Final)],
        InitFailed => &[(E::Suspend, InitFailed), (E::Flush, Flushing)],
        Started => &[(E::Suspend, Suspending)],
        Stopped => &[(E::Start, Restarting), (E::Suspend, Stopped), (E::Flush, Flushing)],
        Failed => &[(E::Flush, Flushing), (E::Suspend, Failed)],
        Flushed => &[(E::Start, Restarting), (E::Cleanup, Cleanup), (E::Flush, Flushed)],
        Init | Suspending | Restarting | Flushing | Cleanup | Final => &[],
    };
    rows.iter().find(|(known, _)| *known == event).map(|&(_, target)| target)
}

impl Device {
    /// Sends the machine an event. The answer is the callback's, or success where there is none.
    pub(super) fn self_managed_io(self, m: &mut Machine, event: SelfManagedIoEvent) -> NtStatus {
        let Some(state) = self.body(m).pnp.self_managed_io else { return STATUS_SUCCESS };
        let mut status = STATUS_SUCCESS;
        let mut next = target(state, event);
        while let Some(state) = next {
            let Some(from) = self.body(m).pnp.self_managed_io.replace(state) else { return status };
            self.log_state(m, &sites::SELF_MANAGED_IO_STATE, state as u64, from as u64);
            next = self.self_managed_io_enter(m, state, &mut status);
        }
        status
    }

    fn self_managed_io_enter(
        self,
        m: &mut Machine,
        state: SelfManagedIoState,
        status: &mut NtStatus,
    ) -> Option<SelfManagedIoState> {
        let or = |status: NtStatus, good, bad| Some(if status.is_success() { good } else { bad });
        match state {
            Init => {
                *status = self.call_self_managed_io_init(m);
                or(*status, Started, InitFailed)
            }
            Suspending => {
                *status = self.call_self_managed_io_suspend(m);
                or(*status, Stopped, Failed)
            }
            Restarting => {
                *status = self.call_self_managed_io_restart(m);
                or(*status, Started, Failed)
            }
            Flushing => {
                self.call_self_managed_io_flush(m);
                Some(Flushed)
            }
            Cleanup => {
                self.call_self_managed_io_cleanup(m);
                Some(Final)
            }
            _ => None,
        }
    }
}
