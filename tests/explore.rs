//! The explorer itself: what it runs, what it finds, and that it finds the same every time.

mod common;

use std::num::NonZero;

use common::workbench::Workbench;
use common::{READ_CARD, card_text};
use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId};
use vbus::explore::{Exploration, Failure, Options, Race, Schedule, Summary, explore, merge, replay};
use vbus::wdf::{Attributes, WaitLock};
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Machine, Stop, Ticks};
use vbus::{Setup, VirtualBus};

/// Two threads that take two wait locks in opposite orders.
fn crossed_locks(race: &mut Race) -> Result<(), Failure> {
    let Workbench { mut machine, driver, .. } = Workbench::new();
    let locks = [0, 1].map(|_| machine.run(|m| WaitLock::create(m, driver, Attributes::none()).unwrap()).unwrap());
    for (name, [first, second]) in [("one", locks), ("other", [locks[1], locks[0]])] {
        race.thread(name, move |m| {
            first.acquire(m).unwrap();
            second.acquire(m).unwrap();
            second.release(m);
            first.release(m);
        });
    }
    race.run(&mut machine)
}

#[test]
fn a_deadlock_of_two_threads_is_found_and_told() {
    let found = explore(&Options::default(), crossed_locks).failure.unwrap();
    assert_eq!(found.failure, Failure::Stopped(Stop::Hang { waiting_for: "a wait lock" }));
    approve!("explore_deadlock", found);
}

#[test]
fn a_schedule_of_another_run_is_refused() {
    let schedule: Schedule = serde_json::from_str(r#"[{"at": 900, "to": 1}]"#).unwrap();
    let refused = replay(&schedule, crossed_locks).unwrap_err();
    assert_eq!(
        refused.failure.to_string(),
        "the schedule 900:1 belongs to another run: this one does not have its choices"
    );
}

/// A failure that needs three switches: each of three threads must be stopped halfway.
fn three_halves(race: &mut Race) -> Result<(), Failure> {
    let mut machine = Machine::new();
    machine.add_extension([false; 3]);
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        race.thread(name, move |m| {
            m.extension_mut::<[bool; 3]>()[at] = true;
            m.boundary("IoCallDriver");
            let halves = m.extension::<[bool; 3]>();
            if at == 0 && halves == &[true; 3] {
                m.undefined("IoCallDriver", "not all at once");
            }
            m.extension_mut::<[bool; 3]>()[at] = false;
        });
    }
    race.run(&mut machine)
}

#[test]
fn what_needs_more_preemptions_than_the_bound_is_found_by_a_seed_and_made_as_small() {
    let in_order = explore(&Options { preemptions: 4, seeds: 0, ..Options::default() }, three_halves).failure.unwrap();
    let by_seed = explore(&Options { preemptions: 1, ..Options::default() }, three_halves).failure.unwrap();
    assert!(in_order.seed.is_none() && by_seed.seed.is_some(), "{in_order}{by_seed}");
    assert_eq!((by_seed.schedule, by_seed.failure), (in_order.schedule, in_order.failure));
}

#[test]
fn every_schedule_within_the_bound_is_run_once() {
    let twice = |race: &mut Race| {
        let mut machine = Machine::new();
        for name in ["a", "b"] {
            race.thread(name, |m| m.boundary("IoCallDriver"));
        }
        race.run(&mut machine)
    };
    // Two threads of two steps each have six orders; the undisturbed one, and those that leave it once, and so on.
    let orders = |preemptions| explore(&Options { preemptions, seeds: 0, ..Options::default() }, twice).schedules;
    assert_eq!([0, 1, 2, 3, 4].map(orders), [1, 3, 5, 6, 6]);
}

fn shard(options: Options, part: &str) -> Exploration {
    explore(&Options { shard: part.parse().unwrap(), ..options }, three_halves)
}

