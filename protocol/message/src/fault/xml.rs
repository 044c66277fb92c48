//! Escaping of text in the XML that we write.

/// Appends `text` escaped for element content and attribute values, as the reference escapes faults: the five
/// predefined entities, the discouraged controls 7F-84 and 86-9F as character references, and nothing that XML 1.0
/// cannot hold.
pub(crate) fn escape_into(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\u{7F}'..='\u{84}' | '\u{86}'..='\u{9F}' => {
                out.push_str("&#");
                out.push_str(&u32::from(c).to_string());
                out.push(';');
            }
            '\t' | '\n' | '\r' => out.push(c),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => {}
            _ => out.push(c),
        }
    }
}

/// Appends `<name>escaped text</name>`.
pub(crate) fn element_into(name: &str, text: &str, out: &mut String) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    escape_into(text, out);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_xml_cannot_hold() {
        let mut out = String::new();
        escape_into("a<b>&\"'\t\u{0}\u{8}\u{FFFE}\u{80}\u{85}ö", &mut out);
        assert_eq!(out, "a&lt;b&gt;&amp;&quot;&apos;\t&#128;\u{85}ö");
    }
}
