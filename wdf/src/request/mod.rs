//! WDFREQUEST: an IRP and what the framework keeps beside it.

mod buffers;
mod cancel;
mod complete;
mod layer;
mod mdl;
mod memory;
mod verify;

use std::any::{Any, TypeId};

use vbus_wdm::constants::*;
use vbus_wdm::{
    Context, FileObject, Id, IoStatus, IoctlCode, Irp, Machine, Major, NtStatus, Parameters, RequestorMode,
};

use crate::device::Device;
use crate::driver::Driver;
use crate::framework::{Fx, fx, fx_mut, take_fx, trace};
use crate::object::{Allowed, Attributes, Handle, HandleType, Header, Kind, Object, parent_of};
use crate::queue::{Acknowledged, Queue};
use crate::trace::sites;
use crate::verifier;

pub use buffers::Transfer;
pub use cancel::RequestCancel;
pub use layer::{Parts, lend_memory, peek_state, release_formatting, replace_irp, return_memory};
pub use memory::Memory;

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

/// Undoes what a layer above did to a request's IRP when it formatted it.
pub type Release = fn(&mut Machine, Request);

pub(crate) struct RequestBody {
    pub(crate) header: Header,
    irp: Option<Irp>,
    ownership: Ownership,
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
    /// What the layer above keeps for each request, and its type; it stays with the place.
    upper: Box<dyn Any>,
    upper_type: TypeId,
    release: Option<Release>,
    /// How many formatted requests use this one's memories.
    lent: u32,
}

impl Default for RequestBody {
    fn default() -> Self {
        RequestBody {
            header: Header::default(),
            irp: None,
            ownership: Ownership::default(),
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
            upper: Box::new(()),
            upper_type: TypeId::of::<()>(),
            release: None,
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
        self.header.is_bare() && self.irp.is_none() && self.release.is_none() && self.header.parent.is_none()
    }

    #[inline]
    fn initialize(&mut self, driver: Driver, irp: Option<Irp>, ownership: Ownership) {
        self.header.initialize(driver);
        self.irp = irp;
        self.ownership = ownership;
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
        self.release = None;
        self.lent = 0;
    }
}

/// The framework keeps its request in this word of a dispatched IRP's DriverContext.
const REQUEST_WORD: usize = 3;

/// WDF_REQUEST_PARAMETERS: what the sender asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RequestParameters {
    /// The major function.
    pub major: Major,
    /// The stack location's parameters.
    pub parameters: Parameters,
}

impl Request {
    /// The request that the framework makes for a dispatched IRP. It has no parent: it lives until it is completed.
    #[inline]
    pub(crate) fn from_dispatch(fx: &mut Fx<'_>, driver: Driver, device: Device, irp: Irp) -> Request {
        let (id, body) = fx.new_request();
        body.initialize(driver, Some(irp), Ownership::FromIo);
        body.device = Some(device);
        let request = Request(Object { kind: Kind::Request, id });
        if fx.tracks_handles(driver) {
            fx.request(request).header.marks.traced = true;
        }
        request
    }

    /// Lets the framework find the request again from its IRP.
    #[inline]
    pub(crate) fn mark_irp(self, m: &mut Machine, irp: Irp) {
        m[irp].driver_context[REQUEST_WORD] = self.0.id.to_word();
    }

