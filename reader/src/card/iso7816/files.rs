//! The file tree of a card: one MF, DFs below it, EFs as leaves.
//!
//! Source: ISO/IEC 7816-4, structures for applications and data.

use std::collections::VecDeque;

use super::security::Access;

/// The file id every MF has.
pub(crate) const MF_ID: u16 = 0x3F00;
/// Most bytes a DF name (AID) has.
pub(crate) const NAME_LEN_MAX: usize = 16;

/// A file of one tree. Only [`FileTree`] makes these, and it never removes a file, so a reference stays good as long as
/// its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileRef(usize);

impl FileRef {
    /// The root of every tree.
    pub(crate) const MF: FileRef = FileRef(0);
}

/// How an EF with records keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Structure {
    LinearFixed,
    LinearVariable,
    /// Record 1 is the one that was written last.
    Cyclic,
}

/// The records of an EF.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) structure: Structure,
    /// What every record has, or at most has.
    pub(crate) length: usize,
    /// How many there may be.
    pub(crate) capacity: usize,
    /// By number, from 1 on at index 0.
    pub(crate) list: VecDeque<Vec<u8>>,
}

/// What is in an EF.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Bytes of fixed number, addressed by offset.
    Transparent(Vec<u8>),
    Records(Records),
}

#[derive(Debug, Clone)]
pub(crate) struct Ef {
    /// Short EF identifier, 1 to 30, unique within the DF.
    pub(crate) sfi: Option<u8>,
    pub(crate) content: Content,
    pub(crate) read: Access,
    pub(crate) update: Access,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// The MF or another DF. Only DFs with a name (AID) can be selected by it.
    Df {
        name: Vec<u8>,
    },
    Ef(Ef),
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
pub(crate) enum Occurrence {
    First,
    Last,
    /// Counted from the current DF.
    Next,
    /// Counted from the current DF.
    Previous,
}

/// All files of a card. Parents come before their children in `files`.
#[derive(Debug, Clone)]
pub(crate) struct FileTree {
    files: Vec<File>,
}

impl FileTree {
    /// A tree with nothing but the MF.
    pub(crate) fn new() -> FileTree {
        FileTree { files: vec![File { id: MF_ID, parent: FileRef::MF, body: Body::Df { name: Vec::new() } }] }
    }

    /// Adds a file to a DF that has none of this id.
    pub(crate) fn add(&mut self, parent: FileRef, id: u16, body: Body) -> FileRef {
        debug_assert!(self.is_df(parent), "an EF has no children");
        debug_assert!(id != MF_ID && self.child(parent, id).is_none(), "file id {id:04X} is taken");
        self.files.push(File { id, parent, body });
        FileRef(self.files.len() - 1)
    }

    /// Gives the MF a name.
    pub(crate) fn name_mf(&mut self, name: Vec<u8>) {
        self.files[0].body = Body::Df { name };
    }

    pub(crate) fn is_df(&self, file: FileRef) -> bool {
        matches!(self.files[file.0].body, Body::Df { .. })
    }

    pub(crate) fn id(&self, file: FileRef) -> u16 {
        self.files[file.0].id
    }

    pub(crate) fn body(&self, file: FileRef) -> &Body {
        &self.files[file.0].body
    }

    /// Every file, parents before their children.
    pub(crate) fn all(&self) -> impl Iterator<Item = FileRef> + use<> {
        (0..self.files.len()).map(FileRef)
    }

    /// The DF `file` lies in; the MF for the MF.
    pub(crate) fn parent(&self, file: FileRef) -> FileRef {
        self.files[file.0].parent
    }

    /// Whether `df` is `ancestor` or somewhere below it.
    pub(crate) fn is_within(&self, df: FileRef, ancestor: FileRef) -> bool {
        let mut at = df;
        while at != ancestor && at != FileRef::MF {
            at = self.parent(at);
        }
        at == ancestor
    }

    /// `None` when `file` is a DF.
    pub(crate) fn ef(&self, file: FileRef) -> Option<&Ef> {
        match &self.files[file.0].body {
            Body::Ef(ef) => Some(ef),
            Body::Df { .. } => None,
        }
    }

    /// `None` when `file` is a DF.
    pub(crate) fn ef_mut(&mut self, file: FileRef) -> Option<&mut Ef> {
        match &mut self.files[file.0].body {
            Body::Ef(ef) => Some(ef),
            Body::Df { .. } => None,
        }
    }

    /// The file `id` directly under `df`.
    pub(crate) fn child(&self, df: FileRef, id: u16) -> Option<FileRef> {
        self.children(df).find(|child| self.files[child.0].id == id)
    }

    /// The EF directly under `df` with this short identifier.
    pub(crate) fn by_sfi(&self, df: FileRef, sfi: u8) -> Option<FileRef> {
        self.children(df).find(|&child| self.ef(child).is_some_and(|ef| ef.sfi == Some(sfi)))
    }

    /// The file `id` as seen from the DF `from`.
    ///
    /// Source: ISO/IEC 7816-4, SELECT by file identifier: children of the current DF first, then its parent, then the
    /// children of the parent; the current DF is one of these.
    pub(crate) fn by_id(&self, from: FileRef, id: u16) -> Option<FileRef> {
        let parent = self.parent(from);
        if id == MF_ID {
            return Some(FileRef::MF);
        }
        let above = || if self.files[parent.0].id == id { Some(parent) } else { self.child(parent, id) };
        self.child(from, id).or_else(above)
    }

