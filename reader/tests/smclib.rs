//! The smart-card library as somebody else's driver uses it: a parallel queue, callbacks that run in the call or leave the
//! request pending, and the Request and Reply pairs by hand.

mod common;

use common::bench::word;
use common::{bytes, hex};
use vbus_reader::ioctl::*;
use vbus_reader::smclib::*;
use vbus_wdf::{Attributes, Device, DeviceInit, Dispatch, Driver, DriverConfig, Handle, IoControl, Queue, Request};
use vbus_wdm::constants::*;
use vbus_wdm::{
    Access, Context, Control, DeviceObject, FileObject, Installation, IoctlCode, Irp, Machine, Method, NtStatus,
    OpenOptions, Overlapped, Stop,
};

const HARDWARE_ID: &str = "ROOT\\THEIR_READER";
const INTERFACE: vbus_wdm::Guid = GUID_SMARTCARD_READER;

/// Their device context.
struct Theirs {
    extension: SmartcardExtension,
}

/// How the test wants the driver to be, and what the driver noted.
#[derive(Default)]
struct Bench {
    functions: ReaderFunctions,
    version: u32,
    atr: Vec<u8>,
    buffer_size: usize,
    device: Option<Device>,
    notes: Vec<String>,
    /// A request that a callback sends while it runs.
    file: Option<FileObject>,
    sent: Option<Overlapped>,
}

fn note(m: &mut Machine, text: impl Into<String>) {
    m.extension_mut::<Bench>().notes.push(text.into());
}

fn their_smartcard(device: Device) -> Smartcard {
    Smartcard::new(device, |m, device| &mut device.context::<Theirs>(m).extension)
}

fn device_add(m: &mut Machine, _: Driver, init: DeviceInit) -> Result<(), NtStatus> {
    let Bench { functions, version, buffer_size, .. } = m.extension::<Bench>();
    let (functions, version, buffer_size) = (*functions, *version, *buffer_size);
    let mut extension = SmartcardExtension::new(functions, VendorAttr::default(), ReaderCapabilities::default());
    extension.version = version;
    extension.reader_capabilities.supported_protocols = PROTOCOL_T0 | PROTOCOL_T1;
    extension.reader_capabilities.current_state = ReaderState::Swallowed;
    extension.smartcard_request.size = buffer_size;
    let device = init.create(m, Attributes::none().context(Theirs { extension }))?;
    m.extension_mut::<Bench>().device = Some(device);
    let device_object = device.device_object(m);
    m[device_object].stack_size += 1;
    if version != 1 {
        their_smartcard(device).initialize(m)?;
    }
    Queue::config(Dispatch::Parallel).on_device_control(control).create_default(m, device)?;
    device.create_interface(m, INTERFACE, None)
}

fn control(m: &mut Machine, queue: Queue, request: Request, _: IoControl) {
    let device = queue.device(m);
    let irp = request.current_irp(m).unwrap();
    m[irp].copy_current_to_next();
    m[irp].set_completion_routine(completed, request.to_context(), Control::INVOKE_ALWAYS);
    m[irp].set_next_location();
    their_smartcard(device).device_control(m, irp);
}

fn completed(m: &mut Machine, _: Option<DeviceObject>, irp: Irp, context: Context) -> NtStatus {
    let result = m[irp].io_status;
    let request = Request::from_context(context).unwrap();
    request.complete_with_information(m, result.status, result.information);
    STATUS_MORE_PROCESSING_REQUIRED
}

struct World {
    machine: Machine,
    file: FileObject,
    smartcard: Smartcard,
}

fn world(bench: Bench) -> World {
    let version = if bench.version == 0 { SMCLIB_VERSION } else { bench.version };
    let mut machine = Machine::new();
    machine.add_extension(Bench { version, ..bench });
    let config = DriverConfig { device_add: Some(device_add), ..DriverConfig::default() };
    let driver = Driver::create(&mut machine, "theirs", config, Attributes::none());
    let function = Some(driver.driver_object(&machine));
    machine.install(Installation { hardware_id: HARDWARE_ID.into(), function, ..Installation::default() });
    machine.add_root_device(HARDWARE_ID).unwrap();
    let link = machine.interfaces(INTERFACE).remove(0);
    let file = machine.create_file(&link, OpenOptions::OVERLAPPED).unwrap().unwrap();
    machine.extension_mut::<Bench>().file = Some(file);
    let smartcard = their_smartcard(machine.extension::<Bench>().device.unwrap());
    World { machine, file, smartcard }
}

