//! Framework objects: handles, headers, references, typed contexts.

use std::any::{Any, TypeId};

use vbus_wdm::constants::*;
use vbus_wdm::{Id, Machine, NtStatus, Pool};

use crate::driver::Driver;
use crate::framework::{Framework, fx, fx_mut, trace};
use crate::trace::sites;
use crate::verifier;

/// What kind of thing an object is, by the framework's own type numbers.
///
/// Source: S/inc/private/common/fxtypes.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(crate) enum Kind {
    /// No object: NULL.
    Null = 0,
    /// Anything with a body of its own; its class says what.
    General = 0x1000,
    Driver = 0x1001,
    Device = 0x1002,
    Queue = 0x1003,
    Request = 0x1008,
}

/// A framework handle of any type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    pub(crate) kind: Kind,
    pub(crate) id: Id,
}

/// EvtCleanupCallback and EvtDestroyCallback.
pub type ObjectCallback = fn(&mut Machine, Object);

/// How far an object's deletion has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Phase {
    #[default]
    Live,
    Disposing,
    Disposed,
}

/// What every framework object has.
#[derive(Default)]
pub(crate) struct Header {
    pub(crate) driver: Option<Driver>,
    pub(crate) references: u32,
    pub(crate) phase: Phase,
    pub(crate) parent: Option<Object>,
    pub(crate) first_child: Option<Object>,
    pub(crate) last_child: Option<Object>,
    pub(crate) previous: Option<Object>,
    pub(crate) next: Option<Object>,
    contexts: Vec<ContextSlot>,
}

struct ContextSlot {
    type_id: TypeId,
    value: Box<dyn Any>,
    cleanup: Option<ObjectCallback>,
    destroy: Option<ObjectCallback>,
}

/// WDF_OBJECT_ATTRIBUTES: a typed context, callbacks, a parent.
#[derive(Default)]
pub struct Attributes {
    context: Option<(TypeId, Box<dyn Any>)>,
    cleanup: Option<ObjectCallback>,
    destroy: Option<ObjectCallback>,
    pub(crate) parent: Option<Object>,
}

impl Attributes {
    /// No context, no callbacks, the default parent.
    pub fn none() -> Attributes {
        Attributes::default()
    }

    /// A context of type `T` with this first value.
    pub fn context<T: Any>(mut self, value: T) -> Attributes {
        self.context = Some((TypeId::of::<T>(), Box::new(value)));
        self
    }

    /// EvtCleanupCallback: runs when the object is deleted, while its handle still works.
    pub fn on_cleanup(mut self, callback: ObjectCallback) -> Attributes {
        self.cleanup = Some(callback);
        self
    }

    /// EvtDestroyCallback: runs when the last reference is gone.
    pub fn on_destroy(mut self, callback: ObjectCallback) -> Attributes {
        self.destroy = Some(callback);
        self
    }

    /// ParentObject.
    pub fn parent(mut self, parent: impl Handle) -> Attributes {
        self.parent = Some(parent.object());
        self
    }

    fn into_slot(self) -> Option<ContextSlot> {
        let Attributes { context, cleanup, destroy, .. } = self;
        if context.is_none() && cleanup.is_none() && destroy.is_none() {
            return None;
        }
        let (type_id, value) = context.unwrap_or_else(|| (TypeId::of::<()>(), Box::new(())));
        Some(ContextSlot { type_id, value, cleanup, destroy })
    }
}

impl Header {
    /// Makes a recycled header that of a new object with one reference, its creator's.
    #[inline]
    pub(crate) fn initialize(&mut self, driver: Driver, attributes: Attributes) {
        debug_assert!(self.contexts.is_empty() && self.first_child.is_none(), "destroyed objects leave nothing behind");
        self.driver = Some(driver);
        self.references = 1;
        self.phase = Phase::Live;
        self.parent = None;
        self.previous = None;
        self.next = None;
        if let Some(slot) = attributes.into_slot() {
            self.contexts.push(slot);
        }
    }

    #[inline]
    pub(crate) fn driver(&self) -> Driver {
        // Every object is initialized with its driver before its handle is given out.
        self.driver.expect("an object belongs to a driver")
    }

    /// Whether deletion has anything to do besides forgetting the object: callbacks, or children.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.contexts.is_empty() && self.first_child.is_none()
    }

    pub(crate) fn context_count(&self) -> usize {
        self.contexts.len()
    }

    pub(crate) fn cleanup_callback(&self, at: usize) -> Option<ObjectCallback> {
        self.contexts.get(at)?.cleanup
    }

    pub(crate) fn destroy_callback(&self, at: usize) -> Option<ObjectCallback> {
        self.contexts.get(at)?.destroy
    }

    pub(crate) fn drop_contexts(&mut self) {
        self.contexts.clear();
    }
}

