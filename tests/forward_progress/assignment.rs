//! WdfIoQueueAssignForwardProgressPolicy: what it refuses, and what it leaves behind where it fails.

use super::*;

#[test]
fn a_policy_that_cannot_be_is_refused_and_says_why() {
    let mut bench = verified();
    let examines: Option<ExamineIrp> = None;
    let log = bench.log_of(|m, _, device| {
        let queue = queue_of(m, device);
        let mut refused = |policy| queue.assign_forward_progress_policy(m, policy).unwrap_err();
        assert_eq!(refused(ForwardProgressPolicy::examine(0, examines)), STATUS_INVALID_PARAMETER);
        assert_eq!(refused(ForwardProgressPolicy::always(0)), STATUS_INVALID_PARAMETER);
    });
    assert_eq!(
        log,
        "Examine callback can't be null for WdfIoForwardProgressReservedPolicyUseExamine  \
         0xc000000d(STATUS_INVALID_PARAMETER)\n\
         Need to have more than  0 reserved Requests 0xc000000d(STATUS_INVALID_PARAMETER)\n"
    );
    assert_eq!(bench.breaks(), 0);
    let queue = assign(&mut bench, ForwardProgressPolicy::always(1));
    let log = bench.log_of(|m, _, _| {
        let again = queue.assign_forward_progress_policy(m, ForwardProgressPolicy::always(1));
        assert_eq!(again, Err(STATUS_INVALID_PARAMETER));
        let policy = ForwardProgressPolicy::paging_io(1);
        let raised = at_dispatch(m, |m| queue.assign_forward_progress_policy(m, policy));
        assert_eq!(raised, Err(STATUS_INVALID_DEVICE_REQUEST));
    });
    assert_eq!(
        log,
        "Queue is already configured for forward progress 0xc000000d(STATUS_INVALID_PARAMETER)\n\
         Called at wrong IRQL; at level 2, should be at level 0\n"
    );
    assert_eq!(bench.breaks(), 2);
    let stop = bench.try_run(|m, _, _| queue.assign_forward_progress_policy(m, None)).unwrap_err();
    assert_eq!(violation(stop)[..2], [4, 0]);
}

/// EvtIoAllocateResourcesForReservedRequest: a context whose end is noted. The third call fails if they are to.
fn reserve_resources(m: &mut Machine, _: Queue, request: Request) -> Result<(), NtStatus> {
    assert!(request.is_reserved(m));
    let name = name(m, request);
    note(m, format!("allocates for {name}"));
    if world(m).fails && world(m).reserved.len() == 3 {
        return Err(STATUS_DEVICE_NOT_READY);
    }
    request.allocate_context(m, named("a reserved request"))
}

#[test]
fn an_assignment_that_fails_leaves_nothing_behind_and_can_be_made_again() {
    let mut bench = bench(Wanted::default());
    let policy = ForwardProgressPolicy::always(3).on_allocate_for_reserved(reserve_resources);
    let objects = object_count(&bench.machine);
    world(&mut bench.machine).fails = true;
    let refuse = |bench: &mut Workbench| {
        bench.log_of(|m, _, device| {
            let queue = queue_of(m, device);
            let status = queue.assign_forward_progress_policy(m, policy).unwrap_err();
            note(m, short_name(status));
        })
    };
    let log = refuse(&mut bench);
    assert_eq!(log, "Failure from m_IoReservedResourcesAllocate callback 0xc00000a3(STATUS_DEVICE_NOT_READY)\n");
    let notes = bench.notes();
    let ends = notes.iter().filter(|note| note.ends_with("of a reserved request")).count();
    assert_eq!((notes.len(), ends), (8, 4), "two of three had a context: {notes:?}");
    assert_eq!(notes.last().unwrap(), "STATUS_DEVICE_NOT_READY");
    for n in 1..=4 {
        bench.machine.fail_allocation(n);
        let log = refuse(&mut bench);
        let expected = match n {
            1 => "Could not allocate memory for forward progress context 0xc000009a(STATUS_INSUFFICIENT_RESOURCES)\n",
            _ => {
                "Memory allocation failed 0xc000009a(STATUS_INSUFFICIENT_RESOURCES)\n\
                 Failure to allocate request 0xc000009a(STATUS_INSUFFICIENT_RESOURCES)\n"
            }
        };
        assert_eq!(log, expected, "allocation {n}");
        world(&mut bench.machine).reserved.clear();
    }
    assert_eq!(object_count(&bench.machine), objects);
    plenty(&mut bench);
    world(&mut bench.machine).fails = false;
    assign(&mut bench, policy);
    assert_eq!(object_count(&bench.machine), objects + 3);
}
