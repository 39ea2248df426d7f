//! What shows a failure: a recipe for each cause that a scenario can show.

use super::numbers::Locations;
use super::reproduce::{READER, Reader, Recipe, USUAL, forward, on_reader};

/// No scenario has more; an IRP has at most 125.
const MOST: i8 = 100;

/// What shows the failure of this cause, with the numbers of the text; none for a cause that says why not.
pub(super) fn recipe(id: &str, locations: Option<&Locations>) -> Option<Recipe> {
    of_stacks(id, locations).or_else(|| of_sending(id)).or_else(|| of_requests(id)).or_else(|| of_objects(id))
}

/// A bus with as many locations as its reader needs.
fn roomy() -> Recipe {
    Recipe { extra_stack: USUAL - 1, readers: vec![(READER, Reader::of(USUAL))], ..Recipe::default() }
}

/// The same with a reader that takes its time.
fn roomy_and_slow() -> Recipe {
    Recipe { readers: vec![(READER, Reader { response_ms: 5, ..Reader::of(USUAL) })], ..roomy() }
}

/// A bus that has one location less than its reader needs, or more.
fn narrow() -> Recipe {
    Recipe { readers: vec![(READER, Reader::of(USUAL))], ..Recipe::default() }
}

/// The reader's request ends with this status, and leaves this line.
fn status(name: &str, log: &str) -> Vec<String> {
    vec![forward(&format!("status = \"{name}\", log = [\"{log}\"]"))]
}

/// It stops the machine.
fn bug_check(code: u32, parameters: &str) -> Vec<String> {
    vec![forward(&format!("bug_check = {{ code = {code:#X}, parameters = [{parameters}] }}").replace("0X", "0x"))]
}

/// The same, after a line.
fn bug_check_with_log(code: u32, parameters: &str, log: &str) -> Vec<String> {
    let check = format!("bug_check = {{ code = {code:#X}, parameters = [{parameters}] }}").replace("0X", "0x");
    vec![forward(&format!("{check}, log = [\"{log}\"]"))]
}

fn of_stacks(id: &str, locations: Option<&Locations>) -> Option<Recipe> {
    Some(match id {
        "irp-too-small" => too_small(locations),
        "formatted-for-smaller-target" => smaller_target(locations),
        "never-formatted" => Recipe {
            verifier: true,
            forward: &["set-completion-routine", "send"],
            steps: status("STATUS_REQUEST_NOT_ACCEPTED", "has not been formatted, cannot send"),
            ..roomy()
        },
        "target-closed" => Recipe {
            // What this driver completes with is the call's own status.
            forward: &["format", "set-completion-routine", "send"],
            steps: [
                vec![on_reader("the driver closes its target", "close_target")],
                status("STATUS_INVALID_DEVICE_STATE", "is closed, cannot validate"),
            ]
            .concat(),
            ..roomy()
        },
        "no-memory-for-irp" => Recipe {
            forward: &["create-request-without-target", "format", "set-completion-routine", "send"],
            driver: "on_completion = [\"delete-request\", \"complete\"]",
            steps: [
                // A first request, so that the second finds the framework's objects in its lookasides.
                vec![forward("status = \"STATUS_SUCCESS\"")],
                vec![format!(
                    "name = \"memory is short when the driver's request needs an IRP\"\nfail_allocation = {{ nth = {OWN_IRP} }}\n"
                )],
                status("STATUS_INSUFFICIENT_RESOURCES", "Could not allocate irp"),
            ]
            .concat(),
            ..roomy()
        },
        "already-sent" => Recipe {
            forward: &["format", "set-completion-routine", "send", "send"],
            steps: bug_check_with_log(0x10D, "6, 3", "already sent to a target"),
            ..roomy_and_slow()
        },
        "no-locations-left" => Recipe {
            // Passed on as it came: nobody asks whether it fits.
            forward: &["format-current-type", "set-completion-routine", "send"],
            steps: bug_check(0x35, ""),
            ..narrow()
        },
        "about-to-run-out" => Recipe {
            driver_verifier: true,
            forward: &["format-current-type", "set-completion-routine", "send"],
            steps: bug_check(0xC9, "0x208"),
            ..narrow()
        },
        "formatted-below-last-location" => Recipe {
            // A PDO is the lowest device of its stack.
            driver: "child = [\"format-current-type\"]",
            readers: vec![(READER, Reader { pass_down: true, ..Reader::of(USUAL) })],
            steps: to_child("bug_check = { code = 0x10D, parameters = [6, 1] }"),
            ..Recipe::default()
        },
        "no-irp" => Recipe {
            forward: &["create-request-without-target", "format-current-type"],
            steps: bug_check(0x10D, "6, 2"),
            ..roomy()
        },
        _ => return None,
    })
}

/// Which allocation of a forwarded request is that of the driver's own IRP: before it come the
/// framework's request for the program's IRP, and the driver's own.
const OWN_IRP: u64 = 3;

