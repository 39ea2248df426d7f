//! The ring.

use super::format::FIRST_TEXT;
use super::site::{Level, Site};

/// The longest argument list of any site.
const ARGUMENTS: usize = 8;

/// One page holds its header (64 bytes) and records.
///
/// Source: `!wdflogdump` of a one-page log prints "reading 4032 bytes".
const PAGE_BYTES: u32 = 4096;
const HEADER_BYTES: u32 = 64;

/// Signature, length, sequence, offset of the previous record, message number, message GUID, time stamp.
///
/// Source: S/inc/private/common/fxifr.h (record with time stamp).
const RECORD_BYTES: u32 = 2 + 2 + 4 + 2 + 2 + 16 + 8;

/// A record: the site and its raw arguments, with the place it takes in the real ring.
#[derive(Clone, Copy)]
struct Record {
    site: &'static Site,
    sequence: u32,
    offset: u32,
    moment: u64,
    arguments: [u64; ARGUMENTS],
}

/// A driver's in-flight recorder.
///
/// It shows exactly the records that a ring of the same number of bytes would: a record that does not fit before the
/// end begins at the start again, and overwrites the oldest. Which those are is found out when somebody reads; writing
/// only takes the next place.
///
/// Source: K/core/tracing.cpp:135-609.
pub struct Log {
    records: Box<[Record]>,
    bytes: u32,
    next_offset: u32,
    sequence: u32,
    /// Texts that records name by number: few, such as the names of types.
    texts: Vec<Box<str>>,
}

/// A line of a dumped log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogLine {
    /// The record's sequence number; the first record of a driver is 1.
    pub sequence: u32,
    /// Its place among the records of all drivers of the machine, as a time stamp would give it.
    pub moment: u64,
    /// Its level.
    pub level: Level,
    /// What `%!FUNC!` prints.
    pub function: &'static str,
    /// The formatted message.
    pub message: String,
}

impl std::fmt::Display for LogLine {
    /// As `!wdflogdump` prints it: `347: FxIoTargetFormatIoctl - enter: …`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} - {}", self.sequence, self.function, self.message)
    }
}

static NOTHING: Site = Site::new("", Level::Verbose, "", "");

impl Default for Log {
    fn default() -> Self {
        Log::new(1)
    }
}

impl Log {
    /// A recorder of `pages` pages (LogPages; Windows allows 1 to 16).
    pub fn new(pages: u32) -> Log {
        let bytes = pages.clamp(1, 16) * PAGE_BYTES - HEADER_BYTES;
        // No more records than this fit; a power of two makes the index a mask.
        let most = (bytes / RECORD_BYTES + 1).next_power_of_two() as usize;
        let nothing = Record { site: &NOTHING, sequence: 0, offset: 0, moment: 0, arguments: [0; ARGUMENTS] };
        Log { records: vec![nothing; most].into(), bytes, next_offset: 0, sequence: 0, texts: Vec::new() }
    }

    /// Writes a record.
    #[inline]
    pub fn record<const N: usize>(&mut self, moment: u64, site: &'static Site, arguments: [u64; N]) {
        const { assert!(N <= ARGUMENTS) };
        self.sequence = self.sequence.wrapping_add(1);
        let length = RECORD_BYTES + site.argument_bytes;
        let offset = if self.next_offset + length > self.bytes { 0 } else { self.next_offset };
        self.next_offset = offset + length;
        let at = self.sequence as usize & (self.records.len() - 1);
        let record = &mut self.records[at];
        record.site = site;
        record.sequence = self.sequence;
        record.offset = offset;
        record.moment = moment;
        record.arguments[..N].copy_from_slice(&arguments);
    }

    /// A text as the word of a `%s` argument.
    pub fn word_of_text(&mut self, text: &str) -> u64 {
        let known = self.texts.iter().position(|known| **known == *text);
        let at = known.unwrap_or_else(|| {
            self.texts.push(text.into());
            self.texts.len() - 1
        });
        FIRST_TEXT + at as u64
    }

    /// The records that nothing overwrote, newest first: those of this lap around the ring, and those of the lap before
    /// that begin where this one has not come yet.
    fn survivors(&self) -> impl Iterator<Item = &Record> {
        let (mask, end) = (self.records.len() - 1, self.next_offset);
        let mut this_lap = true;
        let mut above = end;
        (0..self.records.len() as u32)
            .map(move |back| &self.records[self.sequence.wrapping_sub(back) as usize & mask])
            .take_while(|record| record.sequence > 0)
            .take_while(move |record| {
                if this_lap && record.offset >= above {
                    (this_lap, above) = (false, u32::MAX);
                }
                let survives = record.offset < above && (this_lap || record.offset >= end);
                above = record.offset;
                survives
            })
    }

    /// The sequence number of the newest record; 0 before the first.
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The records that are still there, oldest first, as text.
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines_after(0)
    }

    /// As [`Log::lines`], from the record after `sequence` on.
    pub fn lines_after(&self, sequence: u32) -> Vec<LogLine> {
        let mut wanted: Vec<&Record> = self.survivors().take_while(|record| record.sequence > sequence).collect();
        wanted.reverse();
        wanted
            .into_iter()
            .map(|record| LogLine {
                sequence: record.sequence,
                moment: record.moment,
                level: record.site.level,
                function: record.site.function,
                message: super::format::render(record.site.message, &record.arguments, &self.texts),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SMALL: Site = Site::new("F::Small", Level::Information, "T", "value %d");
    static BIG: Site = Site::new("F::Big", Level::Information, "T", "%p %p %p %p %p %p %p");

    #[test]
    fn sequence_numbers_begin_at_one_and_go_on_when_the_ring_wraps() {
        let mut log = Log::new(1);
        for value in 0..1000 {
            log.record(0, &SMALL, [value]);
        }
        let lines = log.lines();
        let kept = (PAGE_BYTES - HEADER_BYTES) / (RECORD_BYTES + 4);
        assert_eq!(lines.len() as u32, kept);
        assert_eq!(lines.last().unwrap().to_string(), "1000: F::Small - value 999");
        assert!(lines.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence), "no gaps");
    }

    #[test]
    fn records_of_mixed_sizes_never_overlap_in_the_ring() {
        let mut log = Log::new(1);
        for turn in 0..500u64 {
            if turn % 3 == 0 {
                log.record(0, &BIG, [turn; 7])
            } else {
                log.record(0, &SMALL, [turn])
            }
            let mut places: Vec<(u32, u32)> = log
                .survivors()
                .map(|record| (record.offset, record.offset + RECORD_BYTES + record.site.argument_bytes))
                .collect();
            places.sort();
            assert!(places.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{places:?}");
            assert!(places.last().unwrap().1 <= log.bytes);
        }
    }
}
