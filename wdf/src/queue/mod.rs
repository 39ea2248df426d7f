//! WDFQUEUE: where requests wait, and how many the driver is given at once.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp; the parts say which lines.

mod cancel;
mod config;
mod constraints;
mod control;
mod deliver;
mod forward;
mod forward_progress;
mod power;
mod present;
mod take;

use std::collections::VecDeque;

use vbus_wdm::{Context, Machine};

use crate::device::Device;
use crate::driver::Driver;
use crate::framework::take_fx;
use crate::object::{Handle, HandleType, Header, Object};
use crate::request::Request;
use crate::sync::presentation::{CallbackLock, Constraints};

pub(crate) use cancel::cancelled_while_waiting;
use config::Callbacks;
pub use config::{Dispatch, IoControl, QueueConfig};
use constraints::Deferred;
use forward_progress::Reserve;
pub use forward_progress::{AllocateResources, ExamineIrp, ForwardProgressAction, ForwardProgressPolicy};
use power::PowerState;
pub use power::StopAction;
pub(crate) use power::{Acknowledged, POWER_STATES};

/// A WDFQUEUE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Queue(pub(crate) Object);

impl Handle for Queue {
    #[inline]
    fn object(self) -> Object {
        self.0
    }

    #[inline]
    fn driver(self, m: &mut Machine) -> Driver {
        self.body(m).header.driver()
    }
}

/// EvtIoQueueState: a queue has become what its driver asked for, or has a request for a driver that waits for one.
pub type QueueEvent = fn(&mut Machine, Queue, Context);

#[derive(Default)]
pub(crate) struct QueueBody {
    pub(crate) header: Header,
    pub(crate) constraints: Constraints,
    pub(crate) lock: CallbackLock,
    device: Option<Device>,
    dispatch: Dispatch,
    presented_limit: u32,
    allow_zero_length: bool,
    callbacks: Callbacks,
    power_managed: bool,
    power: PowerState,
    /// What a change of power waits for.
    power_idle: bool,
    /// Requests keep the device in D0, and some do.
    holds_power: bool,
    power_referenced: bool,
    /// Of what the driver holds: those that a change of power has still to ask about, and those it asked about.
    notify: VecDeque<Request>,
    notified: Vec<Request>,
    /// Nothing is presented from it any more.
    deleted: bool,
    accepting: bool,
    /// Stopped queues accept requests and present none.
    dispatching: bool,
    /// The device goes: nothing makes the queue accept again.
    shut_down: bool,
    /// A stop-and-purge or purge is on: what the driver gives back or marks cancelable is cancelled at once.
    cancel_dispatched: bool,
    /// Requests that were not presented yet, oldest first.
    waiting: VecDeque<Request>,
    /// Requests that the driver was given and has not completed or handed on, oldest first.
    owned: Vec<Request>,
    /// How many the driver has, which is also those that it is just handing on.
    driver_count: u32,
    /// Those of them that it marked cancelable, in the order of the marks.
    marked: Vec<Request>,
    /// Marked cancelable, cancelled, and the driver's routine was not called yet.
    cancelled: VecDeque<Request>,
    /// Cancelled while they waited a second time: the driver is told of them.
    cancelled_on_queue: VecDeque<Request>,
    /// To be called when the driver holds nothing.
    idle_complete: Option<(QueueEvent, Context)>,
    /// To be called when nothing is left at all.
    purge_complete: Option<(QueueEvent, Context)>,
    /// To be called when a manual queue is no longer empty.
    ready_notify: Option<(QueueEvent, Context)>,
    no_longer_empty: bool,
    /// Somebody found nothing although a request was on its way out: the next one counts as the first.
    force_no_longer_empty: bool,
    /// What a synchronous stop, drain or purge waits for.
    signalled: bool,
    /// How many DispatchEvents loops are on the call stack.
    depth: u32,
    /// What it has for when there is no memory for requests.
    reserve: Option<Box<Reserve>>,
    /// A thread that could not call the driver left it to another, which is to look once more if it came meanwhile.
    deferred: Deferred,
    dispatch_again: bool,
}

/// WDF_IO_QUEUE_STATE: a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueState(pub u32);

impl QueueState {
    /// WdfIoQueueAcceptRequests.
    pub const ACCEPT_REQUESTS: QueueState = QueueState(1);
    /// WdfIoQueueDispatchRequests.
    pub const DISPATCH_REQUESTS: QueueState = QueueState(2);
    /// WdfIoQueueNoRequests: nothing waits.
    pub const NO_REQUESTS: QueueState = QueueState(4);
    /// WdfIoQueueDriverNoRequests: the driver holds nothing.
    pub const DRIVER_NO_REQUESTS: QueueState = QueueState(8);
    /// WdfIoQueuePnpHeld: the queue is power managed and its device is not in D0.
    pub const PNP_HELD: QueueState = QueueState(0x10);

