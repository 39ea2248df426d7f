//! In steady state a forwarded request makes no heap allocation.

mod common;

use common::READ_CARD;
use vbus::Setup;
use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId};

#[test]
fn a_forwarded_request_makes_no_heap_allocation() {
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    let mut output = [0; 64];
    let mut forward = || {
        let machine = &mut vbus.machine;
        let result = service.control(machine, ReaderId(7), IOCTL_VBUS_EXCHANGE, READ_CARD, &mut output).unwrap();
        assert_eq!(result.information, 20);
    };
    let first = allocation_counter::measure(&mut forward);
    assert!(first.count_total > 0, "the counter counts: the first request fills the lookasides");
    // Once around the log's ring as well.
    (0..200).for_each(|_| forward());
    let steady = allocation_counter::measure(|| (0..1000).for_each(|_| forward()));
    assert_eq!(steady.count_total, 0, "1000 requests: {steady:?}");
}
