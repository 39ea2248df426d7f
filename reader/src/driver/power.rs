//! The device's way into D0 and out of it.
//!
//! Source: Windows-driver-samples, smartcrd/pscr: PscrEvtDeviceD0Entry, PscrEvtDeviceD0Exit.

use vbus_wdf::{Device, Handle};
use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::{Reader, operation, tracking};
use crate::smclib::{PROTOCOL_UNDEFINED, ReaderState};

/// EvtDeviceD0Entry: looks into the slot. After a sleep the card may be another one.
pub(super) fn d0_entry(m: &mut Machine, device: Device) -> Result<(), NtStatus> {
    let woke_up = device.context::<Reader>(m).slept_with_card.is_some();
    tracking::update_card_state(m, device, woke_up);
    let reader = device.context::<Reader>(m);
    if reader.extension.reader_capabilities.current_state == ReaderState::Unknown {
        reader.extension.reader_capabilities.current_state = ReaderState::Absent;
    }
    Ok(())
}

/// EvtDeviceD0Exit: a card that is in loses its power. The queue has no request out by now; a tracking request survives.
pub(super) fn d0_exit(m: &mut Machine, device: Device) {
    let reader = device.context::<Reader>(m);
    let has_card = reader.extension.has_card();
    reader.slept_with_card = Some(has_card);
    if has_card {
        operation::power_down(reader);
        let extension = &mut reader.extension;
        extension.reader_capabilities.current_state = ReaderState::Swallowed;
        extension.card_capabilities.selected = PROTOCOL_UNDEFINED;
    }
}

/// EvtDeviceSurpriseRemoval: no card will answer any more. The queue presents what waits in it, and `begin` refuses it.
pub(super) fn surprise_removal(m: &mut Machine, device: Device) {
    device.context::<Reader>(m).gone = true;
    if let Some((request, timer)) = device.context::<Reader>(m).waiting.take() {
        m.cancel_timer(timer);
        if request.unmark_cancelable(m).is_ok() {
            request.complete_with_information(m, STATUS_DEVICE_REMOVED, 0);
        }
    }
    operation::abort(m, device, STATUS_DEVICE_REMOVED);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::iso7816::Iso7816Card;
    use crate::ioctl::*;
    use crate::{CardFactory, ReaderConfig, Slot};
    use vbus_wdf::DriverConfig;
    use vbus_wdm::{FileObject, Installation, IoctlCode, OpenOptions, Overlapped};

    /// A reader that a program has open. Nothing in this model sends a device to sleep yet, so the tests call what the
    /// framework calls, in the framework's order: D0Exit, and D0Entry when the device wakes up.
    struct Bench {
        machine: Machine,
        device: Device,
        file: FileObject,
        slot: Slot,
    }

    fn bench() -> Bench {
        let mut machine = Machine::new();
        let config = ReaderConfig { card: CardFactory::none(), ..ReaderConfig::default() };
        let driver = crate::create_driver(&mut machine, config, DriverConfig::default());
        let function = Some(driver.driver_object(&machine));
        machine.install(Installation { hardware_id: "R".into(), function, ..Installation::default() });
        let node = machine.add_root_device("R").unwrap();
        let slot = Slot::of(&machine, node.pdo(&machine).unwrap()).unwrap();
        let device = slot.device(&machine).unwrap();
        let link = machine.interfaces(GUID_SMARTCARD_READER).remove(0);
        let file = machine.create_file(&link, OpenOptions::OVERLAPPED).unwrap().unwrap();
        Bench { machine, device, file, slot }
    }

    impl Bench {
        fn start(&mut self, code: IoctlCode, input: &[u8]) -> Overlapped {
            self.machine.start_io_control(self.file, code, input, &[0; 64]).unwrap().unwrap()
        }

        fn status(&mut self, request: Overlapped) -> Option<NtStatus> {
            self.machine.overlapped_result(request, &mut [0; 64]).map(|result| result.status)
        }

        /// Puts the machine to sleep, changes the slot, and wakes it up.
        fn sleep(&mut self, change: impl FnOnce(&mut Machine, Slot)) {
            let (device, slot) = (self.device, self.slot);
            self.machine
                .run(|m| {
                    d0_exit(m, device);
                    change(m, slot);
                    d0_entry(m, device).unwrap();
                })
                .unwrap();
        }

        fn state(&mut self) -> ReaderState {
            self.device.context::<Reader>(&mut self.machine).extension.reader_capabilities.current_state
        }
    }

    fn insert(m: &mut Machine, slot: Slot) {
        // Without an interrupt: the reader sleeps.
        let device = slot.device(m).unwrap();
        device.context::<Reader>(m).card = Some(Iso7816Card::new(8).into());
    }

    fn pull(m: &mut Machine, slot: Slot) {
        let device = slot.device(m).unwrap();
        device.context::<Reader>(m).card = None;
    }

    #[test]
    fn a_sleep_with_an_empty_slot_leaves_the_tracking_request_waiting() {
        let mut bench = bench();
        let request = bench.start(IOCTL_SMARTCARD_IS_PRESENT, &[]);
        bench.sleep(|_, _| ());
        assert_eq!(bench.status(request), None);
        bench.sleep(insert);
        assert_eq!(bench.status(request), Some(STATUS_SUCCESS));
        assert_eq!(bench.state(), ReaderState::Swallowed);
    }

    #[test]
    fn a_card_that_is_there_before_and_after_a_sleep_may_be_another_one() {
        let mut bench = bench();
        bench.slot.insert(&mut bench.machine, Iso7816Card::new(7)).unwrap().unwrap();
        let request = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
        bench.sleep(|_, _| ());
        assert_eq!(bench.status(request), Some(STATUS_SUCCESS), "whoever watches has to look again");
    }

    #[test]
    fn a_card_loses_its_power_and_its_protocol_and_may_be_gone_afterwards() {
        let mut bench = bench();
        bench.slot.insert(&mut bench.machine, Iso7816Card::new(7)).unwrap().unwrap();
        let reset = bench.start(IOCTL_SMARTCARD_POWER, &1u32.to_le_bytes());
        assert_eq!(bench.status(reset), Some(STATUS_SUCCESS));
        assert_eq!(bench.state(), ReaderState::Negotiable);
        bench.sleep(|_, _| ());
        assert_eq!(bench.state(), ReaderState::Swallowed);
        let request = bench.start(IOCTL_SMARTCARD_IS_ABSENT, &[]);
        bench.sleep(pull);
        assert_eq!(bench.state(), ReaderState::Absent);
        assert_eq!(bench.status(request), Some(STATUS_SUCCESS));
    }
}
