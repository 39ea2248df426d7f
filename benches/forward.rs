//! What a forwarded request costs: user → bus → target → class filter → reader → card and back, verbose log on, beside
//! a floor of the same indirect calls, stack-location writes and ring records with nothing else around them.
//!
//! Absolute times on a shared machine are noise; both are measured in turn in one run, and the ratio is what counts.

use std::hint::black_box;
use std::time::Instant;

use vbus::Setup;
use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId, Service};
use vbus::reader::card::iso7816::Iso7816Card;
use vbus::reader::{CardFactory, Inserted, ReaderConfig};
use vbus::wdf::{Level, Log, Site};
use vbus::wdm::{Context, Control, Machine, StackLocation};

/// GET CHALLENGE for 8 bytes: the shortest command with an answer of its own.
const COMMAND: &[u8] = &[0x00, 0x84, 0x00, 0x00, 0x08];
const REQUESTS: u32 = 20_000;
const ROUNDS: usize = 41;

/// Counted on the path: dispatch and handler of the bus, dispatch of the filter, dispatch and handler of the reader, the
/// card, the completion routines of reader, filter and target, the bus driver's, the undoing of its formatting, and the
/// program's APC.
const INDIRECT_CALLS: usize = 12;
/// Whole locations: seven zeroed with the IRP (five and two guards), the program's, the target's, and two copies.
const WHOLE_LOCATIONS: usize = 11;
/// Parts of locations: three completion routines set, three owners stored, two pending bits, four clearings.
const PARTIAL_LOCATIONS: usize = 12;
/// Bus 10, reader 5.
const RECORDS: usize = 15;

static SITE: Site = Site::new("Floor", Level::Verbose, "F", "%p %p %p");

/// With an argument `path=N` or `floor=N` it only does that, N times, for whoever counts instructions.
fn main() {
    // A card that takes APDUs: what T=1 makes of them is no part of the request's path.
    let card = CardFactory::new(|number| Some(Inserted::apdus(Iso7816Card::new(number))));
    let reader = ReaderConfig { card, ..ReaderConfig::default() };
    let setup = Setup::default().bus_extra_stack(3).reader_config(reader).reader(7);
    let mut vbus = setup.build().expect("the story's fixed stacks build");
    let service = vbus.service().expect("the bus opens");
    if let Some((what, times)) = std::env::args().find_map(|argument| only(&argument)) {
        let mut floor = Floor::new();
        for _ in 0..times {
            if what == "path" { forward(&mut vbus.machine, service) } else { floor.turn() }
        }
        return;
    }
    let records_before = records(&vbus);
    forward(&mut vbus.machine, service);
    assert_eq!((records(&vbus) - records_before) as usize, RECORDS, "the floor writes as many records as the path");

    let mut floor = Floor::new();
    let mut samples: Vec<(f64, f64)> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let path = time(|| forward(&mut vbus.machine, service));
        let bare = time(|| floor.turn());
        samples.push((path, bare));
    }
    let path = median(samples.iter().map(|sample| sample.0));
    let bare = median(samples.iter().map(|sample| sample.1));
    let ratio = median(samples.iter().map(|sample| sample.0 / sample.1));
    println!(
        "forwarded request   {path:7.1} ns   user -> bus -> target -> scfilter -> reader -> card and back, verbose"
    );
    println!(
        "floor               {bare:7.1} ns   {INDIRECT_CALLS} indirect calls, {} stack-location writes, {RECORDS} ring records",
        WHOLE_LOCATIONS + PARTIAL_LOCATIONS
    );
    println!("ratio               {ratio:7.2}      median of {ROUNDS} rounds of {REQUESTS}");
}

fn only(argument: &str) -> Option<(String, u32)> {
    let (what, times) = argument.split_once('=')?;
    Some((what.to_owned(), times.parse().ok()?))
}

fn forward(m: &mut Machine, service: Service) {
    let mut output = [0; 16];
    let result = service.control(m, ReaderId(7), IOCTL_VBUS_EXCHANGE, COMMAND, &mut output);
    assert!(result.is_ok_and(|result| result.information == 10));
}

fn records(vbus: &vbus::VirtualBus) -> u32 {
    vbus.bus_driver.log_sequence(&vbus.machine) + vbus.reader_driver.log_sequence(&vbus.machine)
}

fn time(mut once: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..REQUESTS {
        once();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS)
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// The bare work, spread over calls that the compiler cannot see through.
struct Floor {
    log: Log,
    locations: [StackLocation; 8],
    calls: [fn(&mut Floor, usize); INDIRECT_CALLS],
}

impl Floor {
    fn new() -> Floor {
        Floor { log: Log::new(1), locations: [StackLocation::default(); 8], calls: [step; INDIRECT_CALLS] }
    }

    fn turn(&mut self) {
        for at in 0..INDIRECT_CALLS {
            let call = black_box(self.calls[at]);
            call(self, at);
        }
    }
}

/// One step: its share of the records and of the location writes.
fn step(floor: &mut Floor, at: usize) {
    let share = |total: usize| total * (at + 1) / INDIRECT_CALLS - total * at / INDIRECT_CALLS;
    for _ in 0..share(RECORDS) {
        floor.log.record(at as u64, &SITE, black_box([at as u64, 1, 2]));
    }
    for _ in 0..share(WHOLE_LOCATIONS) {
        floor.locations[at % 8] = black_box(StackLocation::default());
    }
    for _ in 0..share(PARTIAL_LOCATIONS) {
        let location = &mut floor.locations[at % 8];
        location.control = black_box(Control::INVOKE_ALWAYS);
        location.context = black_box(Context(at as u64));
    }
}
