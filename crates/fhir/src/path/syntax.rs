//! The subset of FHIRPath in which R4 and its profiles write constraints: syntax tree and parser.
//!
//! ```text
//! implies    = either { "implies" either }
//! either     = both { ( "or" | "xor" ) both }
//! both       = member { "and" member }
//! member     = equal { ( "in" | "contains" ) equal }
//! equal      = order { ( "=" | "!=" | "~" | "!~" ) order }
//! order      = union { ( "<" | "<=" | ">" | ">=" ) union }
//! union      = typed { "|" typed }
//! typed      = sum { ( "is" | "as" ) type }
//! sum        = product { ( "+" | "-" | "&" ) product }
//! product    = path { ( "*" | "div" | "mod" ) path }
//! path       = start { "." step | "[" implies "]" }
//! start      = "(" implies ")" | literal | "$this" | "%" name | step
//! step       = name | "`" name "`" | function "(" [ implies { "," implies } ] ")"
//! literal    = "'" text "'" | digits [ "." digits ] | "true" | "false" | "{" "}"
//! ```

use super::pattern::Pattern;
use crate::error::Error;

/// Parentheses and arguments may be nested this deep.
const NESTING_MAX: usize = 48;
/// Longest expression.
const EXPRESSION_BYTES_MAX: usize = 16 * 1024;

/// A parsed expression.
#[derive(Debug)]
pub(crate) enum Expression {
    /// `$this`, and what a path without a start begins at.
    This,
    Variable(Variable),
    Empty,
    Text(Box<str>),
    Number(Box<str>),
    Truth(bool),
    /// A capital name at the start of a path: the focus, if it is of that type, else its child.
    Root(Box<str>),
    Child(Box<Self>, Box<str>),
    Index(Box<Self>, Box<Self>),
    Is(Box<Self>, Box<str>),
    As(Box<Self>, Box<str>),
    Binary(Operator, Box<Self>, Box<Self>),
    Call(Box<Self>, Function, Box<[Self]>),
    Matches(Box<Self>, Pattern),
    Replace(Box<Self>, Pattern, Box<str>),
}

/// What begins with `%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    /// The nearest resource.
    Resource,
    /// The nearest resource that is not contained.
    RootResource,
    /// The element the evaluation began with.
    Context,
    /// The system of UCUM.
    Ucum,
}

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Plus,
    Minus,
    Join,
    Times,
    Quotient,
    Remainder,
}

impl Operator {
    /// Whether it joins truth values.
    pub(crate) fn is_logic(self) -> bool {
        matches!(self, Self::Implies | Self::Or | Self::Xor | Self::And)
    }
}

/// Declares the functions with their name and number of arguments (least, most).
macro_rules! functions {
    ($($name:ident $text:literal $least:literal $most:literal,)*) => {
        /// A function of the subset, other than those with a regular expression or a type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Function { $($name,)* }

        impl Function {
            fn parse(name: &str) -> Option<(Self, usize, usize)> {
                match name { $($text => Some((Self::$name, $least, $most)),)* _ => None }
            }
        }
    };
}

functions! {
    All "all" 1 1,
    AllTrue "allTrue" 0 0,
    Children "children" 0 0,
    Combine "combine" 1 1,
    ContainsText "contains" 1 1,
    Count "count" 0 0,
    Descendants "descendants" 0 0,
    Distinct "distinct" 0 0,
    Empty "empty" 0 0,
    EndsWith "endsWith" 1 1,
    Exists "exists" 0 1,
    Extension "extension" 1 1,
    First "first" 0 0,
    HasValue "hasValue" 0 0,
    HtmlChecks "htmlChecks" 0 0,
    Iif "iif" 2 3,
    Intersect "intersect" 1 1,
    IsDistinct "isDistinct" 0 0,
    Last "last" 0 0,
    Length "length" 0 0,
    MemberOf "memberOf" 1 1,
    Not "not" 0 0,
    Repeat "repeat" 1 1,
    Resolve "resolve" 0 0,
    Select "select" 1 1,
    StartsWith "startsWith" 1 1,
    Substring "substring" 1 2,
    Tail "tail" 0 0,
    ToInteger "toInteger" 0 0,
    ToText "toString" 0 0,
    Trace "trace" 1 2,
    Union "union" 1 1,
    Where "where" 1 1,
}

