//! From the interface bytes to times: the rate tables, and the waiting and guard times that follow from them.
//!
//! One etu is F/D clock cycles. Everything is kept in clock cycles, which is exact for all of them but those that D does
//! not divide; those are rounded up, so that nobody is cut off early.
//!
//! Source: ISO/IEC 7816-3, Tables 7 and 8 (F and D), and the clauses on guard and waiting times of T=0 and T=1.

use vbus_wdm::Ticks;

use super::Parameters;
use crate::transmission::Edc;

/// F during the answer to reset, and afterwards unless PPS or TA2 says otherwise.
pub const F_DEFAULT: u16 = 372;
/// What a reader clocks a card with until somebody says otherwise: the highest that every card must take.
pub const CLOCK_DEFAULT_KHZ: u32 = 4000;

/// FI to F and the highest clock in kHz, as 7816-3 and the driver library's ClockRateConversion table have them.
const CLOCK_RATE_CONVERSION: [Option<(u16, u32)>; 16] = [
    Some((372, 4_000)),
    Some((372, 5_000)),
    Some((558, 6_000)),
    Some((744, 8_000)),
    Some((1116, 12_000)),
    Some((1488, 16_000)),
    Some((1860, 20_000)),
    None,
    None,
    Some((512, 5_000)),
    Some((768, 7_500)),
    Some((1024, 10_000)),
    Some((1536, 15_000)),
    Some((2048, 20_000)),
    None,
    None,
];

/// DI to D.
const BIT_RATE_ADJUSTMENT: [Option<u8>; 16] = [
    None,
    Some(1),
    Some(2),
    Some(4),
    Some(8),
    Some(16),
    Some(32),
    Some(64),
    Some(12),
    Some(20),
    None,
    None,
    None,
    None,
    None,
    None,
];

/// F and the highest clock in kHz for a FI (its low four bits); `None` where it is reserved.
pub fn clock_rate_conversion(fi: u8) -> Option<(u16, u32)> {
    CLOCK_RATE_CONVERSION[usize::from(fi & 0x0F)]
}

/// D for a DI (its low four bits); `None` where it is reserved.
pub fn bit_rate_adjustment(di: u8) -> Option<u8> {
    BIT_RATE_ADJUSTMENT[usize::from(di & 0x0F)]
}

/// How fast the line is: one etu is F/D cycles of a clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// F.
    pub f: u16,
    /// D.
    pub d: u8,
    /// The clock, in kHz. Never zero.
    pub clock_khz: u32,
}

impl Rate {
    /// The rate of the answer to reset.
    pub fn at_reset(clock_khz: u32) -> Rate {
        Rate { f: F_DEFAULT, d: 1, clock_khz: clock_khz.max(1) }
    }

    /// The rate that a TA1 or PPS1 stands for; `None` where a part of it is reserved.
    pub fn of(fi_di: u8, clock_khz: u32) -> Option<Rate> {
        let ((f, _), d) = (clock_rate_conversion(fi_di >> 4)?, bit_rate_adjustment(fi_di)?);
        Some(Rate { f, d, clock_khz: clock_khz.max(1) })
    }

    /// `count` etu in virtual time, rounded up.
    pub fn etu(self, count: u64) -> Ticks {
        self.cycles(self.etu_in_cycles(count))
    }

    /// Bits per second.
    pub fn bits_per_second(self) -> u32 {
        (u64::from(self.clock_khz) * 1000 * u64::from(self.d) / u64::from(self.f)) as u32
    }

    fn etu_in_cycles(self, count: u64) -> u64 {
        (count * u64::from(self.f)).div_ceil(u64::from(self.d))
    }

    /// `count` clock cycles in virtual time, rounded up: a cycle is 10 000 / kHz units of 100 ns.
    fn cycles(self, count: u64) -> Ticks {
        Ticks((count * 10_000).div_ceil(u64::from(self.clock_khz)))
    }
}

/// The waiting and guard times that are in force, in virtual time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// The rate that they were worked out for.
    pub rate: Rate,
    /// GT: least time from the leading edge of a character to that of the next one the reader sends.
    pub guard: Ticks,
    /// WT: most time from the leading edge of a character to that of the card's next one, in T=0 and in the ATR.
    pub work_waiting: Ticks,
    /// CWT: the same inside a T=1 block.
    pub character_waiting: Ticks,
    /// BWT: most time from the leading edge of the last character of the reader's block to that of the first of the
    /// card's.
    pub block_waiting: Ticks,
    /// BGT: least time between blocks in opposite directions.
    pub block_guard: Ticks,
    /// What the blocks' epilogues are.
    pub edc: Edc,
}

/// Source: ISO/IEC 7816-3: characters of an ATR follow each other within 9600 etu.
const ATR_WAITING_ETU: u64 = 9600;
/// Source: ISO/IEC 7816-3, T=1: the block guard time is 22 etu.
const BLOCK_GUARD_ETU: u64 = 22;
/// Source: ISO/IEC 7816-3: the guard time without extra guard time; 11 in T=1 with N = 255.
const GUARD_ETU: u64 = 12;
/// N that stands for the shortest guard time.
const N_SHORTEST: u8 = 255;

impl Timing {
    /// While the card answers to a reset.
    pub fn at_reset(clock_khz: u32) -> Timing {
        let rate = Rate::at_reset(clock_khz);
        Timing {
            rate,
            guard: rate.etu(GUARD_ETU),
            work_waiting: rate.etu(ATR_WAITING_ETU),
            character_waiting: rate.etu(ATR_WAITING_ETU),
            block_waiting: rate.etu(ATR_WAITING_ETU),
            block_guard: rate.etu(BLOCK_GUARD_ETU),
            edc: Edc::Lrc,
        }
    }

    /// What `parameters` mean at `rate` for protocol T=`t`.
    ///
    /// Source: ISO/IEC 7816-3: GT = 12 etu + N·(F/D)/f where N's F and D are the ones in force for T=0 and T=1 (those of
    /// TA1 for T=15, which is not modelled); WT = WI·960·F/f; CWT = (11 + 2^CWI) etu; BWT = 11 etu + 2^BWI·960·372/f.
    pub fn new(parameters: &Parameters, t: u8, rate: Rate) -> Timing {
        let guard_etu = match parameters.extra_guard {
            N_SHORTEST if t == 1 => GUARD_ETU - 1,
            N_SHORTEST => GUARD_ETU,
            n => GUARD_ETU + u64::from(n),
        };
        let block_cycles = (1u64 << parameters.bwi) * 960 * u64::from(F_DEFAULT);
        Timing {
            rate,
            guard: rate.etu(guard_etu),
            work_waiting: rate.cycles(u64::from(parameters.wi) * 960 * u64::from(rate.f)),
            character_waiting: rate.etu(11 + (1 << parameters.cwi)),
            block_waiting: rate.cycles(rate.etu_in_cycles(11) + block_cycles),
            block_guard: rate.etu(BLOCK_GUARD_ETU),
            edc: parameters.edc,
        }
    }
}
