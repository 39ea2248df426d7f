//! What the framework verifier and its fatal checks do.

use vbus_wdm::{BugCheck, Exit, Irql, Machine, Pool, Stop};

use crate::driver::Driver;
use crate::framework::{fx, fx_mut, trace};
use crate::object::{Handle, Object};
use crate::trace::sites;

/// KeBugCheckEx(0x10D, …) with the driver's globals as the last parameter, and its log in the dump.
///
/// Source: S/object/fxverifierbugcheck.cpp:46-93.
pub fn wdf_violation(m: &Machine, driver: Option<Driver>, code: u64, parameters: [u64; 2], ddi: &'static str) -> ! {
    let globals = driver.map_or(0, |driver| Pool::Globals.address(driver.id().index()));
    bug_check(m, driver, 0x10D, [code, parameters[0], parameters[1], globals], ddi)
}

/// KeBugCheckEx with a driver's log in the dump.
fn bug_check(m: &Machine, driver: Option<Driver>, code: u32, parameters: [u64; 4], ddi: &'static str) -> ! {
    let body = driver.and_then(|driver| fx(m).drivers.get(driver.id()));
    m.stop(Stop::BugCheck(BugCheck {
        code,
        parameters,
        ddi,
        driver: body.map(|body| body.name.clone()),
        log: body.map(|body| body.log.lines().iter().map(ToString::to_string).collect()).unwrap_or_default(),
    }))
}

/// Where in the stack of whoever called a DDI its attributes lie, and the code that called it: logs and bug checks name
/// both.
pub(crate) const CALLERS_STACK: u64 = 0xFFFF_F801_5E1F_E6D0;
const CALLER: u64 = 0xFFFF_F801_5C3A_2F14;

/// FxPointerNotNull: a parameter that must be there is NULL. Bug check 0x10D/4 with who called.
///
/// Source: S/object/fxverifierbugcheck.cpp:150-198.
#[cold]
pub(crate) fn null_parameter(m: &mut Machine, driver: Option<Driver>, ddi: &'static str) -> ! {
    let driver = driver.or_else(|| sole_driver(m));
    if let Some(driver) = driver {
        trace(m, driver, &sites::NULL_PARAMETER, [driver.globals_address()]);
    }
    wdf_violation(m, driver, 4, [0, CALLER], ddi)
}

/// Who gave NULL to a call that is given nothing else: known as long as one driver is loaded.
pub(crate) fn sole_driver(m: &Machine) -> Option<Driver> {
    let mut loaded = fx(m).drivers.iter().filter(|(_, body)| !body.unloaded);
    let (id, _) = loaded.next()?;
    loaded.next().is_none().then(|| Driver::from_id(id))
}

/// A handle that outlived its object, or NULL. The real framework finds freed memory behind the one, and whatever that
/// holds by now decides; the other is WDF_INVALID_HANDLE. Whose globals they were is not known any more.
#[cold]
pub(crate) fn stale_handle(exit: Exit, object: Object, wanted: u16) -> ! {
    if object.handle() != 0 {
        exit.undefined(
            "FxObjectHandleGetPtr",
            "a handle is not used after its object is gone: a request goes when it is completed",
        );
    }
    exit.stop(Stop::BugCheck(BugCheck {
        code: 0x10D,
        parameters: [5, 0, wanted.into(), 0],
        ddi: "FxObjectHandleGetPtr",
        driver: None,
        log: Vec::new(),
    }))
}

/// Calls a driver, which returns at the level at which it is called: else bug check 0x10D/0xE with both levels, if its
/// callbacks are hooked.
///
/// Source: S/enhancedverif/km/vfprivkm.hpp:36-66, S/enhancedverif/vfeventhooks.cpp.
#[inline]
pub(crate) fn at_one_level<R>(m: &mut Machine, whose: impl Handle, call: impl FnOnce(&mut Machine) -> R) -> R {
    let before = m.irql();
    let result = call(m);
    if m.irql() != before {
        level_changed(m, whose, before);
    }
    result
}

#[cold]
fn level_changed(m: &mut Machine, whose: impl Handle, before: Irql) {
    let driver = whose.driver(m);
    if fx(m).drivers.get(driver.id()).is_some_and(|body| body.enhanced_verifier) {
        let levels = [before as u64, m.irql() as u64];
        wdf_violation(m, Some(driver), 0xE, levels, "VerifyIrqlExit");
    }
}

/// FxVerifierCheckIrqlLevel: whether a call that needs PASSIVE_LEVEL may go on. Only the verifier looks.
///
/// Source: S/inc/private/common/fxverifier.h:180.
pub fn passive_level(m: &mut Machine, object: impl Handle) -> bool {
    let driver = object.driver(m);
    let irql = m.irql();
    if irql == Irql::Passive || !driver.verifier_on(m) {
        return true;
    }
    trace(m, driver, &sites::IRQL_TOO_HIGH, [irql as u64, 0]);
    debug_break(m, driver);
    false
}

/// WDF_OBJECT_ERROR: an object's last reference went although nobody deleted it.
///
/// Source: S/object/fxobject.cpp:123-150.
#[cold]
pub(crate) fn freed_alive(m: &mut Machine, driver: Driver, object: Object, type_number: u16) -> ! {
    let arguments = [type_number.into(), object.handle(), object.address()];
    trace(m, driver, &sites::OBJECT_FREED, arguments);
    wdf_violation(m, Some(driver), 7, [object.handle(), object.address()], "WdfObjectDereference")
}

/// FxPointerNotNull: a parameter that may not be NULL. Without it the call is bug check 0x10D/4, whose third parameter
/// is the address that it would have returned to, somewhere in the driver's image.
///
/// Source: S/object/fxverifierbugcheck.cpp:97-130, S/inc/private/common/fxmacros.hpp:250-265.
#[inline]
pub fn required<T>(m: &mut Machine, driver: Driver, parameter: Option<T>, ddi: &'static str) -> T {
    match parameter {
        Some(parameter) => parameter,
        None => null_parameter(m, Some(driver), ddi),
    }
}

/// WDF_REQUEST_FATAL_ERROR with one of its sub-codes.
#[cold]
pub fn request_fatal_error(m: &Machine, driver: Driver, sub_code: u64, detail: u64, ddi: &'static str) -> ! {
    wdf_violation(m, Some(driver), 6, [sub_code, detail], ddi)
}

/// FxVerifierDbgBreakPoint: an event that the run goes on after. Some of these stand where only the verifier looks, some
/// where everybody does.
///
/// Source: S/inc/private/common/fxverifier.h:70-103, S/inc/private/common/fxglobals.h:285-318 (SetVerifierState).
#[cold]
pub fn debug_break(m: &mut Machine, driver: Driver) {
    if let Some(body) = fx_mut(m).drivers.get_mut(driver.id())
        && body.break_on_error
    {
        let now = body.log.sequence();
        body.breaks.push(now);
    }
}

impl Driver {
    /// `WdfVerifierDbgBreakPoint`: breaks into the debugger under DbgBreakOnError.
    pub fn break_point(self, m: &mut Machine) {
        debug_break(m, self);
    }

    /// `WdfVerifierKeBugCheck`: a bug check of the driver's own, with its log in the dump.
    ///
    /// Source: S/object/fxverifierbugcheck.cpp:60-95.
    pub fn bug_check(self, m: &mut Machine, code: u32, parameters: [u64; 4]) -> ! {
        bug_check(m, Some(self), code, parameters, "WdfVerifierKeBugCheck")
    }
}
