//! Whether the files of a store still take what they are given.

/// How one kind of file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileCondition {
    /// Its last write is durable.
    #[default]
    Sound,
    /// Its last write found no space. Nothing of it is kept, and the next may succeed.
    Full,
    /// The server that keeps it cannot be reached. Nothing is taken until it can; what was acknowledged is there.
    Away,
    /// A write or an fsync of it failed: pages that the system dropped look clean, so this process writes to it no more.
    Failed,
}

/// How the files of an open store are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    /// The months of the journal.
    pub journal: FileCondition,
    /// `node.db`.
    pub node: FileCondition,
    /// `access.db`.
    pub access: FileCondition,
}

impl Condition {
    /// Notes whether the server of all of them is away; whether that is news. What failed stays so.
    #[cfg(feature = "postgres")]
    pub(crate) fn show_away(&mut self, is_away: bool) -> bool {
        let mut is_news = false;
        for state in [&mut self.journal, &mut self.node, &mut self.access] {
            let new = match (*state, is_away) {
                (FileCondition::Sound | FileCondition::Full, true) => FileCondition::Away,
                (FileCondition::Away, false) => FileCondition::Sound,
                (same, _) => same,
            };
            is_news |= *state != new;
            *state = new;
        }
        is_news
    }

    /// Each kind of file with its name: `journal`, `node`, `access`.
    pub fn each(&self) -> [(&'static str, FileCondition); 3] {
        [("journal", self.journal), ("node", self.node), ("access", self.access)]
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    #[test]
    fn a_server_goes_and_comes_and_what_failed_stays() {
        let mut condition = Condition { access: FileCondition::Failed, ..Condition::default() };
        assert!(condition.show_away(true) && !condition.show_away(true));
        assert_eq!((condition.node, condition.access), (FileCondition::Away, FileCondition::Failed));
        assert!(condition.show_away(false) && !condition.show_away(false));
        assert_eq!((condition.journal, condition.access), (FileCondition::Sound, FileCondition::Failed));
    }
}
