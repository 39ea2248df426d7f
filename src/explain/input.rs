//! Text from anywhere, line by line: any encoding that debuggers write, any line end, any length.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

/// How much of a line is looked at. The framework's longest record has 256 bytes of arguments.
const LONGEST: usize = 16 * 1024;
/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// The lines of a text that may be gigabytes long. Keeps one line.
pub(super) struct Lines<R: Read> {
    reader: BufReader<DecodeReaderBytes<BufReader<R>, Vec<u8>>>,
    line: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// The text's lines. UTF-8 with and without its mark, and what Windows calls Unicode: UTF-16, marked or not.
    ///
    /// # Errors
    /// The reader's.
    pub(super) fn new(reader: R) -> io::Result<Lines<R>> {
        let mut reader = BufReader::with_capacity(CHUNK, reader);
        let encoding = unmarked_utf16(reader.fill_buf()?);
        let decoded = DecodeReaderBytesBuilder::new().encoding(encoding).build(reader);
        Ok(Lines { reader: BufReader::with_capacity(CHUNK, decoded), line: Vec::new(), number: 0 })
    }

    /// The next line with its number, without its end. What is not text is replaced by U+FFFD, and what is beyond
    /// [`LONGEST`] is left out.
    ///
    /// # Errors
    /// The reader's.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Cow<'_, str>)>> {
        self.line.clear();
        let read = (&mut self.reader).take(LONGEST as u64).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        if read == LONGEST && !self.line.ends_with(b"\n") {
            self.reader.skip_until(b'\n')?;
        }
        self.number += 1;
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some((self.number, String::from_utf8_lossy(line))))
    }
}

/// Debugger output is ASCII but for names, so that every other byte of it is zero in UTF-16.
fn unmarked_utf16(start: &[u8]) -> Option<&'static Encoding> {
    match start.first_chunk() {
        Some([1..=u8::MAX, 0, 1..=u8::MAX, 0]) => Some(UTF_16LE),
        Some([0, 1..=u8::MAX, 0, 1..=u8::MAX]) => Some(UTF_16BE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(bytes).unwrap();
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            assert_eq!(number as usize, all.len() + 1);
            all.push(line.into_owned());
        }
        all
    }

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn every_encoding_that_debuggers_write_gives_the_same_lines() {
        let text = "1: FxIFRStart - ö\r\n2: a\nlast";
        let expected = ["1: FxIFRStart - ö", "2: a", "last"];
        assert_eq!(lines(text.as_bytes()), expected);
        assert_eq!(lines(&[b"\xEF\xBB\xBF", text.as_bytes()].concat()), expected);
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            assert_eq!(lines(&utf16(text, order)), expected);
            assert_eq!(lines(&utf16(&format!("\u{FEFF}{text}"), order)), expected);
        }
    }

    #[test]
    fn what_is_not_text_and_what_is_too_long_are_no_errors() {
        assert_eq!(lines(b"a\xFFb\n"), ["a\u{FFFD}b"]);
        let long = [&[b'x'; 3 * LONGEST][..], b"\nnext\n"].concat();
        assert_eq!(lines(&long), ["x".repeat(LONGEST), "next".into()]);
        assert_eq!(lines(b""), [""; 0]);
    }
}