/// What the framework does with objects whose body lives in an upper layer, such as an I/O target.
#[derive(Debug)]
pub struct Class {
    /// The framework's type number.
    pub type_number: u16,
    /// Called once when the object is deleted, after its EvtCleanup callbacks: a driver may settle there what is done
    /// here for it.
    ///
    /// Source: S/targets/general/fxiotarget.cpp:154-199.
    pub dispose: fn(&mut Machine, Object),
    /// Called with the last reference, after the EvtDestroy callbacks.
    pub destroy: fn(&mut Machine, Object),
    /// Whether `WdfObjectDelete` may be called for it: it may not for what the framework made.
    pub may_be_deleted: bool,
}

impl Class {
    /// A class whose objects a driver makes and deletes, with nothing to do at either end.
    pub const fn new(type_number: u16) -> Class {
        Class { type_number, dispose: |_, _| {}, destroy: |_, _| {}, may_be_deleted: true }
    }
}

/// An object of an upper layer.
pub(crate) struct GeneralBody {
    pub(crate) header: Header,
    pub(crate) class: &'static Class,
    pub(crate) body: Box<dyn Any>,
}

static PLAIN: Class = Class::new(0x100C);

impl Default for GeneralBody {
    fn default() -> Self {
        GeneralBody { header: Header::default(), class: &PLAIN, body: Box::new(()) }
    }
}

impl Framework {
    #[inline]
    pub(crate) fn header(&self, object: Object) -> Option<&Header> {
        match object.kind {
            Kind::Null => None,
            Kind::Request => self.requests.get(object.id).map(|body| &body.header),
            Kind::Queue => self.queues.get(object.id).map(|body| &body.header),
            Kind::Device => self.devices.get(object.id).map(|body| &body.header),
            Kind::Driver => self.drivers.get(object.id).map(|body| &body.header),
            Kind::General => self.general.get(object.id).map(|body| &body.header),
        }
    }

    #[inline]
    pub(crate) fn header_mut(&mut self, object: Object) -> Option<&mut Header> {
        match object.kind {
            Kind::Null => None,
            Kind::Request => self.requests.get_mut(object.id).map(|body| &mut body.header),
            Kind::Queue => self.queues.get_mut(object.id).map(|body| &mut body.header),
            Kind::Device => self.devices.get_mut(object.id).map(|body| &mut body.header),
            Kind::Driver => self.drivers.get_mut(object.id).map(|body| &mut body.header),
            Kind::General => self.general.get_mut(object.id).map(|body| &mut body.header),
        }
    }
}

impl Object {
    /// NULL, which no call takes for a handle.
    pub fn null() -> Object {
        // The first generation of a place is never in use.
        const NOWHERE: u64 = 1 << 32;
        Object { kind: Kind::Null, id: Id::from_word(NOWHERE).expect("its generation is 1") }
    }

    /// The object's header; a stale handle stops the machine.
    #[inline]
    pub(crate) fn header(self, m: &mut Machine) -> &mut Header {
        let exit = m.exit();
        match fx_mut(m).header_mut(self) {
            Some(header) => header,
            None => verifier::stale_handle(exit, self, self.kind as u16),
        }
    }

    /// The framework's number for the object's type.
    pub(crate) fn type_number(self, m: &Machine) -> u16 {
        match self.kind {
            Kind::General => fx(m).general.get(self.id).map_or(0, |body| body.class.type_number),
            kind => kind as u16,
        }
    }

    /// The address of the object itself, as the framework's own lines print it.
    #[inline]
    pub fn address(self) -> u64 {
        let pool = match self.kind {
            Kind::Null => return NULL_OBJECT,
            Kind::Request => Pool::FxRequest,
            Kind::Device => Pool::FxDevice,
            Kind::Queue => Pool::FxQueue,
            Kind::Driver => Pool::Globals,
            Kind::General => Pool::FxObject,
        };
        pool.address(self.id.index())
    }

    /// The handle as a driver sees it: the address with all but its low three bits turned over.
    ///
    /// Source: S/inc/private/common/fxobject.hpp:60-69, 626-681.
    #[inline]
    pub fn handle(self) -> u64 {
        self.address() ^ 0xFFFF_FFFF_FFFF_FFF8
    }

    /// The object as a context word, and back with [`Object::general_from_word`].
    pub fn to_word(self) -> u64 {
        self.id.to_word()
    }

    /// The object of an upper layer that [`Object::to_word`] made a word of.
    pub fn general_from_word(word: u64) -> Option<Object> {
        Id::from_word(word).map(|id| Object { kind: Kind::General, id })
    }

