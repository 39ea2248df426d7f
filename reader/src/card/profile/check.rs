//! From tables to an image and back.

use std::ops::Range;

use toml::Spanned;

use super::schema::*;
use crate::atr::{Atr, AtrParts, Convention};
use crate::card::document::{self, BYTES_HELP, DescriptionError};
use crate::card::iso7816::files::{Body, Content, Ef, FileRef, FileTree, MF_ID, NAME_LEN_MAX, Records, Structure};
use crate::card::iso7816::security::{Access, PINS_MAX};
use crate::card::iso7816::{CHANNELS_MAX, DataObject, Image, Pin};
use crate::hex::Hex;
use crate::transmission::Edc;

/// The largest offset that a command can name is of 15 bits, with a byte behind it.
const FILE_SIZE_MAX: usize = 0x8000;
/// Record numbers 1 to 254.
const RECORDS_MAX: usize = 254;
/// One response carries a record.
const RECORD_LENGTH_MAX: usize = 255;
/// A data object that needs no more than a length of two bytes.
const OBJECT_SIZE_MAX: usize = 0xFFFF;

type Result<T> = std::result::Result<T, DescriptionError>;

/// What is needed to say where something is wrong.
struct Checker<'a> {
    text: &'a str,
    serial: u32,
    files: FileTree,
    pins: Vec<Pin>,
}

/// Checks what the tables say and makes an image of it.
pub(super) fn image(text: &str, table: &ProfileTable, serial: u32) -> Result<Image> {
    let mut checker = Checker { text, serial, files: FileTree::new(), pins: Vec::new() };
    let channels = usize::from(*table.channels.get_ref());
    if !(1..=CHANNELS_MAX).contains(&channels) {
        return Err(
            checker.error(table.channels.span(), format!("{channels} channels; a card has 1 to {CHANNELS_MAX}"))
        );
    }
    let atr = checker.atr(&table.atr)?;
    // DFs first, as PINs may belong to them and EFs need PINs.
    for file in table.file.iter().filter(|file| file.kind == FileKind::Df) {
        checker.df(file)?;
    }
    checker.pins(&table.pin)?;
    for file in table.file.iter().filter(|file| file.kind != FileKind::Df) {
        checker.ef(file)?;
    }
    let objects = checker.objects(&table.object)?;
    let Checker { files, pins, .. } = checker;
    Ok(Image { title: table.title.clone(), atr, channels, files, pins, objects })
}

