//! Forward progress: a queue that goes on when there is no memory for requests, with those that it keeps in reserve.
//!
//! Source: S/irphandlers/io/km/fxioqueuekm.cpp:10-571; S/irphandlers/io/fxioqueue.cpp:2305-2365, 6382-6510;
//! S/irphandlers/io/fxioqueueapi.cpp:1318-1418; S/irphandlers/io/fxpkgio.cpp:385-455.

use std::collections::VecDeque;

use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, FileObject, Id, Irp, IrpData, Machine, NtStatus};

use super::{Queue, QueueBody};
use crate::driver::ForwardProgressTest;
use crate::framework::{fx, take_fx, trace};
use crate::object::{Handle, Kind, Object};
use crate::request::Request;
use crate::trace::sites;
use crate::verifier::{self, debug_break};

/// WDF_IO_FORWARD_PROGRESS_ACTION: what EvtIoWdmIrpForForwardProgress says is to be done with an IRP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ForwardProgressAction {
    /// WdfIoForwardProgressActionInvalid: no answer. The IRP fails.
    Invalid = 0,
    /// WdfIoForwardProgressActionFailRequest.
    FailRequest,
    /// WdfIoForwardProgressActionUseReservedRequest.
    UseReservedRequest,
}

/// EvtIoWdmIrpForForwardProgress: decides about an IRP that there is no memory for.
pub type ExamineIrp = fn(&mut Machine, Queue, Irp) -> ForwardProgressAction;

/// EvtIoAllocateResourcesForReservedRequest and EvtIoAllocateRequestResources: get what the driver will need for the
/// request, which is in no queue yet.
pub type AllocateResources = fn(&mut Machine, Queue, Request) -> Result<(), NtStatus>;

/// WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY.
#[derive(Clone, Copy)]
enum ReservedPolicy {
    Always,
    Examine(Option<ExamineIrp>),
    PagingIo,
}

/// WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY.
#[derive(Clone, Copy)]
pub struct ForwardProgressPolicy {
    total_requests: u32,
    reserved: ReservedPolicy,
    for_reserved_request: Option<AllocateResources>,
    for_request: Option<AllocateResources>,
}

impl ForwardProgressPolicy {
    /// WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY_DEFAULT_INIT: every IRP that there is no memory for gets one of
    /// `total_requests` reserved requests.
    pub fn always(total_requests: u32) -> ForwardProgressPolicy {
        ForwardProgressPolicy {
            total_requests,
            reserved: ReservedPolicy::Always,
            for_reserved_request: None,
            for_request: None,
        }
    }

    /// WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY_EXAMINE_INIT: only those IRPs that the driver says it of.
    pub fn examine(total_requests: u32, examine: impl Into<Option<ExamineIrp>>) -> ForwardProgressPolicy {
        ForwardProgressPolicy { reserved: ReservedPolicy::Examine(examine.into()), ..Self::always(total_requests) }
    }

    /// WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY_PAGINGIO_INIT: only IRPs with IRP_PAGING_IO.
    pub fn paging_io(total_requests: u32) -> ForwardProgressPolicy {
        ForwardProgressPolicy { reserved: ReservedPolicy::PagingIo, ..Self::always(total_requests) }
    }

    /// EvtIoAllocateResourcesForReservedRequest: called for every reserved request when the policy is assigned.
    pub fn on_allocate_for_reserved(mut self, callback: AllocateResources) -> ForwardProgressPolicy {
        self.for_reserved_request = Some(callback);
        self
    }

    /// EvtIoAllocateRequestResources: called for every other request before it is queued. If it fails, its IRP gets a
    /// reserved request.
    pub fn on_allocate_for_request(mut self, callback: AllocateResources) -> ForwardProgressPolicy {
        self.for_request = Some(callback);
        self
    }
}

/// FXIO_FORWARD_PROGRESS_CONTEXT.
pub(super) struct Reserve {
    policy: ForwardProgressPolicy,
    /// Reserved requests that no IRP has, the one that was free for the longest time first.
    free: VecDeque<Request>,
    /// IRPs that wait for one, oldest first.
    pended: VecDeque<Irp>,
}

