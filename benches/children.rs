//! What a child costs, its target, queue, reader and card included: plugged in together with many others, and as one more
//! on a bus that has many; in time and in memory. And the memory of a request that is pending.

use std::time::Instant;

use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId, Service};
use vbus::reader::ReaderConfig;
use vbus::wdm::{Machine, OpenOptions, Ticks};
use vbus::{Setup, VirtualBus};

/// How many children are on the bus.
const CHILDREN: [u32; 5] = [1, 100, 1_000, 10_000, 100_000];
/// As many are plugged in and pulled out again one by one.
const ONE_MORE: u32 = 20;
const PENDING: u32 = 10_000;
/// GET CHALLENGE for 8 bytes.
const COMMAND: &[u8] = &[0x00, 0x84, 0x00, 0x00, 0x08];

/// With an argument `children=N` only that many.
fn main() {
    let only: Option<u32> = std::env::args().find_map(|argument| argument.strip_prefix("children=")?.parse().ok());
    println!("children   each, together    one more   memory each");
    for count in only.map_or(CHILDREN.to_vec(), |only| vec![only]) {
        // Small buses often, so that they are not lost in the grain of the clock.
        let rounds = (1_000 / count).max(1);
        let together = (0..rounds).map(|_| together(count)).sum::<f64>() / f64::from(rounds * count);
        println!(
            "{count:8} {:13.1} us {:8.1} us {:7} bytes",
            together * 1e6,
            one_more(count) * 1e6,
            memory_of_a_child(count)
        );
    }
    if only.is_none() {
        println!("a pending request: {} bytes", memory_of_a_pending_request());
    }
}

fn empty() -> (VirtualBus, Service) {
    let mut vbus = Setup::default().bus_extra_stack(3).build().expect("the story's fixed stacks build");
    let service = vbus.service().expect("the bus opens");
    (vbus, service)
}

/// Plugs readers in with one request.
fn plug_in(m: &mut Machine, service: Service, readers: std::ops::Range<u32>) {
    let ids: Vec<ReaderId> = readers.map(ReaderId).collect();
    assert!(service.plug_in_all(m, &ids).is_ok_and(|status| status.is_success()), "all of them are new");
}

/// Seconds for so many readers.
fn together(count: u32) -> f64 {
    let (mut vbus, service) = empty();
    let start = Instant::now();
    plug_in(&mut vbus.machine, service, 0..count);
    start.elapsed().as_secs_f64()
}

/// Seconds for one reader that comes to a bus with others.
fn one_more(count: u32) -> f64 {
    let (mut vbus, service) = empty();
    plug_in(&mut vbus.machine, service, 0..count);
    let start = Instant::now();
    for id in count..count + ONE_MORE {
        plug_in(&mut vbus.machine, service, id..id + 1);
    }
    start.elapsed().as_secs_f64() / f64::from(ONE_MORE)
}

fn memory_of_a_child(count: u32) -> i64 {
    let (mut vbus, service) = empty();
    let used = allocation_counter::measure(|| plug_in(&mut vbus.machine, service, 0..count));
    used.bytes_current / i64::from(count)
}

/// Requests to a reader that takes its time wait in its queue.
fn memory_of_a_pending_request() -> i64 {
    let reader = ReaderConfig { response_time: Ticks::from_millis(3), ..ReaderConfig::default() };
    let mut vbus =
        Setup::default().bus_extra_stack(3).reader_config(reader).reader(7).build().expect("the story's stacks build");
    let service = Service::open_with(&mut vbus.machine, 0, OpenOptions::OVERLAPPED).expect("the bus opens");
    let m = &mut vbus.machine;
    let used = allocation_counter::measure(|| {
        for _ in 0..PENDING {
            let started = service.start(m, ReaderId(7), IOCTL_VBUS_EXCHANGE, COMMAND, &[0; 16]);
            assert!(started.is_ok_and(|started| started.is_ok()));
        }
    });
    used.bytes_current / i64::from(PENDING)
}
