//! The bytes of a request, of which only the message id changes.

use bytes::Bytes;

/// How much of a request each connection keeps a copy of, in bytes; what is behind is shared.
const COPIED: usize = 64 * 1024;

/// What stands in a request where the number of the message goes: 16 hexadecimal digits.
pub(crate) const ID_PLACE: &str = "0123456789abcdef";

/// A request's bytes.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The beginning, with the place of the number; each connection has its own.
    pub(crate) head: Vec<u8>,
    /// The rest.
    pub(crate) tail: Bytes,
    /// Where in `head` the number of the message stands.
    id_at: Option<usize>,
}

impl Template {
    /// Takes the bytes of a request; `numbered` when [`ID_PLACE`] stands in them.
    pub(crate) fn new(mut bytes: Vec<u8>, numbered: bool) -> Self {
        let found = memchr::memmem::find(&bytes, ID_PLACE.as_bytes());
        let id_at = found.filter(|_| numbered);
        let least = id_at.map_or(0, |at| at + ID_PLACE.len());
        let tail = bytes.split_off(bytes.len().min(COPIED.max(least)));
        Self {
            head: bytes,
            tail: tail.into(),
            id_at,
        }
    }

    /// Its length, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Writes the number of the next message.
    pub(crate) fn number(&mut self, mut number: u64) {
        let Some(at) = self.id_at else { return };
        let place = self.head.iter_mut().skip(at).take(ID_PLACE.len()).rev();
        for digit in place {
            let value = u8::try_from(number & 0xf).unwrap_or(0);
            *digit = if value < 10 {
                b'0' + value
            } else {
                b'a' + value - 10
            };
            number >>= 4;
        }
    }

    /// What is left of it once `sent` bytes are sent: a piece of it, empty at the end.
    pub(crate) fn rest(&self, sent: usize) -> &[u8] {
        match self.head.get(sent..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => self
                .tail
                .get(sent - self.head.len().min(sent)..)
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_written_where_its_place_was() {
        let mut template = Template::new(format!("a {ID_PLACE} b").into_bytes(), true);
        template.number(0xdead_beef_0000_0012);
        assert_eq!(template.rest(0), b"a deadbeef00000012 b");
        assert_eq!(template.rest(18), b" b");
        assert!(template.rest(template.len()).is_empty());
    }

    #[test]
    fn what_only_looks_like_a_place_is_left_alone() {
        let mut template = Template::new(ID_PLACE.into(), false);
        template.number(1);
        assert_eq!(template.rest(0), ID_PLACE.as_bytes());
    }

    #[test]
    fn a_large_request_is_shared_behind_its_beginning() {
        let template = Template::new(vec![b'x'; 3 * COPIED], false);
        assert_eq!(
            (template.rest(0).len(), template.rest(COPIED).len()),
            (COPIED, 2 * COPIED)
        );
        assert_eq!(
            (template.rest(COPIED + 5).len(), template.len()),
            (2 * COPIED - 5, 3 * COPIED)
        );
    }
}