/// Where a pended IRP has its queue: FX_IRP_QUEUE_CSQ_CONTEXT_ENTRY.
const QUEUE_WORD: usize = 3;

impl QueueBody {
    /// Whether there is a reserve.
    #[inline]
    pub(crate) fn has_reserve(&self) -> bool {
        self.reserve.is_some()
    }
}

impl Queue {
    /// `WdfIoQueueAssignForwardProgressPolicy`: the queue keeps requests in reserve from now on, even one that presents
    /// already. No policy is bug check 0x10D/4.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for a second policy, for one without requests, and for one that examines without a
    /// callback; STATUS_INSUFFICIENT_RESOURCES; what EvtIoAllocateResourcesForReservedRequest says. Under the verifier
    /// STATUS_INVALID_DEVICE_REQUEST above PASSIVE_LEVEL.
    pub fn assign_forward_progress_policy(
        self,
        m: &mut Machine,
        policy: impl Into<Option<ForwardProgressPolicy>>,
    ) -> Result<(), NtStatus> {
        const DDI: &str = "WdfIoQueueAssignForwardProgressPolicy";
        m.boundary(DDI);
        let driver = self.driver(m);
        let policy = verifier::required(m, driver, policy.into(), DDI);
        if !verifier::passive_level(m, self) {
            return Err(STATUS_INVALID_DEVICE_REQUEST);
        }
        let known = self.body(m).has_reserve();
        let refused = match policy {
            _ if known => Some(&sites::PROGRESS_TWICE),
            ForwardProgressPolicy { reserved: ReservedPolicy::Examine(None), .. } => Some(&sites::PROGRESS_NO_EXAMINER),
            ForwardProgressPolicy { total_requests: 0, .. } => Some(&sites::PROGRESS_NO_REQUESTS),
            _ => None,
        };
        if let Some(site) = refused {
            let status = STATUS_INVALID_PARAMETER;
            trace(m, driver, site, [status.0.into()]);
            if known {
                debug_break(m, driver);
            }
            return Err(status);
        }
        if let Err(status) = m.allocation_point(DDI) {
            trace(m, driver, &sites::PROGRESS_NO_CONTEXT, [status.0.into()]);
            return Err(status);
        }
        let mut free = VecDeque::new();
        for _ in 0..policy.total_requests {
            match self.allocate_reserved(m, &policy) {
                Ok(request) => free.push_back(request),
                Err(status) => {
                    free.into_iter().for_each(|request: Request| request.free(m));
                    return Err(status);
                }
            }
        }
        self.body(m).reserve = Some(Box::new(Reserve { policy, free, pended: VecDeque::new() }));
        Ok(())
    }

    /// AllocateReservedRequest.
    fn allocate_reserved(self, m: &mut Machine, policy: &ForwardProgressPolicy) -> Result<Request, NtStatus> {
        let (driver, device) = (self.driver(m), self.device(m));
        if let Err(status) = m.allocation_point("FxRequest::_CreateForPackage") {
            trace(m, driver, &sites::REQUEST_NO_MEMORY, [status.0.into()]);
            trace(m, driver, &sites::RESERVED_NOT_CREATED, [status.0.into()]);
            return Err(status);
        }
        let request = Request::reserve(m, driver, device, self);
        let Some(allocate) = policy.for_reserved_request else { return Ok(request) };
        take_fx(m).request(request).presented();
        m.boundary("EvtIoAllocateResourcesForReservedRequest");
        if let Err(status) = allocate(m, self, request) {
            trace(m, driver, &sites::RESERVED_REFUSED, [status.0.into()]);
            request.free(m);
            return Err(status);
        }
        Ok(request)
    }

