//! What the layer above, the I/O targets, needs of a request. Drivers have no business here.

use std::any::Any;

use vbus_wdm::{Irp, Machine};

use super::{Ownership, Release, Request};
use crate::framework::fx;

/// The state that a layer keeps for each request, made when it is first asked for and kept with the place: what the
/// request before left in it is for the layer to reset.
#[inline]
pub fn upper_state<T: Any + Default>(m: &mut Machine, request: Request) -> &mut T {
    let upper = &mut request.body(m).upper;
    if !upper.is::<T>() {
        *upper = Box::<T>::default();
    }
    // Of this type, as the lines above made sure.
    upper.downcast_mut().unwrap()
}

/// The same, only looked at, and only if it is there.
pub fn peek_state<T: Any>(m: &Machine, request: Request) -> Option<&T> {
    fx(m).requests.get(request.0.id)?.upper.downcast_ref()
}

/// Asks to be called when the request's formatting ends: it is completed, reused, formatted again or destroyed.
#[inline]
pub fn on_release(m: &mut Machine, request: Request, release: Release) {
    request.body(m).release = Some(release);
}

/// Ends the request's formatting, if it has any.
///
/// Source: S/core/fxrequestbase.cpp:315.
#[inline]
pub fn release_formatting(m: &mut Machine, request: Request) {
    if let Some(release) = request.body(m).release.take() {
        release(m, request);
    }
}

/// Gives the request another IRP, which the framework owns from now on. Returns the one it had.
///
/// Source: S/core/fxrequestbase.cpp:299-379.
pub fn adopt_irp(m: &mut Machine, request: Request, irp: Irp) -> Option<Irp> {
    let body = request.body(m);
    body.ownership = Ownership::Internal;
    body.irp.replace(irp)
}

impl Request {
    /// The framework forgets the request: its IRP goes on without it.
    ///
    /// Source: S/core/fxrequestapi.cpp:1930-1990 (send and forget).
    pub fn forget(self, m: &mut Machine) {
        let body = self.body(m);
        body.irp = None;
        let queue = body.queue.take();
        if self.0.dispose(m) {
            self.0.destroy_children(m);
        }
        if let Some(queue) = queue {
            queue.forget_owned(m, self);
        }
        self.0.release(m);
        if let Some(queue) = queue {
            queue.dispatch_internal_events(m);
        }
    }
}