fn of_sending(id: &str) -> Option<Recipe> {
    Some(match id {
        "target-not-accepting" => Recipe {
            // What this driver completes with is the call's own status.
            forward: &["format", "set-completion-routine", "send"],
            steps: [
                vec![on_reader("the driver purges its target", "purge_target")],
                status("STATUS_INVALID_DEVICE_STATE", "not accepting requests, state WdfIoTargetPurged"),
            ]
            .concat(),
            ..roomy()
        },
        "no-completion-routine" => Recipe {
            forward: &["format", "send"],
            steps: status("STATUS_INVALID_DEVICE_REQUEST", "presented request with no completion routine"),
            ..roomy()
        },
        "forget-own-request" => Recipe {
            bus: "send = { send_and_forget = true }",
            forward: &["create-request", "send"],
            steps: status("STATUS_INVALID_DEVICE_STATE", "must be a WDFQUEUE presented request"),
            ..roomy()
        },
        "forget-formatted-request" => Recipe {
            bus: "send = { send_and_forget = true }",
            forward: &["format", "send"],
            steps: status("STATUS_INVALID_DEVICE_REQUEST", "Cannot send-and-forget"),
            ..roomy()
        },
        "send-options" => Recipe {
            bus: "send = { send_and_forget = true, synchronous = true }",
            forward: &["format", "set-completion-routine", "send"],
            steps: status("STATUS_INVALID_PARAMETER", "no other Flags"),
            ..roomy()
        },
        "memory-offsets" => Recipe {
            forward: &["format-beyond-memory"],
            steps: status("STATUS_INTEGER_OVERFLOW", "Invalid input memory offsets"),
            ..roomy()
        },
        "open-failed" => Recipe {
            steps: vec![
                on_reader("the driver closes its target", "close_target"),
                format!(
                    "name = \"and opens it by a name that leads nowhere\"\n\
                     open_target = {{ reader = {READER}, by = \"name\", name = '\\Device\\Nothing' }}\n\
                     expect = {{ status = \"STATUS_OBJECT_NAME_NOT_FOUND\" }}\n"
                ),
            ],
            ..roomy()
        },
        "open-twice" => Recipe {
            steps: vec![
                on_reader("the driver opens a target that is open", "open_target")
                    + "expect = { status = \"STATUS_INVALID_DEVICE_STATE\" }\n",
            ],
            ..roomy()
        },
        _ => return None,
    })
}

fn of_requests(id: &str) -> Option<Recipe> {
    Some(match id {
        "completed-twice" => Recipe {
            verifier: true,
            forward: &["complete", "complete"],
            steps: status("STATUS_SUCCESS", "is not owned by the driver"),
            ..roomy()
        },
        "completed-cancelable" => Recipe {
            verifier: true,
            forward: &["mark-cancelable", "complete"],
            steps: status("STATUS_SUCCESS", "Completing Cancelable"),
            ..roomy()
        },
        "memory-still-used" => {
            Recipe { forward: &["create-request", "format", "complete"], steps: bug_check(0x10D, "3"), ..roomy() }
        }
        "too-much-information" => {
            Recipe { verifier: true, forward: &["complete-too-long"], steps: bug_check(0x10D, "6, 4"), ..roomy() }
        }
        "used-while-sent" => Recipe {
            verifier: true,
            forward: &["create-request", "format", "set-completion-routine", "send", "delete-request"],
            steps: vec![forward("any_status = true, log = [\"while it is still active\"]")],
            ..roomy_and_slow()
        },
        "not-in-a-queue" => Recipe {
            forward: &["create-request", "mark-request-cancelable"],
            steps: status("STATUS_INVALID_DEVICE_REQUEST", "doesn't belong to any queue"),
            ..roomy()
        },
        "forward-not-allowed" => Recipe {
            verifier: true,
            bus: "forward_to_parent = \"not-allowed\"",
            readers: vec![(READER, Reader { pass_down: true, ..Reader::of(USUAL) })],
            steps: to_child(
                "status = \"STATUS_INVALID_DEVICE_REQUEST\", log = [\"WdfPdoInitSetForwardRequestToParent not called\"]",
            ),
            ..Recipe::default()
        },
        "forward-elsewhere" => Recipe {
            verifier: true,
            forward: &["forward-to-another-bus"],
            second_bus: true,
            steps: vec![to_second_bus(
                "status = \"STATUS_INVALID_DEVICE_REQUEST\", log = [\"Cannot forward a request to a different WDFDEVICE\"]",
            )],
            ..roomy()
        },
        "requeue-not-manual" => Recipe {
            forward: &["requeue"],
            steps: status("STATUS_INVALID_DEVICE_REQUEST", "Requeue is allowed only for a manual queue"),
            ..roomy()
        },
        "wdf-status" => Recipe {
            forward: &["forward-to-another-bus"],
            second_bus: true,
            steps: vec![
                "name = \"a queue takes no more requests\"\npurge_queue = { bus = \"vbus1\" }\n".to_owned(),
                to_second_bus("status = \"STATUS_DEVICE_BUSY\", log = [\"Converting WDF NTSTATUS value\"]"),
            ],
            ..roomy()
        },
        "no-memory-for-request" => Recipe {
            steps: [
                vec![forward("status = \"STATUS_SUCCESS\"")],
                vec!["name = \"memory is short when the framework makes a request of the IRP\"\nfail_allocation = { nth = 1 }\n".to_owned()],
                status("STATUS_INSUFFICIENT_RESOURCES", "Could not create WDFREQUEST"),
            ]
            .concat(),
            ..roomy()
        },
        "no-handler" => Recipe {
            steps: vec![
                "name = \"a program opens the bus\"\nopen = { as = \"bus\" }\n".to_owned(),
                "name = \"there is no EvtIoRead\"\nread = { handle = \"bus\", length = 8 }\n\
                 expect = { status = \"STATUS_INVALID_DEVICE_REQUEST\", log = [\"Driver has no event callback\"] }\n"
                    .to_owned(),
            ],
            ..Recipe::default()
        },
        _ => return None,
    })
}

