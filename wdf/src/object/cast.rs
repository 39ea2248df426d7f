//! Wrong handles: what a call makes of one that is not what it should be.
//!
//! The handles of this crate have types, and a driver in Rust cannot mix them up. C drivers cast. `from_handle` of every
//! handle type is that cast, and where it comes to light.
//!
//! Source: S/inc/private/common/fxhandle.h; S/object/handleapi.cpp:400-450.

use vbus_wdm::{Id, Machine};

use super::{Header, Kind, Object, handle};
use crate::driver::Driver;
use crate::framework::{Framework, fx, trace};
use crate::trace::sites;
use crate::verifier;

/// The types of handles, by the numbers that logs and bug checks have for them.
///
/// Source: S/inc/private/common/fxtypes.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum HandleType {
    /// Any object: what the calls want that work on every kind.
    Object = 0x1000,
    /// WDFDRIVER.
    Driver = 0x1001,
    /// WDFDEVICE.
    Device = 0x1002,
    /// WDFQUEUE.
    Queue = 0x1003,
    /// WDFSTRING.
    String = 0x1007,
    /// WDFREQUEST.
    Request = 0x1008,
    /// WDFLOOKASIDE.
    Lookaside = 0x1009,
    /// WDFMEMORY.
    Memory = 0x100A,
    /// WDFCOLLECTION.
    Collection = 0x100E,
    /// WDFDPC.
    Dpc = 0x1015,
    /// WDFFILEOBJECT.
    FileObject = 0x1018,
    /// A WDFMEMORY that was created with WdfMemoryCreatePreallocated.
    PreallocatedMemory = 0x1022,
    /// WDFWAITLOCK.
    WaitLock = 0x1023,
    /// WDFSPINLOCK.
    SpinLock = 0x1024,
    /// WDFWORKITEM.
    WorkItem = 0x1025,
    /// WDFTIMER.
    Timer = 0x1028,
    /// WDFCHILDLIST.
    ChildList = 0x1029,
    /// What a WDFDEVICE is to WdfDeviceGetIoTarget.
    DeviceBase = 0x1030,
    /// WDFIOTARGET.
    IoTarget = 0x1200,
}

/// What is behind a handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// The handle is NULL.
    Null,
    /// An object.
    Live { driver: Driver, no_delete: bool },
    /// The memory of an object that is gone; nobody has taken it since.
    Freed { driver: Driver, type_number: u16, had_contexts: bool },
    /// Memory that holds something else by now, or none at all.
    Gone,
}

impl Framework {
    /// What is behind a handle at this moment.
    pub(super) fn find(&self, object: Object) -> Found {
        if object.kind == Kind::Null {
            return Found::Null;
        }
        if let Some(header) = self.header(object) {
            return Found::Live { driver: header.driver(), no_delete: handle::is_protected(self, object) };
        }
        let (id, number) = (object.id, object.kind as u16);
        let freed: Option<(&Header, u16)> = match object.kind {
            Kind::General => self.general.released(id).map(|body| (&body.header, body.class.type_number)),
            Kind::Request => self.requests.released(id).map(|body| (&body.header, number)),
            Kind::Queue => self.queues.released(id).map(|body| (&body.header, number)),
            Kind::Device => self.devices.released(id).map(|body| (&body.header, number)),
            Kind::Null | Kind::Wild | Kind::Driver | Kind::IoPackage => None,
        };
        match freed.and_then(|(header, type_number)| Some((header.driver?, type_number, header.marks.had_contexts))) {
            Some((driver, type_number, had_contexts)) => Found::Freed { driver, type_number, had_contexts },
            None => Found::Gone,
        }
    }
}

impl Object {
    /// NULL, which no call takes for a handle.
    pub fn null() -> Object {
        Object { kind: Kind::Null, id: nowhere(0) }
    }

    /// A number that no create call gave, such as an uninitialized variable's.
    pub fn wild(number: u32) -> Object {
        Object { kind: Kind::Wild, id: nowhere(number) }
    }

    /// What is behind the handle at this moment.
    pub(super) fn find(self, m: &Machine) -> Found {
        fx(m).find(self)
    }

