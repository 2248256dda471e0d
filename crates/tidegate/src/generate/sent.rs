//! What a feed says about people, for a leak scan that must know what to look for.

/// Every identifying value that was written, by kind.
#[derive(Default, Clone, serde::Serialize)]
pub struct Sent {
    /// Family and given names.
    pub names: Vec<String>,
    /// Record, member, policy, account, visit, order, prescription, charge and social security numbers.
    pub ids: Vec<String>,
    /// Phone numbers as sent.
    pub phones: Vec<String>,
    /// Street lines and e-mail addresses.
    pub addresses: Vec<String>,
    /// Days as `YYYYMMDD`.
    pub dates: Vec<String>,
}

impl Sent {
    /// Sorts, and drops repetitions and what is empty.
    pub fn tidy(&mut self) {
        for list in self.lists_mut() {
            list.sort();
            list.dedup();
            list.retain(|text| !text.is_empty());
        }
    }

    /// Adds what another part of the feed said.
    pub fn extend(&mut self, other: Self) {
        let Self { names, ids, phones, addresses, dates } = other;
        for (list, more) in self.lists_mut().into_iter().zip([names, ids, phones, addresses, dates]) {
            list.extend(more);
        }
    }

    fn lists_mut(&mut self) -> [&mut Vec<String>; 5] {
        [&mut self.names, &mut self.ids, &mut self.phones, &mut self.addresses, &mut self.dates]
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { names, ids, phones, addresses, dates } = self;
        let counts = [names, ids, phones, addresses, dates].map(Vec::len);
        write!(f, "Sent({counts:?})")
    }
}
