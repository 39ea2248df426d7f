//! A card in another process, over vpcd's protocol. The other process is a thread here, which writes and reads as vicc does.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::bench::Bench;
use common::{Echo, T1_ATR, bytes, hex};
use vbus_reader::card::iso7816::Iso7816Card;
use vbus_reader::card::outside::remote::{RemoteCard, RemoteError, RemoteOptions};
use vbus_reader::card::{Card, Reset};
use vbus_reader::ioctl::*;
use vbus_reader::smclib::{PROTOCOL_T1, PowerAction, ReaderState};
use vbus_reader::{Inserted, Slot};
use vbus_wdm::constants::*;
use vbus_wdm::{Overlapped, Ticks};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const SOON: Duration = Duration::from_secs(10);

fn receive(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

fn send(stream: &mut TcpStream, message: &[u8]) {
    let length = (message.len() as u16).to_be_bytes();
    stream.write_all(&[&length, message].concat()).unwrap();
}

/// An emulator: a card behind vpcd's protocol, until the connection ends. Returns what it was told.
fn emulate(mut stream: TcpStream, mut card: impl Card) -> Vec<String> {
    let mut told = Vec::new();
    let mut answer = Vec::new();
    let mut atr = Vec::new();
    while let Some(message) = receive(&mut stream) {
        told.push(hex(&message));
        match message[..] {
            [0] => card.power_down(),
            [1] => drop(card.reset(Reset::Cold, &mut atr)),
            [2] => drop(card.reset(Reset::Warm, &mut atr)),
            [4] => {
                card.reset(Reset::Cold, &mut atr);
                send(&mut stream, &atr);
            }
            _ => {
                card.transmit(&message, &mut answer);
                send(&mut stream, &answer);
            }
        }
    }
    told
}

/// An emulator that connects and runs on a thread.
fn emulator(address: SocketAddr, card: impl Card + 'static) -> JoinHandle<Vec<String>> {
    thread::spawn(move || emulate(TcpStream::connect(address).unwrap(), card))
}

/// What an emulator may be besides well-behaved.
fn misbehave(address: SocketAddr, behave: impl FnOnce(TcpStream) + Send + 'static) -> JoinHandle<()> {
    thread::spawn(move || behave(TcpStream::connect(address).unwrap()))
}

fn listen() -> RemoteCard {
    let options = RemoteOptions { answer_limit: Duration::from_millis(500), ..RemoteOptions::default() };
    RemoteCard::listen(LOOPBACK, &options).unwrap()
}

/// Looks until a card is there, or not.
fn wait_for(bench: &mut Bench, present: bool) {
    let begun = Instant::now();
    while bench.slot.poll(&mut bench.machine).unwrap() != present {
        assert!(begun.elapsed() < SOON, "the card comes or goes");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_card_is_inserted_when_an_emulator_connects_and_removed_when_it_leaves() {
    let card = listen();
    let address = card.address();
    let mut bench = Bench::empty();
    bench.slot.insert(&mut bench.machine, Inserted::outside(card)).unwrap().unwrap();
    assert_eq!(bench.state(), ReaderState::Absent as u32);
    let present = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
    assert_eq!(bench.status(present), None);

    let emulator = emulator(address, Iso7816Card::new(7));
    wait_for(&mut bench, true);
    assert_eq!(bench.status(present), Some(STATUS_SUCCESS));
    bench.connect_t1();
    assert_eq!(bench.transmit(PROTOCOL_T1, &bytes("00 B0 81 00 00")), Ok(bytes("'vbus card 00000007' 9000")));
    bench.power(PowerAction::WarmReset);
    bench.power(PowerAction::ColdReset);
    bench.power(PowerAction::Down);
    // Taking the slot's end away ends the connection, and the emulator.
    drop(bench.slot.remove(&mut bench.machine).unwrap());
    let told = emulator.join().unwrap();
    assert_eq!(told, ["01", "04", "00 B0 81 00 00", "02", "04", "00", "01", "04", "00"]);
}

#[test]
fn an_emulator_that_dies_is_a_card_that_was_pulled_out_and_another_may_come() {
    let card = listen();
    let address = card.address();
    let mut bench = Bench::empty();
    bench.slot.insert(&mut bench.machine, Inserted::outside(card)).unwrap().unwrap();
    for round in 0..3 {
        let dying = misbehave(address, |mut stream| {
            assert_eq!(receive(&mut stream), Some(vec![1]));
            assert_eq!(receive(&mut stream), Some(vec![4]));
            send(&mut stream, &bytes(T1_ATR));
            receive(&mut stream).unwrap();
        });
        wait_for(&mut bench, true);
        bench.connect_t1();
        let absent = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
        assert_eq!(bench.transmit(PROTOCOL_T1, &bytes("00 84 00 00 08")), Err(STATUS_NO_MEDIA), "round {round}");
        assert_eq!(bench.status(absent), Some(STATUS_SUCCESS), "and whoever waits for that hears of it");
        dying.join().unwrap();
        assert_eq!(bench.state(), ReaderState::Absent as u32);
    }
}

#[test]
fn a_second_emulator_waits_until_the_first_leaves() {
    let mut card = listen();
    let address = card.address();
    let (leave, left) = mpsc::channel::<()>();
    let first = misbehave(address, move |stream| {
        left.recv().unwrap();
        drop(stream);
    });
    assert!(card.wait_for_card(SOON));
    let second = emulator(address, Echo::new(T1_ATR));
    let mut bench = Bench::with(Inserted::outside(card));
    assert_eq!(bench.state(), ReaderState::Swallowed as u32);
    leave.send(()).unwrap();
    first.join().unwrap();
    wait_for(&mut bench, false);
    wait_for(&mut bench, true);
    assert_eq!(bench.power(PowerAction::ColdReset), (STATUS_SUCCESS, bytes(T1_ATR)));
    drop(bench);
    assert_eq!(second.join().unwrap(), ["01", "04"]);
}

#[test]
fn an_answer_that_does_not_come_is_a_timeout_and_ends_the_connection() {
    let mut card = listen();
    let silent = misbehave(card.address(), |mut stream| {
        receive(&mut stream).unwrap();
        receive(&mut stream).unwrap();
        assert_eq!(receive(&mut stream), None, "the connection is closed");
    });
    assert!(card.wait_for_card(SOON));
    let mut bench = Bench::with(Inserted::outside(card));
    let begun = Instant::now();
    assert_eq!(bench.power(PowerAction::ColdReset).0, STATUS_IO_TIMEOUT);
    assert!(begun.elapsed() >= Duration::from_millis(500));
    assert_eq!(bench.now_ms(), 0.0, "no virtual time passed");
    silent.join().unwrap();
    wait_for(&mut bench, false);
}

/// A reader whose remote card tells its news, and where they are heard. It answers the reset, and then does as told.
fn bench_with_news(behave: impl FnOnce(TcpStream) + Send + 'static) -> (Bench, mpsc::Receiver<()>, JoinHandle<()>) {
    let mut card = listen();
    let emulator = misbehave(card.address(), |mut stream| {
        receive(&mut stream).unwrap();
        receive(&mut stream).unwrap();
        send(&mut stream, &bytes(T1_ATR));
        behave(stream);
    });
    assert!(card.wait_for_card(SOON));
    let mut bench = Bench::with(Inserted::outside(card));
    bench.connect_t1();
    let (tell, news) = mpsc::channel();
    Slot::tell_news(&mut bench.machine, Arc::new(move || _ = tell.send(()))).unwrap();
    (bench, news, emulator)
}

fn start_command(bench: &mut Bench) -> Overlapped {
    let started = Instant::now();
    let command = Bench::transmission(PROTOCOL_T1, &bytes("00 84 00 00 08"));
    let request = bench.start_for(IOCTL_SMARTCARD_TRANSMIT, &command, 300).unwrap();
    assert!(started.elapsed() < Duration::from_millis(400), "nobody waits for the card");
    assert_eq!(bench.ended(request, 300), None);
    request
}

#[test]
fn a_card_that_tells_its_news_is_waited_for_by_nobody() {
    let (go_on, told) = mpsc::channel::<()>();
    let (mut bench, news, emulator) = bench_with_news(move |mut stream| {
        assert_eq!(receive(&mut stream), Some(bytes("00 84 00 00 08")));
        told.recv().unwrap();
        send(&mut stream, &bytes("12 34 90 00"));
        assert_eq!(receive(&mut stream), Some(bytes("00 84 00 00 08")));
    });
    let request = start_command(&mut bench);
    // Looking early changes nothing.
    assert!(bench.slot.poll(&mut bench.machine).unwrap());
    assert_eq!(bench.ended(request, 300), None);
    go_on.send(()).unwrap();
    news.recv_timeout(SOON).unwrap();
    assert!(bench.slot.poll(&mut bench.machine).unwrap());
    let (status, answer) = bench.ended(request, 300).unwrap();
    assert_eq!((status, &answer[8..]), (STATUS_SUCCESS, &bytes("12 34 90 00")[..]));
    // One that goes away instead is a card that is gone.
    let request = start_command(&mut bench);
    emulator.join().unwrap();
    news.recv_timeout(SOON).unwrap();
    bench.slot.poll(&mut bench.machine).unwrap();
    assert_eq!(bench.ended(request, 300).unwrap().0, STATUS_NO_MEDIA);
    assert_eq!(bench.state(), ReaderState::Absent as u32);
}

#[test]
fn an_answer_that_nobody_wants_any_more_is_given_up_with_the_card() {
    let (mut bench, _news, emulator) = bench_with_news(|mut stream| {
        receive(&mut stream).unwrap();
        assert_eq!(receive(&mut stream), None, "a late answer must not be taken for another one");
    });
    let request = start_command(&mut bench);
    bench.machine.cancel_io(request).unwrap();
    bench.slot.poll(&mut bench.machine).unwrap();
    assert_eq!(bench.ended(request, 300).unwrap().0, STATUS_CANCELLED);
    emulator.join().unwrap();
    wait_for(&mut bench, false);
}

#[test]
fn a_card_that_tells_nothing_in_time_is_a_timeout_when_virtual_time_has_passed_as_well() {
    let (mut bench, _news, emulator) = bench_with_news(|mut stream| {
        receive(&mut stream).unwrap();
        assert_eq!(receive(&mut stream), None, "the connection is closed");
    });
    let request = start_command(&mut bench);
    thread::sleep(Duration::from_millis(500));
    bench.slot.poll(&mut bench.machine).unwrap();
    assert_eq!(bench.ended(request, 300).map(|(status, _)| status), Some(STATUS_IO_TIMEOUT));
    let (mut bench, _news, other) = bench_with_news(|mut stream| while receive(&mut stream).is_some() {});
    let request = start_command(&mut bench);
    bench.advance_ms(100);
    assert_eq!(bench.ended(request, 300), None);
    thread::sleep(Duration::from_millis(500));
    bench.advance_ms(500);
    assert_eq!(bench.ended(request, 300).map(|(status, _)| status), Some(STATUS_IO_TIMEOUT));
    emulator.join().unwrap();
    other.join().unwrap();
}

#[test]
fn answers_that_are_none_are_errors_and_what_nobody_asked_for_ends_the_connection() {
    for atr in [&[][..], &[0x3B], &[0x3B; 34]] {
        let mut card = listen();
        let atr = atr.to_vec();
        let odd = misbehave(card.address(), move |mut stream| {
            receive(&mut stream).unwrap();
            receive(&mut stream).unwrap();
            send(&mut stream, &atr);
            receive(&mut stream);
        });
        assert!(card.wait_for_card(SOON));
        let mut bench = Bench::with(Inserted::outside(card));
        assert_eq!(bench.power(PowerAction::ColdReset).0, STATUS_UNRECOGNIZED_MEDIA);
        drop(bench);
        odd.join().unwrap();
    }
    let mut card = listen();
    let talking = misbehave(card.address(), |mut stream| {
        send(&mut stream, b"hello");
        assert_eq!(receive(&mut stream), None);
    });
    assert!(card.wait_for_card(SOON));
    let mut bench = Bench::with(Inserted::outside(card));
    wait_for(&mut bench, false);
    talking.join().unwrap();
}

#[test]
fn a_command_of_one_byte_would_be_a_control_code_and_is_not_sent() {
    let mut card = listen();
    let emulator = emulator(card.address(), Echo::new(T1_ATR));
    assert!(card.wait_for_card(SOON));
    let mut bench = Bench::with(Inserted::outside(card));
    bench.connect_t1();
    assert_eq!(bench.transmit(PROTOCOL_T1, &[0x04]), Err(STATUS_DEVICE_PROTOCOL_ERROR));
    let longest = vec![0x00; 0xFFFF];
    assert_eq!(bench.transmit(PROTOCOL_T1, &longest), Ok(Echo::answer(&longest)));
    assert_eq!(bench.transmit(PROTOCOL_T1, &[0; 0x1_0000]), Err(STATUS_DEVICE_PROTOCOL_ERROR));
    drop(bench);
    assert_eq!(emulator.join().unwrap().len(), 3);
}

#[test]
fn the_reader_connects_to_an_emulator_that_listens_and_again_when_it_comes_back() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let address = listener.local_addr().unwrap();
    let emulator = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            while let Some(message) = receive(&mut stream) {
                match message[..] {
                    [4] => send(&mut stream, &bytes(T1_ATR)),
                    [0] => break,
                    _ => {}
                }
            }
        }
    });
    let mut bench = Bench::with(Inserted::outside(RemoteCard::connect(address, &RemoteOptions::default()).unwrap()));
    for _ in 0..2 {
        wait_for(&mut bench, true);
        assert_eq!(bench.power(PowerAction::ColdReset), (STATUS_SUCCESS, bytes(T1_ATR)));
        bench.power(PowerAction::Down);
        wait_for(&mut bench, false);
    }
    emulator.join().unwrap();
}