impl World {
    fn start(&mut self, code: IoctlCode, input: &[u8]) -> Result<Overlapped, NtStatus> {
        self.machine.start_io_control(self.file, code, input, &[0; 64]).unwrap()
    }

    fn ended(&mut self, request: Overlapped) -> Option<(NtStatus, String)> {
        let mut output = [0; 64];
        let result = self.machine.overlapped_result(request, &mut output)?;
        Some((result.status, hex(&output[..result.information as usize])))
    }

    fn ask(&mut self, code: IoctlCode, input: &[u8]) -> (NtStatus, String) {
        match self.start(code, input) {
            Ok(request) => self.ended(request).expect("it ended in the call"),
            Err(status) => (status, String::new()),
        }
    }

    fn status(&mut self, code: IoctlCode, input: &[u8]) -> NtStatus {
        self.ask(code, input).0
    }

    fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.machine.extension_mut::<Bench>().notes)
    }

    /// Makes a transmission possible.
    fn select(&mut self, protocol: u32) {
        let extension = self.smartcard.extension(&mut self.machine);
        extension.reader_capabilities.current_state = ReaderState::Specific;
        extension.card_capabilities.selected = protocol;
    }
}

/// RDF_CARD_POWER: puts the test's ATR where the library looks for it.
fn power(m: &mut Machine, smartcard: Smartcard) -> NtStatus {
    let atr = m.extension::<Bench>().atr.clone();
    smartcard.extension(m).card_capabilities.atr = atr.clone();
    let result = smartcard.reply(m, &atr).and_then(|()| smartcard.update_card_capabilities(m));
    result.into()
}

#[test]
fn without_callbacks_the_library_answers_what_it_knows_and_supports_nothing_else() {
    let mut world = world(Bench::default());
    assert_eq!(world.ask(IOCTL_SMARTCARD_GET_STATE, &[]), (STATUS_SUCCESS, "03 00 00 00".to_owned()));
    assert_eq!(world.status(IOCTL_SMARTCARD_IS_PRESENT, &[]), STATUS_SUCCESS);
    for (code, input) in [
        (IOCTL_SMARTCARD_POWER, &word(1)[..]),
        (IOCTL_SMARTCARD_CONFISCATE, &[]),
        (IOCTL_SMARTCARD_EJECT, &[]),
        (IOCTL_SMARTCARD_SWALLOW, &[]),
        (IOCTL_SMARTCARD_IS_ABSENT, &[]),
        (IOCTL_SMARTCARD_GET_FEATURE_REQUEST, &[]),
        (IoctlCode(0x0033_0000), &[]),
    ] {
        assert_eq!(world.status(code, input), STATUS_NOT_SUPPORTED, "{code}");
    }
    world.select(PROTOCOL_T1);
    assert_eq!(world.status(IOCTL_SMARTCARD_SET_PROTOCOL, &word(1)), STATUS_NOT_SUPPORTED);
    let transmission = [&word(PROTOCOL_T1)[..], &word(8), &[0; 4]].concat();
    assert_eq!(world.status(IOCTL_SMARTCARD_TRANSMIT, &transmission), STATUS_NOT_SUPPORTED);
}

