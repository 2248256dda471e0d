//! The subset of FHIRPath that R4 search parameters use, parsed once when the definitions are decoded.
//!
//! ```text
//! conjunction = comparison { "and" comparison }
//! comparison  = union [ ( "=" | "!=" ) literal ]
//! union       = typed { "|" typed }
//! typed       = path [ ( "as" | "is" ) name ]
//! path        = ( "(" conjunction ")" | name | "%resource" | call ) { "." ( name | call ) | "[" digits "]" }
//! call        = "where(" conjunction ")" | "as(" name ")" | "ofType(" name ")" | "exists()" | "resolve()"
//!             | "extension('" url "')"
//! literal     = "'" text "'" | "true" | "false"
//! ```

use crate::error::Error;

/// Parentheses may be nested this deep.
const NESTING_MAX: usize = 16;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    /// The element the expression is evaluated on.
    Context,
    /// `%resource`: the resource the evaluation began with.
    Resource,
    /// A type name at the start: the context, if it is of that type.
    Root(&'static str),
    Child(Box<Self>, &'static str),
    Index(Box<Self>, usize),
    OfType(Box<Self>, &'static str),
    Is(Box<Self>, &'static str),
    Where(Box<Self>, Box<Self>),
    Exists(Box<Self>),
    /// References become the type of their target.
    Resolve(Box<Self>),
    Equals(Box<Self>, Literal),
    NotEquals(Box<Self>, Literal),
    And(Box<Self>, Box<Self>),
    Union(Vec<Self>),
}

impl Expression {
    /// The expression without the branches of a union that begin at a type other than these.
    pub(crate) fn restricted(&self, types: &[&str]) -> Self {
        match self {
            Self::Union(branches) => {
                let begins_here = |branch: &&Self| branch.root().is_none_or(|root| types.contains(&root));
                let mut kept: Vec<Self> = branches.iter().filter(begins_here).cloned().collect();
                match kept.len() {
                    1 => kept.swap_remove(0),
                    _ => Self::Union(kept),
                }
            }
            other => other.clone(),
        }
    }

    /// The expression with its context in place of the type names that paths begin with.
    pub(crate) fn rootless(&self) -> Self {
        let own = |of: &Self| Box::new(of.rootless());
        match self {
            Self::Root(_) | Self::Context => Self::Context,
            Self::Resource => Self::Resource,
            Self::Child(of, name) => Self::Child(own(of), name),
            Self::Index(of, index) => Self::Index(own(of), *index),
            Self::OfType(of, name) => Self::OfType(own(of), name),
            Self::Is(of, name) => Self::Is(own(of), name),
            Self::Where(of, condition) => Self::Where(own(of), own(condition)),
            Self::Exists(of) => Self::Exists(own(of)),
            Self::Resolve(of) => Self::Resolve(own(of)),
            Self::Equals(of, literal) => Self::Equals(own(of), *literal),
            Self::NotEquals(of, literal) => Self::NotEquals(own(of), *literal),
            Self::And(left, right) => Self::And(own(left), own(right)),
            Self::Union(all) => Self::Union(all.iter().map(Self::rootless).collect()),
        }
    }

    /// The type name a path begins with.
    fn root(&self) -> Option<&'static str> {
        match self {
            Self::Root(name) => Some(name),
            Self::Context | Self::Resource | Self::And(..) | Self::Union(_) => None,
            Self::Child(left, _)
            | Self::Index(left, _)
            | Self::OfType(left, _)
            | Self::Is(left, _)
            | Self::Where(left, _)
            | Self::Exists(left)
            | Self::Resolve(left)
            | Self::Equals(left, _)
            | Self::NotEquals(left, _) => left.root(),
        }
    }
}

/// A constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literal {
    Text(&'static str),
    Truth(bool),
}

/// Parses an expression.
///
/// # Errors
/// [`Error::Expression`] when it is outside the subset.
pub(crate) fn parse(text: &'static str) -> Result<Expression, Error> {
    let mut parser = Parser { text, at: 0, nesting: 0 };
    let expression = parser.conjunction()?;
    parser.space();
    if parser.at == text.len() { Ok(expression) } else { Err(parser.error("end of expression")) }
}

/// `extension(url)` is short for `extension.where(url = …)` (FHIR, fhirpath §2.1.9.1.5.1).
fn extension(of: Box<Expression>, url: &'static str) -> Expression {
    let all = Expression::Child(of, "extension");
    let own = Expression::Child(Box::new(Expression::Context), "url");
    Expression::Where(Box::new(all), Box::new(Expression::Equals(Box::new(own), Literal::Text(url))))
}

struct Parser {
    text: &'static str,
    at: usize,
    nesting: usize,
}

type Parsed = Result<Expression, Error>;

impl Parser {
    fn conjunction(&mut self) -> Parsed {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(self.error("fewer parentheses"));
        }
        let mut left = self.comparison()?;
        while self.word("and") {
            left = Expression::And(Box::new(left), Box::new(self.comparison()?));
        }
        self.nesting -= 1;
        Ok(left)
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.union()?;
        if self.token("!=") {
            return Ok(Expression::NotEquals(Box::new(left), self.literal()?));
        }
        if self.token("=") {
            return Ok(Expression::Equals(Box::new(left), self.literal()?));
        }
        Ok(left)
    }

    fn union(&mut self) -> Parsed {
        let first = self.typed()?;
        let mut branches = vec![first];
        while self.token("|") {
            branches.push(self.typed()?);
        }
        if branches.len() > 1 {
            return Ok(Expression::Union(branches));
        }
        branches.pop().ok_or_else(|| self.error("a path"))
    }

    fn typed(&mut self) -> Parsed {
        let path = self.path()?;
        if self.word("as") {
            return Ok(Expression::OfType(Box::new(path), self.name()?));
        }
        if self.word("is") {
            return Ok(Expression::Is(Box::new(path), self.name()?));
        }
        Ok(path)
    }

    fn path(&mut self) -> Parsed {
        let mut left = if self.token("(") {
            let inner = self.conjunction()?;
            self.expect(")", "a closing parenthesis")?;
            inner
        } else if self.token("%resource") {
            Expression::Resource
        } else {
            self.step(Expression::Context)?
        };
        loop {
            if self.token(".") {
                left = self.step(left)?;
            } else if self.token("[") {
                let digits = self.span(|byte| byte.is_ascii_digit());
                let index = digits.parse().map_err(|_| self.error("an index"))?;
                self.expect("]", "a closing bracket")?;
                left = Expression::Index(Box::new(left), index);
            } else {
                return Ok(left);
            }
        }
    }

    fn step(&mut self, left: Expression) -> Parsed {
        self.space();
        let offset = self.at;
        let name = self.name()?;
        let left_is_context = left == Expression::Context;
        let left = Box::new(left);
        if !self.token("(") {
            let is_root = left_is_context && name.starts_with(|first: char| first.is_ascii_uppercase());
            return Ok(if is_root { Expression::Root(name) } else { Expression::Child(left, name) });
        }
        let call = match name {
            "where" => Expression::Where(left, Box::new(self.conjunction()?)),
            "as" | "ofType" => Expression::OfType(left, self.name()?),
            "exists" => Expression::Exists(left),
            "resolve" => Expression::Resolve(left),
            "extension" => extension(left, self.quoted()?),
            _ => return Err(Error::Expression { offset, problem: "a function of the subset" }),
        };
        self.expect(")", "a closing parenthesis")?;
        Ok(call)
    }

    fn literal(&mut self) -> Result<Literal, Error> {
        if self.word("true") {
            return Ok(Literal::Truth(true));
        }
        if self.word("false") {
            return Ok(Literal::Truth(false));
        }
        Ok(Literal::Text(self.quoted()?))
    }

    fn quoted(&mut self) -> Result<&'static str, Error> {
        self.expect("'", "a literal")?;
        let text = self.span(|byte| byte != b'\'' && byte != b'\\');
        self.expect("'", "a closing quote")?;
        Ok(text)
    }

    fn name(&mut self) -> Result<&'static str, Error> {
        self.space();
        let name = self.span(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() { Err(self.error("a name")) } else { Ok(name) }
    }

    fn rest(&self) -> &'static str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn span(&mut self, holds: impl Fn(u8) -> bool) -> &'static str {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !holds(byte)).unwrap_or(rest.len());
        let span = rest.get(..end).unwrap_or_default();
        self.at += span.len();
        span
    }

    fn token(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// A token that no letter follows.
    fn word(&mut self, word: &str) -> bool {
        let start = self.at;
        if self.token(word) && !self.rest().starts_with(|next: char| next.is_ascii_alphanumeric()) {
            return true;
        }
        self.at = start;
        false
    }

    fn expect(&mut self, token: &str, problem: &'static str) -> Result<(), Error> {
        if self.token(token) { Ok(()) } else { Err(self.error(problem)) }
    }

    fn error(&self, problem: &'static str) -> Error {
        Error::Expression { offset: self.at, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_is_outside_the_subset_is_refused() {
        for text in [
            "",
            "Patient.",
            "Patient.name |",
            "a.where(b",
            "a.count()",
            "a[x]",
            "a = b",
            "a = 'x",
            "(a",
            "a.extension()",
            "a.extension(url)",
            "a.extension('x'",
            "a b",
            "é",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(String::leak("(".repeat(100_000))).is_err());
    }

    #[test]
    fn an_extension_is_one_with_its_url() {
        let (short, long) = ("Patient.extension('u').value", "Patient.extension.where(url = 'u').value");
        assert_eq!(parse(short).unwrap(), parse(long).unwrap());
    }
}
