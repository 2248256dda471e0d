//! One segment written field by field, by the numbers of the standard.

/// A segment under construction; fields that are not set stay empty.
#[derive(Debug, Clone)]
pub struct Segment {
    name: &'static str,
    fields: Vec<String>,
}

impl Segment {
    /// The segment `name` without fields.
    pub fn new(name: &'static str) -> Self {
        Self { name, fields: Vec::new() }
    }

    /// Sets field `number` (from 1).
    pub fn field(mut self, number: usize, value: impl Into<String>) -> Self {
        if self.fields.len() < number {
            self.fields.resize(number, String::new());
        }
        if let Some(field) = number.checked_sub(1).and_then(|at| self.fields.get_mut(at)) {
            *field = value.into();
        }
        self
    }

    /// The segment as ER7, without its end.
    pub fn er7(&self) -> String {
        format!("{}|{}", self.name, self.fields.join("|"))
    }
}

/// Segments as a message: CR after each.
pub fn message(segments: &[Segment]) -> String {
    segments.iter().map(|segment| segment.er7() + "\r").collect()
}

#[cfg(test)]
mod tests {
    use super::{Segment, message};

    #[test]
    fn fields_stand_at_their_numbers() {
        let pid = Segment::new("PID").field(8, "F").field(1, "1");
        assert_eq!(pid.er7(), "PID|1|||||||F");
        assert_eq!(message(&[pid.clone(), pid]), "PID|1|||||||F\rPID|1|||||||F\r");
    }
}