    /// InvokeAllocateResourcesCallback: whether the driver has what it needs for a request that was just made for `irp`.
    /// If not, or if the framework is to act as if there was no memory, the request is gone.
    pub(crate) fn allocate_resources(self, m: &mut Machine, request: Request, irp: Irp) -> bool {
        if self.fails_for_test(m) {
            request.free(m);
            return false;
        }
        let Some(allocate) = self.body(m).reserve.as_ref().and_then(|reserve| reserve.policy.for_request) else {
            return true;
        };
        take_fx(m).request(request).presented();
        m.boundary("EvtIoAllocateRequestResources");
        let allocated = allocate(m, self, request).is_ok();
        if !request.0.exists(m) || request.current_irp(m) != Some(irp) {
            m.undefined("EvtIoAllocateRequestResources", "a request is completed after its queue presented it");
        }
        if !allocated {
            request.free(m);
        }
        allocated
    }

    /// VerifierFreeRequestToTestForwardProgess.
    fn fails_for_test(self, m: &mut Machine) -> bool {
        let driver = self.driver(m);
        match fx(m).drivers.get(driver.id()).map(|body| body.forward_progress_test) {
            None | Some(ForwardProgressTest::Off) => false,
            Some(ForwardProgressTest::FailAll) => true,
            Some(ForwardProgressTest::FailRandom) => {
                let device = self.device(m);
                next_random(&mut device.body(m).random_seed).is_multiple_of(17)
            }
        }
    }

    /// GetReservedRequest: there is no memory for a request for this IRP. It gets a reserved one, or waits for one, or
    /// fails. The answer is the dispatch routine's.
    pub(crate) fn queue_with_reserved(self, m: &mut Machine, irp: Irp) -> NtStatus {
        if let Err(status) = self.may_use_reserved(m, irp) {
            return irp.complete_with(m, status, 0);
        }
        match self.reserve(m).and_then(|reserve| reserve.free.pop_front()) {
            Some(request) => self.queue_reserved(m, request, irp),
            None => self.pend(m, irp),
        }
    }

    fn may_use_reserved(self, m: &mut Machine, irp: Irp) -> Result<(), NtStatus> {
        use ForwardProgressAction::{FailRequest, Invalid, UseReservedRequest};
        let status = STATUS_UNSUCCESSFUL;
        let Some(policy) = self.reserve(m).map(|reserve| reserve.policy.reserved) else { return Err(status) };
        let action = match policy {
            ReservedPolicy::Always | ReservedPolicy::Examine(None) => UseReservedRequest,
            // The bit means something else for a file system control, which no queue gets.
            ReservedPolicy::PagingIo if m[irp].flags & IrpData::PAGING_IO != 0 => UseReservedRequest,
            ReservedPolicy::PagingIo => FailRequest,
            ReservedPolicy::Examine(Some(examine)) => {
                m.boundary("EvtIoWdmIrpForForwardProgress");
                examine(m, self, irp)
            }
        };
        let (driver, handle) = (self.driver(m), self.0.handle());
        match action {
            UseReservedRequest => return Ok(()),
            FailRequest => trace(m, driver, &sites::PROGRESS_FAILS, [handle, irp.address(), status.0.into()]),
            Invalid => {
                trace(m, driver, &sites::PROGRESS_INVALID_ACTION, [handle, action as u64, status.0.into()]);
                debug_break(m, driver);
            }
        }
        Err(status)
    }

    /// QueueRequest of a reserved request. Whoever completes one may be inside this queue's loop, which presents the next
    /// one when it goes on.
    fn queue_reserved(self, m: &mut Machine, request: Request, irp: Irp) -> NtStatus {
        request.stands_for(m, irp);
        // The reference of its use: the one that is left then is the queue's.
        request.0.add_reference(m);
        let body = self.body(m);
        if body.depth == 0 || !body.accepting {
            return self.queue_request(m, request, irp);
        }
        let driver = body.header.driver();
        trace(m, driver, &sites::QUEUE_REQUEST, [request.0.handle(), self.0.handle()]);
        irp.mark_pending(m);
        self.keep(m, request);
        STATUS_PENDING
    }

    /// ReturnReservedRequest: the request is free for the next IRP that waits.
    pub(crate) fn take_back(self, m: &mut Machine, request: Request) {
        self.outlives(m);
        let next = self.take_pended(m, None);
        request.clear_for_reuse(m, self);
        if let Some(irp) = next {
            // What becomes of it is told to whoever sent it.
            self.queue_reserved(m, request, irp);
            return;
        }
        // The framework gives its lock back before it takes it again here: an IRP that comes in between finds no free
        // request and waits, with nobody left to hand it one.
        m.boundary("FxIoQueue::ReturnReservedRequest");
        self.outlives(m);
        if let Some(reserve) = self.reserve(m) {
            reserve.free.push_back(request);
        }
    }