#[test]
fn parts_find_together_what_the_whole_finds() {
    let options = Options { preemptions: 3, seeds: 0, ..Options::default() };
    let whole = shard(options, "1/1");
    let lines: Vec<String> = ["2/3", "1/3", "3/3"]
        .map(|part| {
            let summary = Summary::of("three halves", part.parse().unwrap(), &shard(options, part));
            serde_json::to_string(&summary).unwrap()
        })
        .to_vec();
    let merged = merge(lines.join("\n").as_bytes()).unwrap();
    let failure = merged.failure.unwrap();
    let found = whole.failure.unwrap();
    assert_eq!((&failure.schedule, failure.story), (&found.schedule, found.to_string()));
    let without_one = merge(lines[1..].join("\n").as_bytes()).unwrap_err();
    assert_eq!(without_one.to_string(), "part 2/3 is there 0 times: each part belongs to the whole once");
}

#[test]
fn the_same_is_found_on_any_number_of_cores() {
    let on = |jobs| explore(&Options { jobs: NonZero::new(jobs).unwrap(), ..Options::default() }, three_halves);
    let alone = on(1);
    assert_eq!(on(2), alone);
    assert_eq!(on(3), alone);
}

#[test]
fn a_run_that_goes_on_and_on_is_a_failure_and_not_an_endless_loop() {
    fn again(m: &mut Machine, _: Context) {
        m.queue_work_item(again, Context(0));
    }
    let endless = |race: &mut Race| {
        race.thread("a", |m| again(m, Context(0)));
        race.run(&mut Machine::new())
    };
    let found = explore(&Options::default(), endless).failure.unwrap();
    assert_eq!(found.failure, Failure::Stopped(Stop::Hang { waiting_for: "a run to come to its end" }));
}

#[test]
fn time_passes_for_a_wait_with_a_limit_and_stands_still_if_it_is_to() {
    let waits = |stands_still: bool| {
        move |race: &mut Race| {
            let mut machine = Machine::new();
            machine.add_extension(false);
            if stands_still {
                race.time_stands_still();
            }
            race.thread("who waits", |m| {
                if !m.wait_at_most(Ticks::from_millis(1), |m| *m.extension::<bool>()) {
                    m.undefined("KeWaitForSingleObject", "the other was too slow");
                }
            });
            race.thread("the other", |m| *m.extension_mut::<bool>() = true);
            race.run(&mut machine)
        }
    };
    assert!(explore(&Options::default(), waits(false)).failure.is_some());
    assert_eq!(explore(&Options::default(), waits(true)).failure, None);
}

/// Sends a request through the bus, and what the bus logs of it.
fn exchange(
    vbus: &mut VirtualBus,
    run: impl FnOnce(&mut Machine, Box<dyn FnOnce(&mut Machine) + Send>),
) -> Vec<String> {
    let service = vbus.service().unwrap();
    let before = vbus.bus_driver.log_sequence(&vbus.machine);
    let code = move |m: &mut Machine| {
        let mut output = [0; 64];
        let result = service.control(m, ReaderId(7), IOCTL_VBUS_EXCHANGE, READ_CARD, &mut output).unwrap();
        assert_eq!((result.status, &output[..result.information as usize]), (STATUS_SUCCESS, &card_text(7)[..]));
    };
    run(&mut vbus.machine, Box::new(code));
    vbus.bus_driver.log_after(&vbus.machine, before).into_iter().map(|line| line.message).collect()
}

#[test]
fn an_undisturbed_schedule_is_what_an_ordinary_machine_does() {
    let setup = Setup::default().bus_extra_stack(3).reader(7);
    let ordinary = exchange(&mut setup.build().unwrap(), |m, code| m.run(|m| code(m)).unwrap());
    let explored = |race: &mut Race| {
        let log = exchange(&mut setup.build().unwrap(), |m, code| {
            race.thread("a program", code);
            race.run(m).unwrap();
        });
        if log == ordinary { Ok(()) } else { Err(format!("{log:#?}\nis not\n{ordinary:#?}").into()) }
    };
    replay(&Schedule::default(), explored).unwrap();
}