#[test]
fn a_connection_that_nobody_accepts_holds_nobody_up() {
    // A port that was just free.
    let address = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
    let mut bench = Bench::with(Inserted::outside(RemoteCard::connect(address, &RemoteOptions::default()).unwrap()));
    assert_eq!(bench.state(), ReaderState::Absent as u32);
}

#[test]
fn other_machines_are_not_let_in_unless_told_so() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:35963"] {
        let address: SocketAddr = address.parse().unwrap();
        let refused = RemoteCard::listen(address, &RemoteOptions::default()).err().unwrap();
        assert!(matches!(refused, RemoteError::NotLoopback { .. }));
        assert!(refused.to_string().starts_with(&format!("{address} is not a loopback address")), "{refused}");
        assert!(RemoteCard::connect(address, &RemoteOptions::default()).is_err());
    }
    let allowed = RemoteOptions { allow_network: true, ..RemoteOptions::default() };
    assert!(RemoteCard::listen("0.0.0.0:0".parse().unwrap(), &allowed).is_ok());
    let taken = RemoteCard::listen(listen().address(), &RemoteOptions::default());
    drop(taken);
    let card = listen();
    let twice = RemoteCard::listen(card.address(), &RemoteOptions::default()).err().unwrap();
    assert!(matches!(twice, RemoteError::Io { .. }), "{twice}");
}

