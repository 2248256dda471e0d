//! What may be done with resources of a type: the letters `cruds` of a SMART v2 scope.

/// One kind of interaction (SMART App Launch 2.2, scopes for requesting FHIR resources).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// `c`: create.
    Create,
    /// `r`: read, vread and the history of one resource.
    Read,
    /// `u`: update and patch.
    Update,
    /// `d`: delete.
    Delete,
    /// `s`: search and the history of a type.
    Search,
}

impl Permission {
    /// All of them with their letters, in the order in which a scope has them.
    pub const ALL: [(Self, char); 5] = [
        (Self::Create, 'c'),
        (Self::Read, 'r'),
        (Self::Update, 'u'),
        (Self::Delete, 'd'),
        (Self::Search, 's'),
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of [`Permission`]s.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// None.
    pub const NONE: Self = Self(0);
    /// `rs`, as `.read` of SMART v1.
    pub const READ: Self = Self::of(&[Permission::Read, Permission::Search]);
    /// `cud`, as `.write` of SMART v1.
    pub const WRITE: Self = Self::of(&[Permission::Create, Permission::Update, Permission::Delete]);
    /// `cruds`.
    pub const EVERY: Self = Self(Self::READ.0 | Self::WRITE.0);

    /// These.
    pub const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut rest = permissions;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// Whether one is among them.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether one of both is the same.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Those of both.
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Reads the letters, at least one, each once and in the order `cruds`, or `read`, `write` and `*` of SMART v1.
    pub(crate) fn of_letters(letters: &str) -> Option<Self> {
        match letters {
            "read" => return Some(Self::READ),
            "write" => return Some(Self::WRITE),
            "*" => return Some(Self::EVERY),
            _ => {}
        }
        let mut order = Permission::ALL.iter();
        let mut found = Self::NONE;
        for letter in letters.chars() {
            let (permission, _) = order.find(|(_, known)| *known == letter)?;
            found = Self(found.0 | permission.bit());
        }
        (found != Self::NONE).then_some(found)
    }
}

impl std::fmt::Display for Permissions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let held = Permission::ALL.iter().filter(|(permission, _)| self.has(*permission));
        held.map(|(_, letter)| letter).try_for_each(|letter| write!(formatter, "{letter}"))
    }
}

impl std::fmt::Debug for Permissions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Permissions({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_in_their_order_and_once() {
        for (letters, written) in [("cruds", "cruds"), ("rs", "rs"), ("s", "s"), ("cd", "cd"), ("read", "rs")]
        {
            assert_eq!(Permissions::of_letters(letters).expect(letters).to_string(), written);
        }
        assert_eq!(Permissions::of_letters("write").expect("v1").to_string(), "cud");
        assert_eq!(Permissions::of_letters("*"), Some(Permissions::EVERY));
        for wrong in ["", "sr", "rr", "x", "rx", "R", "r s", "cruds*"] {
            assert_eq!(Permissions::of_letters(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_set_has_what_it_was_made_of() {
        let set = Permissions::of(&[Permission::Create, Permission::Search]);
        assert!(set.has(Permission::Create) && set.has(Permission::Search) && !set.has(Permission::Read));
        assert!(set.meets(Permissions::READ) && set.meets(Permissions::WRITE));
        assert!(!Permissions::READ.meets(Permissions::WRITE));
        assert_eq!(set.both(Permissions::READ).to_string(), "s");
    }
}