    /// Whether all of `bits` are set.
    pub const fn contains(self, bits: QueueState) -> bool {
        self.0 & bits.0 == bits.0
    }
}

impl QueueBody {
    /// The device that the queue belongs to.
    #[inline]
    pub(crate) fn device(&self) -> Option<Device> {
        self.device
    }

    /// The bits that a queue's own driver can set.
    fn own_bits(&self) -> u64 {
        u64::from(self.accepting) | u64::from(self.dispatching) << 1
    }

    /// The same with the framework's own, FxIoQueueShutdown, as messages print them.
    fn printed_bits(&self) -> u64 {
        self.own_bits() | u64::from(self.shut_down) << 16
    }

    /// What messages say of a queue that was shut down, by its word for the format.
    fn shut_down_word(&self) -> u64 {
        self.shut_down.into()
    }

    fn state(&self) -> QueueState {
        let held = self.power_managed && self.power != PowerState::On;
        let bits = self.own_bits() as u32
            | u32::from(self.waiting.is_empty()) << 2
            | u32::from(self.driver_count == 0) << 3
            | u32::from(held) << 4;
        QueueState(bits)
    }

    /// The driver has the request.
    #[inline]
    fn own(&mut self, request: Request) {
        self.owned.push(request);
        self.driver_count += 1;
    }

    /// The request leaves the driver's, who is still counted as having it.
    #[inline]
    fn disown(&mut self, request: Request) {
        // The youngest is the likeliest: look from the end.
        match self.owned.iter().rposition(|&owned| owned == request) {
            Some(at) => _ = self.owned.remove(at),
            None => {
                self.notify.retain(|&known| known != request);
                self.notified.retain(|&known| known != request);
            }
        }
        if !self.marked.is_empty() {
            self.marked.retain(|&marked| marked != request);
        }
    }

    /// The driver does not hold the request any more. Returns whether nobody is presenting at this moment.
    #[inline]
    pub(crate) fn forget_owned(&mut self, request: Request) -> bool {
        self.disown(request);
        self.driver_count = self.driver_count.saturating_sub(1);
        self.depth == 0
    }

    /// A request was put among the waiting ones. Returns whether the queue was empty before.
    fn added(&mut self) -> bool {
        let first = self.waiting.len() == 1 || self.force_no_longer_empty;
        if first {
            self.no_longer_empty = true;
            self.force_no_longer_empty = false;
        }
        first
    }
}

impl Queue {
    /// Puts a request behind the waiting ones, or before them.
    fn wait_last(self, m: &mut Machine, request: Request) {
        let body = self.body(m);
        body.waiting.push_back(request);
        if body.added() {
            self.keep_powered(m);
        }
    }

    fn wait_first(self, m: &mut Machine, request: Request) {
        let body = self.body(m);
        body.waiting.push_front(request);
        if body.added() {
            self.keep_powered(m);
        }
    }

    /// A handle that a driver took for a WDFQUEUE: a cast in C. See [`Object::expect_type`].
    pub fn from_handle(m: &mut Machine, driver: Driver, handle: Object) -> Queue {
        handle.expect_type(m, driver, HandleType::Queue);
        Queue(handle)
    }

    #[inline]
    fn body(self, m: &mut Machine) -> &mut QueueBody {
        take_fx(m).into_queue(self)
    }

    /// Whether what the driver gives back or marks cancelable is cancelled at once.
    pub(crate) fn cancels_dispatched(self, m: &mut Machine) -> bool {
        self.body(m).cancel_dispatched
    }

    /// The driver marked a request cancelable.
    pub(crate) fn marked(self, m: &mut Machine, request: Request) {
        self.body(m).marked.push(request);
    }

    /// The driver wants its mark back. Returns whether it was still there.
    pub(crate) fn unmarked(self, m: &mut Machine, request: Request) -> bool {
        let marked = &mut self.body(m).marked;
        let at = marked.iter().rposition(|&known| known == request);
        at.map(|at| marked.remove(at)).is_some()
    }

    /// `WdfIoQueueGetDevice`.
    #[inline]
    pub fn device(self, m: &mut Machine) -> Device {
        // Every queue is created for a device.
        self.body(m).device.expect("a queue belongs to a device")
    }

    /// `WdfIoQueueGetState`.
    ///
    /// Source: S/irphandlers/io/fxioqueue.cpp:785-828.
    pub fn state(self, m: &mut Machine) -> QueueState {
        self.body(m).state()
    }

    /// The counts of `WdfIoQueueGetState`: how many requests wait, and how many the driver holds.
    pub fn counts(self, m: &mut Machine) -> (usize, usize) {
        let body = self.body(m);
        (body.waiting.len(), body.driver_count as usize)
    }
}
