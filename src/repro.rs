//! The story: a bus too small to forward, its log, the reason, the fix.

use std::fmt;

use serde::Serialize;
use vbus_bus::{BusConfig, FormatCall, Sender};
use vbus_reader::ReaderConfig;
use vbus_wdm::FilterStyle;

use crate::attempt::Attempt;
use crate::explain::{Shortfall, Stack, write_stacks};
use crate::probe::Probe;
use crate::setup::{Setup, SetupError, VirtualBus};
use crate::style::{BOLD, DIM, PLAIN, spaced_hex};

/// The reader of the story, and a READ BINARY of its card's short file 1: a text with the card's number.
const READER: u32 = 7;
const COMMAND: &[u8] = &[0x00, 0xB0, 0x81, 0x00, 0x00];

/// What may be different from the story; each option changes the one thing it names.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// StackSize of the bus FDO in the first attempt
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(i8).range(2..=120))]
    pub bus_stack: i8,
    /// What the reader's function driver adds to its StackSize
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i8).range(0..=100))]
    pub reader_extra: i8,
    /// Filters above the bus FDO; each uses the stack location that it adds
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=20))]
    pub filters: u8,
    /// Class filters above the reader's FDO
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=20))]
    pub reader_filters: u8,
    /// Turn the framework verifier on for both drivers
    #[arg(long)]
    pub verifier: bool,
    /// Forward in a request that the bus driver creates, instead of the program's own
    #[arg(long)]
    pub driver_created: bool,
    /// Format an ordinary IOCTL, as in the story's own capture (`internal 0`)
    #[arg(long)]
    pub ordinary_ioctl: bool,
}

/// The whole story: attempts from the first StackSize to the first that works.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // The names say it, and the README shows them.
pub struct Story {
    pub target_stack_size: i8,
    pub minimum_bus_stack_size: i8,
    pub attempts: Vec<Attempt>,
    #[serde(skip)]
    stacks: [Stack; 2],
    /// How many of the first attempt's lines a log without verbose records has.
    #[serde(skip)]
    quiet_lines: usize,
    #[serde(skip)]
    shortfall: Option<Shortfall>,
    #[serde(skip)]
    card: Vec<u8>,
    #[serde(skip)]
    options: Options,
}

impl Options {
    fn format_call(&self) -> &'static str {
        if self.ordinary_ioctl {
            "WdfIoTargetFormatRequestForIoctl"
        } else {
            "WdfIoTargetFormatRequestForInternalIoctl"
        }
    }

    /// A bus whose FDO has `extra` more locations than it would have by itself.
    fn build(&self, extra: i8, verbose: bool) -> Result<VirtualBus, SetupError> {
        let format = if self.ordinary_ioctl { FormatCall::Ioctl } else { FormatCall::InternalIoctl };
        let sender = if self.driver_created { Sender::DriverCreated } else { Sender::Original };
        Setup::default()
            .bus(BusConfig { extra_stack: extra, format, sender, ..BusConfig::default() })
            .bus_filters(vec![FilterStyle::Copy; self.filters.into()])
            .reader_config(ReaderConfig { extra_stack: self.reader_extra, ..ReaderConfig::default() })
            .reader_filters(vec![FilterStyle::Copy; self.reader_filters.into()])
            .verifier(self.verifier)
            .verbose(verbose)
            .reader(READER)
            .build()
    }

    fn attempt(&self, extra: i8, verbose: bool) -> Result<(VirtualBus, Probe), SetupError> {
        let mut vbus = self.build(extra, verbose)?;
        let probe = vbus.probe(READER, COMMAND)?;
        Ok((vbus, probe))
    }
}

/// Tells the story: builds the stacks, sends the request, and looks for the smallest bus that can forward it.
///
/// # Errors
/// [`SetupError`] if the stacks cannot be built.
pub fn run(options: &Options) -> Result<Story, SetupError> {
    let natural = options.build(0, true)?.bus_fdo_stack_size();
    let quiet_lines = options.attempt(options.bus_stack - natural, false)?.1.format_lines().count();
    let mut minimum = None;
    let mut tries = Vec::new();
    for size in natural.. {
        let tried = options.attempt(size - natural, true)?;
        let accepted = !tried.1.refused_in_format();
        minimum = minimum.or(accepted.then_some(size));
        if size >= options.bus_stack {
            tries.push(tried);
        }
        if accepted && size >= options.bus_stack {
            break;
        }
    }
    let minimum = minimum.unwrap_or(i8::MAX);
    // The loop ends after it kept one.
    let ((vbus, probe), (_, last)) = (&tries[0], &tries[tries.len() - 1]);
    let stacks = [vbus.describe(&vbus.bus_stack(0)), vbus.describe(&vbus.reader_stack(0, 0))];
    Ok(Story {
        target_stack_size: stacks[1].first().map_or(0, |top| top.1),
        minimum_bus_stack_size: minimum,
        attempts: tries.iter().map(|(vbus, probe)| Attempt::of(vbus, probe, options.format_call())).collect(),
        stacks,
        quiet_lines,
        shortfall: probe.refused_in_format().then(|| probe.shortfall(vbus, options.format_call(), minimum)),
        card: last.output.clone(),
        options: options.clone(),
    })
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last)) = (self.attempts.first(), self.attempts.last()) else { return Ok(()) };
        let request = if self.options.driver_created { "a request of its own" } else { "the program's own request" };
        writeln!(
            f,
            "{BOLD}A program sends IOCTL 0x55ff9c0e for reader {READER}; the bus forwards it to its child.{PLAIN}\n"
        )?;
        writeln!(f, "  {:<38}the reader's stack", "the bus's stack")?;
        write_stacks(f, &self.stacks[0], &self.stacks[1], "  <- the bus's I/O target")?;
        writeln!(
            f,
            "\nvbus formats {request} with {}. Its log, as !wdflogdump prints it:\n",
            self.options.format_call()
        )?;
        first.log.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let recorded = if self.quiet_lines == 1 { "only the ValidateTarget line" } else { "none of this" };
        writeln!(f, "{DIM}(verbose logging is on; with VerboseOn = 0, the default, {recorded} is recorded){PLAIN}\n")?;
        if let Some(shortfall) = &self.shortfall {
            writeln!(f, "{shortfall}")?;
        }
        Attempt::write_table(f, &self.attempts, self.target_stack_size)?;
        if self.options.driver_created {
            writeln!(
                f,
                "{DIM}(what is sent is not this IRP: a created request gets one of its own, as big as the target needs){PLAIN}"
            )?;
        }
        if last.output.is_none() {
            let place = last.failed_in.as_deref().unwrap_or_default();
            return writeln!(
                f,
                "\nNow the format call accepts it, and {place} refuses it: a reader takes this code as an internal IOCTL only."
            );
        }
        let (text, status_word) = self.card.split_at(self.card.len().saturating_sub(2));
        writeln!(f, "\nThe card in reader {READER} answers {}", spaced_hex(&self.card))?;
        writeln!(f, "which is \"{}\" and the status word {}.", String::from_utf8_lossy(text), spaced_hex(status_word))?;
        if self.target_stack_size == 4 && self.options.reader_filters == 1 {
            writeln!(
                f,
                "{DIM}(The story counts the fourth location to the I/O target. The framework's source shows that a target caches its"
            )?;
            writeln!(
                f,
                "device's StackSize unchanged, fxiotargetremote.cpp:459: the fourth is the class filter's above the reader.){PLAIN}"
            )?;
        }
        Ok(())
    }
}
