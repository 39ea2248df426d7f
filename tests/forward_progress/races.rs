//! A race of the framework's own: it looks whether an IRP waits, and puts the reserved request back, under its lock twice.

use vbus::explore::{Failure, Options, Race, explore, replay};

use super::*;

/// A driver completes its one reserved request while another IRP comes.
fn returns_while_an_irp_comes(race: &mut Race) -> Result<(), Failure> {
    let mut bench = bench(Wanted::default());
    assign(&mut bench, ForwardProgressPolicy::always(1));
    short(&mut bench);
    send(&mut bench);
    let Workbench { mut machine, device, .. } = bench;
    world(&mut machine).answers = true;
    race.thread("the driver", complete_oldest);
    race.thread("the sender", move |m| _ = send_to(m, device, 0));
    race.run(&mut machine)
}

#[test]
fn an_irp_that_comes_while_the_reserved_request_goes_back_may_wait_beside_it_for_ever() {
    let found =
        explore(&Options::default(), returns_while_an_irp_comes).failure.expect("a schedule that loses the IRP");
    assert_eq!(found.failure, Failure::Lost(1));
    let replayed = replay(&found.schedule, returns_while_an_irp_comes).unwrap_err();
    assert_eq!((&replayed.failure, &replayed.schedule), (&found.failure, &found.schedule));
    approve!("forward_progress_race", found);
}
