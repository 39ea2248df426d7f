//! `!irp`: how many locations there are and which is current.

use super::{Block, after};
use crate::explain::facts::{Facts, IrpFacts, entry};

pub(super) fn line(block: &mut Block, number: u64, text: &str, facts: &mut Facts) -> bool {
    // `Irp is active with 2 stacks 2 is current (= 0xffffe000d2c3f0d8)`
    if let Some(rest) = after(text, "Irp is active with ") {
        let mut words = rest.split_ascii_whitespace();
        let count = words.next().and_then(|word| word.parse().ok());
        let current = words.find_map(|word| word.parse().ok());
        let irp = match *block {
            Block::Irp(irp) => irp,
            // Pasted without its command.
            _ => 0,
        };
        *block = Block::Irp(irp);
        if let (Some(stack_count), Some(current_location)) = (count, current)
            && let Some(facts) = entry(&mut facts.irps, irp)
        {
            *facts = Some(IrpFacts { line: number, stack_count, current_location });
        }
        return true;
    }
    let is_of_irp = matches!(block, Block::Irp(_));
    let marks = [">[", "[", "Args:", "\\Driver\\", "\\FileSystem\\", "cmd ", "No Mdl", "Mdl"];
    is_of_irp && (marks.iter().any(|mark| text.starts_with(mark)) || is_location(text))
}

/// `5 e1 ffffe000d2b2e060 ffffe000d0123450 fffff80012345678-ffffe000abcd Success Error Cancel pending`
fn is_location(text: &str) -> bool {
    let mut words = text.split_ascii_whitespace();
    let is_hex = |word: &str| super::address(word).is_some();
    words.clone().count() >= 4 && words.by_ref().take(4).all(is_hex)
}
