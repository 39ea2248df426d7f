//! Framework objects: handles, headers, contexts, parents, references, and the way in which they go.

mod attributes;
mod cast;
mod context;
mod create;
mod custom_type;
mod dispose;
mod dispose_list;
mod handle;
mod state;
mod tree;

use std::any::Any;

use vbus_wdm::{Id, Machine, Pool};

use crate::device::PACKAGE_OFFSET;
use crate::driver::Driver;
use crate::framework::{Framework, fx, fx_mut};
use crate::verifier;

pub use attributes::{Allowed, Attributes, ExecutionLevel, ObjectCallback, SynchronizationScope};
pub(crate) use cast::general_handle;
pub use cast::{HandleType, check_handle};
pub(crate) use create::parent_of;
pub use create::{create_general, create_object};
pub use custom_type::CustomType;
pub(crate) use dispose_list::DisposeList;
pub use handle::{Deletable, Handle};
pub(crate) use state::{DROPPED_NAMES, State};

/// Where an object's body is, by the framework's own type numbers.
///
/// Source: S/inc/private/common/fxtypes.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(crate) enum Kind {
    /// No object: NULL.
    Null = 0,
    /// No object: a number that no create call gave.
    Wild = 1,
    /// Anything with a body of its own; its class says what.
    General = 0x1000,
    Driver = 0x1001,
    Device = 0x1002,
    Queue = 0x1003,
    Request = 0x1008,
    /// The I/O package inside a device: the parent of its queues.
    IoPackage = 0x1100,
}

/// A framework handle of any type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Object {
    pub(crate) kind: Kind,
    pub(crate) id: Id,
}

/// What is so of an object, and stays so or becomes so once.
#[derive(Clone, Copy, Default)]
pub(crate) struct Marks {
    /// It may be disposed of and destroyed only at PASSIVE_LEVEL.
    pub(crate) passive_dispose: bool,
    /// All its callbacks run only at PASSIVE_LEVEL.
    pub(crate) passive_callbacks: bool,
    /// WdfObjectDelete is refused for it.
    pub(crate) no_delete: bool,
    /// Somebody asked for its deletion.
    delete_called: bool,
    /// Its cleanup ran before its deletion.
    early_disposed: bool,
    /// Its states are in the log.
    pub(crate) traced: bool,
    /// It is gone, and had typed contexts.
    had_contexts: bool,
}

/// What every framework object has.
#[derive(Default)]
pub(crate) struct Header {
    pub(crate) driver: Option<Driver>,
    /// A LONG that nobody keeps from going below zero.
    pub(crate) references: i32,
    state: State,
    pub(crate) marks: Marks,
    pub(crate) parent: Option<Object>,
    first_child: Option<Object>,
    last_child: Option<Object>,
    previous: Option<Object>,
    next: Option<Object>,
    /// The device above it in the tree, for those that do not know it otherwise.
    device: Option<Id>,
    contexts: Vec<context::ContextSlot>,
}

impl Header {
    /// Makes a recycled header that of a new object with one reference, its creator's.
    #[inline]
    pub(crate) fn initialize(&mut self, driver: Driver) {
        debug_assert!(self.contexts.is_empty() && self.first_child.is_none(), "destroyed objects leave nothing behind");
        self.driver = Some(driver);
        self.references = 1;
        self.state = State::Created;
        self.marks = Marks::default();
        self.parent = None;
        self.previous = None;
        self.next = None;
        self.device = None;
    }

    #[inline]
    pub(crate) fn driver(&self) -> Driver {
        // Every object is initialized with its driver before its handle is given out.
        self.driver.expect("an object belongs to a driver")
    }

    /// The deletion of a bare object on which somebody else has a reference.
    #[inline]
    pub(crate) fn delete_bare(&mut self) {
        self.state = State::DeletedAndDisposed;
        self.references -= 1;
    }

    /// Whether deletion has anything to do besides forgetting the object: callbacks, children, or lines in the log.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.contexts.is_empty() && self.first_child.is_none() && !self.marks.traced
    }
}

/// A kind of objects whose body lives here for another room or layer, such as timers and I/O targets.
#[derive(Debug)]
pub struct Class {
    /// The framework's number for the type.
    pub type_number: u16,
    /// The types of handles that its objects are taken for besides.
    pub interfaces: &'static [u16],
    /// Whether its objects may be disposed of and destroyed only at PASSIVE_LEVEL.
    pub passive: bool,
    /// Called once when the object is deleted, before its EvtCleanup callbacks: to wait for what still runs.
    pub rundown: fn(&mut Machine, Object),
    /// Called once when the object is deleted, after its EvtCleanup callbacks: a driver may settle there what is done
    /// here for it.
    ///
    /// Source: S/targets/general/fxiotarget.cpp:154-199.
    pub dispose: fn(&mut Machine, Object),
    /// Called with the last reference, after the EvtDestroy callbacks.
    pub destroy: fn(&mut Machine, Object),
    /// Whether `WdfObjectDelete` may be called for it: it may not for what the framework made.
    pub may_be_deleted: bool,
    /// How many bytes the class takes in 64-bit Windows, and how many locks it has that the verifier watches: for what
    /// leaks are counted in. 0 for objects that are counted with their device.
    pub bytes: u16,
    /// See [`Class::bytes`].
    pub locks: u8,
}

