//! Bytes as what programs and users do to a machine with a bus and readers.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId, Service};
use vbus::reader::card::iso7816::Iso7816Card;
use vbus::reader::card::outside::remote::{RemoteCard, RemoteOptions};
use vbus::reader::{Inserted, Slot};
use vbus::wdm::{IoctlCode, Machine, OpenOptions, SystemPowerState, Ticks};
use vbus::{Setup, VirtualBus};

const READERS: [ReaderId; 2] = [ReaderId(1), ReaderId(2)];

fn bus() -> VirtualBus {
    let setup = Setup::default().bus_extra_stack(3).verbose(true).verifier(true);
    setup.reader(READERS[0].0).reader(READERS[1].0).build().expect("the stacks are fixed")
}

/// A program's handle, with which it can go on while a request is out.
fn opened(m: &mut Machine) -> Service {
    Service::open_with(m, 0, OpenOptions::OVERLAPPED).expect("the bus is there")
}

/// A control code with a buffer: whatever they are, the reader answers, and the machine goes on.
pub fn ioctl(bytes: &[u8]) {
    let Some((head, input)) = bytes.split_at_checked(5) else { return };
    let mut vbus = bus();
    let service = opened(&mut vbus.machine);
    // The smart-card device type, so that most codes are some reader's.
    let code = match head[4] % 2 {
        0 => IoctlCode(0x0031_0000 | u32::from(u16::from_le_bytes([head[0], head[1]]))),
        _ => IoctlCode(u32::from_le_bytes([head[0], head[1], head[2], head[3]])),
    };
    let mut output = vec![0; usize::from(head[4])];
    let waits = service.start(&mut vbus.machine, READERS[0], code, input, &output);
    _ = waits.expect("no buffer stops the machine");
    // Codes that wait for a card have to be cancelled; all others answer here.
    _ = vbus.machine.cancel_file_io(service.file()).expect("a cancel stops nothing");
    output.clear();
    end(vbus, service);
}

/// What an emulator says over vpcd's protocol.
pub fn vpcd(bytes: &[u8]) {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port of this machine");
    let address = listener.local_addr().expect("it is bound");
    let options = RemoteOptions { answer_limit: Duration::from_millis(20), ..RemoteOptions::default() };
    let mut card = RemoteCard::connect(address, &options).expect("it is this machine's address");
    let (mut emulator, _) = listener.accept().expect("the card connects");
    // Who is gone already cannot be told.
    _ = emulator.write_all(bytes);
    card.wait_for_card(Duration::from_millis(20));
    let mut vbus = bus();
    let service = opened(&mut vbus.machine);
    let slot = Slot::all(&vbus.machine)[0];
    _ = slot.insert(&mut vbus.machine, Inserted::outside(card)).expect("an insertion stops nothing");
    drop(emulator);
    _ = slot.poll(&mut vbus.machine).expect("a look stops nothing");
    _ = slot.remove(&mut vbus.machine).expect("a removal stops nothing");
    end(vbus, service);
}

/// Two bytes an action: what, and on what.
pub fn machine(bytes: &[u8]) {
    let mut vbus = bus();
    let mut services = vec![opened(&mut vbus.machine)];
    for action in bytes.chunks_exact(2).take(64) {
        act(&mut vbus, &mut services, action[0], action[1]);
    }
    let mut services = services.into_iter();
    let first = services.next().expect("the first is never closed");
    for service in services {
        service.close(&mut vbus.machine).expect("a close stops nothing");
    }
    end(vbus, first);
}

fn act(vbus: &mut VirtualBus, services: &mut Vec<Service>, what: u8, on: u8) {
    let id = READERS[usize::from(on) % 2];
    let service = services[usize::from(on >> 4) % services.len()];
    let m = &mut vbus.machine;
    if m.system_power() != SystemPowerState::Working && !matches!(what % 14, 8..=11) {
        // No program runs while the system sleeps.
        m.wake().expect("no wake stops the machine");
    }
    match what % 14 {
        0 => _ = service.plug_in(m, id).expect("no plug stops the machine"),
        1 => _ = service.unplug(m, id).expect("no pull stops the machine"),
        2 => _ = service.eject(m, id).expect("no eject stops the machine"),
        3 => {
            _ = slot(m, on)
                .map(|slot| slot.insert(m, Inserted::apdus(Iso7816Card::new(id.0))).expect("no insertion does"))
        }
        4 => _ = slot(m, on).map(|slot| slot.remove(m).expect("no removal does")),
        5..=7 => {
            let started = service.start(m, id, IOCTL_VBUS_EXCHANGE, &[0, 0x84, 0, 0, 8], &[0; 16]);
            _ = started.expect("no request stops the machine");
        }
        8 => _ = m.cancel_file_io(service.file()).expect("no cancel does"),
        9 => m.advance(Ticks::from_millis(u64::from(on))).expect("no time does"),
        10 => _ = m.sleep(SystemPowerState::Sleeping3).expect("no sleep does"),
        11 => m.wake().expect("no wake does"),
        12 if services.len() < 4 => services.push(opened(m)),
        12 => {}
        _ if services.len() > 1 => {
            let last = services.pop().expect("there is more than one");
            _ = last.close(m).expect("no close does");
        }
        _ => {}
    }
}

fn slot(m: &Machine, on: u8) -> Option<Slot> {
    let slots = Slot::all(m);
    slots.get(usize::from(on) % slots.len().max(1)).copied()
}

/// The program and the bus go: nothing is out any more.
fn end(mut vbus: VirtualBus, service: Service) {
    let m = &mut vbus.machine;
    m.wake().expect("no wake stops the machine");
    m.cancel_file_io(service.file()).expect("no cancel does");
    m.advance(Ticks::from_millis(60_000)).expect("no time does");
    service.close(m).expect("no close does");
    assert_eq!(m.irps_out(), 0, "every IRP is complete");
    for node in m.root_devnodes().to_vec() {
        m.remove_device(node).expect("no removal stops the machine").expect("and nobody refuses");
    }
    assert_eq!(m.devnode_count(), 0, "no devnode is left");
}
