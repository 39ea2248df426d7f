//! Memory that is short at any moment, and whatever else happens: no IRP is lost.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;

/// What a request needs to be sent on: a request of the driver's own.
struct Resources(Request);

fn resources(m: &mut Machine, _: Queue, request: Request) -> Result<(), NtStatus> {
    let driver = request.driver(m);
    let own = Request::create(m, driver, Attributes::none().parent(request))?;
    request.allocate_context(m, Attributes::none().context(Resources(own)))
}

/// Sends the driver's own request, which exists already, to the device below.
fn sends_on(m: &mut Machine, queue: Queue, request: Request) {
    let Resources(own) = *request.context::<Resources>(m);
    let device = queue.device(m);
    let target = IoTarget::default_of(m, device).unwrap();
    own.reuse(m, Default::default()).unwrap();
    let formatted = target.format_internal_ioctl(m, own, IoctlCode(0x0022_0003), Data::None, Data::None);
    own.set_completion_routine(m, done, request.to_context());
    // Only the IRP of the driver's own request is not in reserve.
    if formatted.is_err() || !own.send(m, target, SendOptions::none()) {
        request.complete(m, STATUS_INSUFFICIENT_RESOURCES);
    }
}

fn done(m: &mut Machine, _: Request, _: IoTarget, _: &CompletionParams, request: Context) {
    Request::from_context(request).unwrap().complete(m, STATUS_SUCCESS);
}

fn sending_on(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    let queue = Queue::config(Dispatch::Sequential).on_default(sends_on).create_default(m, device)?;
    let policy = ForwardProgressPolicy::always(1);
    let policy = policy.on_allocate_for_reserved(resources).on_allocate_for_request(resources);
    queue.assign_forward_progress_policy(m, policy)?;
    Ok(device)
}

#[test]
fn whichever_allocation_fails_every_irp_ends_once() {
    let run = |fails: u64| {
        let mut bench = bench(Wanted { build: Some(sending_on), ..Wanted::default() });
        // Whoever sends needs memory, too, and has it.
        let irps = bench.run(|m, _, device| {
            let top = device.device_object(m);
            [(); 4].map(|()| m.allocate_irp(m[top].stack_size).unwrap())
        });
        bench.machine.fail_allocation(fails);
        bench.run(|m, _, device| irps.into_iter().for_each(|irp| give(m, device, irp)));
        let failed = bench.machine.failed_allocation();
        plenty(&mut bench);
        bench.remove_device();
        assert_eq!(bench.machine.census().irps, 0, "allocation {fails}");
        (failed, bench.notes(), object_count(&bench.machine))
    };
    let (_, undisturbed, left) = run(u64::MAX);
    let mut rescued = 0;
    for n in 1.. {
        let (failed, notes, objects) = run(n);
        let Some(failed) = failed else {
            assert!(n > 12, "three allocations for every request, not {n}");
            break;
        };
        assert_eq!((notes.len(), objects), (4, left), "allocation {n} in {failed}: {notes:?}");
        // The queue goes on without memory for its requests and for what its driver needs for them.
        if failed != "IoAllocateIrp" {
            assert_eq!(notes, undisturbed, "allocation {n} in {failed}");
            rescued += 1;
        }
    }
    assert_eq!(rescued, 8);
}

/// Everything that decides a run.
#[derive(Clone, Debug)]
struct Run {
    dispatch: Dispatch,
    reserved: u32,
    verifier: bool,
    answers: bool,
    acts: Vec<Act>,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Sends,
    Completes,
    /// Cancels one of the IRPs that are out.
    Cancels(prop::sample::Index),
    MarksCancelable,
    References,
    Dereferences,
    Short,
    Plenty,
    Stops,
    Drains,
    Purges,
    StopsAndPurges,
    Starts,
    Sleeps,
    Wakes,
}

fn runs() -> impl Strategy<Value = Run> {
    use Act::*;
    let rare = prop::sample::select(vec![Stops, Drains, Purges, StopsAndPurges, Sleeps, Wakes, Plenty]);
    let act = prop_oneof![
        6 => Just(Sends),
        4 => Just(Completes),
        2 => any::<prop::sample::Index>().prop_map(Cancels),
        3 => prop::sample::select(vec![MarksCancelable, References, Dereferences, Short, Starts]),
        1 => rare,
    ];
    let dispatch = prop_oneof![Just(Dispatch::Parallel), Just(Dispatch::Sequential)];
    let acts = prop::collection::vec(act, 1..60);
    (dispatch, 1..4u32, any::<bool>(), any::<bool>(), acts)
        .prop_map(|(dispatch, reserved, verifier, answers, acts)| Run { dispatch, reserved, verifier, answers, acts })
}

/// What the driver of a run has besides.
struct Playing {
    dispatch: Dispatch,
    referenced: Vec<Request>,
}

fn playing(m: &mut Machine, init: DeviceInit, attributes: Attributes) -> Result<Device, NtStatus> {
    let device = init.create(m, attributes)?;
    let dispatch = m.extension::<Playing>().dispatch;
    let queue = Queue::config(dispatch).on_default(presented).on_stop(|m, _, request, action| {
        if action.contains(StopAction::REQUEST_CANCELABLE) && request.unmark_cancelable(m).is_err() {
            return;
        }
        world(m).held.retain(|&held| held != request);
        request.complete(m, STATUS_DEVICE_BUSY);
    });
    queue.create_default(m, device)?;
    Ok(device)
}

