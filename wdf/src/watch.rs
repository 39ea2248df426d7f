//! Watching requests from outside: who has a request, at every moment at which it changes hands.
//!
//! Together with the steps of its IRP ([`vbus_wdm::Step`]) that is a request's whole way. The steps come only while
//! somebody watches IRPs as well: one look at the machine tells a hot path that nobody does.

use vbus_wdm::{DeviceObject, Irp, Machine, NtStatus};

use crate::device::Device;
use crate::driver::Driver;
use crate::framework::{Framework, fx, fx_mut};
use crate::object::Object;
use crate::queue::Queue;
use crate::request::Request;

/// Where a request is to go, as its target was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Destination {
    /// The I/O target.
    pub target: Object,
    /// The device whose target it is.
    pub owner: Device,
    /// The device that it sends to; `None` for one that is not open.
    pub device: Option<DeviceObject>,
    /// The stack size that requests are checked against.
    pub stack_size: i8,
}

/// How a request changed hands, or why it did not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestStep {
    /// It waits in a queue.
    Waits(Queue),
    /// The driver has it: a queue gave it away, or, without one, EvtIoInCallerContext is about to see it.
    Driver(Option<Queue>),
    /// A format call decided whether the request fits the target: its IRP as it is, or a new one.
    Formatted(Destination, NtStatus),
    /// A format call, or one that sends and waits, refused what it was given before it looked at the request's IRP: memories
    /// and their offsets, options, the IRQL.
    NotFormatted(Destination, NtStatus),
    /// The driver's own location was copied to the next one, or written there by hand, for any target; or there is no next
    /// location, and the machine is about to stop.
    Copied {
        /// There is a next location.
        fits: bool,
    },
    /// The target took it, and is about to send its IRP on.
    Sent(Destination),
    /// The target took it, and keeps it until it is started.
    Pended(Destination),
    /// The send failed: the driver still has it.
    NotSent(Destination, NtStatus),
    /// It is back from the target, and the driver's completion routine is about to see it.
    Back(Destination, NtStatus),
}

/// A step of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestObservation {
    /// The request.
    pub request: Request,
    /// Its IRP at this moment.
    pub irp: Option<Irp>,
    /// What happened.
    pub step: RequestStep,
}

/// Called at every step of every request, at the moment it happens.
pub type RequestHook = fn(&mut Machine, RequestObservation);

/// Calls `hook` at every step of every request from now on, while IRPs are watched too ([`Machine::on_irp_step`]).
pub fn on_request_step(m: &mut Machine, hook: RequestHook) {
    if !m.has_layer() {
        m.set_layer(Framework::default());
    }
    fx_mut(m).request_hook = Some(hook);
}

/// The place that the newest record of any driver's log has among all of them: see [`crate::LogLine::moment`]. On a machine
/// without a framework it is asked only after [`on_request_step`].
pub fn log_moment(m: &Machine) -> u64 {
    fx(m).moment
}

/// Every framework driver that was loaded on the machine, oldest first, unloaded ones too: their logs can still be read.
pub fn drivers(m: &Machine) -> Vec<Driver> {
    if !m.has_layer() {
        return Vec::new();
    }
    fx(m).drivers.iter().map(|(id, _)| Driver::from_id(id)).collect()
}

/// Tells whoever watches. `step` is only made for them.
#[inline]
pub fn request_step(m: &mut Machine, request: Request, step: impl FnOnce(&mut Machine) -> RequestStep) {
    if m.is_watched() {
        tell(m, request, step);
    }
}

#[cold]
fn tell(m: &mut Machine, request: Request, step: impl FnOnce(&mut Machine) -> RequestStep) {
    let Some(hook) = fx(m).request_hook else { return };
    let step = step(m);
    let irp = request.current_irp(m);
    hook(m, RequestObservation { request, irp, step });
}
