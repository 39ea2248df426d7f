//! WDFDPC.
//!
//! Source: K/core/fxdpc.cpp, K/core/fxdpcapi.cpp.

use vbus_wdm::{Context, Machine, NtStatus};

use super::{Base, object_of, parent_of, required_parent, validate, word};
use crate::driver::Driver;
use crate::object::{Attributes, Class, Object, general_handle};
use crate::sync::presentation;
use crate::trace::sites;
use crate::verifier;

static DPC: Class = Class { passive: true, rundown, bytes: 201, locks: 1, ..Class::new(0x1015) };

general_handle! {
    /// A WDFDPC: a routine that runs at DISPATCH_LEVEL as soon as the level allows.
    Dpc is DPC as Dpc
}

/// EvtDpcFunc, at DISPATCH_LEVEL.
type OnDpc = fn(&mut Machine, Dpc);

struct Body {
    base: Base,
    callback: OnDpc,
    queued: bool,
}

/// WDF_DPC_CONFIG: begin with [`Dpc::config`].
#[derive(Clone, Copy)]
pub struct DpcConfig {
    callback: OnDpc,
    automatic_serialization: bool,
}

impl Dpc {
    /// WDF_DPC_CONFIG_INIT: calls `callback`, under the parent's presentation lock if that has a synchronization scope.
    pub fn config(callback: OnDpc) -> DpcConfig {
        DpcConfig { callback, automatic_serialization: true }
    }
}

impl DpcConfig {
    /// AutomaticSerialization.
    pub fn automatic_serialization(mut self, automatic: bool) -> DpcConfig {
        self.automatic_serialization = automatic;
        self
    }

    /// `WdfDpcCreate`. The attributes name the parent, which must be a device or below one.
    ///
    /// # Errors
    /// STATUS_WDF_PARENT_NOT_SPECIFIED, STATUS_INVALID_DEVICE_REQUEST for a parent without a device above it,
    /// STATUS_WDF_EXECUTION_LEVEL_INVALID for attributes with a level, STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL if it is
    /// to be serialized with callbacks that run at PASSIVE_LEVEL only, STATUS_DELETE_PENDING.
    ///
    /// Source: K/core/fxdpcapi.cpp:40-130, K/core/fxdpc.cpp:95-260.
    pub fn create(self, m: &mut Machine, driver: Driver, attributes: Attributes) -> Result<Dpc, NtStatus> {
        let parent = required_parent(m, driver, &attributes)?;
        validate(m, driver, &attributes)?;
        let automatic = self.automatic_serialization;
        let base = Base::of(m, driver, parent, automatic, false, &sites::DPC_INCOMPATIBLE)?;
        let body = Body { base, callback: self.callback, queued: false };
        base.create(m, driver, &DPC, body, attributes).map(Dpc)
    }
}

impl Dpc {
    /// `WdfDpcEnqueue`: the routine runs at once below DISPATCH_LEVEL. False if the DPC is queued already.
    pub fn enqueue(self, m: &mut Machine) -> bool {
        m.boundary("WdfDpcEnqueue");
        if std::mem::replace(&mut self.body(m).queued, true) {
            return false;
        }
        m.queue_dpc(run, word(self));
        true
    }

    /// `WdfDpcCancel`: takes the DPC off the queue. Returns whether it was there. With `wait`, one that runs is waited
    /// for, which needs PASSIVE_LEVEL: under the verifier the call does nothing above it.
    pub fn cancel(self, m: &mut Machine, wait: bool) -> bool {
        m.boundary("WdfDpcCancel");
        if wait && !verifier::passive_level(m, self) {
            return false;
        }
        // Below DISPATCH_LEVEL none runs or waits: there is nothing to wait for.
        let queued = std::mem::take(&mut self.body(m).queued);
        queued && m.remove_dpc(run, word(self))
    }

    /// `WdfDpcGetParentObject`: `None` once it is disposed of.
    pub fn parent(self, m: &mut Machine) -> Option<Object> {
        parent_of(self.body(m).base)
    }
}

fn run(m: &mut Machine, context: Context) {
    let Some(dpc) = object_of(m, context).map(Dpc) else { return };
    let body = dpc.body(m);
    body.queued = false;
    let (callback, lock) = (body.callback, body.base.lock);
    presentation::hold(m, lock, |m| callback(m, dpc));
}

/// The disposal is at PASSIVE_LEVEL, where KeFlushQueuedDpcs finds no DPC waiting.
fn rundown(m: &mut Machine, object: Object) {
    let base = &mut Dpc(object).body(m).base;
    base.running_down = true;
    let parent = base.parent.take();
    Base::let_go(m, object, parent);
}