impl Class {
    /// A class whose objects a driver makes and deletes, with nothing to do at either end.
    pub const fn new(type_number: u16) -> Class {
        Class {
            type_number,
            interfaces: &[],
            passive: false,
            rundown: |_, _| {},
            dispose: |_, _| {},
            destroy: |_, _| {},
            may_be_deleted: true,
            bytes: 0,
            locks: 0,
        }
    }
}

/// An object of a class.
pub(crate) struct GeneralBody {
    pub(crate) header: Header,
    pub(crate) class: &'static Class,
    pub(crate) body: Box<dyn Any + Send>,
}

/// WDFOBJECT, which only carries contexts.
static PLAIN: Class = Class { bytes: 104, locks: 1, ..Class::new(0x100C) };

impl Default for GeneralBody {
    fn default() -> Self {
        GeneralBody { header: Header::default(), class: &PLAIN, body: Box::new(()) }
    }
}

impl Framework {
    #[inline]
    pub(crate) fn header(&self, object: Object) -> Option<&Header> {
        match object.kind {
            Kind::Null | Kind::Wild => None,
            Kind::Request => self.requests.get(object.id).map(|body| &body.header),
            Kind::Queue => self.queues.get(object.id).map(|body| &body.header),
            Kind::Device => self.devices.get(object.id).map(|body| &body.header),
            Kind::Driver => self.drivers.get(object.id).filter(|body| !body.unloaded).map(|body| &body.header),
            Kind::General => self.general.get(object.id).map(|body| &body.header),
            Kind::IoPackage => self.devices.get(object.id).map(|body| &body.package),
        }
    }

    #[inline]
    pub(crate) fn header_mut(&mut self, object: Object) -> Option<&mut Header> {
        match object.kind {
            Kind::Null | Kind::Wild => None,
            Kind::Request => self.requests.get_mut(object.id).map(|body| &mut body.header),
            Kind::Queue => self.queues.get_mut(object.id).map(|body| &mut body.header),
            Kind::Device => self.devices.get_mut(object.id).map(|body| &mut body.header),
            Kind::Driver => self.drivers.get_mut(object.id).filter(|body| !body.unloaded).map(|body| &mut body.header),
            Kind::General => self.general.get_mut(object.id).map(|body| &mut body.header),
            Kind::IoPackage => self.devices.get_mut(object.id).map(|body| &mut body.package),
        }
    }
}

/// All ones but for the low three bits, which a handle has for itself.
///
/// Source: S/inc/private/common/fxobject.hpp:60-69, 626-681.
const HANDLE_MASK: u64 = 0xFFFF_FFFF_FFFF_FFF8;

/// Where a driver's object lies behind its globals.
const DRIVER_OFFSET: u64 = 0xD0;

impl Object {
    /// The object's header; a stale handle stops the machine.
    #[inline]
    pub(crate) fn header(self, m: &mut Machine) -> &mut Header {
        let exit = m.exit();
        match fx_mut(m).header_mut(self) {
            Some(header) => header,
            None => verifier::stale_handle(exit, self, self.kind as u16),
        }
    }

    /// The address of the object itself, as the framework's own lines print it.
    #[inline]
    pub fn address(self) -> u64 {
        let pool = match self.kind {
            Kind::Null => return HANDLE_MASK,
            Kind::Wild => return u64::from(self.id.index()) ^ HANDLE_MASK,
            Kind::Request => Pool::FxRequest,
            Kind::Device => Pool::FxDevice,
            Kind::IoPackage => return Pool::FxDevice.address(self.id.index()) + PACKAGE_OFFSET,
            Kind::Queue => Pool::FxQueue,
            Kind::Driver => return Pool::Globals.address(self.id.index()) + DRIVER_OFFSET,
            Kind::General => Pool::FxObject,
        };
        pool.address(self.id.index())
    }

    /// The handle as a driver sees it: the address with all but its low three bits turned over.
    #[inline]
    pub fn handle(self) -> u64 {
        self.address() ^ HANDLE_MASK
    }

    /// The object as a context word, and back with [`Object::general_from_word`].
    pub fn to_word(self) -> u64 {
        self.id.to_word()
    }

    /// The object of a class that [`Object::to_word`] made a word of.
    pub fn general_from_word(word: u64) -> Option<Object> {
        Id::from_word(word).map(|id| Object { kind: Kind::General, id })
    }

    /// Whether the object still exists.
    pub fn exists(self, m: &Machine) -> bool {
        fx(m).header(self).is_some()
    }
}

/// The body of an object of a class; a stale handle stops the machine.
#[inline]
pub fn body_of<T: Any + Send>(m: &mut Machine, object: Object, type_number: u16) -> &mut T {
    let exit = m.exit();
    let general = fx_mut(m).general.get_mut(object.id).filter(|_| object.kind == Kind::General);
    match general.and_then(|general| general.body.downcast_mut()) {
        Some(body) => body,
        None => verifier::stale_handle(exit, object, type_number),
    }
}

/// The same, only looked at, and only if it is there.
pub fn peek_body<T: Any + Send>(m: &Machine, object: Object) -> Option<&T> {
    fx(m).general.get(object.id).filter(|_| object.kind == Kind::General)?.body.downcast_ref()
}
