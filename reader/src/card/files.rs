//! The file tree of a card: one MF, DFs below it, transparent EFs as leaves.
//!
//! Source: ISO/IEC 7816-4, structures for applications and data.

/// The file id every MF has.
pub(super) const MF_ID: u16 = 0x3F00;

/// A file of one tree. Only [`FileTree`] makes these, and it never removes a
/// file, so a reference stays good as long as its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileRef(usize);

impl FileRef {
    /// The root of every tree.
    pub(super) const MF: FileRef = FileRef(0);
}

/// Who may perform an operation on an EF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Always,
    /// Only after a successful VERIFY since the last reset.
    AfterVerify,
    Never,
}

/// A transparent EF: bytes of fixed number, addressed by offset.
#[derive(Debug, Clone)]
pub(super) struct TransparentEf {
    /// Short EF identifier, 1 to 30, unique within the DF.
    pub(super) sfi: Option<u8>,
    pub(super) content: Vec<u8>,
    pub(super) read: Access,
    pub(super) update: Access,
}

#[derive(Debug, Clone)]
enum Body {
    /// The MF or another DF. Only DFs with a name (AID) can be selected by it.
    Df {
        name: &'static [u8],
    },
    Ef(TransparentEf),
}

#[derive(Debug, Clone)]
struct File {
    /// Unique among the children of `parent`.
    id: u16,
    /// The MF is its own parent.
    parent: FileRef,
    body: Body,
}

/// Which of several DFs that match a partial name is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrence {
    First,
    Last,
    /// Counted from the current DF.
    Next,
    /// Counted from the current DF.
    Previous,
}

/// All files of a card. Parents come before their children in `files`.
#[derive(Debug, Clone)]
pub(super) struct FileTree {
    files: Vec<File>,
}

impl FileTree {
    /// A tree with nothing but the MF.
    pub(super) fn new() -> FileTree {
        FileTree { files: vec![File { id: MF_ID, parent: FileRef::MF, body: Body::Df { name: &[] } }] }
    }

    /// Adds a DF named `name`, 1 to 16 bytes, or empty for a DF without name.
    pub(super) fn add_df(&mut self, parent: FileRef, id: u16, name: &'static [u8]) -> FileRef {
        debug_assert!(name.len() <= 16, "a DF name has at most 16 bytes");
        self.add(parent, id, Body::Df { name })
    }

    pub(super) fn add_ef(&mut self, parent: FileRef, id: u16, ef: TransparentEf) -> FileRef {
        debug_assert!(ef.sfi.is_none_or(|sfi| (1..=30).contains(&sfi) && self.by_sfi(parent, sfi).is_none()));
        self.add(parent, id, Body::Ef(ef))
    }

    fn add(&mut self, parent: FileRef, id: u16, body: Body) -> FileRef {
        debug_assert!(self.is_df(parent), "an EF has no children");
        debug_assert!(id != MF_ID && self.child(parent, id).is_none(), "file id {id:04X} is taken");
        self.files.push(File { id, parent, body });
        FileRef(self.files.len() - 1)
    }

    pub(super) fn is_df(&self, file: FileRef) -> bool {
        matches!(self.files[file.0].body, Body::Df { .. })
    }

    /// The DF `file` lies in; the MF for the MF.
    pub(super) fn parent(&self, file: FileRef) -> FileRef {
        self.files[file.0].parent
    }

    /// `None` when `file` is a DF.
    pub(super) fn ef(&self, file: FileRef) -> Option<&TransparentEf> {
        match &self.files[file.0].body {
            Body::Ef(ef) => Some(ef),
            Body::Df { .. } => None,
        }
    }

    /// `None` when `file` is a DF.
    pub(super) fn ef_mut(&mut self, file: FileRef) -> Option<&mut TransparentEf> {
        match &mut self.files[file.0].body {
            Body::Ef(ef) => Some(ef),
            Body::Df { .. } => None,
        }
    }

