//! What the framework verifier and its fatal checks do.

use vbus_wdm::{BugCheck, Exit, Machine, Pool, Stop};

use crate::driver::Driver;
use crate::framework::{fx, fx_mut};
use crate::object::Object;

/// KeBugCheckEx(0x10D, …) with the driver's globals as the last parameter, and its log in the dump.
///
/// Source: S/object/fxverifierbugcheck.cpp:46-93.
pub fn wdf_violation(m: &Machine, driver: Option<Driver>, code: u64, parameters: [u64; 2], ddi: &'static str) -> ! {
    let body = driver.and_then(|driver| fx(m).drivers.get(driver.id()));
    let globals = driver.map_or(0, |driver| Pool::Globals.address(driver.id().index()));
    m.stop(Stop::BugCheck(BugCheck {
        code: 0x10D,
        parameters: [code, parameters[0], parameters[1], globals],
        ddi,
        driver: body.map(|body| body.name.clone()),
        log: body.map(|body| body.log.lines().iter().map(ToString::to_string).collect()).unwrap_or_default(),
    }))
}

/// The thread that runs everything, as logs print it.
pub(crate) const CURRENT_THREAD: u64 = Pool::Thread.address(0);

/// WDF_INVALID_HANDLE: a handle that is stale or of another type. Whose globals they were is not known any more.
#[cold]
pub(crate) fn invalid_handle(exit: Exit, object: Object, wanted: u16) -> ! {
    exit.stop(Stop::BugCheck(BugCheck {
        code: 0x10D,
        parameters: [5, object.handle(), wanted.into(), 0],
        ddi: "FxObjectHandleGetPtr",
        driver: None,
        log: Vec::new(),
    }))
}

/// WDF_OBJECT_ERROR: an object's last reference went although nobody deleted it.
#[cold]
pub(crate) fn object_error(m: &Machine, object: Object) -> ! {
    let driver = fx(m).header(object).and_then(|header| header.driver);
    wdf_violation(m, driver, 7, [object.handle(), object.address()], "WdfObjectDereference")
}

/// WDF_REQUEST_FATAL_ERROR with one of its sub-codes.
#[cold]
pub fn request_fatal_error(m: &Machine, driver: Driver, sub_code: u64, detail: u64, ddi: &'static str) -> ! {
    wdf_violation(m, Some(driver), 6, [sub_code, detail], ddi)
}

/// FxVerifierDbgBreakPoint, called only where the verifier's checks run.
///
/// Source: S/inc/private/common/fxglobals.h:289-317 (break on error).
#[cold]
pub fn debug_break(m: &mut Machine, driver: Driver) {
    if let Some(body) = fx_mut(m).drivers.get_mut(driver.id())
        && body.verifier
    {
        let now = body.log.sequence();
        body.breaks.push(now);
    }
}
