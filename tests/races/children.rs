//! The bus driver of this project itself: requests that are forwarded to readers that come and go.

use vbus::Setup;
use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId};
use vbus::explore::{Failure, Options, Race, explore};
use vbus::wdm::constants::*;

use crate::common::READ_CARD;

fn unplug_and_forward(race: &mut Race) -> Result<(), Failure> {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().map_err(|error| error.to_string())?;
    let service = vbus.service().map_err(|error| error.to_string())?;
    race.thread("the program", move |m| {
        let mut output = [0; 64];
        // A machine that stopped is seen at the end of the run.
        let Ok(result) = service.control(m, ReaderId(7), IOCTL_VBUS_EXCHANGE, READ_CARD, &mut output) else { return };
        // The last is the reader's own answer, whose queues refuse requests while it goes.
        let expected = [
            STATUS_SUCCESS,
            STATUS_NO_SUCH_DEVICE,
            STATUS_DEVICE_REMOVED,
            STATUS_DEVICE_NOT_READY,
            STATUS_INVALID_DEVICE_STATE,
        ];
        assert!(expected.contains(&result.status), "{}", result.status);
    });
    race.thread("the unplugging", move |m| _ = service.unplug(m, ReaderId(7)));
    race.run(&mut vbus.machine)
}

#[test]
fn a_reader_that_is_pulled_out_while_a_request_is_on_its_way_to_it_leaves_no_request_and_no_handle_behind() {
    let explored = explore(&Options { preemptions: 1, seeds: 300, ..Options::default() }, unplug_and_forward);
    if let Some(found) = explored.failure {
        panic!("{found}");
    }
}