    /// What a reserved request goes back to is there: nobody checks it.
    fn outlives(self, m: &mut Machine) {
        if self.reserve(m).is_none() {
            m.undefined("WdfObjectDereference", "nobody refers to a reserved request any more when its queue goes");
        }
    }

    /// FreeAllReservedRequests: the queue goes.
    pub(super) fn free_reserved(self, m: &mut Machine) {
        let reserve = self.body(m).reserve.take();
        for request in reserve.into_iter().flat_map(|reserve| reserve.free) {
            request.free(m);
        }
    }

    fn reserve(self, m: &mut Machine) -> Option<&mut Reserve> {
        take_fx(m).into_live_queue(self)?.reserve.as_deref_mut()
    }
}

/// IRPs that wait for a reserved request.
impl Queue {
    /// QueueForwardProgressIrpLocked: the IRP waits until a reserved request is free. Returns what the dispatch routine
    /// does.
    fn pend(self, m: &mut Machine, irp: Irp) -> NtStatus {
        if let Some(reserve) = self.reserve(m) {
            reserve.pended.push_back(irp);
        }
        m[irp].driver_context[QUEUE_WORD] = self.0.id.to_word();
        irp.exchange_cancel_routine(m, Some(cancelled_while_pended));
        if m[irp].cancel && irp.exchange_cancel_routine(m, None).is_some() {
            self.forget_pended(m, irp);
            return irp.complete_with(m, STATUS_CANCELLED, 0);
        }
        irp.mark_pending(m);
        STATUS_PENDING
    }

    fn forget_pended(self, m: &mut Machine, irp: Irp) {
        m[irp].driver_context[QUEUE_WORD] = 0;
        if let Some(reserve) = self.reserve(m) {
            reserve.pended.retain(|&pended| pended != irp);
        }
    }

    /// GetForwardProgressIrpLocked: the oldest that waits, perhaps of one file. One that is being cancelled is left to
    /// its cancel routine.
    fn take_pended(self, m: &mut Machine, file: Option<FileObject>) -> Option<Irp> {
        let mut at = 0;
        loop {
            let irp = *self.reserve(m)?.pended.get(at)?;
            if file.is_some() && irp.file(m) != file {
                at += 1;
                continue;
            }
            self.reserve(m)?.pended.remove(at);
            if irp.exchange_cancel_routine(m, None).is_some() {
                m[irp].driver_context[QUEUE_WORD] = 0;
                return Some(irp);
            }
        }
    }

    /// GetForwardProgressIrps: all that wait, or those of one file.
    pub(super) fn take_all_pended(self, m: &mut Machine, file: Option<FileObject>) -> Vec<Irp> {
        std::iter::from_fn(|| self.take_pended(m, file)).collect()
    }

    /// PurgeForwardProgressIrps.
    pub(super) fn purge_pended(self, m: &mut Machine, file: Option<FileObject>) {
        let pended = self.take_all_pended(m, file);
        cancel_irps(m, pended);
    }
}

/// FxRandom.
///
/// Source: S/inc/private/common/fxglobals.h:1168-1192.
fn next_random(seed: &mut u32) -> u32 {
    *seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12345);
    *seed / 0x1_0000 % 0x8000
}

/// CancelIrps.
pub(super) fn cancel_irps(m: &mut Machine, irps: Vec<Irp>) {
    for irp in irps {
        irp.complete_with(m, STATUS_CANCELLED, 0);
    }
}

/// The cancel routine of an IRP that waits for a reserved request.
fn cancelled_while_pended(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.leave_cancel_spin_lock(m);
    if let Some(id) = Id::from_word(m[irp].driver_context[QUEUE_WORD]) {
        Queue(Object { kind: Kind::Queue, id }).forget_pended(m, irp);
    }
    irp.complete_with(m, STATUS_CANCELLED, 0);
}
