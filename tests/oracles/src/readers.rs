//! One shape for what three readers see in a message, so that they can be compared.

/// A leaf as a reader saw it: segment (from 0), field, repetition (from 0), component, subcomponent, bytes as sent.
pub type Seen = (usize, usize, usize, usize, usize, String);

/// What a reader saw: the names of the segments and every populated leaf outside MSH-1 and MSH-2.
#[derive(PartialEq, Eq)]
pub struct View {
    /// Segment names in order.
    pub segments: Vec<String>,
    /// Leaves in order.
    pub leaves: Vec<Seen>,
}

impl View {
    /// The first place where two views differ; names and positions only.
    pub fn difference(&self, other: &View) -> Option<String> {
        if self.segments != other.segments {
            return Some(format!("segments: {} against {}", self.segments.len(), other.segments.len()));
        }
        let pairs = self.leaves.iter().zip(&other.leaves);
        if let Some((ours, theirs)) = pairs.clone().find(|(ours, theirs)| ours != theirs) {
            return Some(format!("leaf {} against {}", place(ours), place(theirs)));
        }
        (self.leaves.len() != other.leaves.len())
            .then(|| format!("leaves: {} against {}", self.leaves.len(), other.leaves.len()))
    }
}

fn place((segment, field, repetition, component, subcomponent, raw): &Seen) -> String {
    format!("{segment}:{field}~{repetition}.{component}.{subcomponent} of {} bytes", raw.len())
}

/// What our reader sees. None: no header.
pub fn ours(bytes: &[u8]) -> Option<View> {
    let message = hl7v2::Message::read(bytes).ok()?;
    let leaves = message.leaves().map(|leaf| {
        let path = leaf.path;
        let raw = String::from_utf8_lossy(message.at(path).raw()).into_owned();
        let [field, repetition, component, subcomponent] =
            [path.field, path.repetition, path.component, path.subcomponent].map(usize::from);
        (usize::try_from(path.segment).unwrap_or(usize::MAX), field, repetition, component, subcomponent, raw)
    });
    Some(View {
        segments: message.segments().map(|segment| segment.name().to_owned()).collect(),
        leaves: leaves.collect(),
    })
}

/// What er7 sees. None: refused.
pub fn er7(text: &str) -> Option<View> {
    let message = er7::parse(text).ok()?;
    let mut leaves = Vec::new();
    for (at, segment) in message.segments.iter().enumerate() {
        let first = if segment.is_header() { 3 } else { 1 };
        for n in first..=segment.fields.len() {
            let Some(field) = segment.field(n) else { continue };
            for (r, repetition) in field.repetitions.iter().enumerate() {
                for (c, component) in repetition.components.iter().enumerate() {
                    for (s, leaf) in component.subcomponents.iter().enumerate() {
                        if !leaf.raw.is_empty() {
                            leaves.push((at, n, r, c + 1, s + 1, leaf.raw.clone()));
                        }
                    }
                }
            }
        }
    }
    Some(View { segments: message.segments.iter().map(|segment| segment.name.clone()).collect(), leaves })
}

/// What hl7-parser sees. None: refused.
pub fn hl7_parser(text: &str) -> Option<View> {
    let message = hl7_parser::Message::parse_with_lenient_newlines(text, true).ok()?;
    let mut leaves = Vec::new();
    for (at, segment) in message.segments().enumerate() {
        let header = segment.name == "MSH";
        for (n, field) in segment.fields().enumerate() {
            let n = n + 1;
            if header && n < 3 {
                continue;
            }
            for (r, repetition) in field.repeats().enumerate() {
                for (c, component) in repetition.components().enumerate() {
                    for (s, leaf) in component.subcomponents().enumerate() {
                        if !leaf.raw_value().is_empty() {
                            leaves.push((at, n, r, c + 1, s + 1, leaf.raw_value().to_owned()));
                        }
                    }
                }
            }
        }
    }
    Some(View { segments: message.segments().map(|segment| segment.name.to_owned()).collect(), leaves })
}