fn act(bench: &mut Workbench, act: Act) {
    let run = |bench: &mut Workbench, code: fn(&mut Machine, Queue)| {
        bench.run(|m, _, device| {
            let queue = queue_of(m, device);
            code(m, queue);
        });
    };
    match act {
        Act::Sends => {
            bench.run(|m, _, device| {
                let top = device.device_object(m);
                let irp = m.allocate_irp(m[top].stack_size).unwrap();
                give(m, device, irp);
            });
        }
        Act::Completes => run(bench, |m, _| {
            let oldest = world(m).held.first().copied();
            // Whatever is marked is the cancel routine's until it is unmarked.
            if let Some(request) = oldest
                && (request.unmark_cancelable(m).is_ok() || world(m).held.contains(&request))
            {
                world(m).held.retain(|&held| held != request);
                request.complete(m, STATUS_SUCCESS);
            }
        }),
        Act::Cancels(index) => {
            let out = &bench.machine.extension::<World>().out;
            if !out.is_empty() {
                let irp = out[index.index(out.len())];
                bench.run(|m, _, _| irp.cancel(m));
            }
        }
        Act::MarksCancelable => run(bench, |m, _| {
            if let Some(&request) = world(m).held.last() {
                // A second mark of the same request is a driver's error.
                _ = request.unmark_cancelable(m);
                if world(m).held.contains(&request) && request.mark_cancelable_ex(m, cancelled).is_err() {
                    cancelled(m, request);
                }
            }
        }),
        Act::References => run(bench, |m, _| {
            if let Some(&request) = world(m).held.last() {
                request.reference(m);
                m.extension_mut::<Playing>().referenced.push(request);
            }
        }),
        Act::Dereferences => run(bench, |m, _| {
            if let Some(request) = m.extension_mut::<Playing>().referenced.pop() {
                request.dereference(m);
            }
        }),
        Act::Short => short(bench),
        Act::Plenty => plenty(bench),
        Act::Stops => run(bench, |m, queue| queue.stop(m, None, Context(0))),
        Act::Drains => run(bench, |m, queue| queue.drain(m, None, Context(0))),
        Act::Purges => run(bench, |m, queue| queue.purge(m, None, Context(0))),
        Act::StopsAndPurges => run(bench, |m, queue| queue.stop_and_purge(m, None, Context(0))),
        Act::Starts => run(bench, |m, queue| queue.start(m)),
        Act::Sleeps => _ = bench.machine.sleep(SystemPowerState::Sleeping3).unwrap(),
        Act::Wakes => bench.machine.wake().unwrap(),
    }
}

/// EvtRequestCancel.
fn cancelled(m: &mut Machine, request: Request) {
    world(m).held.retain(|&held| held != request);
    request.complete(m, STATUS_CANCELLED);
}

fn play(run: &Run) -> (usize, Vec<String>, String) {
    let playing_with = Playing { dispatch: run.dispatch, referenced: Vec::new() };
    let wanted = Wanted { build: Some(playing), verifier: run.verifier, ..Wanted::default() };
    let prepare = |m: &mut Machine| {
        m.add_extension(World { answers: run.answers, ..World::default() });
        m.add_extension(playing_with);
    };
    let mut bench = Workbench::prepared(prepare, wanted);
    let objects = object_count(&bench.machine);
    let queue = assign(&mut bench, ForwardProgressPolicy::always(run.reserved));
    let log = bench.driver.log_sequence(&bench.machine);
    run.acts.iter().for_each(|&next| act(&mut bench, next));
    // Whoever lets everything go on sees every IRP to its end.
    for last in [Act::Wakes, Act::Plenty, Act::Starts] {
        act(&mut bench, last);
    }
    while !bench.machine.extension::<Playing>().referenced.is_empty() {
        act(&mut bench, Act::Dereferences);
    }
    while !bench.machine.extension::<World>().held.is_empty() {
        act(&mut bench, Act::Completes);
    }
    assert_eq!(bench.run(|m, _, _| queue.counts(m)), (0, 0));
    assert_eq!(object_count(&bench.machine), objects + run.reserved as usize);
    let sent = run.acts.iter().filter(|act| matches!(act, Act::Sends)).count();
    (sent, bench.notes(), bench.log_after(log))
}

fn cases() -> Config {
    let config = Config { failure_persistence: None, ..Config::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => Config { cases: 300, rng_seed: RngSeed::Fixed(1), ..config },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_happens_to_a_queue_with_reserved_requests_every_irp_ends_once(run in runs()) {
        let (sent, notes, log) = play(&run);
        let ends: Vec<&str> = notes.iter().filter_map(|note| note.split_once(" ends with ")).map(|(irp, _)| irp).collect();
        let once: std::collections::BTreeSet<&str> = ends.iter().copied().collect();
        prop_assert_eq!((ends.len(), once.len()), (sent, sent), "{:#?}", notes);
        prop_assert_eq!(play(&run), (sent, notes, log), "the same run leaves the same trace");
    }
}
