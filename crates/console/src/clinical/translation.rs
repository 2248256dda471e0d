//! The message translated again, for its trace: which rule made which element of which bytes.

use std::sync::Arc;

use mapping::{Context, Coverage, Rejection, Trace, Translation};
use serde_json::Value;
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

/// Gives the package in force. Another may be put into its place at any time, so an answer asks once.
pub type InForce = Arc<dyn Fn() -> Arc<dyn Translate> + Send + Sync>;

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

/// The translation alone, without a trace; `None` when the package does not translate it.
pub(crate) fn translated(
    package: &Arc<dyn Translate>,
    namespace: Uuid,
    message: &hl7v2::Message<'_>,
) -> Option<Translation> {
    package.translate(message, &Context { namespace, site: None, trace: false }).ok()
}

/// What became of translating again.
pub(crate) enum Again {
    /// The trace, the fate of each leaf, and the resources made.
    Traced(Box<Trace>, Coverage, Vec<Value>),
    /// The package does not translate it; why, without content.
    Rejected(String),
    /// The bytes are no message.
    Unreadable(String),
}

/// Translates with a trace. Runs for as long as the message is large; call it where blocking is allowed.
pub(crate) fn again(package: &Arc<dyn Translate>, namespace: Uuid, message: &hl7v2::Message<'_>) -> Again {
    let context = Context { namespace, site: None, trace: true };
    match package.translate(message, &context) {
        Ok(translation) => {
            let made = translation.made().map(|set| set.resource.clone()).collect();
            Again::Traced(Box::new(translation.trace.unwrap_or_default()), translation.coverage, made)
        }
        Err(rejection) => Again::Rejected(rejection.to_string()),
    }
}
