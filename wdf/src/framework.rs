//! The framework's part of a machine: where its objects live.

use std::any::Any;

use vbus_wdm::{Exit, Id, Machine, Slab};

use crate::device::{Device, DeviceBody};
use crate::driver::{Driver, DriverBody};
use crate::object::{GeneralBody, Kind, Object};
use crate::queue::{Queue, QueueBody};
use crate::request::{Parts, Request, RequestBody, UpperState};
use crate::trace::Site;
use crate::verifier;
use crate::watch::RequestHook;

/// Everything that the framework keeps on a machine.
#[derive(Default)]
pub(crate) struct Framework {
    pub(crate) drivers: Slab<DriverBody>,
    pub(crate) devices: Slab<DeviceBody>,
    pub(crate) queues: Slab<QueueBody>,
    pub(crate) requests: Slab<RequestBody>,
    pub(crate) general: Slab<GeneralBody>,
    /// Whether a driver tracks handles, and so has a line of every state of an object.
    pub(crate) tracks_handles: bool,
    /// Whether somebody wants to hear of a driver's broken rules.
    pub(crate) checks_rules: bool,
    /// How many records there were in all drivers' logs.
    pub(crate) moment: u64,
    /// Who watches requests change hands.
    pub(crate) request_hook: Option<RequestHook>,
    /// Where the entries of all child lists lie: memory that was freed is used again.
    pub(crate) child_entry_places: Slab<()>,
}

/// The framework's state on a machine that has a framework driver.
#[inline]
pub(crate) fn fx(m: &Machine) -> &Framework {
    m.layer()
}

/// The same, to change.
#[inline]
pub(crate) fn fx_mut(m: &mut Machine) -> &mut Framework {
    m.layer_mut()
}

/// The framework's state, taken once for several steps of one call.
pub struct Fx<'m> {
    exit: Exit,
    state: &'m mut Framework,
}

/// Takes the framework's state.
#[inline]
pub fn take_fx(m: &mut Machine) -> Fx<'_> {
    Fx { exit: m.exit(), state: m.layer_mut() }
}

impl<'m> Fx<'m> {
    /// Writes a record into a driver's trace log. Verbose records are dropped unless the driver's VerboseOn is set.
    #[inline]
    pub fn trace<const N: usize>(&mut self, driver: Driver, site: &'static Site, arguments: [u64; N]) {
        if let Some(body) = self.state.drivers.get_mut(driver.id()) {
            self.state.moment += 1;
            body.trace(self.state.moment, site, arguments);
        }
    }

    /// Whether somebody wants to hear of a driver's broken rules.
    #[inline]
    pub(crate) fn checks_rules(&self) -> bool {
        self.state.checks_rules
    }

    /// Whether the framework verifier is on for a driver.
    #[inline]
    pub fn verifier_on(&self, driver: Driver) -> bool {
        self.state.drivers.get(driver.id()).is_some_and(|body| body.verifier)
    }

    /// Whether a driver tracks handles.
    #[inline]
    pub(crate) fn tracks_handles(&self, driver: Driver) -> bool {
        self.state.tracks_handles && self.state.drivers.get(driver.id()).is_some_and(|body| body.track_handles)
    }

    /// A request; a stale handle stops the machine, as for all that follow.
    #[inline]
    pub(crate) fn request(&mut self, request: Request) -> &mut RequestBody {
        find(self.state.requests.get_mut(request.0.id), self.exit, request.0)
    }

    #[inline]
    pub(crate) fn into_request(self, request: Request) -> &'m mut RequestBody {
        find(self.state.requests.get_mut(request.0.id), self.exit, request.0)
    }

    #[inline]
    pub(crate) fn queue(&mut self, queue: Queue) -> &mut QueueBody {
        find(self.state.queues.get_mut(queue.0.id), self.exit, queue.0)
    }

    #[inline]
    pub(crate) fn into_queue(self, queue: Queue) -> &'m mut QueueBody {
        find(self.state.queues.get_mut(queue.0.id), self.exit, queue.0)
    }

    #[inline]
    pub(crate) fn device(&mut self, device: Device) -> &mut DeviceBody {
        find(self.state.devices.get_mut(device.0.id), self.exit, device.0)
    }

    #[inline]
    pub(crate) fn into_device(self, device: Device) -> &'m mut DeviceBody {
        find(self.state.devices.get_mut(device.0.id), self.exit, device.0)
    }

    /// A new request object for a dispatched IRP.
    #[inline]
    pub(crate) fn new_request(&mut self) -> (Id, &mut RequestBody) {
        self.state.requests.take()
    }

    /// The queue, if it still exists.
    #[inline]
    pub(crate) fn live_queue(&mut self, queue: Queue) -> Option<&mut QueueBody> {
        self.state.queues.get_mut(queue.0.id)
    }

    #[inline]
    pub(crate) fn into_live_queue(self, queue: Queue) -> Option<&'m mut QueueBody> {
        self.state.queues.get_mut(queue.0.id)
    }

    /// A request leaves the queue that gave it to its driver. Returns whether that queue should look for more: not
    /// while its own handler is on the call stack, which does so when it returns.
    #[inline]
    pub(crate) fn forget_owned(&mut self, queue: Queue, request: Request) -> bool {
        self.state.queues.get_mut(queue.0.id).is_some_and(|body| body.forget_owned(request))
    }

    /// Gives a request's reference back, if that needs nothing but a look. Returns whether it did.
    #[inline]
    pub(crate) fn release_request(&mut self, request: Request) -> bool {
        let Some(body) = self.state.requests.get_mut(request.0.id) else { return false };
        if body.header.references > 1 && !body.is_reserved() {
            body.header.references -= 1;
            return true;
        }
        body.is_spent() && self.state.requests.release(request.0.id)
    }

    /// Deletes a request, if there is nothing in it that has to go first. Returns whether it did.
    #[inline]
    pub(crate) fn end_request(&mut self, request: Request) -> bool {
        let Some(body) = self.state.requests.get_mut(request.0.id) else { return false };
        if !body.is_spent() {
            return false;
        }
        if body.header.references > 1 {
            body.header.delete_bare();
            return true;
        }
        self.state.requests.release(request.0.id)
    }

    /// The body of an upper layer's object.
    #[inline]
    pub fn body<T: Any + Send>(&mut self, object: Object, type_number: u16) -> &mut T {
        let general = self.state.general.get_mut(object.id).filter(|_| object.kind == Kind::General);
        match general.and_then(|general| general.body.downcast_mut()) {
            Some(body) => body,
            None => verifier::stale_handle(self.exit, object, type_number),
        }
    }

    /// Takes a request apart for an upper layer.
    #[inline]
    pub fn parts<T: UpperState>(&mut self, request: Request) -> Parts<'_, T> {
        self.request(request).parts()
    }
}

#[inline]
fn find<B>(found: Option<&mut B>, exit: Exit, object: Object) -> &mut B {
    match found {
        Some(body) => body,
        None => verifier::stale_handle(exit, object, object.kind as u16),
    }
}

/// Writes a record into a driver's trace log. Verbose records are dropped unless the driver's VerboseOn is set.
#[inline]
pub fn trace<const N: usize>(m: &mut Machine, driver: Driver, site: &'static Site, arguments: [u64; N]) {
    take_fx(m).trace(driver, site, arguments);
}

/// How many framework objects there are, drivers and packages aside: for whoever looks for what was left behind.
pub fn object_count(m: &Machine) -> usize {
    let framework = fx(m);
    framework.general.len() + framework.requests.len() + framework.queues.len() + framework.devices.len()
}