    /// `WdfRequestCreate` without a target: a request of the driver's own, without an IRP until it is formatted.
    ///
    /// Its parent is `attributes`' or the driver, and it lives until it is deleted.
    ///
    /// # Errors
    /// STATUS_WDF_EXECUTION_LEVEL_INVALID and STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID for attributes with those,
    /// STATUS_DELETE_PENDING for a parent that is being deleted.
    ///
    /// Source: S/core/fxrequest.cpp:168-233.
    pub fn create(m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<Request, NtStatus> {
        Request::new(m, driver, None, Ownership::Internal, attributes)
    }

    /// `WdfRequestCreateFromIrp`: a request around an IRP that the driver made. With `frees_irp` the framework owns the
    /// IRP from now on: it is freed with the request, or when a target needs a bigger one.
    ///
    /// # Errors
    /// As [`Request::create`]; the IRP is then the driver's still.
    ///
    /// Source: S/core/fxrequest.cpp:168-233, S/core/fxrequestapi.cpp:159.
    pub fn create_from_irp(
        m: &mut Machine,
        driver: Driver,
        irp: Irp,
        frees_irp: bool,
        attributes: Attributes,
    ) -> Result<Request, NtStatus> {
        let ownership = if frees_irp { Ownership::Internal } else { Ownership::Driver };
        Request::new(m, driver, Some(irp), ownership, attributes)
    }

    fn new(
        m: &mut Machine,
        driver: Driver,
        irp: Option<Irp>,
        ownership: Ownership,
        attributes: Attributes,
    ) -> Result<Request, NtStatus> {
        attributes.validate(m, driver, Allowed::Neither)?;
        let parent = parent_of(m, driver, &attributes, driver.0);
        let (id, body) = fx_mut(m).requests.take();
        body.initialize(driver, irp, ownership);
        let request = Request(Object { kind: Kind::Request, id });
        let committed = request.0.commit(m, parent, attributes);
        if let Err(status) = committed {
            trace(m, driver, &sites::REQUEST_NOT_CREATED, [status.0.into()]);
            request.body(m).irp = None;
            fx_mut(m).requests.release(id);
        }
        let owns = u64::from(ownership == Ownership::Internal);
        let created = if committed.is_ok() { request.0.address() } else { 0 };
        let arguments = [irp.map_or(0, Irp::address), owns, created, NtStatus::from(committed).0.into()];
        trace(m, driver, &sites::REQUEST_CREATE, arguments);
        committed.map(|()| request)
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

    /// `WdfRequestWdmGetIrp`: the IRP, if the request has one at this moment. Under the verifier asking a request that
    /// has none is an error.
    ///
    /// Source: S/core/fxrequestapi.cpp:1170-1210.
    pub fn irp(self, m: &mut Machine) -> Option<Irp> {
        let irp = self.current_irp(m);
        let driver = self.driver(m);
        if irp.is_none() && self.verify_not_completed(m).is_err() {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, &sites::GET_IRP_COMPLETED, [self.0.handle(), status.0.into()]);
            verifier::debug_break(m, driver);
        }
        irp
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

    /// `WdfRequestGetIoQueue`.
    #[inline]
    pub fn queue(self, m: &mut Machine) -> Option<Queue> {
        self.body(m).queue
    }

    /// `WdfRequestGetStatus`: IoStatus.Status of the IRP as it is now.
    pub fn status(self, m: &mut Machine) -> NtStatus {
        self.io_status(m).status
    }

    /// `WdfRequestGetInformation`. Under the verifier 0 for a request that is completed.
    ///
    /// Source: S/core/fxrequest.cpp:300-345.
    pub fn information(self, m: &mut Machine) -> u64 {
        if self.verify_not_completed(m).is_err() {
            return 0;
        }
        self.current_information(m)
    }

    pub(crate) fn current_information(self, m: &mut Machine) -> u64 {
        self.io_status(m).information
    }

    fn io_status(self, m: &mut Machine) -> IoStatus {
        self.current_irp(m).map(|irp| m[irp].io_status).unwrap_or_default()
    }

    /// `WdfRequestSetInformation`. Under the verifier nothing for a request that is completed.
    pub fn set_information(self, m: &mut Machine, information: u64) {
        if self.verify_not_completed(m).is_ok() {
            let irp = self.require_irp(m, "WdfRequestSetInformation");
            m[irp].io_status.information = information;
        }
    }

    /// `WdfRequestGetParameters`. Under the verifier a request without an IRP, or without a location in it, has none.
    ///
    /// Source: S/core/fxrequest.cpp:1225-1290.
    pub fn parameters(self, m: &mut Machine) -> RequestParameters {
        if self.verify_stack_valid(m).is_err() {
            return RequestParameters { major: Major::default(), parameters: Parameters::None };
        }
        let irp = self.require_irp(m, "WdfRequestGetParameters");
        let location = m[irp].current();
        RequestParameters { major: location.major, parameters: location.parameters }
    }

    /// The control code of an I/O control request.
    pub fn ioctl_code(self, m: &mut Machine) -> Option<IoctlCode> {
        match self.parameters(m).parameters {
            Parameters::DeviceIoControl { code, .. } => Some(code),
            _ => None,
        }
    }

    /// `WdfRequestGetFileObject`. Under the verifier `None` for a request that the driver does not own.
    ///
    /// Source: S/core/fxrequestapi.cpp:2640-2690.
    pub fn file_object(self, m: &mut Machine) -> Option<FileObject> {
        if let Err(status) = self.verify_owned(m) {
            let driver = self.driver(m);
            trace(m, driver, &sites::GET_FILE_OBJECT_FAILED, [status.0.into()]);
            return None;
        }
        self.file_of_irp(m)
    }

    /// `WdfRequestGetRequestorMode`. Under the verifier user mode for a request that is completed.
    pub fn requestor_mode(self, m: &mut Machine) -> RequestorMode {
        if self.verify_not_completed(m).is_err() {
            return RequestorMode::User;
        }
        let irp = self.require_irp(m, "WdfRequestGetRequestorMode");
        m[irp].requestor_mode
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
    }
}

/// The last reference is gone: the framework's own IRP goes with the request.
pub(crate) fn destroyed(m: &mut Machine, object: Object) {
    let request = Request(object);
    layer::release_formatting(m, request);
    let body = request.body(m);
    let irp = body.irp.take().filter(|_| body.ownership == Ownership::Internal);
    fx_mut(m).requests.release(object.id);
    if let Some(irp) = irp {
        irp.free(m);
    }
}