    /// The framework's number for the object's own type; 0 for one that is gone.
    pub(crate) fn type_number(self, m: &Machine) -> u16 {
        match self.kind {
            Kind::General => fx(m).general.get(self.id).map_or(0, |body| body.class.type_number),
            kind => kind as u16,
        }
    }

    /// The framework's number for the type of handle that a driver was given for the object; 0 for one that is gone.
    pub fn type_number_of(self, m: &Machine) -> u16 {
        match self.kind {
            Kind::General => {
                let class = fx(m).general.get(self.id).map(|body| body.class);
                class.map_or(0, |class| class.interfaces.first().copied().unwrap_or(class.type_number))
            }
            kind => kind as u16,
        }
    }

    /// Whether a call that wants this type takes the object.
    fn answers_to(self, m: &Machine, wanted: u16) -> bool {
        const ANY: u16 = HandleType::Object as u16;
        const DEVICE_BASE: u16 = HandleType::DeviceBase as u16;
        let interfaces: &[u16] = match self.kind {
            Kind::Device => &[DEVICE_BASE],
            Kind::General => fx(m).general.get(self.id).map_or(&[], |body| body.class.interfaces),
            _ => &[],
        };
        wanted == ANY || wanted == self.type_number(m) || interfaces.contains(&wanted)
    }

    /// What every call does with a handle that it is given, for a call that wants this type.
    ///
    /// NULL, or an object of another type, is bug check 0x10D/5. A number that is no handle, or the handle of an object
    /// that is gone, has no defined outcome in Windows: what is in the memory decides. Without the verifier an object
    /// that is gone is still recognized by its type while nobody took its memory; the verifier wipes what is freed.
    pub fn expect_type(self, m: &mut Machine, driver: Driver, wanted: HandleType) {
        check_handle(m, driver, self, wanted as u16);
    }
}

/// An id that names nothing: the first generation of a place is never in use.
fn nowhere(number: u32) -> Id {
    Id::from_word(1 << 32 | u64::from(number)).expect("its generation is 1")
}

/// As [`Object::expect_type`], by the type's number.
pub fn check_handle(m: &mut Machine, driver: Driver, object: Object, wanted: u16) {
    let actual = match object.find(m) {
        Found::Live { .. } if object.answers_to(m, wanted) => return,
        Found::Live { .. } => object.type_number(m),
        Found::Freed { driver, type_number, .. } if type_number != wanted && !driver.verifier_on(m) => type_number,
        Found::Freed { .. } | Found::Gone => verifier::stale_handle(m.exit(), object, wanted),
        Found::Null => verifier::wdf_violation(m, Some(driver), 5, [0, wanted.into()], "FxObjectHandleGetPtr"),
    };
    let owner = match object.find(m) {
        Found::Live { driver, .. } | Found::Freed { driver, .. } => driver,
        Found::Null | Found::Gone => driver,
    };
    let arguments = [object.handle(), wanted.into(), object.address(), actual.into()];
    trace(m, owner, &sites::OBJECT_TYPE_MISMATCH, arguments);
    verifier::wdf_violation(m, Some(owner), 5, [object.handle(), wanted.into()], "FxObjectHandleGetPtr")
}

/// A handle of a class's objects, and the cast to it.
macro_rules! general_handle {
    ($(#[$doc:meta])* $name:ident is $class:ident as $kind:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $name(pub(crate) $crate::object::Object);

        impl $crate::object::Handle for $name {
            #[inline]
            fn object(self) -> $crate::object::Object {
                self.0
            }
        }

        impl $name {
            /// A handle that a driver took for one of this type: a cast in C, and what every call does with it
            /// ([`Object::expect_type`](crate::Object::expect_type)).
            pub fn from_handle(
                m: &mut vbus_wdm::Machine,
                driver: $crate::driver::Driver,
                handle: $crate::object::Object,
            ) -> $name {
                handle.expect_type(m, driver, $crate::object::HandleType::$kind);
                $name(handle)
            }

            #[allow(dead_code)] // Where the body is all that the crate asks for.
            fn body(self, m: &mut vbus_wdm::Machine) -> &mut Body {
                $crate::object::body_of(m, self.0, $class.type_number)
            }
        }
    };
}

pub(crate) use general_handle;
