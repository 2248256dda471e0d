//! What made a version of a resource: messages, or a client of the REST API.

/// How the texts of [`Origin::Client`] begin; a package's hash never does.
const CLIENT: &str = "client:";

/// What made a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Messages, or the node itself, under this content hash: of the package of mappings on the clinical role, of the
    /// policy on the portal role. Such a resource is derived state: what is behind it can make it again.
    Package(String),
    /// A client of the REST API. What it wrote is ground: nothing else could make it again.
    Client {
        /// Its name, as its token was given it.
        client: String,
        /// How.
        method: WriteMethod,
    },
}

/// The request that made a version (R4, `http://hl7.org/fhir/http-verb`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteMethod {
    /// Created under an id of the server's choice.
    Post,
    /// Written whole, under an id that the client knows.
    Put,
    /// Changed in parts.
    Patch,
    /// Deleted.
    Delete,
    /// No request: a message said that its patient is another, and what a client wrote went along.
    Moved,
}

impl WriteMethod {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Moved];

    /// The stored text; the HTTP verb where there is one.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Moved => "moved",
        }
    }
}

impl Origin {
    /// The stored text.
    pub fn to_text(&self) -> String {
        match self {
            Self::Package(hash) => hash.clone(),
            Self::Client { client, method } => format!("{CLIENT}{}:{client}", method.as_str()),
        }
    }

    /// The origin of a stored text; `None` when it begins as a client's and is not.
    pub fn parse(text: &str) -> Option<Self> {
        let Some(rest) = text.strip_prefix(CLIENT) else { return Some(Self::Package(text.to_owned())) };
        let (method, client) = rest.split_once(':')?;
        let method = WriteMethod::ALL.into_iter().find(|known| known.as_str() == method)?;
        Some(Self::Client { client: client.to_owned(), method })
    }

    /// The client that wrote it; `None` for derived state.
    pub fn client(&self) -> Option<&str> {
        match self {
            Self::Package(_) => None,
            Self::Client { client, .. } => Some(client),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_comes_back_from_its_text() {
        for method in WriteMethod::ALL {
            for client in ["portal", "", "a:b"] {
                let origin = Origin::Client { client: client.to_owned(), method };
                assert_eq!(Origin::parse(&origin.to_text()), Some(origin));
            }
        }
        let package = Origin::Package("6f1a".into());
        assert_eq!(Origin::parse(&package.to_text()), Some(package));
        assert_eq!(Origin::parse("client:STEAL:x"), None);
        assert_eq!(Origin::parse("client:"), None);
    }
}
