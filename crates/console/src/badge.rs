//! States as an icon, a word and a style: never colour alone (WCAG 2.2, 1.4.1).

/// How a state looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Badge {
    pub(crate) icon: &'static str,
    pub(crate) word: &'static str,
    /// One of `good`, `wait`, `mute`, `bad`.
    pub(crate) style: &'static str,
}

/// A badge.
pub(crate) const fn new(icon: &'static str, word: &'static str, style: &'static str) -> Badge {
    Badge { icon, word, style }
}
