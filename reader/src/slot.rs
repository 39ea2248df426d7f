//! The slot of a reader, as whoever holds the cards sees it: cards are inserted and removed at any moment.

use thiserror::Error;
use vbus_wdf::{Device, Handle};
use vbus_wdm::{Context, DeviceObject, Machine, Stop, Ticks};

use crate::card::Card;
use crate::card::outside::{News, OutsideCard};
use crate::driver;
use crate::transmission::{ContactCard, Contacts, Recording};

/// What a slot can hold.
pub enum Inserted {
    /// A card that is seen through its contacts: it sends an ATR and speaks T=0 or T=1 over a line.
    Contacts(Box<dyn Contacts>),
    /// A card that takes whole APDUs. Reader and card share no line, and no protocol but in name.
    Apdus(Box<dyn Card>),
    /// A card outside of the model, which may be there or not.
    Outside(Box<dyn OutsideCard>),
}

impl Inserted {
    /// A card with contacts of its own.
    pub fn contacts(card: impl Contacts + 'static) -> Inserted {
        Inserted::Contacts(Box::new(card))
    }

    /// A card without a line: see [`Inserted::Apdus`].
    pub fn apdus(card: impl Card + 'static) -> Inserted {
        Inserted::Apdus(Box::new(card))
    }

    /// A card outside of the model.
    pub fn outside(card: impl OutsideCard + 'static) -> Inserted {
        Inserted::Outside(Box::new(card))
    }
}

/// A card that takes APDUs gets contacts.
impl<C: Card + 'static> From<C> for Inserted {
    fn from(card: C) -> Inserted {
        Inserted::contacts(ContactCard::new(card))
    }
}

/// Why a card cannot be inserted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SlotError {
    /// There is one.
    #[error("there is a card in the slot: remove it first")]
    Occupied,
    /// The reader was removed.
    #[error("the reader of this slot is gone")]
    Gone,
}

/// A reader's slot. It stays good as long as the reader is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Slot(usize);

/// Every reader that the driver was given, by the number of its slot.
#[derive(Default)]
pub(crate) struct Slots {
    readers: Vec<Option<(DeviceObject, Device)>>,
    /// What happens to slots later.
    scheduled: Vec<Option<(Slot, Option<Inserted>)>>,
    /// Who is told what happens to cards outside of the model.
    pub(crate) news: Option<News>,
}

impl Slots {
    pub(crate) fn add(m: &mut Machine, pdo: DeviceObject, device: Device) -> Slot {
        let readers = &mut m.extension_mut::<Slots>().readers;
        readers.push(Some((pdo, device)));
        Slot(readers.len() - 1)
    }

    pub(crate) fn forget(m: &mut Machine, slot: Slot) {
        if let Some(reader) = m.extension_mut::<Slots>().readers.get_mut(slot.0) {
            *reader = None;
        }
    }
}

impl Slot {
    /// The slot of the reader whose stack is on this PDO. The reader's driver has to be loaded.
    pub fn of(m: &Machine, pdo: DeviceObject) -> Option<Slot> {
        let readers = &m.extension::<Slots>().readers;
        // The youngest: a reader that comes back has another PDO.
        readers.iter().rposition(|reader| reader.is_some_and(|(of, _)| of == pdo)).map(Slot)
    }

    /// Every slot there is.
    pub fn all(m: &Machine) -> Vec<Slot> {
        let readers = m.extension::<Slots>().readers.iter().enumerate();
        readers.filter(|(_, reader)| reader.is_some()).map(|(at, _)| Slot(at)).collect()
    }

    pub(crate) fn device(self, m: &Machine) -> Option<Device> {
        let (_, device) = (*m.extension::<Slots>().readers.get(self.0)?)?;
        device.object().exists(m).then_some(device)
    }

    pub(crate) fn to_context(self) -> Context {
        Context(self.0 as u64)
    }

    pub(crate) fn from_context(context: Context) -> Slot {
        Slot(context.0 as usize)
    }

    /// Inserts a card. The reader notices at once.
    ///
    /// # Errors
    /// What stopped the machine. Inside: [`SlotError`].
    pub fn insert(self, m: &mut Machine, card: impl Into<Inserted>) -> Result<Result<(), SlotError>, Stop> {
        let card = card.into();
        m.run(|m| self.put(m, card))
    }

    fn put(self, m: &mut Machine, card: Inserted) -> Result<(), SlotError> {
        let device = self.device(m).ok_or(SlotError::Gone)?;
        driver::insert(m, device, card)
    }

    /// Pulls the card out, whatever it is doing. The reader notices at once.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn remove(self, m: &mut Machine) -> Result<Option<Inserted>, Stop> {
        m.run(|m| self.device(m).and_then(|device| driver::remove(m, device)))
    }

    /// Inserts a card when so much virtual time has passed. A card for which there is no room then is lost.
    pub fn insert_after(self, m: &mut Machine, after: Ticks, card: impl Into<Inserted>) {
        self.schedule(m, after, Some(card.into()));
    }

    /// Pulls the card out when so much virtual time has passed.
    pub fn remove_after(self, m: &mut Machine, after: Ticks) {
        self.schedule(m, after, None);
    }

    fn schedule(self, m: &mut Machine, after: Ticks, card: Option<Inserted>) {
        let scheduled = &mut m.extension_mut::<Slots>().scheduled;
        scheduled.push(Some((self, card)));
        let number = scheduled.len() as u64 - 1;
        m.set_timer(after, scheduled_is_due, Context(number));
    }

    /// From now on no reader waits for a card outside of the model, whether it is there already or comes later: the card
    /// calls `news`, from any thread, and whoever hears that calls [`Slot::poll`]. Meanwhile the reader's request is pending,
    /// for at most as long as the card's limit is, for which virtual time has to pass as real time does.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn tell_news(m: &mut Machine, news: News) -> Result<(), Stop> {
        m.extension_mut::<Slots>().news = Some(news);
        m.run(|m| {
            for slot in Slot::all(m) {
                if let Some(device) = slot.device(m) {
                    driver::card_hears_of_news(m, device);
                }
            }
        })
    }

    /// Looks whether a card outside of the model came, went or answered since the last look; an answer that nobody wants any
    /// more is given up. Returns whether a card is there.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn poll(self, m: &mut Machine) -> Result<bool, Stop> {
        m.run(|m| self.device(m).is_some_and(|device| driver::poll(m, device)))
    }

    /// From now on everything on the line is written down.
    pub fn record(self, m: &mut Machine) {
        if let Some(device) = self.device(m) {
            driver::line(m, device).record();
        }
    }

    /// What was written down since the last time.
    pub fn take_recording(self, m: &mut Machine) -> Recording {
        self.device(m).map(|device| driver::line(m, device).take_recording()).unwrap_or_default()
    }
}

fn scheduled_is_due(m: &mut Machine, context: Context) {
    let scheduled = m.extension_mut::<Slots>().scheduled.get_mut(context.0 as usize);
    match scheduled.and_then(Option::take) {
        // There may be no room by now, or no reader: nobody is left to tell.
        Some((slot, Some(card))) => _ = slot.put(m, card),
        Some((slot, None)) => _ = slot.device(m).and_then(|device| driver::remove(m, device)),
        None => {}
    }
}
