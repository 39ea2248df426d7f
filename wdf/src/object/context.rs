//! Typed contexts: what drivers keep with an object, found again by its type.
//!
//! Source: S/object/fxobject.cpp:607-711 (AddContext), S/object/handleapi.cpp:480-700.

use std::any::{Any, TypeId};

use vbus_wdm::constants::*;
use vbus_wdm::{Exit, Machine, NtStatus};

use super::cast::Found;
use super::state::State;
use super::{Allowed, Attributes, Header, Kind, Object, ObjectCallback};
use crate::device::Device;
use crate::driver::Driver;
use crate::framework::{Framework, fx_mut, take_fx, trace};
use crate::pool;
use crate::trace::sites;
use crate::verifier::{self, CALLERS_STACK};

/// One context of an object. The first also holds the callbacks of the object's own attributes.
pub(super) struct ContextSlot {
    pub(super) type_id: TypeId,
    pub(super) value: Box<dyn Any + Send>,
    pub(super) cleanup: Option<ObjectCallback>,
    pub(super) destroy: Option<ObjectCallback>,
}

impl Header {
    fn find(&self, type_id: TypeId) -> Option<usize> {
        self.contexts.iter().position(|slot| slot.type_id == type_id)
    }
}

/// The name of a type as C code would have it: without the modules that it is in.
fn short_name(name: &str) -> &str {
    let generic = name.find('<').unwrap_or(name.len());
    name[..generic].rsplit("::").next().unwrap_or(name)
}

/// The context of type `T`, if the object has one; without the line that a driver's asking leaves in the log.
#[inline]
pub fn peek_context<T: Any + Send>(m: &mut Machine, object: Object) -> Option<&mut T> {
    // What drivers look at all the time lies with their devices.
    let header = match object.kind {
        Kind::Device => &mut take_fx(m).into_device(Device(object)).header,
        _ => object.header(m),
    };
    header.contexts.iter_mut().find_map(|slot| slot.value.downcast_mut())
}

/// WdfObjectGetTypedContext. A missing one leaves a warning with the type's name, which begins in C with `prefix`.
#[inline]
pub(super) fn find<'m, T: Any + Send>(
    m: &'m mut Machine,
    object: Object,
    prefix: &str,
    name: &str,
) -> Option<&'m mut T> {
    if object.kind == Kind::Null {
        verifier::null_parameter(m, None, DDI);
    }
    let exit = m.exit();
    fx_mut(m).context_of(exit, object, prefix, name)
}

const DDI: &str = "WdfObjectGetTypedContextWorker";

impl Framework {
    #[inline]
    fn context_of<T: Any + Send>(&mut self, exit: Exit, object: Object, prefix: &str, name: &str) -> Option<&mut T> {
        match self.header(object).and_then(|header| header.find(TypeId::of::<T>())) {
            Some(at) => self.header_mut(object)?.contexts[at].value.downcast_mut(),
            None => {
                self.context_is_missing(exit, object, prefix, name);
                None
            }
        }
    }

    /// A handle that is gone still leads to what was there, as long as nobody took the memory: without the verifier a
    /// driver is told that the context is missing, where it was missing before.
    #[cold]
    fn context_is_missing(&mut self, exit: Exit, object: Object, prefix: &str, name: &str) {
        let driver = match Framework::find(self, object) {
            Found::Live { driver, .. } => Some(driver),
            Found::Freed { driver, had_contexts: false, .. } => Some(driver).filter(|&driver| !self.verifies(driver)),
            Found::Null | Found::Freed { .. } | Found::Gone => None,
        };
        let Some(body) = driver.and_then(|driver| self.drivers.get_mut(driver.id())) else {
            verifier::stale_handle(exit, object, 0);
        };
        self.moment += 1;
        let name = body.log.word_of_text(&format!("{prefix}{}", short_name(name)));
        body.trace(self.moment, &sites::CONTEXT_MISSING, [name, object.address()]);
    }

    fn verifies(&self, driver: Driver) -> bool {
        self.drivers.get(driver.id()).is_some_and(|body| body.verifier)
    }
}

/// WdfObjectAllocateContext.
pub(super) fn allocate(m: &mut Machine, object: Object, attributes: Attributes) -> Result<(), NtStatus> {
    let driver = object.header(m).driver();
    attributes.validate(m, driver, Allowed::NoParent)?;
    if !attributes.has_context_type() {
        let status = STATUS_OBJECT_NAME_INVALID;
        trace(m, driver, &sites::CONTEXT_WITHOUT_TYPE, [CALLERS_STACK, status.0.into()]);
        return Err(status);
    }
    if object.header(m).state != State::Created {
        return Err(STATUS_DELETE_PENDING);
    }
    let Some(slot) = attributes.into_slot(object) else { return Ok(()) };
    let header = object.header(m);
    if header.find(slot.type_id).is_some() {
        return Err(STATUS_OBJECT_NAME_EXISTS);
    }
    let bytes = size_of_val(&*slot.value);
    header.contexts.push(slot);
    pool::context_added(m, object, bytes);
    Ok(())
}

impl Object {
    /// CallCleanup: every context's EvtCleanup, in the order in which the contexts were added; each is called once.
    ///
    /// Source: S/object/fxobject.cpp:330-359.
    pub(crate) fn call_cleanup(self, m: &mut Machine) {
        for at in 0..self.header(m).contexts.len() {
            self.cleanup_context(m, at);
        }
    }

    fn cleanup_context(self, m: &mut Machine, at: usize) {
        if let Some(cleanup) = self.header(m).contexts.get_mut(at).and_then(|slot| slot.cleanup.take()) {
            cleanup(m, self);
        }
    }

    /// Every context's EvtDestroy, each after its own EvtCleanup if that did not run before; then the contexts go.
    ///
    /// Source: S/object/fxobjectstatemachine.cpp:286-345.
    pub(super) fn destroy_contexts(self, m: &mut Machine) {
        for at in 0..self.header(m).contexts.len() {
            self.cleanup_context(m, at);
            if let Some(destroy) = self.header(m).contexts.get_mut(at).and_then(|slot| slot.destroy.take()) {
                destroy(m, self);
            }
        }
        let header = self.header(m);
        header.marks.had_contexts = header.contexts.iter().any(|slot| slot.type_id != TypeId::of::<()>());
        header.contexts.clear();
    }
}
