//! What the device's power does to a queue.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:5016-6200.

use vbus_wdm::Machine;

use super::{Queue, StopAction};
use crate::framework::fx;

impl Queue {
    /// Whether the queue follows the device's power.
    pub(crate) fn is_power_managed(self, m: &mut Machine) -> bool {
        self.body(m).power_managed
    }

    /// The device is in D0: what waited is presented.
    pub(crate) fn power_on(self, m: &mut Machine) {
        self.body(m).powered = true;
        self.dispatch_internal_events(m);
    }

    /// The device leaves D0. The driver is asked to let go of what it holds, and this waits until it has.
    pub(crate) fn power_off(self, m: &mut Machine, action: StopAction) {
        self.body(m).powered = false;
        self.ask_to_stop(m, action);
        m.wait("the driver to let go of the requests of a queue that loses power", move |m| {
            fx(m).queues.get(self.0.id).is_none_or(|body| body.owned.iter().all(|request| request.is_acknowledged(m)))
        });
    }

    /// EvtIoStop for every request that the driver holds, in the order in which it got them.
    fn ask_to_stop(self, m: &mut Machine, action: StopAction) {
        let Some(on_stop) = self.body(m).callbacks.stop else { return };
        for request in self.body(m).owned.clone() {
            if self.body(m).owned.contains(&request) {
                request.in_io_stop(m, true);
                on_stop(m, self, request, action);
                request.in_io_stop(m, false);
            }
        }
    }

    /// The device goes: what waits is cancelled, nothing is accepted any more, and the driver is asked for the rest,
    /// even for what it acknowledged before.
    ///
    /// Source: S/irphandlers/io/fxioqueue.cpp:5865-5990, 6125.
    pub(crate) fn shut_down(self, m: &mut Machine) {
        self.body(m).shut_down = true;
        self.empty(m, true, None);
        self.ask_to_stop(m, StopAction::Purge);
    }

    /// Waits until the driver holds nothing of the queue.
    pub(crate) fn wait_until_empty(self, m: &mut Machine) {
        m.wait("the driver to complete the requests of a queue that is removed", move |m| {
            fx(m).queues.get(self.0.id).is_none_or(|body| body.owned.is_empty())
        });
    }
}
