//! What a device's power does to its queues.
//!
//! Source: S/irphandlers/io/fxpkgio.cpp:1200-1500 (ResumeProcessingForPower, StopProcessingForPower,
//! ResetStateForRestart).

use vbus_wdm::Machine;

use crate::device::Device;
use crate::dispatch::for_each_queue;
use crate::framework::trace;
use crate::object::Handle;
use crate::queue::Queue;
use crate::trace::sites;

/// FxIoStopProcessingForPowerAction.
const HOLD: u64 = 1;
const PURGE_MANAGED: u64 = 2;
const PURGE_NON_MANAGED: u64 = 3;

fn for_each_managed_queue(m: &mut Machine, device: Device, act: fn(Queue, &mut Machine)) {
    for_each_queue(m, device, |m, queue| {
        if queue.is_power_managed(m) {
            act(queue, m);
        }
    });
}

impl Device {
    pub(super) fn resume_queues(self, m: &mut Machine) {
        let driver = self.driver(m);
        trace(m, driver, &sites::IO_RESUME_FOR_POWER, [self.object().handle()]);
        self.body(m).pnp.in_d0 = true;
        for_each_managed_queue(m, self, Queue::resume);
        for_each_managed_queue(m, self, Queue::start_power_on);
    }

    fn log_stop(self, m: &mut Machine, action: u64) {
        let driver = self.driver(m);
        trace(m, driver, &sites::IO_STOP_FOR_POWER, [action, self.object().handle()]);
    }

    pub(super) fn hold_queues(self, m: &mut Machine) {
        self.log_stop(m, HOLD);
        self.body(m).pnp.in_d0 = false;
        for_each_managed_queue(m, self, Queue::start_power_off);
        for_each_managed_queue(m, self, Queue::hold);
    }

    pub(super) fn purge_queues(self, m: &mut Machine, managed: bool) {
        self.log_stop(m, if managed { PURGE_MANAGED } else { PURGE_NON_MANAGED });
        for_each_queue(m, self, |m, queue| {
            if queue.is_power_managed(m) == managed {
                queue.shut_down(m);
            }
        });
    }

    /// A PDO that stayed on its bus is started again: its queues accept once more, and what its last life left behind is
    /// forgotten.
    pub(super) fn reset_for_restart(self, m: &mut Machine) {
        let data = &mut self.body(m).pnp;
        (data.internal_failure, data.failed, data.pending_children) = (false, false, 1);
        let driver = self.driver(m);
        trace(m, driver, &sites::IO_RESTART, [self.object().handle()]);
        for_each_queue(m, self, |m, queue| queue.reset_for_restart(m));
        if self.is_policy_owner(m) {
            self.body(m).pnp.idle.reset();
        }
    }
}