#[test]
fn each_callback_is_called_for_its_code() {
    let functions = ReaderFunctions {
        card_power: Some(|m, s| {
            let action = s.extension(m).minor_io_control_code;
            note(m, format!("power {action}"));
            STATUS_SUCCESS
        }),
        card_eject: Some(|m, _| {
            note(m, "eject");
            STATUS_SUCCESS
        }),
        reader_swallow: Some(|m, _| {
            note(m, "swallow");
            STATUS_SUCCESS
        }),
        card_confiscate: Some(|m, _| {
            note(m, "confiscate");
            STATUS_IO_TIMEOUT
        }),
        set_protocol: Some(|m, s| {
            let mask = s.extension(m).minor_io_control_code;
            note(m, format!("set protocol {mask:#x}"));
            s.reply(m, &word(PROTOCOL_T0)).into()
        }),
        ioctl_vendor: Some(|m, s| {
            let extension = s.extension(m);
            let (code, request) = (extension.major_io_control_code, extension.io_request.request.unwrap());
            let input = m.bytes(request).to_vec();
            note(m, format!("vendor {code} {}", hex(&input)));
            s.reply(m, b"ok").into()
        }),
        ..ReaderFunctions::default()
    };
    let mut world = world(Bench { functions, ..Bench::default() });
    for action in 0..3 {
        assert_eq!(world.status(IOCTL_SMARTCARD_POWER, &word(action)), STATUS_SUCCESS);
    }
    assert_eq!(world.status(IOCTL_SMARTCARD_EJECT, &[]), STATUS_SUCCESS);
    assert_eq!(world.status(IOCTL_SMARTCARD_SWALLOW, &[]), STATUS_SUCCESS);
    assert_eq!(world.status(IOCTL_SMARTCARD_CONFISCATE, &[]), STATUS_IO_TIMEOUT);
    world.smartcard.extension(&mut world.machine).reader_capabilities.current_state = ReaderState::Negotiable;
    assert_eq!(world.ask(IOCTL_SMARTCARD_SET_PROTOCOL, &word(3)), (STATUS_SUCCESS, "01 00 00 00".to_owned()));
    // A vendor's code may have any device type and method.
    let direct = IoctlCode::new(0x33, 0x801, Method::OutDirect, Access::ANY);
    for code in [IoctlCode(0x0031_2000), IoctlCode(0x0033_0004), direct] {
        assert_eq!(world.ask(code, &[1, 2]), (STATUS_SUCCESS, "6F 6B".to_owned()));
    }
    assert_eq!(
        world.notes(),
        [
            "power 0",
            "power 1",
            "power 2",
            "eject",
            "swallow",
            "confiscate",
            "set protocol 0x3",
            "vendor 0x00312000 01 02",
            "vendor 0x00330004 01 02",
            "vendor 0x00332006 01 02",
        ]
    );
}

#[test]
fn while_a_callback_left_a_request_pending_everything_else_is_busy() {
    let functions = ReaderFunctions {
        card_eject: Some(|_, _| STATUS_PENDING),
        card_tracking: Some(|_, _| STATUS_PENDING),
        ..ReaderFunctions::default()
    };
    let mut world = world(Bench { functions, ..Bench::default() });
    let eject = world.start(IOCTL_SMARTCARD_EJECT, &[]).unwrap();
    for code in [IOCTL_SMARTCARD_GET_STATE, IOCTL_SMARTCARD_IS_PRESENT, IOCTL_SMARTCARD_EJECT] {
        assert_eq!(world.status(code, &[]), STATUS_DEVICE_BUSY, "{code}");
    }
    assert_eq!(world.ended(eject), None);
    let smartcard = world.smartcard;
    world.machine.run(|m| smartcard.complete_pending(m, STATUS_NO_MEDIA)).unwrap();
    assert_eq!(world.ended(eject), Some((STATUS_NO_MEDIA, String::new())));
    assert_eq!(world.ask(IOCTL_SMARTCARD_GET_LAST_ERROR, &[]).1, hex(&word(STATUS_NO_MEDIA.0)));
    // A second end is nobody's.
    world.machine.run(|m| smartcard.complete_pending(m, STATUS_SUCCESS)).unwrap();

    // A tracking request pends without holding anybody up.
    let absent = world.start(IOCTL_SMARTCARD_IS_ABSENT, &[]).unwrap();
    assert_eq!(world.status(IOCTL_SMARTCARD_GET_STATE, &[]), STATUS_SUCCESS);
    let notification = smartcard.extension(&mut world.machine).take_notification_irp().unwrap();
    world.machine.run(|m| notification.complete_with(m, STATUS_SUCCESS, 0)).unwrap();
    assert_eq!(world.ended(absent), Some((STATUS_SUCCESS, String::new())));
}

#[test]
fn a_tracking_callback_that_refuses_leaves_no_trace() {
    let functions = ReaderFunctions { card_tracking: Some(|_, _| STATUS_INVALID_DEVICE_STATE), ..Default::default() };
    let mut world = world(Bench { functions, ..Bench::default() });
    for _ in 0..2 {
        assert_eq!(world.status(IOCTL_SMARTCARD_IS_ABSENT, &[]), STATUS_INVALID_DEVICE_STATE);
    }
}

