//! Custom types: how an extension library marks the objects that it made, or that it works on.
//!
//! A custom type is a context by another name: one word of data, found by the type's name.
//!
//! Source: wdfobject.h of the public headers, WDF_DECLARE_CUSTOM_TYPE and the macros after it (KMDF 1.11 on).

use std::any::Any;
use std::marker::PhantomData;

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::context::{self, peek_context};
use super::{Attributes, Object, ObjectCallback};

/// A type that objects can be said to be of, besides their own: `WDF_DECLARE_CUSTOM_TYPE`.
///
/// ```
/// /// What this library's objects are.
/// struct Counter;
///
/// impl vbus_wdf::CustomType for Counter {
///     type Data = u32;
/// }
/// ```
pub trait CustomType: Any + Send {
    /// What is kept with each object of the type. A ULONG_PTR in Windows, which points to it.
    type Data: Any + Send;
}

/// WDF_CUSTOM_TYPE_CONTEXT, for one type. Its C name is WdfCustomType_ and the type's.
struct TypeContext<T: CustomType> {
    data: Option<T::Data>,
    of: PhantomData<T>,
}

/// What the context type's name begins with in C.
const PREFIX: &str = "WdfCustomType_";

pub(super) fn add<T: CustomType>(
    m: &mut Machine,
    object: Object,
    data: Option<T::Data>,
    cleanup: Option<ObjectCallback>,
    destroy: Option<ObjectCallback>,
) -> Result<(), NtStatus> {
    let mut attributes = Attributes::none().context(TypeContext::<T> { data: None, of: PhantomData });
    attributes = cleanup.into_iter().fold(attributes, Attributes::on_cleanup);
    attributes = destroy.into_iter().fold(attributes, Attributes::on_destroy);
    let added = context::allocate(m, object, attributes);
    if let (Ok(()) | Err(STATUS_OBJECT_NAME_EXISTS), Some(context)) = (added, peek_context::<TypeContext<T>>(m, object))
    {
        context.data = data;
    }
    added
}

pub(super) fn is<T: CustomType>(m: &mut Machine, object: Object) -> bool {
    find::<T>(m, object).is_some()
}

pub(super) fn data<T: CustomType>(m: &mut Machine, object: Object) -> Option<&mut T::Data> {
    let exit = m.exit();
    match find::<T>(m, object) {
        Some(context) => context.data.as_mut(),
        None => exit.undefined(
            "WdfObjectGetCustomTypeData",
            "an object is asked only for the data of a custom type that was added to it",
        ),
    }
}

fn find<T: CustomType>(m: &mut Machine, object: Object) -> Option<&mut TypeContext<T>> {
    context::find(m, object, PREFIX, std::any::type_name::<T>())
}