/// A program's request to a reader whose driver passes it down to the PDO.
fn to_child(expected: &str) -> Vec<String> {
    vec![
        format!("name = \"a program opens the child\"\nopen = {{ as = \"child\", reader = {READER} }}\n"),
        format!(
            "name = \"its request comes down to the PDO\"\nioctl = {{ handle = \"child\", code = 0x222004 }}\nexpect = {{ {expected} }}\n"
        ),
    ]
}

/// A request for the reader of the first of two buses.
fn to_second_bus(expected: &str) -> String {
    format!(
        "name = \"the driver hands a request to the other bus's queue\"\n\
         forward = {{ bus = \"vbus0\", reader = {READER} }}\nexpect = {{ {expected} }}\n"
    )
}

fn of_objects(id: &str) -> Option<Recipe> {
    Some(match id {
        "power-irp-blocked" => Recipe {
            // EvtIoStop does nothing with a request that the driver keeps.
            bus: "queue = { on_stop = \"nothing\" }",
            forward: &["mark-cancelable"],
            steps: vec![
                format!(
                    "name = \"the driver keeps a request\"\nforward = {{ reader = {READER}, as = \"kept\" }}\n\
                     expect = {{ status = \"STATUS_PENDING\" }}\n"
                ),
                "name = \"the system cannot go to sleep\"\npower_down = {}\n\
                 expect = { bug_check = { code = 0x9F, parameters = [3] } }\n"
                    .to_owned(),
            ],
            ..roomy()
        },
        "object-freed" => {
            Recipe { forward: &["create-request", "complete-request"], steps: bug_check(0x10D, "7"), ..roomy() }
        }
        "wrong-handle" => Recipe { forward: &["complete-wrong-handle"], steps: bug_check(0x10D, "5"), ..roomy() },
        _ => return None,
    })
}

/// How many locations the target needs and how many the request has left, by the text or as is usual.
fn needed_and_left(recipe: &mut Recipe, numbers: Option<&Locations>, usually_left: i8) -> (i8, i8) {
    let said = numbers.map(|numbers| (numbers.need.as_ref(), numbers.have.as_ref()));
    let (need, have) = said.unwrap_or_default();
    (
        recipe.number(need.map(|need| need.value), "what the target needs", USUAL),
        recipe.number(have.map(|have| have.value), "what the request has left", usually_left),
    )
}

/// As many locations as the text says, or as the story has.
fn too_small(numbers: Option<&Locations>) -> Recipe {
    let mut recipe = Recipe::default();
    let (need, have) = needed_and_left(&mut recipe, numbers, 1);
    // Below a bus is at least its PDO, and a reader's stack has at least two devices.
    let have = have.clamp(1, MOST - 1);
    let need = need.clamp(have + 1, MOST);
    let count = numbers.and_then(|numbers| numbers.stack_count);
    recipe.extra_stack = have - 1;
    recipe.filters_above = count.map_or(0, |count| count.saturating_sub(have + 1)).clamp(0, 20);
    recipe.readers.push((READER, Reader::named(need, numbers.map_or(&[], |numbers| &numbers.target_stack))));
    recipe.steps.push(forward("status = \"STATUS_REQUEST_NOT_ACCEPTED\", log = [\"Cannot reallocate PIRP\"]"));
    recipe
}

/// A second reader whose stack the request is big enough for.
fn smaller_target(numbers: Option<&Locations>) -> Recipe {
    let mut recipe = Recipe { verifier: true, ..Recipe::default() };
    let (need, have) = needed_and_left(&mut recipe, numbers, 2);
    let have = have.clamp(2, MOST - 1);
    let need = need.clamp(have + 1, MOST);
    recipe.extra_stack = have - 1;
    recipe.forward = &["format-for-another", "set-completion-routine", "send"];
    recipe.readers.push((READER, Reader::of(need)));
    recipe.readers.push((READER + 1, Reader::of(have)));
    recipe.steps.push(forward(&format!(
        "status = \"STATUS_REQUEST_NOT_ACCEPTED\", log = [\"does not have enough stack locations {have} for this\"]"
    )));
    recipe
}