impl Checker<'_> {
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> DescriptionError {
        DescriptionError::at(self.text, span, message)
    }

    fn bytes(&self, text: &Spanned<String>) -> Result<Vec<u8>> {
        document::bytes(text.get_ref(), self.serial)
            .map_err(|error| self.error(text.span(), error.to_string()).help(BYTES_HELP))
    }

    fn atr(&self, table: &Spanned<AtrTable>) -> Result<Atr> {
        let parts = table.get_ref();
        if let Some(text) = &parts.bytes {
            let atr = Atr::parse(&self.bytes(text)?).map_err(|error| self.error(text.span(), error.to_string()))?;
            atr.parameters().map_err(|error| self.error(text.span(), error.to_string()))?;
            return Ok(atr);
        }
        let historical = parts.history.as_ref().map_or(Ok(Vec::new()), |text| self.bytes(text))?;
        let built = AtrParts {
            convention: match parts.convention {
                Some(ConventionName::Inverse) => Convention::Inverse,
                _ => Convention::Direct,
            },
            ta1: parts.ta1,
            extra_guard: parts.extra_guard,
            ta2: parts.ta2,
            wi: parts.wi,
            protocols: parts.protocols.as_deref().unwrap_or(&[0]),
            ifsc: parts.ifsc,
            bwi_cwi: parts.bwi_cwi,
            edc: if parts.crc { Edc::Crc } else { Edc::Lrc },
            clock_and_classes: parts.clock_and_classes,
            historical: &historical,
        };
        built.build().map_err(|error| self.error(table.span(), format!("these parts make no ATR: {error}")))
    }

    /// Ids of a path, and the DF that the last one is to be in.
    fn path(&self, path: &Spanned<String>) -> Result<(FileRef, u16)> {
        let wrong = |message: String| {
            self.error(path.span(), message).help("a path is file ids below the MF, four digits each: \"DF01/0101\"")
        };
        let mut at = FileRef::MF;
        let mut ids = path.get_ref().split('/').peekable();
        while let Some(text) = ids.next() {
            let id = u16::from_str_radix(text, 16).ok().filter(|_| text.len() == 4);
            let id = id.ok_or_else(|| wrong(format!("{text:?} is no file id")))?;
            if id == MF_ID || matches!(id, 0x0000 | 0x3FFF | 0xFFFF) {
                return Err(wrong(format!("the file id {id:04X} is reserved")));
            }
            if ids.peek().is_none() {
                return Ok((at, id));
            }
            at = self.files.child(at, id).filter(|&df| self.files.is_df(df)).ok_or_else(|| {
                self.error(path.span(), format!("there is no DF {id:04X} for this file to be in"))
                    .help("describe the DF in a [[file]] of its own with kind = \"df\", in front of what is in it")
            })?;
        }
        Err(wrong("an empty path".to_owned()))
    }

    fn place(&mut self, path: &Spanned<String>, body: Body) -> Result<()> {
        let (df, id) = self.path(path)?;
        if self.files.child(df, id).is_some() {
            return Err(self.error(path.span(), format!("the file {} is there already", path.get_ref())));
        }
        self.files.add(df, id, body);
        Ok(())
    }

    fn df(&mut self, file: &FileTable) -> Result<()> {
        let unsuitable = [
            file.sfi.as_ref().map(|field| ("sfi", field.span())),
            file.content.as_ref().map(|field| ("content", field.span())),
            file.size.as_ref().map(|field| ("size", field.span())),
            file.fill.as_ref().map(|field| ("fill", field.span())),
            file.read.as_ref().map(|field| ("read", field.span())),
            file.update.as_ref().map(|field| ("update", field.span())),
        ];
        if let Some((name, span)) = unsuitable.into_iter().flatten().next() {
            return Err(self.error(span, format!("a DF has no {name}")));
        }
        let name = file.aid.as_ref().map_or(Ok(Vec::new()), |aid| self.bytes(aid))?;
        if let Some(aid) = file.aid.as_ref().filter(|_| !(1..=NAME_LEN_MAX).contains(&name.len())) {
            let message = format!("a DF name of {} bytes; it has 1 to {NAME_LEN_MAX}", name.len());
            return Err(self.error(aid.span(), message));
        }
        if file.path.get_ref().eq_ignore_ascii_case("3F00") {
            self.files.name_mf(name);
            return Ok(());
        }
        self.place(&file.path, Body::Df { name })
    }

    fn pins(&mut self, tables: &[PinTable]) -> Result<()> {
        for table in tables {
            if self.pins.len() == PINS_MAX {
                return Err(self.error(table.name.span(), format!("a card has at most {PINS_MAX} PINs")));
            }
            let pin = self.pin(table)?;
            self.pins.push(pin);
        }
        for (at, table) in tables.iter().enumerate() {
            let Some(name) = &table.unblocked_by else { continue };
            let by = self.pins.iter().position(|pin| pin.name == *name.get_ref());
            self.pins[at].unblocked_by = Some(by.ok_or_else(|| self.no_such_pin(name.span(), name.get_ref()))?);
        }
        Ok(())
    }

    fn pin(&self, table: &PinTable) -> Result<Pin> {
        let name = table.name.get_ref();
        if matches!(name.as_str(), "always" | "never") || self.pins.iter().any(|pin| pin.name == *name) {
            return Err(self.error(table.name.span(), format!("the name {name:?} is taken")));
        }
        let df = table.df.as_ref().map(|path| {
            let (parent, id) = self.path(path)?;
            let df = self.files.child(parent, id).filter(|&file| self.files.is_df(file));
            df.ok_or_else(|| self.error(path.span(), format!("there is no DF {}", path.get_ref())))
        });
        let df = df.transpose()?;
        let reference = *table.reference.get_ref();
        let allowed = if df.is_some() { 0x81..=0x9F } else { 0x01..=0x1F };
        if !allowed.contains(&reference) {
            let message =
                format!("the reference {reference:02X} is not one of {:02X} to {:02X}", allowed.start(), allowed.end());
            return Err(self
                .error(table.reference.span(), message)
                .help("bit 8 of P2 is set for a PIN of a DF, and clear for one of the card"));
        }
        if self.pins.iter().any(|pin| (pin.reference, pin.df) == (reference, df)) {
            return Err(self.error(table.reference.span(), format!("the reference {reference:02X} is taken")));
        }
        let [length_min, length_max] = *table.length.get_ref();
        if length_min == 0 || length_min > length_max || length_max > 127 {
            return Err(self.error(table.length.span(), "a PIN has [least, most] bytes, from 1 to 127"));
        }
        let value = self.bytes(&table.value)?;
        if !(length_min..=length_max).contains(&value.len()) {
            let message = format!("a value of {} bytes; length says {length_min} to {length_max}", value.len());
            return Err(self.error(table.value.span(), message));
        }
        if table.pad.is_some() && value.last() == table.pad.as_ref() {
            return Err(self
                .error(table.value.span(), "the value ends with its padding")
                .help("leave the padding out"));
        }
        let tries_max = *table.tries.get_ref();
        if !(1..=15).contains(&tries_max) {
            return Err(self.error(table.tries.span(), format!("{tries_max} tries; 63CX can say 1 to 15")));
        }
        let tries_left = table.tries_left.as_ref().map_or(tries_max, |left| *left.get_ref());
        if let Some(left) = table.tries_left.as_ref().filter(|_| tries_left > tries_max) {
            return Err(self.error(left.span(), format!("{tries_left} tries left of {tries_max}")));
        }
        Ok(Pin {
            name: name.clone(),
            reference,
            df,
            value,
            pad: table.pad,
            length_min,
            length_max,
            tries_max,
            tries_left,
            enabled: table.enabled,
            may_be_disabled: table.may_be_disabled,
            unblocked_by: None,
        })
    }

    fn no_such_pin(&self, span: Range<usize>, name: &str) -> DescriptionError {
        let known: Vec<&str> = self.pins.iter().map(|pin| pin.name.as_str()).collect();
        let error = self.error(span, format!("there is no PIN {name:?}"));
        match known[..] {
            [] => error.help("describe it in a [[pin]]"),
            _ => error.help(format!("the PINs are {}", known.join(", "))),
        }
    }

    fn access(&self, who: &Option<Spanned<Who>>, default: Access) -> Result<Access> {
        let Some(who) = who else { return Ok(default) };
        let bit = |name: &str| {
            let pin = self.pins.iter().position(|pin| pin.name == name);
            pin.map(|at| 1 << at).ok_or_else(|| self.no_such_pin(who.span(), name))
        };
        match who.get_ref() {
            Who::One(name) if name == "always" => Ok(Access::Always),
            Who::One(name) if name == "never" => Ok(Access::Never),
            Who::One(name) => bit(name).map(Access::AnyOf),
            Who::Any(names) => {
                names.iter().try_fold(0, |bits, name| bit(name).map(|bit| bits | bit)).map(Access::AnyOf)
            }
        }
    }

    fn ef(&mut self, file: &FileTable) -> Result<()> {
        if let Some(aid) = &file.aid {
            return Err(self.error(aid.span(), "an EF has no aid").help("only DFs do: kind = \"df\""));
        }
        let (df, _) = self.path(&file.path)?;
        let sfi = file.sfi.as_ref().map(|sfi| {
            let number = *sfi.get_ref();
            if !(1..=30).contains(&number) {
                return Err(self.error(sfi.span(), format!("a short EF identifier of {number}; it is 1 to 30")));
            }
            if self.files.by_sfi(df, number).is_some() {
                return Err(self.error(sfi.span(), format!("the short EF identifier {number} is taken in this DF")));
            }
            Ok(number)
        });
        let content = match file.kind {
            FileKind::LinearFixed => Content::Records(self.records(file, Structure::LinearFixed)?),
            FileKind::LinearVariable => Content::Records(self.records(file, Structure::LinearVariable)?),
            FileKind::Cyclic => Content::Records(self.records(file, Structure::Cyclic)?),
            FileKind::Transparent | FileKind::Df => Content::Transparent(self.transparent(file)?),
        };
        let ef = Ef {
            sfi: sfi.transpose()?,
            content,
            read: self.access(&file.read, Access::Always)?,
            update: self.access(&file.update, Access::Never)?,
        };
        self.place(&file.path, Body::Ef(ef))
    }

    fn transparent(&self, file: &FileTable) -> Result<Vec<u8>> {
        if file.records.is_some() || file.capacity.is_some() {
            let help = "say kind = \"linear-fixed\", \"linear-variable\" or \"cyclic\"";
            return Err(self.error(file.path.span(), "a transparent EF has no records").help(help));
        }
        let mut bytes = file.content.as_ref().map_or(Ok(Vec::new()), |content| self.bytes(content))?;
        let size = file.size.as_ref().map_or(bytes.len(), |size| *size.get_ref());
        let span = file.size.as_ref().map(Spanned::span).or(file.content.as_ref().map(Spanned::span));
        let span = span.unwrap_or(file.path.span());
        if size == 0 {
            return Err(self.error(span, "an EF without content").help("give it content, or a size"));
        }
        if size > FILE_SIZE_MAX {
            return Err(self.error(span, format!("an EF of {size} bytes; READ BINARY reaches {FILE_SIZE_MAX}")));
        }
        if size < bytes.len() {
            return Err(self.error(span, format!("a size of {size} for a content of {} bytes", bytes.len())));
        }
        let fill = file.fill.as_ref().map_or(&Fill::Byte(0), Spanned::get_ref);
        bytes.extend((bytes.len()..size).map(|offset| match fill {
            Fill::Byte(byte) => *byte,
            Fill::Pattern(Pattern::Offset) => {
                let [high, low] = (offset as u16).to_be_bytes();
                high.wrapping_add(low)
            }
        }));
        Ok(bytes)
    }

    fn records(&self, file: &FileTable, structure: Structure) -> Result<Records> {
        if let Some(content) = &file.content {
            return Err(self
                .error(content.span(), "an EF with records has no content")
                .help("give it records = [\"...\"]"));
        }
        let Some(size) = &file.size else {
            let help = "say how many bytes each record has, or at most has: size = 16";
            return Err(self.error(file.path.span(), "an EF with records needs a size").help(help));
        };
        let length = *size.get_ref();
        if !(1..=RECORD_LENGTH_MAX).contains(&length) {
            return Err(
                self.error(size.span(), format!("records of {length} bytes; they have 1 to {RECORD_LENGTH_MAX}"))
            );
        }
        let given = file.records.as_deref().unwrap_or_default();
        let capacity = file.capacity.as_ref().map_or(given.len(), |capacity| *capacity.get_ref());
        if capacity < given.len() || !(1..=RECORDS_MAX).contains(&capacity) {
            let span = file.capacity.as_ref().map_or(file.path.span(), Spanned::span);
            let message =
                format!("room for {capacity} records; {} are given, and there can be 1 to {RECORDS_MAX}", given.len());
            return Err(self.error(span, message));
        }
        let list = given.iter().map(|text| {
            let record = self.bytes(text)?;
            let fits = match structure {
                Structure::LinearVariable => (1..=length).contains(&record.len()),
                _ => record.len() == length,
            };
            let wrong = || self.error(text.span(), format!("a record of {} bytes; size says {length}", record.len()));
            if fits { Ok(record) } else { Err(wrong()) }
        });
        Ok(Records { structure, length, capacity, list: list.collect::<Result<_>>()? })
    }

    fn objects(&self, tables: &[ObjectTable]) -> Result<Vec<DataObject>> {
        let mut objects: Vec<DataObject> = Vec::new();
        for table in tables {
            let tag = *table.tag.get_ref();
            if tag == 0 || tag > 0xFF_FFFF || objects.iter().any(|object| object.tag == tag) {
                return Err(self.error(table.tag.span(), format!("the tag {tag:X} is taken, or is none")));
            }
            let value = self.bytes(&table.value)?;
            let size_max = table.size.as_ref().map_or(value.len(), |size| *size.get_ref());
            if size_max < value.len() || size_max > OBJECT_SIZE_MAX {
                let span = table.size.as_ref().map_or(table.value.span(), Spanned::span);
                let message =
                    format!("a size of {size_max} for a value of {} bytes; at most {OBJECT_SIZE_MAX}", value.len());
                return Err(self.error(span, message));
            }
            let read = self.access(&table.read, Access::Always)?;
            let update = self.access(&table.update, Access::Never)?;
            objects.push(DataObject { tag, value, size_max, read, update });
        }
        Ok(objects)
    }
}