#[test]
fn many_small_exchanges_do_not_wait_for_delayed_acknowledgements() {
    let mut card = listen();
    let emulator = emulator(card.address(), Echo::new(T1_ATR));
    assert!(card.wait_for_card(SOON));
    let mut bench = Bench::with(Inserted::outside(card));
    bench.connect_t1();
    let begun = Instant::now();
    const EXCHANGES: u32 = 500;
    for _ in 0..EXCHANGES {
        bench.transmit(PROTOCOL_T1, &bytes("00 84 00 00 08")).unwrap();
    }
    let each = begun.elapsed() / EXCHANGES;
    assert!(each < Duration::from_millis(20), "{each:?}, where a stall is 40 ms");
    drop(bench);
    emulator.join().unwrap();
}

#[test]
fn how_fast_a_card_outside_answers_changes_nothing_for_others() {
    /// A card that takes its time in the world outside.
    struct Slow(Echo, Duration);
    impl Card for Slow {
        fn reset(&mut self, reset: Reset, atr: &mut Vec<u8>) -> vbus_reader::card::Delivery {
            self.0.reset(reset, atr)
        }
        fn power_down(&mut self) {}
        fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> vbus_reader::card::Delivery {
            thread::sleep(self.1);
            self.0.transmit(command, response)
        }
    }
    let order = |delay| {
        let mut card = listen();
        let emulator = emulator(card.address(), Slow(Echo::new(T1_ATR), delay));
        assert!(card.wait_for_card(SOON));
        let mut bench = Bench::with(Inserted::outside(card));
        bench.connect_t1();
        bench.machine.add_extension(Vec::<(u64, u64)>::new());
        let note: vbus_wdm::Routine = |m, context| {
            let now = m.now().0;
            m.extension_mut::<Vec<(u64, u64)>>().push((now, context.0));
        };
        let transmission = Bench::transmission(PROTOCOL_T1, &bytes("00 84 00 00 08"));
        for round in 0..5 {
            let request = bench.start(IOCTL_SMARTCARD_TRANSMIT, &transmission);
            bench
                .machine
                .run(|m| {
                    m.queue_work_item(note, vbus_wdm::Context(round * 10));
                    m.set_timer(Ticks(1), note, vbus_wdm::Context(round * 10 + 1));
                })
                .unwrap();
            bench.machine.advance(Ticks(0)).unwrap();
            assert_eq!(bench.status(request), Some(STATUS_SUCCESS), "before any virtual time passes");
            bench.machine.advance(Ticks(2)).unwrap();
        }
        drop(bench.slot.remove(&mut bench.machine).unwrap());
        emulator.join().unwrap();
        bench.machine.extension::<Vec<(u64, u64)>>().clone()
    };
    assert_eq!(order(Duration::ZERO), order(Duration::from_millis(30)));
}