    /// The file at the end of a path of big-endian ids that starts below `df`. `None` also for an odd number of bytes;
    /// `df` itself for an empty path.
    pub(crate) fn by_path(&self, df: FileRef, path: &[u8]) -> Option<FileRef> {
        let (ids, rest) = path.as_chunks();
        let end = ids.iter().try_fold(df, |at, id| self.child(at, u16::from_be_bytes(*id)))?;
        rest.is_empty().then_some(end)
    }

    /// The DF whose name starts with `prefix`. Names are searched in the order of creation; `current` is where next and
    /// previous count from.
    pub(crate) fn by_name(&self, prefix: &[u8], occurrence: Occurrence, current: FileRef) -> Option<FileRef> {
        let mut matching = (0..self.files.len()).map(FileRef).filter(|df| match &self.files[df.0].body {
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
    /// Source: ISO/IEC 7816-4, file control information: 80 number of bytes, 82 file descriptor with data coding, record
    /// length and number of records, 83 file id, 84 DF name, 88 short EF identifier in the upper five bits (empty: none),
    /// 8A life cycle (05: activated).
    pub(crate) fn write_template(&self, file: FileRef, tag: u8, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([tag, 0]);
        let id = self.files[file.0].id.to_be_bytes();
        match &self.files[file.0].body {
            Body::Df { name } => {
                out.extend([0x82, 1, 0x38, 0x83, 2, id[0], id[1]]);
                if !name.is_empty() {
                    out.extend([0x84, name.len() as u8]);
                    out.extend(name);
                }
            }
            Body::Ef(ef) => {
                let size = (ef.content.size() as u16).to_be_bytes();
                out.extend([0x80, 2, size[0], size[1]]);
                ef.content.write_descriptor(out);
                out.extend([0x83, 2, id[0], id[1]]);
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

/// Data are bytes, and what is written is or-ed.
///
/// Source: ISO/IEC 7816-4, data coding byte.
pub(super) const DATA_CODING: u8 = 0x41;

impl Content {
    fn size(&self) -> usize {
        match self {
            Content::Transparent(bytes) => bytes.len(),
            Content::Records(records) => records.list.iter().map(Vec::len).sum(),
        }
    }

    fn write_descriptor(&self, out: &mut Vec<u8>) {
        match self {
            Content::Transparent(_) => out.extend([0x82, 1, 0x01]),
            Content::Records(records) => {
                let structure = match records.structure {
                    Structure::LinearFixed => 0x02,
                    Structure::LinearVariable => 0x04,
                    Structure::Cyclic => 0x06,
                };
                let length = (records.length as u16).to_be_bytes();
                out.extend([0x82, 5, structure, DATA_CODING, length[0], length[1], records.list.len() as u8]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ef(sfi: Option<u8>) -> Body {
        let content = Content::Transparent(vec![0; 258]);
        Body::Ef(Ef { sfi, content, read: Access::Always, update: Access::Never })
    }

    fn df(name: &[u8]) -> Body {
        Body::Df { name: name.to_vec() }
    }

    /// MF { 2F01, DF01 { 0001, DF02 { 0001 } }, DF03 }, names A, AB and AC.
    fn tree() -> (FileTree, [FileRef; 6]) {
        let mut tree = FileTree::new();
        let top_ef = tree.add(FileRef::MF, 0x2F01, ef(None));
        let outer = tree.add(FileRef::MF, 0xDF01, df(b"A"));
        let outer_ef = tree.add(outer, 0x0001, ef(Some(30)));
        let inner = tree.add(outer, 0xDF02, df(b"AB"));
        let inner_ef = tree.add(inner, 0x0001, ef(None));
        let last = tree.add(FileRef::MF, 0xDF03, df(b"AC"));
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
        let (mut tree, [top_ef, outer, outer_ef, ..]) = tree();
        let records = Records {
            structure: Structure::LinearFixed,
            length: 3,
            capacity: 2,
            list: [vec![1, 2, 3], vec![4, 5, 6]].into(),
        };
        let content = Content::Records(records);
        let body = Body::Ef(Ef { sfi: None, content, read: Access::Always, update: Access::Never });
        let fixed = tree.add(outer, 0x0002, body);
        for (file, value) in [
            (FileRef::MF, &b"\x82\x01\x38\x83\x02\x3F\x00\x8A\x01\x05"[..]),
            (outer, b"\x82\x01\x38\x83\x02\xDF\x01\x84\x01A\x8A\x01\x05"),
            (top_ef, b"\x80\x02\x01\x02\x82\x01\x01\x83\x02\x2F\x01\x88\x00\x8A\x01\x05"),
            (outer_ef, b"\x80\x02\x01\x02\x82\x01\x01\x83\x02\x00\x01\x88\x01\xF0\x8A\x01\x05"),
            (fixed, b"\x80\x02\x00\x06\x82\x05\x02\x41\x00\x03\x02\x83\x02\x00\x02\x88\x00\x8A\x01\x05"),
        ] {
            let mut out = Vec::new();
            tree.write_template(file, 0x62, &mut out);
            assert_eq!(out, [&[0x62, value.len() as u8], value].concat());
        }
    }
}