#[test]
fn a_request_that_comes_while_a_callback_runs_waits_for_its_turn() {
    let functions = ReaderFunctions {
        card_eject: Some(|m, _| {
            note(m, "eject begins");
            let file = m.extension::<Bench>().file.unwrap();
            let sent = m.start_io_control(file, IOCTL_SMARTCARD_SWALLOW, &[], &[]).unwrap().unwrap();
            m.extension_mut::<Bench>().sent = Some(sent);
            note(m, "eject ends");
            STATUS_SUCCESS
        }),
        reader_swallow: Some(|m, _| {
            note(m, "swallow");
            STATUS_SUCCESS
        }),
        ..ReaderFunctions::default()
    };
    let mut world = world(Bench { functions, ..Bench::default() });
    assert_eq!(world.status(IOCTL_SMARTCARD_EJECT, &[]), STATUS_SUCCESS);
    assert_eq!(world.notes(), ["eject begins", "eject ends", "swallow"]);
    let sent = world.machine.extension::<Bench>().sent.unwrap();
    assert_eq!(world.ended(sent), Some((STATUS_SUCCESS, String::new())));
}

#[test]
fn an_old_version_and_a_library_that_was_not_initialized_are_noticed() {
    let functions = ReaderFunctions::default();
    let mut machine = Machine::new();
    machine.add_extension(Bench { functions, version: 0x0099, ..Bench::default() });
    let config = DriverConfig { device_add: Some(device_add), ..DriverConfig::default() };
    let driver = Driver::create(&mut machine, "theirs", config, Attributes::none());
    let function = Some(driver.driver_object(&machine));
    machine.install(Installation { hardware_id: HARDWARE_ID.into(), function, ..Installation::default() });
    machine.add_root_device(HARDWARE_ID).unwrap();
    assert_eq!(machine.interfaces(INTERFACE), Vec::<String>::new(), "AddDevice failed");

    // Version 1 stands for a driver that forgets to initialize.
    let mut world = world(Bench { version: 1, ..Bench::default() });
    let stop = world.machine.device_io_control(world.file, IOCTL_SMARTCARD_GET_STATE, &[], &mut [0; 4]).unwrap_err();
    assert!(matches!(stop, Stop::Undefined { ddi: "SmartcardDeviceControl", .. }), "{stop}");
}

#[test]
fn an_atr_is_read_into_the_card_capabilities() {
    let atr = bytes("3B DA 18 FF 81 B1 FE 75 1F 03 00 31 C5 73 C0 01 40 00 90 00 0C");
    let functions = ReaderFunctions { card_power: Some(power), ..ReaderFunctions::default() };
    let mut world = world(Bench { functions, atr: atr.clone(), ..Bench::default() });
    assert_eq!(world.ask(IOCTL_SMARTCARD_POWER, &word(1)), (STATUS_SUCCESS, hex(&atr)));
    let extension = world.smartcard.extension(&mut world.machine);
    assert_eq!(extension.reader_capabilities.current_state, ReaderState::Negotiable);
    let card = &extension.card_capabilities;
    assert_eq!((card.supported, card.selected), (PROTOCOL_T1, PROTOCOL_UNDEFINED));
    assert_eq!(hex(&card.historical_chars), "00 31 C5 73 C0 01 40 00 90 00");
    // At 4 MHz and F/D of the reset: an etu of 93 us, 12 of them between characters, BWT 2^7 * 89.28 ms and 11 etu.
    assert_eq!((card.etu, card.gt, card.bwt, card.bgt), (93, 1023, 11_428_863, 2046));
    assert_eq!(card.pts_data.kind, PtsType::Default);
    assert_eq!((card.pts_data.fl, card.pts_data.dl, card.pts_data.data_rate), (1, 1, 10_752));
    // With "optimal" the card's own rate is proposed, if the reader can do it.
    for (data_rate, fl_dl) in [(9600, (1, 1)), (200_000, (1, 8))] {
        let extension = world.smartcard.extension(&mut world.machine);
        extension.reader_capabilities.data_rate.1 = data_rate;
        extension.card_capabilities.pts_data.kind = PtsType::Optimal;
        let smartcard = world.smartcard;
        smartcard.update_card_capabilities(&mut world.machine).unwrap();
        let pts = smartcard.extension(&mut world.machine).card_capabilities.pts_data;
        assert_eq!((pts.fl, pts.dl), fl_dl, "{data_rate}");
    }
    world.smartcard.initialize_card_capabilities(&mut world.machine);
    assert!(world.smartcard.extension(&mut world.machine).card_capabilities.atr.is_empty());
}

