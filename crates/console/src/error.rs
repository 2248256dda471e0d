//! What goes wrong while answering, and the page it becomes.

use axum::http::StatusCode;

/// Why a page is not given. No text of it holds content of a message or of a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No session, or one that has ended.
    #[error("no session")]
    SignedOut,
    /// The one-time code is unknown or was used.
    #[error("the sign-in code is not valid")]
    Code,
    /// The form does not carry the session's token, or comes from another site.
    #[error("the form is not from this console")]
    Forged,
    /// The request names something that does not exist.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A parameter is not one of those that exist.
    #[error("the {0} is not valid")]
    Invalid(&'static str),
    /// Too many open at once.
    #[error("too many {0}")]
    Busy(&'static str),
    /// A search takes longer than a person waits.
    #[error("the search takes too long")]
    TooLong,
    /// A record could not be committed, so nothing is answered.
    #[error("the access cannot be recorded")]
    NotRecorded(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A part that was lent to the console gave nothing.
    #[error("a lent part of the page failed")]
    Lent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Storage does not answer.
    #[error("storage is not available")]
    Store(#[from] store::Error),
    /// The tour could not send its messages.
    #[error("the guide could not send")]
    Guide(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A template failed.
    #[error("the page cannot be rendered")]
    Render(#[from] askama::Error),
    /// A task of this answer ended early.
    #[error("a part of the page ended early")]
    Task,
}

impl Error {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Code | Self::Forged => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Busy(_)
            | Self::TooLong
            | Self::NotRecorded(_)
            | Self::Guide(_)
            | Self::Store(_)
            | Self::Lent(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Render(_) | Self::Task => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Heading, and what the person can do.
    pub(crate) fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::SignedOut => ("Sign in", "You are not signed in, or your session has ended."),
            Self::Code => (
                "This sign-in link is not valid",
                "It was used already, it is not complete, or another node made it. Ask for a new link.",
            ),
            Self::Forged => ("This form was not accepted", "Open the page again and repeat what you did."),
            Self::NotFound(_) => ("Not found", "There is no such page or message on this node."),
            Self::Invalid(_) => ("Not understood", "A choice in this request is not one of those offered."),
            Self::Busy(_) => ("Busy", "Too many of these are open at the moment. Try again later."),
            Self::TooLong => (
                "This search takes too long",
                "Narrow it: name a patient, visit, order or control id, or add a time such as since:1d.",
            ),
            Self::NotRecorded(_) => (
                "Not shown",
                "The record of this access could not be written, so nothing is shown. Nothing was lost; try again.",
            ),
            Self::Guide(_) => ("Nothing was sent", "The listeners did not take the messages. Try again."),
            Self::Store(_) | Self::Lent(_) => ("Storage is not available", "Nothing was changed. Try again."),
            Self::Render(_) | Self::Task => ("This page failed", "Nothing was changed. Try again."),
        }
    }
}
