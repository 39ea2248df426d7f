//! The error detection code in the epilogue of a T=1 block.

/// Which code a card uses.
///
/// Source: ISO/IEC 7816-3, T=1, epilogue field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Edc {
    /// One byte: the exclusive-or of the whole block is zero.
    #[default]
    Lrc,
    /// Two bytes.
    Crc,
}

impl Edc {
    /// Bytes in the epilogue.
    pub const fn size(self) -> usize {
        match self {
            Edc::Lrc => 1,
            Edc::Crc => 2,
        }
    }

    /// Appends the epilogue of `block`, which is prologue and information field.
    pub fn append(self, block: &mut Vec<u8>) {
        match self {
            Edc::Lrc => block.push(lrc(block)),
            Edc::Crc => block.extend(crc(block).to_be_bytes()),
        }
    }

    /// Whether `block` ends with the epilogue of what is in front of it.
    pub fn holds(self, block: &[u8]) -> bool {
        match (self, block) {
            (Edc::Lrc, _) => !block.is_empty() && lrc(block) == 0,
            (Edc::Crc, [body @ .., high, low]) => crc(body).to_be_bytes() == [*high, *low],
            (Edc::Crc, _) => false,
        }
    }
}

fn lrc(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// The cyclic redundancy check of ISO/IEC 13239, low bit first, beginning with all ones and sent high byte first without
/// being turned over.
///
/// Source: LudovicRousseau/CCID, src/openct/checksum.c (csum_crc_compute), which real readers use with real cards.
fn crc(bytes: &[u8]) -> u16 {
    /// x^16 + x^12 + x^5 + 1, bits reversed.
    const POLYNOMIAL: u16 = 0x8408;
    bytes.iter().fold(0xFFFF, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_of_the_nine_digits_is_the_catalogues() {
        // CRC-16/MCRF4XX: the polynomial reflected, all ones at the start, nothing at the end.
        assert_eq!(crc(b"123456789"), 0x6F91);
    }

    #[test]
    fn a_block_holds_with_its_own_epilogue_and_with_no_other() {
        for edc in [Edc::Lrc, Edc::Crc] {
            let mut block = vec![0x00, 0xC1, 0x01, 0xFE];
            edc.append(&mut block);
            assert_eq!(block.len(), 4 + edc.size());
            assert!(edc.holds(&block));
            for at in 0..block.len() * 8 {
                block[at / 8] ^= 1 << (at % 8);
                assert!(!edc.holds(&block), "{edc:?}, bit {at}");
                block[at / 8] ^= 1 << (at % 8);
            }
            assert!(!edc.holds(&[]));
        }
        let mut known = vec![0x00, 0xC1, 0x01, 0xFE];
        Edc::Lrc.append(&mut known);
        assert_eq!(known, [0x00, 0xC1, 0x01, 0xFE, 0x3E]);
    }
}
