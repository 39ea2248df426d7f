//! WDFREQUEST: an IRP and what the framework keeps beside it.

mod buffers;
mod cancel;
mod complete;
mod create;
mod layer;
mod mdl;
mod memory;
mod probe;
mod query;
mod reserved;
mod reuse;
mod verify;

use std::any::{Any, TypeId};

use vbus_wdm::{Context, Id, Irp, Machine};

use crate::device::Device;
use crate::driver::Driver;
use crate::framework::{Fx, fx, fx_mut, take_fx, trace};
use crate::object::{Handle, HandleType, Header, Kind, Object};
use crate::queue::{Acknowledged, Queue};
use crate::trace::sites;
use crate::verifier;

use buffers::OwnBuffers;
pub use buffers::Transfer;
pub use cancel::RequestCancel;
pub use create::{create_on_stack, create_prepared};
pub use layer::{Parts, UpperState, parts_of, peek_state, release_formatting, replace_irp};
pub use memory::Memory;
pub use query::RequestParameters;
pub(crate) use reserved::one_reference_left;
pub use reuse::reuse_irp;

/// A WDFREQUEST.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request(pub(crate) Object);

impl Handle for Request {
    #[inline]
    fn object(self) -> Object {
        self.0
    }

    #[inline]
    fn driver(self, m: &mut Machine) -> Driver {
        self.body(m).header.driver()
    }
}

/// Where a request's IRP came from, and so what may be done with it.
///
/// Source: S/core/fxrequestbase.cpp:32-134 (FxRequestIrpAllocation).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ownership {
    /// Dispatched to the driver: the I/O manager's IRP, which nobody here may replace.
    #[default]
    FromIo,
    /// The framework's own: it may be replaced by a bigger one.
    Internal,
    /// The driver's own.
    Driver,
}

/// What a layer above does for a request when its formatting, or its life, ends.
pub type Release = fn(&mut Machine, Request);

pub(crate) struct RequestBody {
    pub(crate) header: Header,
    irp: Option<Irp>,
    ownership: Ownership,
    /// The driver has to complete it, and may: it was dispatched, or reused for that.
    can_complete: bool,
    /// It was reused for the driver to complete, and no queue has it yet.
    driver_owned: bool,
    /// It was completed, or never had an IRP.
    completed: bool,
    /// Where the dispatched IRP's data was: formatting the IRP for a target does not move the request's own memories.
    own_buffers: OwnBuffers,
    device: Option<Device>,
    queue: Option<Queue>,
    waiting: bool,
    /// The driver had it once.
    presented: bool,
    /// It was cancelled, whatever its IRP says.
    cancelled: bool,
    /// WdfIoQueueFindRequest gave its handle away.
    found: bool,
    /// EvtIoInCallerContext has it, and where it goes from there.
    in_caller_context: bool,
    destination: Option<Queue>,
    /// How often a queue took it or gave it to the driver.
    moves: u32,
    /// The target that it is out at.
    sent_to: Option<Object>,
    /// The driver's answer to EvtIoStop, until its queue takes it in.
    acknowledged: Acknowledged,
    cancel: Option<RequestCancel>,
    /// The driver marked it and did not unmark it.
    cancelable: bool,
    /// EvtIoStop runs for it.
    in_io_stop: bool,
    /// The queue whose reserved request it is.
    reserved_for: Option<Queue>,
    /// What the layer above keeps for each request, and its type; it stays with the place.
    upper: Box<dyn Any + Send>,
    upper_type: TypeId,
    clear_upper: fn(&mut (dyn Any + Send)),
    release: Option<Release>,
    discard: Option<Release>,
    /// How many formatted requests use this one's memories.
    lent: i32,
}

impl Default for RequestBody {
    fn default() -> Self {
        RequestBody {
            header: Header::default(),
            irp: None,
            ownership: Ownership::default(),
            can_complete: true,
            driver_owned: false,
            completed: true,
            own_buffers: OwnBuffers::default(),
            device: None,
            queue: None,
            waiting: false,
            presented: false,
            cancelled: false,
            found: false,
            in_caller_context: false,
            destination: None,
            moves: 0,
            sent_to: None,
            acknowledged: Acknowledged::No,
            cancel: None,
            cancelable: false,
            in_io_stop: false,
            reserved_for: None,
            upper: Box::new(()),
            upper_type: TypeId::of::<()>(),
            clear_upper: |_| {},
            release: None,
            discard: None,
            lent: 0,
        }
    }
}

impl RequestBody {
    /// The device that the request was dispatched to.
    pub(crate) fn device(&self) -> Option<Device> {
        self.device
    }

    /// Whether forgetting the request needs nothing besides its place: no callbacks, no children, no IRP, no formatting.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        let kept = self.release.is_some() || self.discard.is_some();
        self.header.is_bare() && self.irp.is_none() && !kept && self.header.parent.is_none() && !self.is_reserved()
    }

    #[inline]
    pub(crate) fn is_reserved(&self) -> bool {
        self.reserved_for.is_some()
    }

    #[inline]
    fn initialize(&mut self, driver: Driver, irp: Option<Irp>, ownership: Ownership) {
        self.header.initialize(driver);
        self.irp = irp;
        self.ownership = ownership;
        self.can_complete = ownership == Ownership::FromIo;
        self.driver_owned = false;
        self.completed = irp.is_none();
        self.own_buffers = OwnBuffers::default();
        self.device = None;
        self.queue = None;
        self.waiting = false;
        self.presented = false;
        self.cancelled = false;
        self.found = false;
        self.in_caller_context = false;
        self.destination = None;
        self.moves = 0;
        self.sent_to = None;
        self.acknowledged = Acknowledged::No;
        self.cancel = None;
        self.cancelable = false;
        self.in_io_stop = false;
        self.reserved_for = None;
        self.release = None;
        self.discard = None;
        self.lent = 0;
    }
}

