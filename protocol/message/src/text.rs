//! Texts that stay byte by byte but for some of their ranges.

use std::ops::Range;

/// The text with these ranges replaced. They come in their order and do not overlap.
pub(crate) fn edited(
    text: &str,
    replacements: impl IntoIterator<Item = (Range<usize>, impl AsRef<str>)>,
) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(1024));
    let mut from = 0;
    for (range, replacement) in replacements {
        out.push_str(text.get(from..range.start).unwrap_or_default());
        out.push_str(replacement.as_ref());
        from = range.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}
