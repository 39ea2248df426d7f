//! The built-in card of a reader that nobody has used yet.

use super::Iso7816Card;
use crate::card::{Card, Delivery, Reset};

/// [`Iso7816Card::new`], made at its first reset: a bus with very many readers has cards for those that are used.
pub struct BuiltInCard {
    serial: u32,
    card: Option<Box<Iso7816Card>>,
}

impl BuiltInCard {
    /// The card with this serial, without power.
    pub fn new(serial: u32) -> BuiltInCard {
        BuiltInCard { serial, card: None }
    }
}

impl Card for BuiltInCard {
    fn reset(&mut self, reset: Reset, atr: &mut Vec<u8>) -> Delivery {
        self.card.get_or_insert_with(|| Box::new(Iso7816Card::new(self.serial))).reset(reset, atr)
    }

    fn power_down(&mut self) {
        if let Some(card) = &mut self.card {
            card.power_down();
        }
    }

    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Delivery {
        match &mut self.card {
            Some(card) => card.transmit(command, response),
            // A card that was never reset has no power.
            None => {
                response.clear();
                Delivery::default()
            }
        }
    }
}
