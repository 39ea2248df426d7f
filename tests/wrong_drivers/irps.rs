//! IRPs without the framework: pending, locations, and completion routines.

use vbus::wdm::constants::*;
use vbus::wdm::{Context, Control, DeviceObject, Irp, Machine, NtStatus};

use crate::framework::answer_irp;
use crate::plain::{PLAIN, Plain, fails_later, later, send_down};
use crate::rig::{Party, WrongDriver, wrong_drivers};

wrong_drivers! {
    "IRPs"
    completes_an_irp_twice = TWICE;
    forgets_to_mark_the_irp_pending = NOT_MARKED;
    marks_the_irp_pending_and_returns_success = RETURNS_SUCCESS;
    forgets_to_carry_the_pending_mark_up = NOT_CARRIED;
    sets_a_completion_routine_and_skips_its_location = SKIPS;
    sends_an_irp_that_has_no_location_left = NO_LOCATION;
    frees_an_irp_that_is_not_its_own = FREES;
    completes_an_irp_with_its_cancel_routine_set = CANCEL_ROUTINE;
    returns_another_status_than_it_completed_with = OTHER_STATUS;
}

const TWICE: WrongDriver = WrongDriver {
    rules: &["DoubleCompletion", "CompleteRequest"],
    windows: "Bug check 0x44, if the IRP's memory still is an IRP.",
    wrong: Party::Plain(Plain {
        serve: |m, _, irp| {
            answer_irp(m, irp);
            irp.complete_with(m, STATUS_INVALID_DEVICE_REQUEST, 0)
        },
        ..PLAIN
    }),
    repaired: Party::Plain(Plain { serve: |m, _, irp| answer_irp(m, irp), ..PLAIN }),
};

/// The driver answers with an error a second later.
fn fails(m: &mut Machine, irp: Irp) {
    irp.complete_with(m, STATUS_UNSUCCESSFUL, 0);
}

const NOT_MARKED: WrongDriver = WrongDriver {
    rules: &["MarkIrpPending", "MarkIrpPending2", "MarkingQueuedIrps", "PendedCompletedRequest"],
    windows: "The caller is told to wait for an event that the I/O manager sets after an error only if the IRP was \
              marked: the program waits for ever. With a success nobody notices. Driver Verifier: 0xC9/0x23D.",
    wrong: Party::Plain(Plain {
        serve: |m, _, irp| {
            later(m, irp, fails);
            STATUS_PENDING
        },
        ..PLAIN
    }),
    repaired: Party::Plain(Plain {
        serve: |m, _, irp| {
            irp.mark_pending(m);
            later(m, irp, fails);
            STATUS_PENDING
        },
        ..PLAIN
    }),
};

const RETURNS_SUCCESS: WrongDriver = WrongDriver {
    rules: &["PendedCompletedRequest2", "PendedCompletedRequest3", "LowerDriverReturn"],
    windows: "The program goes on with a success and a buffer in which nothing is; what is written there later is \
              written into memory that it uses for something else. Driver Verifier: 0xC9/0x23E.",
    wrong: Party::Plain(Plain {
        serve: |m, _, irp| {
            irp.mark_pending(m);
            later(m, irp, |m, irp| _ = answer_irp(m, irp));
            STATUS_SUCCESS
        },
        ..PLAIN
    }),
    repaired: Party::Plain(Plain {
        serve: |m, _, irp| {
            irp.mark_pending(m);
            later(m, irp, |m, irp| _ = answer_irp(m, irp));
            STATUS_PENDING
        },
        ..PLAIN
    }),
};

const NOT_CARRIED: WrongDriver = WrongDriver {
    rules: &["PendedCompletedRequestEx", "MarkIrpPending"],
    windows: "The I/O manager carries the mark only past drivers without a routine: it is lost here, and an error leaves \
              the program waiting. Driver Verifier: 0xC9/0x228.",
    wrong: Party::Plain(Plain {
        serve: |m, device, irp| send_down(m, device, irp, |_, _, _, _| STATUS_SUCCESS),
        lower: fails_later,
        ..PLAIN
    }),
    repaired: Party::Plain(Plain {
        serve: |m, device, irp| {
            send_down(m, device, irp, |m, _, irp, _| {
                if m[irp].pending_returned {
                    irp.mark_pending(m);
                }
                STATUS_SUCCESS
            })
        },
        lower: fails_later,
        ..PLAIN
    }),
};

