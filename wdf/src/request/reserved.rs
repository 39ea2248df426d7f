//! Reserved requests: a queue keeps them for when there is no memory for others, and uses them again and again.
//!
//! Source: S/core/fxrequest.cpp:930-965, 1035-1066, 1116-1230, 3106-3160; S/core/fxrequestbase.cpp:259-296;
//! S/core/fxrequestapi.cpp:3723-3763; S/irphandlers/io/fxioqueue.cpp:6382-6460.

use vbus_wdm::{Irp, Machine};

use super::{OwnBuffers, Request, layer};
use crate::device::Device;
use crate::driver::Driver;
use crate::framework::take_fx;
use crate::object::Object;
use crate::queue::Queue;

impl Request {
    /// `WdfRequestIsReserved`: whether the request is one that its queue keeps for forward progress. It is completed like
    /// any other, and then used for another IRP: its contexts and its children stay, and none of its cleanup callbacks runs
    /// before its queue goes.
    pub fn is_reserved(self, m: &mut Machine) -> bool {
        self.body(m).is_reserved()
    }

    /// A request without an IRP, for a queue to keep.
    pub(crate) fn reserve(m: &mut Machine, driver: Driver, device: Device, queue: Queue) -> Request {
        let request = Request::from_dispatch(&mut take_fx(m), driver, device, None);
        let body = request.body(m);
        body.reserved_for = Some(queue);
        body.completed = false;
        request.rests_in(m, queue);
        request
    }

    /// It is in no driver's hands.
    fn rests_in(self, m: &mut Machine, queue: Queue) {
        let body = self.body(m);
        body.queue = Some(queue);
        body.waiting = true;
    }

    /// A reserved request is for this IRP now.
    pub(crate) fn stands_for(self, m: &mut Machine, irp: Irp) {
        self.body(m).irp = Some(irp);
        self.mark_irp(m, irp);
    }

    /// ClearFieldsForReuse. What stays: the completion routine of a request that was not sent, the context of a target's
    /// format call, and that the driver had the request once.
    pub(crate) fn clear_for_reuse(self, m: &mut Machine, queue: Queue) {
        self.rests_in(m, queue);
        let body = self.body(m);
        body.own_buffers = OwnBuffers::default();
        (body.completed, body.cancelled, body.cancelable) = (false, false, false);
        (body.found, body.in_io_stop, body.sent_to) = (false, false, None);
        (body.clear_upper)(&mut *body.upper);
    }

    /// FreeRequest: a request that no queue presented goes, a reserved one as well.
    pub(crate) fn free(self, m: &mut Machine) {
        layer::release_formatting(m, self);
        self.body(m).reserved_for = None;
        self.0.delete_object(m);
    }

    /// A reserved request that goes is still linked to its queue, which does not hear of it.
    pub(super) fn not_in_reserve(self, m: &mut Machine) {
        if self.is_reserved(m) {
            m.undefined("WdfObjectDelete", "a reserved request is not deleted by its driver: it goes with its queue");
        }
    }
}

/// A request's reference was given back, and one is left: a reserved one that was completed goes back to its queue.
pub(crate) fn one_reference_left(m: &mut Machine, object: Object) {
    let request = Request(object);
    let body = request.body(m);
    if let Some(queue) = body.reserved_for.filter(|_| body.completed) {
        queue.take_back(m, request);
    }
}
