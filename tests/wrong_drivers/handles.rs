//! Handles: of the right type, of objects that are there, with as many references back as were taken.

use vbus::iotarget::IoTarget;
use vbus::wdf::*;

use crate::completing::forward;
use crate::framework::{FRAMEWORK, Framework, answer, driver, target};
use crate::rig::{Party, WrongDriver, wrong_drivers};

wrong_drivers! {
    "Handles"
    passes_a_request_where_a_target_is_wanted = WRONG_TYPE;
    passes_null = NULL;
    uses_a_target_that_it_deleted = DELETED;
    gives_back_a_reference_that_it_did_not_take = NOT_TAKEN;
    keeps_an_object_for_good = LEAKED;
}

const WRONG_TYPE: WrongDriver = WrongDriver {
    rules: &["WDF_VIOLATION 5"],
    windows: "WDF_VIOLATION 5 with the handle and the type that was wanted, always, and a line.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            let driver = driver(m);
            let target = IoTarget::from_handle(m, driver, request.object());
            _ = target.state(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            let (driver, target) = (driver(m), target(m));
            let target = IoTarget::from_handle(m, driver, target.object());
            _ = target.state(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
};

const NULL: WrongDriver = WrongDriver {
    rules: &["InitFreeNull", "WDF_VIOLATION 4 and 5"],
    windows: "WDF_VIOLATION 5 with no handle and the type that was wanted, always.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            let driver = driver(m);
            let target = IoTarget::from_handle(m, driver, Object::null());
            _ = target.state(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { serve: answer, ..FRAMEWORK }),
};

const DELETED: WrongDriver = WrongDriver {
    rules: &["InvalidReqAccess"],
    windows: "The handle's memory is freed: undefined.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            let target = target(m);
            target.delete(m);
            forward(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework { serve: forward, ..FRAMEWORK }),
};

const NOT_TAKEN: WrongDriver = WrongDriver {
    rules: &["WDF_VIOLATION 7"],
    windows: "WDF_VIOLATION 7, always: the reference that goes is the one with which the object was created.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            let driver = driver(m);
            let object = create_object(m, driver, Attributes::none()).expect("there is memory");
            object.dereference(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            let driver = driver(m);
            let object = create_object(m, driver, Attributes::none()).expect("there is memory");
            object.reference(m);
            object.dereference(m);
            object.delete(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
};

const LEAKED: WrongDriver = WrongDriver {
    rules: &["ParentObjectCheck", "ParentObjectCheckLock", "ControlDeviceDeleted"],
    windows: "The memory is lost when the driver unloads. The verifier lists what is left, and breaks.",
    wrong: Party::Framework(Framework {
        serve: |m, queue, request| {
            let driver = driver(m);
            let object = create_object(m, driver, Attributes::none()).expect("there is memory");
            object.reference(m);
            answer(m, queue, request);
        },
        ..FRAMEWORK
    }),
    repaired: Party::Framework(Framework {
        serve: |m, queue, request| {
            let driver = driver(m);
            let object = create_object(m, driver, Attributes::none()).expect("there is memory");
            object.reference(m);
            answer(m, queue, request);
            object.dereference(m);
        },
        ..FRAMEWORK
    }),
};