/// The tables that make this image again.
pub(super) fn table(image: &Image) -> ProfileTable {
    let names = |access| who(access, &image.pins);
    let path = |file| spanned(path_of(&image.files, file));
    let pins = image.pins.iter().map(|pin| PinTable {
        name: spanned(pin.name.clone()),
        reference: spanned(pin.reference),
        value: hex(&pin.value),
        length: spanned([pin.length_min, pin.length_max]),
        pad: pin.pad,
        tries: spanned(pin.tries_max),
        tries_left: Some(spanned(pin.tries_left)),
        df: pin.df.map(path),
        unblocked_by: pin.unblocked_by.map(|by| spanned(image.pins[by].name.clone())),
        enabled: pin.enabled,
        may_be_disabled: pin.may_be_disabled,
    });
    let files = image.files.all().filter_map(|file| match image.files.body(file) {
        Body::Df { name } if file == FileRef::MF && name.is_empty() => None,
        body => Some(file_table(path(file), body, names)),
    });
    let objects = image.objects.iter().map(|object| ObjectTable {
        tag: spanned(object.tag),
        value: hex(&object.value),
        size: Some(spanned(object.size_max)),
        read: Some(spanned(names(object.read))),
        update: Some(spanned(names(object.update))),
    });
    ProfileTable {
        title: image.title.clone(),
        channels: spanned(image.channels as u8),
        atr: spanned(AtrTable { bytes: Some(hex(image.atr.as_bytes())), ..AtrTable::default() }),
        pin: pins.collect(),
        file: files.collect(),
        object: objects.collect(),
    }
}

