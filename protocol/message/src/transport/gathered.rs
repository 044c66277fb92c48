//! Bytes that come in pieces.

use bytes::Bytes;

use super::kept;

/// What has come of a part or a body: one piece is kept as it came, several are copied together. Most come in one piece, and
/// are not copied at all.
#[derive(Debug)]
pub enum Gathered {
    /// As it came; empty in the beginning.
    One(Bytes),
    /// Copied together.
    Several(Vec<u8>),
}

impl Default for Gathered {
    fn default() -> Self {
        Self::new()
    }
}

impl Gathered {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self::One(Bytes::new())
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::One(bytes) => bytes.len(),
            Self::Several(bytes) => bytes.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the next piece.
    pub fn append(&mut self, piece: Bytes) {
        match self {
            Self::One(first) if first.is_empty() => *first = piece,
            _ => self.append_lent(&piece, None),
        }
    }

    /// Adds the next piece, which is lent; if it borrows from `chunk`, it need not be copied.
    pub fn append_lent(&mut self, piece: &[u8], chunk: Option<&Bytes>) {
        match self {
            _ if piece.is_empty() => {}
            Self::Several(bytes) => bytes.extend_from_slice(piece),
            Self::One(first) if !first.is_empty() => *self = Self::Several([&**first, piece].concat()),
            Self::One(first) => match chunk {
                Some(chunk) => *first = kept(chunk, piece),
                None => *self = Self::Several(piece.to_vec()),
            },
        }
    }

    /// All of it, so that nothing is left.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// All of it, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::One(bytes) => bytes,
            Self::Several(bytes) => bytes.into(),
        }
    }

    /// All of it, for who needs a buffer; copied if it is one piece that others hold too.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::One(bytes) => bytes.into(),
            Self::Several(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_is_not_copied_and_several_are_in_their_order() {
        let piece = Bytes::from(vec![1, 2, 3]);
        let mut gathered = Gathered::new();
        gathered.append(Bytes::new());
        gathered.append(piece.clone());
        gathered.append(Bytes::new());
        assert_eq!(gathered.take().into_bytes().as_ptr(), piece.as_ptr());
        assert!(gathered.is_empty());
        gathered.append(piece);
        gathered.append(Bytes::from_static(&[4]));
        gathered.append(Bytes::from_static(&[5]));
        assert_eq!((gathered.len(), gathered.into_vec()), (5, vec![1, 2, 3, 4, 5]));
    }

    #[test]
    fn what_is_lent_is_copied_unless_it_borrows_from_the_chunk() {
        let chunk = Bytes::from(vec![1, 2, 3, 4]);
        let lent = |piece: &[u8], chunk| {
            let mut gathered = Gathered::new();
            gathered.append_lent(piece, chunk);
            gathered.into_bytes()
        };
        let within = &chunk[1..3];
        assert_eq!(lent(within, Some(&chunk)).as_ptr(), within.as_ptr());
        assert_ne!(lent(within, None).as_ptr(), within.as_ptr());
        let elsewhere = [2, 3];
        assert_eq!(lent(&elsewhere, Some(&chunk)), within);
    }
}