    /// Whether the object still exists.
    pub fn exists(self, m: &Machine) -> bool {
        fx(m).header(self).is_some()
    }
}

/// Whose handle is NULL.
const NULL_OBJECT: u64 = 0xFFFF_FFFF_FFFF_FFF8;

/// What every framework handle can do.
pub trait Handle: Copy {
    /// The untyped handle.
    fn object(self) -> Object;

    /// The driver that created the object.
    fn driver(self, m: &mut Machine) -> Driver {
        self.object().header(m).driver()
    }

    /// `WdfObjectGetTypedContext`: the context of type `T`.
    ///
    /// A missing context is NULL in Windows, and a driver that uses it faults: here that is where the machine stops.
    fn context<T: Any>(self, m: &mut Machine) -> &mut T {
        let exit = m.exit();
        match self.find_context(m) {
            Some(context) => context,
            None => exit.undefined(
                "WdfObjectGetTypedContext",
                "an object is asked only for a context type that was added to it",
            ),
        }
    }

    /// The context of type `T`, if the object has one.
    fn find_context<T: Any>(self, m: &mut Machine) -> Option<&mut T> {
        let wanted = TypeId::of::<T>();
        let slot = self.object().header(m).contexts.iter_mut().find(|slot| slot.type_id == wanted)?;
        slot.value.downcast_mut()
    }

    /// `WdfObjectAllocateContext`: adds another context with its callbacks.
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_EXISTS (a success code in Windows; the first one stays) if the type is there already,
    /// STATUS_DELETE_PENDING if the object is being deleted.
    ///
    /// Source: S/object/fxobject.cpp:607-711.
    fn allocate_context(self, m: &mut Machine, attributes: Attributes) -> Result<(), NtStatus> {
        let header = self.object().header(m);
        if header.phase != Phase::Live {
            return Err(STATUS_DELETE_PENDING);
        }
        let Some(slot) = attributes.into_slot() else { return Ok(()) };
        if header.contexts.iter().any(|known| known.type_id == slot.type_id) {
            return Err(STATUS_OBJECT_NAME_EXISTS);
        }
        header.contexts.push(slot);
        Ok(())
    }
}

impl Handle for Object {
    fn object(self) -> Object {
        self
    }
}

/// Makes an object whose body an upper layer keeps here, below `attributes`' parent or else `parent`.
pub fn create_general(
    m: &mut Machine,
    driver: Driver,
    class: &'static Class,
    body: impl Any,
    parent: impl Handle,
    attributes: Attributes,
) -> Object {
    let parent = attributes.parent.unwrap_or(parent.object());
    let (id, slot) = fx_mut(m).general.take();
    slot.class = class;
    slot.body = Box::new(body);
    slot.header.initialize(driver, attributes);
    let object = Object { kind: Kind::General, id };
    object.set_parent(m, parent);
    object
}

/// The body of an upper layer's object; a stale handle stops the machine.
#[inline]
pub fn body_of<T: Any>(m: &mut Machine, object: Object, type_number: u16) -> &mut T {
    let exit = m.exit();
    let general = fx_mut(m).general.get_mut(object.id).filter(|_| object.kind == Kind::General);
    match general.and_then(|general| general.body.downcast_mut()) {
        Some(body) => body,
        None => verifier::stale_handle(exit, object, type_number),
    }
}

/// What every call does with a handle that it is given: NULL, or one of another type than it works on, is bug check
/// 0x10D/5. The handles of this crate have types; this is where a driver's wrong cast comes to light.
///
/// Source: S/object/handleapi.cpp:400-450, S/inc/private/common/fxhandle.h.
pub fn check_handle(m: &mut Machine, driver: Driver, object: Object, wanted: u16) {
    let actual = object.type_number(m);
    if actual == wanted {
        return;
    }
    if object.kind != Kind::Null {
        let owner = object.driver(m);
        let arguments = [object.handle(), wanted.into(), object.address(), actual.into()];
        trace(m, owner, &sites::OBJECT_TYPE_MISMATCH, arguments);
    }
    verifier::wdf_violation(m, Some(driver), 5, [object.handle(), wanted.into()], "FxObjectHandleGetPtr")
}

/// WdfObjectCreate: an object that only carries contexts.
pub fn create_object(m: &mut Machine, driver: Driver, attributes: Attributes) -> Object {
    create_general(m, driver, &PLAIN, (), driver, attributes)
}

/// The same, only looked at, and only if it is there.
pub fn peek_body<T: Any>(m: &Machine, object: Object) -> Option<&T> {
    fx(m).general.get(object.id).filter(|_| object.kind == Kind::General)?.body.downcast_ref()
}