fn went_through(_: &mut Machine, _: Option<DeviceObject>, _: Irp, _: Context) -> NtStatus {
    STATUS_SUCCESS
}

const SKIPS: WrongDriver = WrongDriver {
    rules: &["CompletionRoutineRegistered"],
    windows: "The routine lies one location below, where the driver above had put its own, which never runs.",
    wrong: Party::Plain(Plain {
        serve: |m, device, irp| {
            m[irp].skip_current_location();
            m[irp].set_completion_routine(went_through, Context(0), Control::INVOKE_ALWAYS);
            let lower = device.lower_device(m).expect("the driver attached to it");
            irp.call_driver(m, lower)
        },
        ..PLAIN
    }),
    repaired: Party::Plain(Plain { serve: |m, device, irp| send_down(m, device, irp, went_through), ..PLAIN }),
};

const NO_LOCATION: WrongDriver = WrongDriver {
    rules: &["IRP stack locations (0xC9/0x208)"],
    windows: "Bug check 0x35, after the IRP's own tail was written into. Driver Verifier sees it coming: 0xC9/0x208.",
    wrong: Party::Plain(Plain {
        // It takes a second location for itself, and the stack below needs what is left.
        serve: |m, device, irp| {
            m[irp].copy_current_to_next();
            m[irp].set_next_location();
            send_down(m, device, irp, went_through)
        },
        ..PLAIN
    }),
    repaired: Party::Plain(Plain { serve: |m, device, irp| send_down(m, device, irp, went_through), ..PLAIN }),
};

const FREES: WrongDriver = WrongDriver {
    rules: &["IoAllocateFree", "IoBuildDeviceControlNoFree"],
    windows: "The I/O manager uses the IRP's memory when it is somebody else's: undefined. Driver Verifier: 0xC9/2.",
    wrong: Party::Plain(Plain {
        serve: |m, _, irp| {
            irp.free(m);
            irp.complete_with(m, STATUS_SUCCESS, 0)
        },
        ..PLAIN
    }),
    repaired: Party::Plain(Plain { serve: |m, _, irp| answer_irp(m, irp), ..PLAIN }),
};

fn let_go(m: &mut Machine, _: Option<DeviceObject>, irp: Irp) {
    irp.release_cancel_spin_lock(m);
    irp.complete_with(m, STATUS_CANCELLED, 0);
}

const CANCEL_ROUTINE: WrongDriver = WrongDriver {
    rules: &["IrpCancelField"],
    windows: "A cancel that finds the routine of a completed IRP is bug check 0x48; one that comes before is a second \
              completion. Driver Verifier: 0xC9/7.",
    wrong: Party::Plain(Plain {
        serve: |m, _, irp| {
            irp.mark_pending(m);
            irp.set_cancel_routine(m, Some(let_go));
            // The APC of the completion comes when the program's thread is free; the cancel is faster.
            answer_irp(m, irp);
            irp.cancel(m);
            STATUS_PENDING
        },
        ..PLAIN
    }),
    repaired: Party::Plain(Plain {
        serve: |m, _, irp| {
            irp.mark_pending(m);
            irp.set_cancel_routine(m, Some(let_go));
            if irp.set_cancel_routine(m, None).is_some() {
                answer_irp(m, irp);
            }
            irp.cancel(m);
            STATUS_PENDING
        },
        ..PLAIN
    }),
};

const OTHER_STATUS: WrongDriver = WrongDriver {
    rules: &["CompleteRequestStatusCheck", "LowerDriverReturn"],
    windows: "The program gets what the dispatch routine returned, and the driver above what is in the IRP: they do not \
              agree whether it worked. Driver Verifier: 0xC9/0x224.",
    wrong: Party::Plain(Plain {
        serve: |m, _, irp| {
            irp.complete_with(m, STATUS_UNSUCCESSFUL, 0);
            STATUS_SUCCESS
        },
        ..PLAIN
    }),
    repaired: Party::Plain(Plain { serve: |m, _, irp| irp.complete_with(m, STATUS_UNSUCCESSFUL, 0), ..PLAIN }),
};
