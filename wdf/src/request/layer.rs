//! What the layer above, the I/O targets, needs of a request. Drivers have no business here.

use std::any::{Any, TypeId};

use vbus_wdm::{Irp, Machine};

use super::{Ownership, Release, Request, RequestBody};
use crate::driver::Driver;
use crate::framework::fx;
use crate::object::Object;
use crate::queue::Queue;

/// What the layer above keeps for each request.
pub trait UpperState: Any + Send + Default {
    /// The request is reserved, was completed, and is made ready for its next IRP.
    ///
    /// Source: S/core/fxrequestbase.cpp:259-296 (ClearFieldsForReuse).
    fn clear_for_reuse(&mut self);
}

/// A request as the layer above works with it, found with one look.
pub struct Parts<'m, T> {
    /// The request's IRP.
    pub irp: Option<Irp>,
    /// Whose the IRP is.
    pub ownership: Ownership,
    /// The driver that the request belongs to.
    pub driver: Driver,
    /// The object's reference count.
    pub references: &'m mut i32,
    /// How often a queue took the request or gave it to the driver.
    pub moves: u32,
    /// The target that the request is out at: the framework verifier asks before it is deleted.
    pub sent_to: &'m mut Option<Object>,
    /// To be called when the request's formatting ends: it is completed, reused, formatted again or destroyed.
    pub release: &'m mut Option<Release>,
    /// To be called when the request is deleted or destroyed: what the layer keeps for it from one formatting to the
    /// next goes.
    pub discard: &'m mut Option<Release>,
    /// The state that the layer keeps for each request. It stays with the place: what the request before left in it
    /// is for the layer to reset.
    pub state: &'m mut T,
}

impl RequestBody {
    /// Takes the request apart; the layer's state is made when it is first asked for. Whoever calls this looks at one or
    /// two of the parts: inlined, it does not make the others.
    #[inline(always)]
    pub(crate) fn parts<T: UpperState>(&mut self) -> Parts<'_, T> {
        if self.upper_type != TypeId::of::<T>() {
            self.make_state::<T>();
        }
        Parts {
            irp: self.irp,
            ownership: self.ownership,
            driver: self.header.driver(),
            references: &mut self.header.references,
            moves: self.moves,
            sent_to: &mut self.sent_to,
            release: &mut self.release,
            discard: &mut self.discard,
            // Of this type, as the lines above made sure.
            state: self.upper.downcast_mut().unwrap(),
        }
    }

    #[cold]
    fn make_state<T: UpperState>(&mut self) {
        self.upper = Box::<T>::default();
        self.upper_type = TypeId::of::<T>();
        self.clear_upper = |upper| {
            if let Some(state) = upper.downcast_mut::<T>() {
                state.clear_for_reuse();
            }
        };
    }
}

/// A request taken apart, for one look.
#[inline]
pub fn parts_of<T: UpperState>(m: &mut Machine, request: Request) -> Parts<'_, T> {
    request.body(m).parts()
}

/// The layer's state, only looked at, and only if it is there.
pub fn peek_state<T: Any + Send>(m: &Machine, request: Request) -> Option<&T> {
    fx(m).requests.get(request.0.id)?.upper.downcast_ref()
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

/// Gives the request another IRP, whose is from now on as said. Returns the one it had.
///
/// Source: S/core/fxrequestbase.cpp:299-379, S/core/fxrequest.cpp:2220-2260.
pub fn replace_irp(m: &mut Machine, request: Request, irp: Irp, ownership: Ownership) -> Option<Irp> {
    let body = request.body(m);
    body.ownership = ownership;
    body.completed = false;
    body.irp.replace(irp)
}

impl Request {
    /// The framework begins to forget the request: its IRP goes on without it, in the location that the driver had if
    /// that is `skipped`. Returns the queue that gave the request to its driver, for [`Request::forgotten`].
    ///
    /// Source: S/core/fxrequest.cpp:1116-1230 (PreProcessSendAndForget, PostProcessSendAndForget).
    pub fn begin_to_forget(self, m: &mut Machine, skipped: bool) -> Option<Queue> {
        self.verify_may_be_forgotten(m);
        if let Some(irp) = self.body(m).irp.filter(|_| skipped) {
            m[irp].skip_current_location();
        }
        let body = self.body(m);
        if body.is_reserved() {
            body.completed = true;
        } else if !body.header.is_bare() {
            self.dispose_before_irp(m);
        }
        let body = self.body(m);
        body.irp = None;
        body.queue.take()
    }

    /// The IRP is on its way: the queue may give the next request, and this one goes.
    pub fn forgotten(self, m: &mut Machine, queue: Option<Queue>) {
        self.leave_queue(m, queue);
    }
}