#[test]
fn an_atr_that_the_library_cannot_read_goes_to_the_driver_first() {
    let parse: ReaderFunction = |m, s| {
        note(m, "parse");
        if s.extension(m).card_capabilities.atr == [0x42] {
            s.extension(m).card_capabilities.supported = PROTOCOL_T0;
            return STATUS_SUCCESS;
        }
        STATUS_UNRECOGNIZED_MEDIA
    };
    for (atr, atr_parse, expected) in [
        (vec![0x42], None, STATUS_UNRECOGNIZED_MEDIA),
        (vec![0x42], Some(parse), STATUS_SUCCESS),
        (vec![0x43], Some(parse), STATUS_UNRECOGNIZED_MEDIA),
    ] {
        let functions = ReaderFunctions { card_power: Some(power), atr_parse, ..ReaderFunctions::default() };
        let mut world = world(Bench { functions, atr, ..Bench::default() });
        assert_eq!(world.status(IOCTL_SMARTCARD_POWER, &word(1)), expected);
        assert_eq!(world.notes().len(), usize::from(atr_parse.is_some()));
    }
}

/// A transmission whose callback is the test's.
fn transmission(protocol: u32, transmit: ReaderFunction, apdu: &str, buffer_size: usize) -> (World, NtStatus, String) {
    let functions = ReaderFunctions { transmit: Some(transmit), ..ReaderFunctions::default() };
    let mut world = world(Bench { functions, buffer_size, ..Bench::default() });
    world.select(protocol);
    let input = [&word(protocol)[..], &word(8), &bytes(apdu)].concat();
    let (status, answer) = world.ask(IOCTL_SMARTCARD_TRANSMIT, &input);
    (world, status, answer)
}

#[test]
fn the_t0_pair_leaves_room_for_a_header_and_completes_short_commands() {
    let transmit: ReaderFunction = |m, s| {
        // The driver's own header, three bytes.
        s.extension(m).smartcard_request.bytes = vec![0xAA; 3];
        if let Err(status) = s.t0_request(m) {
            return status;
        }
        let extension = s.extension(m);
        let (sent, t0) = (hex(&extension.smartcard_request.bytes), extension.t0);
        let answers = extension.smartcard_request.bytes.len() != 3 + 7;
        extension.smartcard_reply.bytes = if answers { vec![0x01, 0x90, 0x00] } else { vec![0x90] };
        note(m, format!("{sent}, {} {}", t0.lc, t0.le));
        s.t0_reply(m).into()
    };
    for (apdu, sent, expected) in [
        ("00 B0 00 00 05", "AA AA AA 00 B0 00 00 05, 0 5", Ok("01 90 00")),
        ("00 B0 00 00 00", "AA AA AA 00 B0 00 00 00, 0 256", Ok("01 90 00")),
        ("00 44 00 00", "AA AA AA 00 44 00 00 00, 0 0", Ok("01 90 00")),
        ("00 D6 00 00 03 01 02 03", "AA AA AA 00 D6 00 00 03 01 02 03, 3 0", Ok("01 90 00")),
        ("00 D6 00 00 02 01 02", "AA AA AA 00 D6 00 00 02 01 02, 2 0", Err(STATUS_DEVICE_PROTOCOL_ERROR)),
    ] {
        let (mut world, status, answer) = transmission(PROTOCOL_T0, transmit, apdu, 0);
        assert_eq!(world.notes(), [sent]);
        match expected {
            Ok(data) => assert_eq!((status, answer), (STATUS_SUCCESS, format!("01 00 00 00 08 00 00 00 {data}"))),
            Err(error) => assert_eq!((status, answer), (error, String::new())),
        }
    }
    let long = format!("00 D6 00 00 FF {}", "00 ".repeat(285));
    assert_eq!(transmission(PROTOCOL_T0, transmit, &long, 0).1, STATUS_BUFFER_OVERFLOW);
    assert_eq!(transmission(PROTOCOL_T0, transmit, &long, 300).1, STATUS_SUCCESS);
    assert_eq!(transmission(PROTOCOL_T0, transmit, "00 A4 00", 0).1, STATUS_INSUFFICIENT_RESOURCES);
}