/// Operators by falling weakness: each line binds tighter than the one before.
const LEVELS: [&[(&str, Operator)]; 10] = [
    &[("implies", Operator::Implies)],
    &[("or", Operator::Or), ("xor", Operator::Xor)],
    &[("and", Operator::And)],
    &[("in", Operator::In), ("contains", Operator::Contains)],
    &[("!=", Operator::NotEqual), ("!~", Operator::NotEqual), ("=", Operator::Equal), ("~", Operator::Equal)],
    &[
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("|", Operator::Union)],
    // `is` and `as` stand here; see `typed`.
    &[],
    &[("+", Operator::Plus), ("-", Operator::Minus), ("&", Operator::Join)],
    &[("*", Operator::Times), ("div", Operator::Quotient), ("mod", Operator::Remainder)],
];
const TYPED_LEVEL: usize = 7;

/// Parses an expression. With `compiles` its regular expressions are compiled too, and refused when they are none.
///
/// # Errors
/// [`Error::Expression`] when it is outside the subset.
pub(crate) fn parse(text: &str, compiles: bool) -> Result<Expression, Error> {
    let mut parser = Parser { text, at: 0, nesting: 0, compiles };
    if text.len() > EXPRESSION_BYTES_MAX {
        return Err(parser.error("a shorter expression"));
    }
    let expression = parser.level(0)?;
    parser.space();
    if parser.at == text.len() { Ok(expression) } else { Err(parser.error("end of expression")) }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    nesting: usize,
    compiles: bool,
}

type Parsed = Result<Expression, Error>;

