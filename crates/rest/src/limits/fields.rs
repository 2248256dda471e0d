//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, §3 and §4): structured fields (RFC 9651) that
//! tell a client its limits and what is left.

use axum::http::{HeaderName, HeaderValue};

use super::Allowance;
use crate::outcome::Failure;

/// `RateLimit-Policy`.
pub(crate) static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `RateLimit`.
pub(crate) static LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// What an answer says of limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    policy: String,
    limit: String,
}

impl Fields {
    /// `left`: requests that may follow at once, and seconds until all may. `left_today`: quota of a day, what is left of it,
    /// and seconds until it is whole again.
    pub(super) fn new(allowance: &Allowance, left: (u64, u64), left_today: Option<(u64, u64, u64)>) -> Self {
        let rate = allowance.rate;
        let mut policy = format!("\"rate\";q={};w={}", rate.burst.max(1), rate.window_s());
        let mut limit = format!("\"rate\";r={};t={}", left.0, left.1);
        if let Some((quota, left, ends_s)) = left_today {
            policy.push_str(&format!(", \"day\";q={quota};w={DAY_S}"));
            limit.push_str(&format!(", \"day\";r={left};t={ends_s}"));
        }
        Self { policy, limit }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let of = |name: &HeaderName, text: &str| Some((name.clone(), HeaderValue::try_from(text).ok()?));
        [of(&POLICY, &self.policy), of(&LIMIT, &self.limit)].into_iter().flatten()
    }

    /// A failure that says the same.
    pub(super) fn on(&self, failure: Failure) -> Failure {
        self.each().fold(failure, |failure, (name, value)| failure.header(name, value))
    }
}