    /// The file `id` directly under `df`.
    pub(super) fn child(&self, df: FileRef, id: u16) -> Option<FileRef> {
        self.children(df).find(|child| self.files[child.0].id == id)
    }

    /// The EF directly under `df` with this short identifier.
    pub(super) fn by_sfi(&self, df: FileRef, sfi: u8) -> Option<FileRef> {
        self.children(df).find(|&child| self.ef(child).is_some_and(|ef| ef.sfi == Some(sfi)))
    }

    /// The file `id` as seen from the DF `from`.
    ///
    /// Source: ISO/IEC 7816-4, SELECT by file identifier: children of the
    /// current DF first, then its parent, then the children of the parent;
    /// the current DF is one of these.
    pub(super) fn by_id(&self, from: FileRef, id: u16) -> Option<FileRef> {
        let parent = self.parent(from);
        if id == MF_ID {
            return Some(FileRef::MF);
        }
        let above = || if self.files[parent.0].id == id { Some(parent) } else { self.child(parent, id) };
        self.child(from, id).or_else(above)
    }

    /// The file at the end of a path of big-endian ids that starts below `df`.
    /// `None` also for an odd number of bytes; `df` itself for an empty path.
    pub(super) fn by_path(&self, df: FileRef, path: &[u8]) -> Option<FileRef> {
        let (ids, rest) = path.as_chunks();
        let end = ids.iter().try_fold(df, |at, id| self.child(at, u16::from_be_bytes(*id)))?;
        rest.is_empty().then_some(end)
    }

    /// The DF whose name starts with `prefix`. Names are searched in the order
    /// of creation; `current` is where next and previous count from.
    pub(super) fn by_name(&self, prefix: &[u8], occurrence: Occurrence, current: FileRef) -> Option<FileRef> {
        let mut matching = (0..self.files.len()).map(FileRef).filter(|df| match self.files[df.0].body {
            Body::Df { name } => !name.is_empty() && name.starts_with(prefix),
            Body::Ef(_) => false,
        });
        match occurrence {
            Occurrence::First => matching.next(),
            Occurrence::Last => matching.next_back(),
            Occurrence::Next => matching.find(|&df| df > current),
            Occurrence::Previous => matching.rfind(|&df| df < current),
        }
    }

    fn children(&self, df: FileRef) -> impl Iterator<Item = FileRef> {
        // From 1: the MF is its own parent, but not its own child.
        (1..self.files.len()).map(FileRef).filter(move |&file| self.parent(file) == df)
    }