impl Parser<'_> {
    fn level(&mut self, level: usize) -> Parsed {
        let Some(operators) = LEVELS.get(level) else { return self.path() };
        if level == TYPED_LEVEL {
            return self.typed();
        }
        let mut left = self.level(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = self.level(level + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[(&str, Operator)]) -> Option<Operator> {
        let is_word = |text: &str| text.starts_with(|first: char| first.is_ascii_alphabetic());
        let mut find = |(text, operator): &(&str, Operator)| {
            let taken = if is_word(text) { self.word(text) } else { self.token(text) };
            taken.then_some(*operator)
        };
        operators.iter().find_map(&mut find)
    }

    fn typed(&mut self) -> Parsed {
        let mut left = self.level(TYPED_LEVEL + 1)?;
        loop {
            if self.word("is") {
                left = Expression::Is(Box::new(left), self.type_name()?);
            } else if self.word("as") {
                left = Expression::As(Box::new(left), self.type_name()?);
            } else {
                return Ok(left);
            }
        }
    }

    fn path(&mut self) -> Parsed {
        let mut left = self.start()?;
        loop {
            if self.token(".") {
                left = self.step(left)?;
            } else if self.token("[") {
                let index = self.nested()?;
                self.expect("]", "a closing bracket")?;
                left = Expression::Index(Box::new(left), Box::new(index));
            } else {
                return Ok(left);
            }
        }
    }

    fn start(&mut self) -> Parsed {
        self.space();
        match self.text.as_bytes().get(self.at) {
            Some(b'(') => {
                self.at += 1;
                let inner = self.nested()?;
                self.expect(")", "a closing parenthesis")?;
                Ok(inner)
            }
            Some(b'{') => {
                self.at += 1;
                self.expect("}", "a closing brace")?;
                Ok(Expression::Empty)
            }
            Some(b'\'') => Ok(Expression::Text(self.quoted('\'')?.into())),
            Some(b'$') => {
                self.expect("$this", "$this")?;
                Ok(Expression::This)
            }
            Some(b'%') => self.variable(),
            Some(b'0'..=b'9') => Ok(Expression::Number(self.number().into())),
            _ if self.word("true") => Ok(Expression::Truth(true)),
            _ if self.word("false") => Ok(Expression::Truth(false)),
            _ => self.first_step(),
        }
    }

    fn variable(&mut self) -> Parsed {
        self.at += 1;
        let name = self.name()?;
        Ok(Expression::Variable(match &*name {
            "resource" => Variable::Resource,
            "rootResource" => Variable::RootResource,
            "context" => Variable::Context,
            "ucum" => Variable::Ucum,
            _ => return Err(self.error("a variable of the subset")),
        }))
    }

    fn number(&mut self) -> &str {
        let from = self.at;
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        self.at = digits(self.at);
        if bytes.get(self.at) == Some(&b'.') && bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            self.at = digits(self.at + 1);
        }
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// A step without anything before it.
    fn first_step(&mut self) -> Parsed {
        let is_capital = self.text.get(self.at..).is_some_and(|rest| {
            rest.starts_with(|first: char| first.is_ascii_uppercase())
                && !rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).starts_with('(')
        });
        if is_capital {
            return Ok(Expression::Root(self.name()?));
        }
        self.step(Expression::This)
    }

    fn step(&mut self, left: Expression) -> Parsed {
        let name = self.name()?;
        let left = Box::new(left);
        if !self.token("(") {
            return Ok(Expression::Child(left, name));
        }
        let call = match &*name {
            "is" => Expression::Is(left, self.type_name()?),
            "as" | "ofType" => Expression::As(left, self.type_name()?),
            "matches" => Expression::Matches(left, self.pattern()?),
            "replaceMatches" => {
                let pattern = self.pattern()?;
                self.expect(",", "a second argument")?;
                self.space();
                Expression::Replace(left, pattern, self.quoted('\'')?.into())
            }
            _ => return self.call(left, &name),
        };
        self.expect(")", "a closing parenthesis")?;
        Ok(call)
    }

    fn call(&mut self, left: Box<Expression>, name: &str) -> Parsed {
        let (function, least, most) =
            Function::parse(name).ok_or_else(|| self.error("a function of the subset"))?;
        let mut arguments = Vec::new();
        if !self.token(")") {
            arguments.push(self.nested()?);
            while self.token(",") {
                arguments.push(self.nested()?);
            }
            self.expect(")", "a closing parenthesis")?;
        }
        if !(least..=most).contains(&arguments.len()) {
            return Err(self.error("another number of arguments"));
        }
        Ok(Expression::Call(left, function, arguments.into()))
    }

    fn nested(&mut self) -> Parsed {
        self.nesting += 1;
        if self.nesting > NESTING_MAX {
            return Err(self.error("fewer parentheses"));
        }
        let inner = self.level(0)?;
        self.nesting -= 1;
        Ok(inner)
    }

    fn pattern(&mut self) -> Result<Pattern, Error> {
        self.space();
        let at = self.at;
        let pattern = Pattern::new(&self.quoted('\'')?);
        if self.compiles && pattern.get().is_none() {
            return Err(Error::Expression { offset: at, problem: "a regular expression" });
        }
        Ok(pattern)
    }

    /// `Quantity`, `FHIR.Quantity`, `System.String`.
    fn type_name(&mut self) -> Result<Box<str>, Error> {
        let name = self.name()?;
        if matches!(&*name, "FHIR" | "System") && self.token(".") {
            return self.name();
        }
        Ok(name)
    }

    fn name(&mut self) -> Result<Box<str>, Error> {
        self.space();
        if self.text.as_bytes().get(self.at) == Some(&b'`') {
            return Ok(self.quoted('`')?.into());
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        let name = rest.get(..length).unwrap_or_default();
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return Err(self.error("a name"));
        }
        self.at += length;
        Ok(name.into())
    }

    /// The text between two quotes, its escapes resolved.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut text = String::new();
        let mut characters = rest.char_indices();
        if characters.next().is_none_or(|(_, first)| first != quote) {
            return Err(self.error("a quoted text"));
        }
        while let Some((offset, character)) = characters.next() {
            match character {
                _ if character == quote => {
                    self.at += offset + quote.len_utf8();
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'f')) => text.push('\u{c}'),
                    Some((_, other @ ('\'' | '"' | '`' | '\\' | '/'))) => text.push(other),
                    // R4 writes some patterns with a single backslash; it stands for itself.
                    Some((_, other)) if other != 'u' => text.extend(['\\', other]),
                    _ => return Err(self.error("an escape of the subset")),
                },
                other => text.push(other),
            }
        }
        Err(self.error("a closing quote"))
    }

    fn space(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn token(&mut self, token: &str) -> bool {
        self.space();
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(token));
        if found {
            self.at += token.len();
        }
        found
    }

    /// A word that ends where it ends.
    fn word(&mut self, word: &str) -> bool {
        self.space();
        let Some(rest) = self.text.get(self.at..).and_then(|rest| rest.strip_prefix(word)) else {
            return false;
        };
        let ends = !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        if ends {
            self.at += word.len();
        }
        ends
    }

    fn expect(&mut self, token: &str, problem: &'static str) -> Result<(), Error> {
        if self.token(token) { Ok(()) } else { Err(self.error(problem)) }
    }

    fn error(&self, problem: &'static str) -> Error {
        Error::Expression { offset: self.at, problem }
    }
}
