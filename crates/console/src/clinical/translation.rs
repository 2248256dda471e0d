//! The message translated again, for its trace: which rule made which element of which bytes.

use std::sync::Arc;

use mapping::{Context, Coverage, Rejection, Step, Translation};
use uuid::Uuid;

/// What the console asks of a package of mappings.
pub trait Translate: Send + Sync {
    /// Lower-case hexadecimal SHA-256 of the package.
    fn hash(&self) -> &str;
    /// Translates one message.
    ///
    /// # Errors
    /// [`Rejection`] when the message as a whole cannot be translated.
    fn translate(
        &self,
        message: &hl7v2::Message<'_>,
        context: &Context<'_>,
    ) -> Result<Translation, Rejection>;
}

impl Translate for mapping::Package {
    fn hash(&self) -> &str {
        self.hash()
    }

    fn translate(
        &self,
        message: &hl7v2::Message<'_>,
        context: &Context<'_>,
    ) -> Result<Translation, Rejection> {
        self.translate(message, context)
    }
}

/// What became of translating again.
pub(crate) enum Again {
    /// The trace, and the fate of each leaf.
    Traced(Vec<Step>, Coverage),
    /// The package does not translate it; why, without content.
    Rejected(String),
    /// The bytes are no message.
    Unreadable(String),
}

/// Translates with a trace. Runs for as long as the message is large; call it where blocking is allowed.
pub(crate) fn again(package: &Arc<dyn Translate>, namespace: Uuid, message: &hl7v2::Message<'_>) -> Again {
    let context = Context { namespace, site: None, trace: true };
    match package.translate(message, &context) {
        Ok(translation) => Again::Traced(
            translation.trace.map(|trace| trace.steps).unwrap_or_default(),
            translation.coverage,
        ),
        Err(rejection) => Again::Rejected(rejection.to_string()),
    }
}