/// The framework keeps its request in this word of a dispatched IRP's DriverContext.
const REQUEST_WORD: usize = 3;

impl Request {
    /// The request that the framework makes for a dispatched IRP, or for one that comes later. It has no parent: it lives
    /// until it is completed.
    #[inline]
    pub(crate) fn from_dispatch(fx: &mut Fx<'_>, driver: Driver, device: Device, irp: Option<Irp>) -> Request {
        let (id, body) = fx.new_request();
        body.initialize(driver, irp, Ownership::FromIo);
        body.device = Some(device);
        let request = Request(Object { kind: Kind::Request, id });
        if fx.tracks_handles(driver) {
            fx.request(request).header.marks.traced = true;
        }
        request
    }

    /// Lets the framework find the request again from its IRP, and keeps where a dispatched one's data is.
    #[inline]
    pub(crate) fn mark_irp(self, m: &mut Machine, irp: Irp) {
        m[irp].driver_context[REQUEST_WORD] = self.0.id.to_word();
        self.assign_buffers(m, irp);
    }

    /// A handle that a driver took for a WDFREQUEST: a cast in C. See [`Object::expect_type`].
    pub fn from_handle(m: &mut Machine, driver: Driver, handle: Object) -> Request {
        handle.expect_type(m, driver, HandleType::Request);
        Request(handle)
    }

    #[inline]
    fn body(self, m: &mut Machine) -> &mut RequestBody {
        take_fx(m).into_request(self)
    }

    /// The framework request of an IRP that waits in a queue or is held by the driver.
    pub(crate) fn of_irp(m: &Machine, irp: Irp) -> Option<Request> {
        let id = Id::from_word(m[irp].driver_context[REQUEST_WORD])?;
        fx(m).requests.get(id).filter(|body| body.irp == Some(irp))?;
        Some(Request(Object { kind: Kind::Request, id }))
    }

    /// The request's IRP at this moment, without a DDI's checks.
    #[inline]
    pub fn current_irp(self, m: &mut Machine) -> Option<Irp> {
        self.body(m).irp
    }

    /// Whose the IRP is.
    #[inline]
    pub fn ownership(self, m: &mut Machine) -> Ownership {
        self.body(m).ownership
    }

    /// The device that the request was dispatched to; `None` for the driver's own.
    pub fn device(self, m: &mut Machine) -> Option<Device> {
        self.body(m).device
    }

    /// The queue that gave the request to its driver, without a DDI's checks.
    #[inline]
    pub fn queue(self, m: &mut Machine) -> Option<Queue> {
        self.body(m).queue
    }

    /// Information of the IRP, 0 without one.
    fn current_information(self, m: &mut Machine) -> u64 {
        self.current_irp(m).map_or(0, |irp| m[irp].io_status.information)
    }

    /// The IRP of a request that must have one here: in Windows a call would go through a null pointer.
    fn require_irp(self, m: &mut Machine, ddi: &'static str) -> Irp {
        match self.current_irp(m) {
            Some(irp) => irp,
            None => m.undefined(ddi, "the IRP of a request is asked for only while the request has one"),
        }
    }

    /// The handle as a context word, and back.
    pub fn to_context(self) -> Context {
        Context(self.0.id.to_word())
    }

    /// The request that [`Request::to_context`] made a word of.
    pub fn from_context(context: Context) -> Option<Request> {
        Id::from_word(context.0).map(|id| Request(Object { kind: Kind::Request, id }))
    }
}

/// A request of the driver's own is deleted: it is formatted no longer, even while it is out, so that the request whose
/// memories it used can be completed.
///
/// Source: S/core/fxrequestbase.cpp:137-190.
pub(crate) fn disposed(m: &mut Machine, object: Object) {
    let request = Request(object);
    let body = request.body(m);
    if body.ownership == Ownership::FromIo {
        return;
    }
    let (has_irp, sent_to) = (body.irp.is_some(), body.sent_to);
    let driver = request.driver(m);
    if let Some(target) = sent_to.filter(|_| driver.verifier_on(m)) {
        // An error that the call reports and then does all the same.
        trace(m, driver, &sites::DELETE_WHILE_SENT, [object.handle(), target.handle()]);
        verifier::debug_break(m, driver);
    }
    if has_irp {
        layer::release_formatting(m, request);
        if let Some(discard) = request.body(m).discard.take() {
            discard(m, request);
        }
    }
}

/// The last reference is gone: the framework's own IRP goes with the request.
pub(crate) fn destroyed(m: &mut Machine, object: Object) {
    let request = Request(object);
    request.not_in_reserve(m);
    layer::release_formatting(m, request);
    if let Some(discard) = request.body(m).discard.take() {
        discard(m, request);
    }
    let body = request.body(m);
    let irp = body.irp.take().filter(|_| body.ownership == Ownership::Internal);
    fx_mut(m).requests.release(object.id);
    if let Some(irp) = irp {
        irp.free(m);
    }
}