    /// Appends the control parameters of `file` as a template with this tag.
    ///
    /// Source: ISO/IEC 7816-4, file control information: 80 number of bytes,
    /// 82 file descriptor, 83 file id, 84 DF name, 88 short EF identifier in
    /// the upper five bits (empty: none), 8A life cycle (05: activated).
    pub(super) fn write_template(&self, file: FileRef, tag: u8, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([tag, 0]);
        let id = self.files[file.0].id.to_be_bytes();
        match &self.files[file.0].body {
            Body::Df { name } => {
                out.extend([0x82, 1, 0x38, 0x83, 2, id[0], id[1]]);
                if !name.is_empty() {
                    out.extend([0x84, name.len() as u8]);
                    out.extend(*name);
                }
            }
            Body::Ef(ef) => {
                let size = (ef.content.len() as u16).to_be_bytes();
                out.extend([0x80, 2, size[0], size[1], 0x82, 1, 0x01, 0x83, 2, id[0], id[1]]);
                match ef.sfi {
                    Some(sfi) => out.extend([0x88, 1, sfi << 3]),
                    None => out.extend([0x88, 0]),
                }
            }
        }
        out.extend([0x8A, 1, 0x05]);
        // At most 30 bytes of value, so the length field is a single byte.
        out[start + 1] = (out.len() - start - 2) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MF { 2F01, DF01 { 0001, DF02 { 0001 } }, DF03 }, names A, AB and AC.
    fn tree() -> (FileTree, [FileRef; 6]) {
        let ef = |sfi| TransparentEf { sfi, content: vec![0; 258], read: Access::Always, update: Access::Never };
        let mut tree = FileTree::new();
        let top_ef = tree.add_ef(FileRef::MF, 0x2F01, ef(None));
        let outer = tree.add_df(FileRef::MF, 0xDF01, b"A");
        let outer_ef = tree.add_ef(outer, 0x0001, ef(Some(30)));
        let inner = tree.add_df(outer, 0xDF02, b"AB");
        let inner_ef = tree.add_ef(inner, 0x0001, ef(None));
        let last = tree.add_df(FileRef::MF, 0xDF03, b"AC");
        (tree, [top_ef, outer, outer_ef, inner, inner_ef, last])
    }

    #[test]
    fn an_id_is_looked_up_among_children_then_parent_then_siblings() {
        let (tree, [top_ef, outer, outer_ef, inner, inner_ef, last]) = tree();
        for (from, id, found) in [
            (FileRef::MF, 0x2F01, Some(top_ef)),
            (FileRef::MF, 0x0001, None),
            (outer, 0x0001, Some(outer_ef)),
            (outer, 0xDF01, Some(outer)),
            (outer, 0xDF03, Some(last)),
            (inner, 0x0001, Some(inner_ef)),
            (inner, 0xDF01, Some(outer)),
            (inner, 0xDF03, None),
            (inner, MF_ID, Some(FileRef::MF)),
        ] {
            assert_eq!(tree.by_id(from, id), found, "{id:04X} from {from:?}");
        }
    }

    #[test]
    fn a_path_leads_through_dfs_only() {
        let (tree, [_, outer, _, _, inner_ef, _]) = tree();
        for (path, found) in [
            (&[0xDF, 0x01][..], Some(outer)),
            (&[0xDF, 0x01, 0xDF, 0x02, 0x00, 0x01], Some(inner_ef)),
            (&[0xDF, 0x02], None),
            (&[0x2F, 0x01, 0x00, 0x01], None),
            (&[0xDF, 0x01, 0xDF], None),
        ] {
            assert_eq!(tree.by_path(FileRef::MF, path), found, "{path:02X?}");
        }
    }

    #[test]
    fn a_partial_name_walks_over_all_matching_dfs() {
        let (tree, [_, outer, _, inner, _, last]) = tree();
        for (occurrence, current, found) in [
            (Occurrence::First, inner, Some(outer)),
            (Occurrence::Last, inner, Some(last)),
            (Occurrence::Next, FileRef::MF, Some(outer)),
            (Occurrence::Next, inner, Some(last)),
            (Occurrence::Next, last, None),
            (Occurrence::Previous, last, Some(inner)),
            (Occurrence::Previous, outer, None),
        ] {
            assert_eq!(tree.by_name(b"A", occurrence, current), found, "{occurrence:?} from {current:?}");
        }
        assert_eq!(tree.by_name(b"AD", Occurrence::First, FileRef::MF), None);
    }

    #[test]
    fn a_template_tells_size_id_name_and_sfi() {
        let (tree, [top_ef, outer, outer_ef, ..]) = tree();
        for (file, value) in [
            (FileRef::MF, &b"\x82\x01\x38\x83\x02\x3F\x00\x8A\x01\x05"[..]),
            (outer, b"\x82\x01\x38\x83\x02\xDF\x01\x84\x01A\x8A\x01\x05"),
            (top_ef, b"\x80\x02\x01\x02\x82\x01\x01\x83\x02\x2F\x01\x88\x00\x8A\x01\x05"),
            (outer_ef, b"\x80\x02\x01\x02\x82\x01\x01\x83\x02\x00\x01\x88\x01\xF0\x8A\x01\x05"),
        ] {
            let mut out = Vec::new();
            tree.write_template(file, 0x62, &mut out);
            assert_eq!(out, [&[0x62, value.len() as u8], value].concat());
        }
    }
}