fn file_table(path: Spanned<String>, body: &Body, names: impl Fn(Access) -> Who) -> FileTable {
    let mut table = FileTable {
        path,
        kind: FileKind::Df,
        aid: None,
        sfi: None,
        content: None,
        size: None,
        fill: None,
        capacity: None,
        records: None,
        read: None,
        update: None,
    };
    let ef = match body {
        Body::Df { name } => {
            table.aid = (!name.is_empty()).then(|| hex(name));
            return table;
        }
        Body::Ef(ef) => ef,
    };
    table.sfi = ef.sfi.map(spanned);
    table.read = Some(spanned(names(ef.read)));
    table.update = Some(spanned(names(ef.update)));
    match &ef.content {
        Content::Transparent(bytes) => {
            table.kind = FileKind::Transparent;
            table.content = Some(hex(bytes));
        }
        Content::Records(records) => {
            table.kind = match records.structure {
                Structure::LinearFixed => FileKind::LinearFixed,
                Structure::LinearVariable => FileKind::LinearVariable,
                Structure::Cyclic => FileKind::Cyclic,
            };
            table.size = Some(spanned(records.length));
            table.capacity = Some(spanned(records.capacity));
            table.records = Some(records.list.iter().map(|record| hex(record)).collect());
        }
    }
    table
}

fn path_of(files: &FileTree, file: FileRef) -> String {
    let id = format!("{:04X}", files.id(file));
    match files.parent(file) {
        FileRef::MF => id,
        parent => format!("{}/{id}", path_of(files, parent)),
    }
}

fn who(access: Access, pins: &[Pin]) -> Who {
    match access {
        Access::Always => Who::One("always".to_owned()),
        Access::Never => Who::One("never".to_owned()),
        Access::AnyOf(bits) => {
            let named = pins.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
            Who::Any(named.map(|(_, pin)| pin.name.clone()).collect())
        }
    }
}

fn hex(bytes: &[u8]) -> Spanned<String> {
    spanned(Hex(bytes).to_string())
}

/// What is written has no place yet.
fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}
