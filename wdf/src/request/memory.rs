//! WDFMEMORY: a request's own buffers, and those that a driver makes.
//!
//! Source: S/core/fxmemorybufferapi.cpp:40-190; S/core/fxrequest.cpp:2522-2566, 2706-2760 (references to a request's own).

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus, Span};

use super::{Request, Transfer};
use crate::driver::Driver;
use crate::framework::{fx_mut, trace};
use crate::object::{Attributes, Class, Handle, Object, body_of, create_general};
use crate::trace::sites;
use crate::verifier::debug_break;

/// A WDFMEMORY: a request's own buffer, which lives inside the request, or an object of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// One of a dispatched request's two: its input, or all of a read or write; its output.
    OfRequest(Request, Transfer),
    /// Made with [`Memory::create`], or by probing and locking a program's buffer.
    Own(Object),
}

/// Where the two memories lie inside the framework's request object.
const INPUT_OFFSET: u64 = 0xD8;
const OUTPUT_OFFSET: u64 = 0xE8;

/// IFX_TYPE_MEMORY, which every memory answers to.
const MEMORY_TYPE: u16 = 0x100A;

static MEMORY: Class = Class { destroy: free, ..Class::new(MEMORY_TYPE) };

/// FxRequestMemory.
static LOCKED: Class = Class { destroy: unlock, ..Class::new(0x1032) };

/// What a memory object describes.
struct Body {
    span: Span,
    /// The request whose program's pages are locked.
    locked_for: Option<Request>,
}

fn free(m: &mut Machine, object: Object) {
    let span = body_of::<Body>(m, object, MEMORY_TYPE).span;
    m.free_block(span);
}

fn unlock(m: &mut Machine, object: Object) {
    if let Some(request) = body_of::<Body>(m, object, MEMORY_TYPE).locked_for {
        request.give_back_memory(m);
    }
}

impl Memory {
    /// NULL, which the calls that take a memory take for none.
    pub fn null() -> Memory {
        Memory::Own(Object::null())
    }

    /// Whether this is NULL.
    pub fn is_null(self) -> bool {
        self == Memory::null()
    }

    /// `WdfMemoryCreate`: `length` bytes of zeroed pool.
    ///
    /// # Errors
    /// STATUS_INVALID_PARAMETER for no length.
    pub fn create(m: &mut Machine, driver: Driver, length: u32, attributes: Attributes) -> Result<Memory, NtStatus> {
        if length == 0 {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let body = Body { span: m.allocate_block(&[], length), locked_for: None };
        Ok(Memory::Own(create_general(m, driver, &MEMORY, body, driver, attributes)))
    }

    /// A program's locked pages, as a child of the request that they came with.
    pub(super) fn locked(m: &mut Machine, request: Request, span: Span) -> Memory {
        let driver = request.driver(m);
        request.lend_memory(m);
        let body = Body { span, locked_for: Some(request) };
        Memory::Own(create_general(m, driver, &LOCKED, body, request, Attributes::none()))
    }

    /// `WdfMemoryGetBuffer`. A handle of anything else is bug check 0x10D/5.
    ///
    /// # Errors
    /// As [`Request::buffer`].
    #[inline]
    pub fn span(self, m: &mut Machine) -> Result<Span, NtStatus> {
        match self {
            Memory::OfRequest(request, which) => request.memory_span(m, which),
            Memory::Own(object) => {
                let actual = object.type_number(m);
                if actual != MEMORY_TYPE && actual != LOCKED.type_number && object.exists(m) {
                    let driver = object.driver(m);
                    crate::object::check_handle(m, driver, object, MEMORY_TYPE);
                }
                Ok(body_of::<Body>(m, object, MEMORY_TYPE).span)
            }
        }
    }

    /// `WdfObjectReference`: whoever formats a request with the memory does so, too. A request cannot be completed while
    /// one of its own is referenced: bug check 0x10D/3.
    pub fn reference(self, m: &mut Machine) {
        match self {
            Memory::OfRequest(owner, _) => owner.lend_memory(m),
            Memory::Own(object) => object.add_reference(m),
        }
    }

    /// `WdfObjectDereference`. Giving back a reference to a request's memory that nobody took is an error that the call
    /// reports and does all the same.
    pub fn dereference(self, m: &mut Machine) {
        match self {
            Memory::OfRequest(owner, _) => owner.give_back_memory(m),
            Memory::Own(object) => object.release(m),
        }
    }

    /// The handle that logs print. A request's memories have offset handles: odd ones.
    ///
    /// Source: S/inc/private/common/fxobject.hpp:626-681.
    #[inline]
    pub fn handle(self) -> u64 {
        match self {
            Memory::OfRequest(request, Transfer::Input) => offset_handle(request, INPUT_OFFSET),
            Memory::OfRequest(request, Transfer::Output) => offset_handle(request, OUTPUT_OFFSET),
            Memory::Own(object) => object.handle(),
        }
    }
}

fn offset_handle(request: Request, offset: u64) -> u64 {
    (request.0.address() + offset) ^ 0xFFFF_FFFF_FFFF_FFF8 | 1
}

impl Request {
    /// AddIrpReference. Only the verifier looks whether the request is completed already.
    #[inline]
    fn lend_memory(self, m: &mut Machine) {
        let body = self.body(m);
        body.lent += 1;
        if body.completed {
            _ = self.verify_not_completed(m);
        }
    }

    /// ReleaseIrpReference. An owner that is gone has stopped the machine when it was completed, or was deleted.
    fn give_back_memory(self, m: &mut Machine) {
        let Some(body) = fx_mut(m).requests.get_mut(self.0.id) else { return };
        body.lent -= 1;
        if body.lent < 0 {
            let driver = body.header.driver();
            trace(m, driver, &sites::MEMORY_NOT_LENT, [self.0.handle()]);
            debug_break(m, driver);
        }
    }
}