#[test]
fn the_t1_pair_is_called_until_no_more_processing_is_required() {
    let transmit: ReaderFunction = |m, s| {
        // What the card says, block by block; the third one is lost.
        let mut card = ["00 E1 01 FE 1E", "00 20 01 AA 8B", "", "00 40 02 90 00 D2"].into_iter();
        loop {
            s.extension(m).smartcard_request.bytes.clear();
            if let Err(status) = s.t1_request(m) {
                return status;
            }
            let sent = hex(&s.extension(m).smartcard_request.bytes);
            note(m, sent);
            s.extension(m).smartcard_reply.bytes = bytes(card.next().unwrap());
            match s.t1_reply(m) {
                Err(STATUS_MORE_PROCESSING_REQUIRED) => {}
                result => return result.into(),
            }
        }
    };
    let (mut world, status, answer) = transmission(PROTOCOL_T1, transmit, "00 84 00 00 01", 0);
    assert_eq!((status, answer.as_str()), (STATUS_SUCCESS, "02 00 00 00 08 00 00 00 AA 90 00"));
    assert_eq!(world.notes(), ["00 C1 01 FE 3E", "00 00 05 00 84 00 00 01 80", "00 90 00 90", "00 90 00 90"]);
}

#[test]
fn the_raw_pair_copies() {
    let transmit: ReaderFunction = |m, s| {
        s.extension(m).smartcard_request.bytes.clear();
        if let Err(status) = s.raw_request(m) {
            return status;
        }
        let extension = s.extension(m);
        extension.smartcard_reply.bytes = extension.smartcard_request.bytes.iter().rev().copied().collect();
        s.raw_reply(m).into()
    };
    let (_, status, answer) = transmission(PROTOCOL_RAW, transmit, "01 02 03", 0);
    assert_eq!((status, answer.as_str()), (STATUS_SUCCESS, "00 00 01 00 08 00 00 00 03 02 01"));
    // 64 bytes of room, of which the header takes 8.
    let (_, status, _) = transmission(PROTOCOL_RAW, transmit, &"00".repeat(57), 0);
    assert_eq!(status, STATUS_BUFFER_TOO_SMALL);
}

#[test]
fn the_remove_lock_is_waited_for_and_refused_afterwards() {
    let World { mut machine, smartcard, .. } = world(Bench::default());
    machine
        .run(|m| {
            smartcard.acquire_remove_lock(m).unwrap();
            smartcard.acquire_remove_lock_with_tag(m, 7).unwrap();
            // Somebody who has the lock gives it back later.
            m.set_timer(
                vbus_wdm::Ticks::from_millis(5),
                |m, _| {
                    let smartcard = their_smartcard(m.extension::<Bench>().device.unwrap());
                    smartcard.release_remove_lock_with_tag(m, 7);
                },
                Context(0),
            );
            smartcard.release_remove_lock_and_wait(m);
            assert_eq!(m.now(), vbus_wdm::Ticks::from_millis(5));
            assert_eq!(smartcard.acquire_remove_lock(m), Err(STATUS_DELETE_PENDING));
        })
        .unwrap();
    let stop = machine.run(|m| smartcard.release_remove_lock_with_tag(m, 9)).unwrap_err();
    assert!(stop.to_string().contains("released with the tag"), "{stop}");
}

#[test]
fn a_lock_that_nobody_gives_back_is_a_hang() {
    let World { mut machine, smartcard, .. } = world(Bench::default());
    let stop = machine
        .run(|m| {
            smartcard.acquire_remove_lock(m).unwrap();
            smartcard.acquire_remove_lock(m).unwrap();
            smartcard.release_remove_lock_and_wait(m);
        })
        .unwrap_err();
    assert!(matches!(stop, Stop::Hang { .. }), "{stop}");
}

#[test]
fn links_take_the_first_free_number() {
    let World { mut machine, smartcard, .. } = world(Bench::default());
    let device = smartcard.device().device_object(&mut machine);
    assert_eq!(create_link(&mut machine, device), Ok("\\DosDevices\\SCReader0".to_owned()));
    assert_eq!(create_link(&mut machine, device), Ok("\\DosDevices\\SCReader1".to_owned()));
    assert!(machine.create_file("\\\\.\\SCReader0", OpenOptions::READ_WRITE).unwrap().is_ok());
}
