//! What a client may ask for beside resources: who signed in (`openid fhirUser`), and to go on after its token has ended
//! (`online_access`, `offline_access`; SMART App Launch 2.2, scopes).

use store::Micros;

/// Longest time for which a client goes on while its user is there, µs.
pub(super) const ONLINE_LIFE_US: Micros = 12 * 3_600 * 1_000_000;
/// Longest time for which it goes on without, µs.
pub(super) const OFFLINE_LIFE_US: Micros = 90 * 86_400 * 1_000_000;

/// How a client goes on after its token has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoingOn {
    Online,
    Offline,
}

impl GoingOn {
    pub(super) fn life_us(self) -> Micros {
        match self {
            Self::Online => ONLINE_LIFE_US,
            Self::Offline => OFFLINE_LIFE_US,
        }
    }
}

/// What is asked for, registered or given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Beside {
    openid: bool,
    fhir_user: bool,
    online: bool,
    offline: bool,
}

impl Beside {
    /// Of scopes with spaces between them; all others are passed over.
    pub(super) fn of(scopes: &str) -> Self {
        let has = |name: &str| scopes.split_ascii_whitespace().any(|scope| scope == name);
        Self {
            openid: has("openid"),
            fhir_user: has("fhirUser"),
            online: has("online_access"),
            offline: has("offline_access"),
        }
    }

    /// What of it stands in the other as well.
    pub(super) fn within(self, other: Self) -> Self {
        Self {
            openid: self.openid && other.openid,
            fhir_user: self.fhir_user && other.fhir_user,
            online: self.online && other.online,
            offline: self.offline && other.offline,
        }
    }

    /// Whether who signed in is told (an ID token).
    pub(super) fn tells_who(self) -> bool {
        self.openid
    }

    /// Whether it is told by their resource as well.
    pub(super) fn tells_resource(self) -> bool {
        self.openid && self.fhir_user
    }

    /// Whether the client goes on, and how.
    pub(super) fn going_on(self) -> Option<GoingOn> {
        match (self.offline, self.online) {
            (true, _) => Some(GoingOn::Offline),
            (false, true) => Some(GoingOn::Online),
            (false, false) => None,
        }
    }

    /// The scopes as they are told.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("openid", self.openid),
            ("fhirUser", self.fhir_user),
            ("online_access", self.online),
            ("offline_access", self.offline),
        ];
        all.into_iter().filter(|(_, given)| *given).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_asked_for_and_registered() {
        let asked = Beside::of("openid fhirUser offline_access patient/*.rs openid2");
        let given = asked.within(Beside::of("launch/patient openid online_access offline_access"));
        assert_eq!(given.names().collect::<Vec<_>>(), ["openid", "offline_access"]);
        assert!(given.tells_who() && !given.tells_resource());
        assert_eq!(given.going_on(), Some(GoingOn::Offline));
        assert_eq!(Beside::of("online_access").going_on(), Some(GoingOn::Online));
        assert_eq!(Beside::of("").going_on(), None);
    }
}
