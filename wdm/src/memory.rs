//! Buffers: pool blocks, the caller's pages, and the MDLs that describe them.
//!
//! Source: Windows driver documentation, "Buffer Descriptions for I/O Control Codes".

use crate::address::Pool;
use crate::machine::Machine;
use crate::slab::Id;
use crate::status::NtStatus;

/// One block of memory.
#[derive(Default, Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
}

/// A stretch of a block: what a pointer and a length are in C.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    block: Id,
    offset: u32,
    length: u32,
}

impl Span {
    /// Length in bytes.
    pub fn len(self) -> u32 {
        self.length
    }

    /// Whether nothing is described.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// A NULL pointer that is said to be followed by so many bytes. It exists; whoever touches it stops the machine.
    pub fn null(length: u32) -> Span {
        // The first generation of a place is never in use.
        let nowhere = Id::from_word(1 << 32).expect("its generation is 1");
        Span { block: nowhere, offset: 0, length }
    }

    /// Whether this is a NULL pointer.
    pub fn is_null(self) -> bool {
        self.block == Span::null(0).block
    }

    /// The part that begins `offset` bytes in and is `length` long; `None` where that is not inside.
    pub fn part(self, offset: u32, length: u32) -> Option<Span> {
        let end = offset.checked_add(length)?;
        (end <= self.length).then(|| Span { block: self.block, offset: self.offset + offset, length })
    }

    fn range(self) -> std::ops::Range<usize> {
        self.offset as usize..self.offset as usize + self.length as usize
    }

    /// The address that a driver would see.
    pub fn address(self) -> u64 {
        if self.is_null() {
            return 0;
        }
        Pool::Memory.address(self.block.index()) + u64::from(self.offset)
    }
}

impl Machine {
    /// `ExAllocatePool2`: as [`Machine::allocate_block`], and may find no memory.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES (the DDI returns NULL).
    #[inline]
    pub fn allocate_pool(&mut self, bytes: &[u8], length: u32) -> Result<Span, NtStatus> {
        self.allocation_point("ExAllocatePool2")?;
        Ok(self.allocate_block(bytes, length))
    }

    /// A block that holds `bytes` and then zeroes up to `length`, whose allocation does not fail: the memory of a program,
    /// and whatever else a test needs.
    ///
    /// Freed blocks are taken first, so a steady state reuses its own.
    pub fn allocate_block(&mut self, bytes: &[u8], length: u32) -> Span {
        let (block, data) = self.blocks.take();
        let length = length.max(bytes.len() as u32);
        data.bytes.clear();
        data.bytes.extend_from_slice(bytes);
        data.bytes.resize(length as usize, 0);
        Span { block, offset: 0, length }
    }

    /// `ExFreePool`. Every span of the block is stale from now on.
    pub fn free_block(&mut self, span: Span) {
        if !self.blocks.release(span.block) {
            self.undefined("ExFreePool", "a block of pool is freed once");
        }
    }

    /// The bytes of `span`.
    #[inline]
    pub fn bytes(&mut self, span: Span) -> &[u8] {
        self.bytes_mut(span)
    }

    /// The bytes of `span`, to change.
    #[inline]
    pub fn bytes_mut(&mut self, span: Span) -> &mut [u8] {
        // A span is made and divided only inside its block, so the range is good for as long as the block lives.
        &mut self.block_mut(span.block)[span.range()]
    }

    fn block_mut(&mut self, block: Id) -> &mut Vec<u8> {
        let exit = self.exit();
        match self.blocks.get_mut(block) {
            Some(block) => &mut block.bytes,
            None if block == Span::null(0).block => {
                exit.undefined("memory access", "a NULL pointer is not followed, whatever length comes with it")
            }
            None => exit.undefined("memory access", "a buffer is not touched after it was freed"),
        }
    }

    /// Copies as much of `from` as fits to the beginning of `to`, and returns how much that was.
    ///
    /// The two may overlap: a METHOD_BUFFERED request's input and output are the same memory.
    pub fn copy_bytes(&mut self, from: Span, to: Span) -> u32 {
        let length = from.length.min(to.length);
        let source = from.offset as usize..(from.offset + length) as usize;
        if from.block == to.block {
            self.block_mut(to.block).copy_within(source, to.offset as usize);
        } else {
            // Taken out and put back: an empty Vec costs nothing, and the two blocks are then borrowed apart.
            let bytes = std::mem::take(self.block_mut(from.block));
            self.bytes_mut(to)[..length as usize].copy_from_slice(&bytes[source]);
            *self.block_mut(from.block) = bytes;
        }
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_outside_its_span_does_not_exist() {
        let mut machine = Machine::new();
        let span = machine.allocate_block(b"abcdef", 8);
        assert_eq!(span.len(), 8);
        let part = span.part(2, 3).unwrap();
        assert_eq!(machine.bytes(part), b"cde");
        assert_eq!(part.part(2, 2), None);
        assert_eq!(span.part(u32::MAX, 2), None);
    }

    #[test]
    fn copying_between_blocks_stops_at_the_shorter_one() {
        let mut machine = Machine::new();
        let from = machine.allocate_block(b"abcdef", 0);
        let to = machine.allocate_block(b"", 4);
        assert_eq!(machine.copy_bytes(from, to), 4);
        assert_eq!(machine.bytes(to), b"abcd");
        assert_eq!(machine.bytes(from), b"abcdef");
    }

    #[test]
    fn a_freed_block_cannot_be_read() {
        let mut machine = Machine::new();
        let span = machine.allocate_block(b"x", 1);
        machine.free_block(span);
        let stop = machine.run(|m| m.bytes(span).len()).unwrap_err();
        assert!(stop.to_string().contains("not touched after it was freed"), "{stop}");
    }
}
