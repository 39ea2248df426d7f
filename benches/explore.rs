//! How many schedules a minute an exploration runs, on one core and on two: a short one, of a request that is cancelled while
//! its device answers, from the building of the machine to the look at what is left.

use std::num::NonZero;
use std::time::Instant;

use vbus::explore::{Failure, Options, Race, explore};
use vbus::wdf::{Attributes, Deletable, Dispatch, Driver, DriverConfig, Queue, Request};
use vbus::wdm::constants::*;
use vbus::wdm::{Context, Installation, IoctlCode, Machine, OpenOptions};

/// Random schedules, each of which builds its machine anew.
const SCHEDULES: u64 = 10_000;
const ROUNDS: usize = 5;

struct Held(Option<Request>);

fn race(race: &mut Race) -> Result<(), Failure> {
    let mut machine = Machine::new();
    machine.add_extension(Held(None));
    let config = DriverConfig {
        device_add: Some(|m, _, init| {
            let device = init.create(m, Attributes::none())?;
            Queue::config(Dispatch::Parallel).on_default(|m, _, request| keep(m, request)).create_default(m, device)?;
            device.create_symbolic_link(m, "\\??\\RACE")
        }),
        ..DriverConfig::default()
    };
    let driver = Driver::create(&mut machine, "racer", config, Attributes::none());
    let function = Some(driver.driver_object(&machine));
    machine.install(Installation { hardware_id: "ROOT\\RACER".into(), function, ..Installation::default() });
    machine.add_root_device("ROOT\\RACER")?;
    let file = machine.create_file("\\\\.\\RACE", OpenOptions::OVERLAPPED)?.map_err(|status| status.to_string())?;
    race.thread("the program", move |m| _ = m.start_io_control(file, IoctlCode(0x0022_2000), &[], &[]));
    race.thread("the canceller", move |m| _ = m.cancel_file_io(file));
    race.run(&mut machine)
}

fn keep(m: &mut Machine, request: Request) {
    request.mark_cancelable(m, |m, request| {
        m.extension_mut::<Held>().0 = None;
        request.complete(m, STATUS_CANCELLED);
    });
    m.extension_mut::<Held>().0 = Some(request);
    m.queue_work_item(answer, Context(0));
}

fn answer(m: &mut Machine, _: Context) {
    let Some(request) = m.extension::<Held>().0 else { return };
    request.reference(m);
    if request.unmark_cancelable(m).is_ok() {
        m.extension_mut::<Held>().0 = None;
        request.complete(m, STATUS_SUCCESS);
    }
    request.dereference(m);
}

fn main() {
    let mut seconds = [f64::INFINITY; 2];
    // In turn, so that both meet the same machine; the best of each is the least disturbed.
    for _ in 0..ROUNDS {
        for (jobs, best) in (1..).zip(&mut seconds) {
            let jobs = NonZero::new(jobs).expect("it begins with 1");
            let options = Options { preemptions: 0, seeds: SCHEDULES, jobs, ..Options::default() };
            let begin = Instant::now();
            let explored = explore(&options, race);
            *best = best.min(begin.elapsed().as_secs_f64());
            assert_eq!((explored.schedules, explored.failure), (SCHEDULES + 1, None));
        }
    }
    let [one, two] = seconds;
    let a_minute = |seconds: f64| SCHEDULES as f64 / seconds * 60.0;
    println!(
        "schedules a minute: {:.0} on one core, {:.0} on two: {:.2} times",
        a_minute(one),
        a_minute(two),
        one / two
    );
}
