//! The acts that are recorded, and their stable texts.

/// What was done. The texts of [`Kind::as_str`] are stored and never change; variants are only added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A message was written to the journal.
    MessageReceived,
    /// A message's resources were stored.
    MessageApplied,
    /// A message, or what came of it, was set aside.
    MessageQuarantined,
    /// A message was processed again.
    MessageReprocessed,
    /// A residency decision was taken for one destination.
    Decided,
    /// A destination took a release.
    Delivered,
    /// A destination refused a release, or the release was withheld at send.
    DeliveryRefused,
    /// A destination's signed receipt was entered.
    ReceiptEntered,
    /// A resource was read.
    ResourceRead,
    /// Resources were searched.
    ResourceSearched,
    /// A message's content was shown to a person.
    MessageViewed,
    /// A person or client signed in, or failed to.
    SignIn,
    /// The node started.
    NodeStarted,
    /// The node stopped in order.
    NodeStopped,
    /// Configuration, mappings, profiles or keys changed.
    ConfigurationChanged,
    /// An operator released something from quarantine.
    ReleasedFromQuarantine,
    /// A release arrived at this node and was stored.
    Arrived,
    /// A release arrived at this node and was refused.
    ArrivalRefused,
    /// Two patients became one: by a merge message, or by a number that a trusted authority gave both.
    PatientsLinked,
    /// Two patients that had become one are two again.
    PatientsUnlinked,
    /// A message raised a question about who is who.
    ReviewRaised,
    /// A person said who is who.
    ReviewAnswered,
    /// What was released is withdrawn from a destination.
    Withdrawn,
    /// Everything is decided again under another policy or profile.
    Swept,
    /// A person said what a patient consents to.
    ConsentRecorded,
    /// A person made a delivery that was given up pending again.
    DeliveryRevived,
    /// A person sent an edited message as the child of another.
    MessageResent,
    /// A month of the journal was dropped by retention.
    JournalDropped,
    /// A person placed a legal hold.
    HoldPlaced,
    /// A person ended a legal hold.
    HoldReleased,
    /// A person acknowledged an alert.
    AlertAcknowledged,
    /// The package in force knows a code that was missing: its messages are processed again.
    CodeMapped,
    /// A client created resources.
    ResourceCreated,
    /// A client changed resources.
    ResourceUpdated,
    /// A client deleted resources.
    ResourceDeleted,
    /// A client's change was refused.
    ChangeRefused,
    /// Requests were refused before their client was known, or because it asked too often; `count` says how many.
    AccessRefused,
}

impl Kind {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 37] = [
        Self::MessageReceived,
        Self::MessageApplied,
        Self::MessageQuarantined,
        Self::MessageReprocessed,
        Self::Decided,
        Self::Delivered,
        Self::DeliveryRefused,
        Self::ReceiptEntered,
        Self::ResourceRead,
        Self::ResourceSearched,
        Self::MessageViewed,
        Self::SignIn,
        Self::NodeStarted,
        Self::NodeStopped,
        Self::ConfigurationChanged,
        Self::ReleasedFromQuarantine,
        Self::Arrived,
        Self::ArrivalRefused,
        Self::PatientsLinked,
        Self::PatientsUnlinked,
        Self::ReviewRaised,
        Self::ReviewAnswered,
        Self::Withdrawn,
        Self::Swept,
        Self::ConsentRecorded,
        Self::DeliveryRevived,
        Self::MessageResent,
        Self::JournalDropped,
        Self::HoldPlaced,
        Self::HoldReleased,
        Self::AlertAcknowledged,
        Self::CodeMapped,
        Self::ResourceCreated,
        Self::ResourceUpdated,
        Self::ResourceDeleted,
        Self::ChangeRefused,
        Self::AccessRefused,
    ];

    /// The stored text, `object.act`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MessageReceived => "message.received",
            Self::MessageApplied => "message.applied",
            Self::MessageQuarantined => "message.quarantined",
            Self::MessageReprocessed => "message.reprocessed",
            Self::Decided => "release.decided",
            Self::Delivered => "release.delivered",
            Self::DeliveryRefused => "release.refused",
            Self::ReceiptEntered => "receipt.entered",
            Self::ResourceRead => "resource.read",
            Self::ResourceSearched => "resource.searched",
            Self::MessageViewed => "message.viewed",
            Self::SignIn => "user.signed-in",
            Self::NodeStarted => "node.started",
            Self::NodeStopped => "node.stopped",
            Self::ConfigurationChanged => "configuration.changed",
            Self::ReleasedFromQuarantine => "quarantine.released",
            Self::Arrived => "arrival.stored",
            Self::ArrivalRefused => "arrival.refused",
            Self::PatientsLinked => "patient.linked",
            Self::PatientsUnlinked => "patient.unlinked",
            Self::ReviewRaised => "review.raised",
            Self::ReviewAnswered => "review.answered",
            Self::Withdrawn => "release.withdrawn",
            Self::Swept => "policy.swept",
            Self::ConsentRecorded => "consent.recorded",
            Self::DeliveryRevived => "delivery.revived",
            Self::MessageResent => "message.resent",
            Self::JournalDropped => "journal.dropped",
            Self::HoldPlaced => "hold.placed",
            Self::HoldReleased => "hold.released",
            Self::AlertAcknowledged => "alert.acknowledged",
            Self::CodeMapped => "code.mapped",
            Self::ResourceCreated => "resource.created",
            Self::ResourceUpdated => "resource.updated",
            Self::ResourceDeleted => "resource.deleted",
            Self::ChangeRefused => "resource.refused",
            Self::AccessRefused => "access.refused",
        }
    }

    /// The kind with this stored text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_text_and_comes_back() {
        let texts: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(texts.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert!(crate::is_code(kind.as_str()));
        }
        assert_eq!(Kind::parse("message.Received"), None);
    }
}
