//! Code tables: v2 code to FHIR code, exact or lossy, and what happens to codes without a row.

use crate::diagnostic::Place;
use std::collections::HashMap;

/// One compiled code table.
#[derive(PartialEq)]
pub(crate) struct CodeTable {
    pub name: String,
    pub place: Place,
    /// System URI of the original codes, when `from` names one.
    pub from: Option<String>,
    /// System URI of the targets.
    pub to: String,
    pub rows: HashMap<String, Row>,
    /// Every code stands for itself in the target system.
    pub same: bool,
    pub unmapped: Option<Unmapped>,
    /// Tables of the HL7 guide that this one answers.
    pub ig: Vec<String>,
    /// Codes, and why they are not as the guide says.
    pub deviates: Vec<(Vec<String>, String)>,
}

/// The target of one code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// `None`: deliberately nothing.
    pub code: Option<String>,
    pub display: Option<String>,
    /// When it differs from the table's.
    pub system: Option<String>,
    pub lossy: bool,
    /// The original stays beside the target although nothing is lost.
    pub keep: bool,
    pub place: Place,
}

/// What happens to a code without a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Unmapped {
    pub emit: Option<String>,
    pub keep: bool,
    /// On an element that is a code the original stays although there is no target: the extension stands alone.
    pub alone: bool,
    pub level: Level,
}

/// How loudly an unmapped code is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Level {
    Info,
    #[default]
    Warn,
    Error,
}

impl Level {
    /// As `unmapped: {level: …}` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }
}

/// The outcome of one lookup.
pub(crate) struct Translated<'t> {
    /// System and code to emit.
    pub target: Option<(&'t str, &'t str, Option<&'t str>)>,
    /// The original code must be kept beside the target.
    pub keep: bool,
    /// And also where there is none.
    pub alone: bool,
    pub lossy: bool,
    /// A row was found.
    pub hit: bool,
    pub level: Option<Level>,
}

impl CodeTable {
    /// Looks a code up.
    pub fn translate<'t>(&'t self, code: &'t str) -> Translated<'t> {
        if let Some(row) = self.rows.get(code) {
            let system = row.system.as_deref().unwrap_or(&self.to);
            let target = row.code.as_deref().map(|target| (system, target, row.display.as_deref()));
            return Translated {
                target,
                keep: row.lossy || row.keep,
                alone: false,
                lossy: row.lossy,
                hit: true,
                level: None,
            };
        }
        if self.same {
            return Translated {
                target: Some((&self.to, code, None)),
                keep: false,
                alone: false,
                lossy: false,
                hit: true,
                level: None,
            };
        }
        let policy = self.unmapped.as_ref();
        let target =
            policy.and_then(|policy| policy.emit.as_deref()).map(|code| (self.to.as_str(), code, None));
        Translated {
            target,
            keep: policy.is_some_and(|policy| policy.keep),
            alone: policy.is_some_and(|policy| policy.alone),
            lossy: true,
            hit: false,
            level: Some(policy.map_or(Level::Warn, |policy| policy.level)),
        }
    }
}
