//! What happens to a queue as a whole: power, purge, cleanup of a file.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:3918-4080 (purge), 4280-4400 (cancel), 5016-5400 (power).

use vbus_wdm::{FileObject, Machine};

use super::present::cancelled_while_waiting;
use super::{Queue, StopAction};
use crate::framework::{fx, trace};
use crate::object::Handle;
use crate::request::Request;
use crate::trace::sites;

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
    /// Source: S/irphandlers/io/fxioqueue.cpp:5865-5990.
    pub(crate) fn purge(self, m: &mut Machine) {
        let driver = self.driver(m);
        self.body(m).accepting = false;
        while let Some(&request) = self.body(m).waiting.front() {
            trace(m, driver, &sites::QUEUE_PURGE_CANCEL, [request.0.handle(), self.0.handle()]);
            self.cancel_waiting(m, request);
        }
        trace(m, driver, &sites::QUEUE_PURGE_WAITING, [self.0.handle()]);
        for request in self.body(m).owned.clone() {
            request.cancel_if_marked(m);
        }
        trace(m, driver, &sites::QUEUE_PURGE_OWNED, [self.0.handle()]);
        self.ask_to_stop(m, StopAction::Purge);
    }

    /// Waits until the driver holds nothing of the queue.
    pub(crate) fn wait_until_empty(self, m: &mut Machine) {
        m.wait("the driver to complete the requests of a queue that is removed", move |m| {
            fx(m).queues.get(self.0.id).is_none_or(|body| body.owned.is_empty())
        });
    }

    /// IRP_MJ_CLEANUP: cancels what waits for this file.
    pub(crate) fn cancel_waiting_of_file(self, m: &mut Machine, file: FileObject) {
        let waiting: Vec<Request> = self.body(m).waiting.iter().copied().collect();
        for request in waiting {
            if request.file_object(m) == Some(file) {
                self.cancel_waiting(m, request);
            }
        }
    }

    /// Puts a request that the driver held back to the head of the waiting ones (acknowledged with requeue).
    pub(crate) fn put_back(self, m: &mut Machine, request: Request) {
        self.body(m).forget_owned(request);
        match request.wait_in_queue(m, self, cancelled_while_waiting) {
            Ok(()) => self.body(m).waiting.push_front(request),
            Err(status) => request.complete_by_framework(m, status),
        }
    }
}
