//! `htmlChecks()`: whether a narrative holds only what R4 allows in one (narrative §2.4.0.1; txt-1, txt-2).

/// Elements of a narrative: text, lists, tables, links, images.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "map",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "strike",
    "center",
    "font",
];
/// Their attributes: none that acts.
const ATTRIBUTES: &[&str] = &[
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "background",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "char",
    "charoff",
    "cite",
    "class",
    "color",
    "colspan",
    "compact",
    "coords",
    "dir",
    "face",
    "frame",
    "headers",
    "height",
    "href",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nohref",
    "noshade",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "size",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "usemap",
    "valign",
    "value",
    "vspace",
    "width",
    "xml:lang",
];

/// Whether the text is one `div` of allowed elements and attributes that shows something.
pub(crate) fn is_narrative(text: &str) -> bool {
    let (mut rest, mut open, mut shows) = (text.trim(), Vec::<&str>::new(), false);
    if !rest.starts_with("<div") {
        return false;
    }
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        shows |= !before.trim().is_empty();
        if let Some(comment) = tag.strip_prefix("<!--") {
            let Some((_, after)) = comment.split_once("-->") else { return false };
            rest = after;
            continue;
        }
        let Some((inside, after)) = tag_end(tag) else { return false };
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            if open.pop() != Some(name.trim_end()) || (open.is_empty() && !rest.trim().is_empty()) {
                return false;
            }
            continue;
        }
        let (inside, closes) = match inside.strip_suffix('/') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let Some(name) = element(inside) else { return false };
        shows |= name == "img";
        if !closes {
            open.push(name);
        }
    }
    open.is_empty() && rest.trim().is_empty() && shows
}

/// What stands between `<` and its `>`, which may not be one in a quoted value; and what follows.
fn tag_end(tag: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, character) in tag.char_indices().skip(1) {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '>') => return Some((tag.get(1..at)?, tag.get(at + 1..)?)),
            (None, _) => {}
        }
    }
    None
}

/// The name of an allowed element whose attributes are all allowed.
fn element(inside: &str) -> Option<&str> {
    let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    if !ELEMENTS.contains(&name) {
        return None;
    }
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some(name);
        }
        let (attribute, value) = rest.split_once('=')?;
        let attribute = attribute.trim_end();
        let is_namespace = attribute == "xmlns" || attribute.starts_with("xmlns:");
        if !is_namespace && !ATTRIBUTES.contains(&attribute) {
            return None;
        }
        let value = value.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        rest = value.get(1..)?.split_once(quote)?.1;
    }
}

#[cfg(test)]
mod tests {
    use super::is_narrative;

    #[test]
    fn only_text_without_action_is_a_narrative() {
        for text in [
            "<div>A</div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class='x'>A<br/>b > c</p><!-- <x> --></div>",
            "<div><img src=\"#a\" alt=\"a > b\"/></div>",
        ] {
            assert!(is_narrative(text), "{text}");
        }
        for text in [
            "",
            "A",
            "<div></div>",
            "<div> <p> </p></div>",
            "<div>A</div>B",
            "<div>A</div><div>B</div>",
            "<div>A",
            "<div><p>A</div></p>",
            "<div><script>A</script></div>",
            "<div onclick=\"x()\">A</div>",
            "<div><form>A</form></div>",
            "<div class=x>A</div>",
            "<divide>A</divide>",
        ] {
            assert!(!is_narrative(text), "{text}");
        }
    }
}
