//! One reader on a machine, without a bus: opened by a program, its slot in reach.

use vbus_reader::ioctl::*;
use vbus_reader::smclib::{PROTOCOL_T0, PROTOCOL_T1, PowerAction};
use vbus_reader::{CardFactory, Inserted, ReaderConfig, Slot, create_driver};
use vbus_wdf::DriverConfig;
use vbus_wdm::constants::*;
use vbus_wdm::{
    DevNode, FileObject, Installation, IoStatus, IoctlCode, Machine, NtStatus, OpenOptions, Overlapped, Ticks,
};

const HARDWARE_ID: &str = "ROOT\\VREADER";

/// The reader, and a program that has it open for overlapped requests.
pub struct Bench {
    pub machine: Machine,
    pub node: DevNode,
    pub file: FileObject,
    pub slot: Slot,
}

pub fn word(value: u32) -> [u8; 4] {
    value.to_le_bytes()
}

impl Bench {
    pub fn new(config: ReaderConfig) -> Bench {
        let mut machine = Machine::new();
        let driver = create_driver(&mut machine, config, DriverConfig { verbose: true, ..DriverConfig::default() });
        let function = Some(driver.driver_object(&machine));
        machine.install(Installation { hardware_id: HARDWARE_ID.into(), function, ..Installation::default() });
        let node = machine.add_root_device(HARDWARE_ID).unwrap();
        let slot = Slot::of(&machine, node.pdo(&machine).unwrap()).unwrap();
        let link = machine.interfaces(GUID_SMARTCARD_READER).remove(0);
        let file = machine.create_file(&link, OpenOptions::OVERLAPPED).unwrap().unwrap();
        Bench { machine, node, file, slot }
    }

    pub fn empty() -> Bench {
        Bench::new(ReaderConfig { card: CardFactory::none(), ..ReaderConfig::default() })
    }

    /// A reader with a card in it.
    pub fn with(card: impl Into<Inserted>) -> Bench {
        Bench::configured(ReaderConfig::default(), card)
    }

    pub fn configured(config: ReaderConfig, card: impl Into<Inserted>) -> Bench {
        let mut bench = Bench::new(ReaderConfig { card: CardFactory::none(), ..config });
        bench.insert(card);
        bench
    }

    pub fn insert(&mut self, card: impl Into<Inserted>) {
        self.slot.insert(&mut self.machine, card).unwrap().unwrap();
    }

    /// A request with room for so much of an answer. It has ended when this returns.
    pub fn ask_for(&mut self, code: IoctlCode, input: &[u8], room: usize) -> (NtStatus, Vec<u8>) {
        let request = match self.start_for(code, input, room) {
            Ok(request) => request,
            Err(status) => return (status, Vec::new()),
        };
        let mut rounds = 0;
        loop {
            if let Some(ended) = self.ended(request, room) {
                return ended;
            }
            rounds += 1;
            assert!(rounds < 100_000, "the request ends");
            self.machine.run(|m| m.fire_next_timer()).unwrap();
        }
    }

    pub fn ask(&mut self, code: IoctlCode, input: &[u8]) -> (NtStatus, Vec<u8>) {
        self.ask_for(code, input, 0x1_0010)
    }

    /// Begins a request; an error is what the API returns at once.
    pub fn start_for(&mut self, code: IoctlCode, input: &[u8], room: usize) -> Result<Overlapped, NtStatus> {
        self.machine.start_io_control(self.file, code, input, &vec![0; room]).unwrap()
    }

    pub fn start(&mut self, code: IoctlCode, input: &[u8]) -> Overlapped {
        self.start_for(code, input, 300).unwrap()
    }

    /// What became of a request, if it has ended.
    pub fn ended(&mut self, request: Overlapped, room: usize) -> Option<(NtStatus, Vec<u8>)> {
        let mut output = vec![0; room];
        let IoStatus { status, information } = self.machine.overlapped_result(request, &mut output)?;
        output.truncate(information as usize);
        Some((status, output))
    }

    pub fn status(&mut self, request: Overlapped) -> Option<NtStatus> {
        self.ended(request, 300).map(|(status, _)| status)
    }

    pub fn state(&mut self) -> u32 {
        let (_, answer) = self.ask(IOCTL_SMARTCARD_GET_STATE, &[]);
        u32::from_le_bytes(answer.try_into().unwrap())
    }

    pub fn power(&mut self, action: PowerAction) -> (NtStatus, Vec<u8>) {
        self.ask(IOCTL_SMARTCARD_POWER, &word(action as u32))
    }

    pub fn set_protocol(&mut self, mask: u32) -> (NtStatus, Vec<u8>) {
        self.ask(IOCTL_SMARTCARD_SET_PROTOCOL, &word(mask))
    }

    /// Powers up and chooses a protocol.
    pub fn connect(&mut self, protocol: u32) {
        let (status, _) = self.power(PowerAction::ColdReset);
        assert_eq!(status, STATUS_SUCCESS);
        assert_eq!(self.set_protocol(protocol), (STATUS_SUCCESS, word(protocol).to_vec()));
    }

    pub fn connect_t1(&mut self) {
        self.connect(PROTOCOL_T1);
    }

    pub fn connect_t0(&mut self) {
        self.connect(PROTOCOL_T0);
    }

    /// What TRANSMIT takes.
    pub fn transmission(protocol: u32, apdu: &[u8]) -> Vec<u8> {
        [&word(protocol), &word(8), apdu].concat()
    }

    /// One APDU; the answer is without its header.
    pub fn transmit(&mut self, protocol: u32, apdu: &[u8]) -> Result<Vec<u8>, NtStatus> {
        match self.ask(IOCTL_SMARTCARD_TRANSMIT, &Bench::transmission(protocol, apdu)) {
            (STATUS_SUCCESS, answer) => {
                assert_eq!(answer[..8], *[word(protocol), word(8)].concat());
                Ok(answer[8..].to_vec())
            }
            (status, _) => Err(status),
        }
    }

    pub fn advance_ms(&mut self, ms: u64) {
        self.machine.advance(Ticks::from_millis(ms)).unwrap();
    }

    pub fn now_ms(&self) -> f64 {
        self.machine.now().0 as f64 / 10_000.0
    }
}
