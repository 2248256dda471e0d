//! What each of many has asked: a bucket and a day's count by key, of at most so many keys.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use store::Micros;

use super::bucket::Bucket;
use super::fields::Fields;
use super::{Allowance, DAY_US, Limited, Refused, day};

/// Least time between two searches for accounts that owe nothing, µs: each looks at all of them.
const SWEPT_EVERY_US: Micros = 1_000_000;

/// What one has asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Account {
    bucket: Bucket,
    /// A day and how many requests of it are counted.
    counted: (i64, u64),
}

impl Account {
    pub(super) fn take(&mut self, allowance: &Allowance, now_us: Micros) -> Result<Fields, Refused> {
        let (today, used) = (day(now_us), self.used_on(day(now_us)));
        // Midnight is later than any instant of its day, so this is positive.
        let midnight_in_s =
            u64::try_from((DAY_US - now_us.rem_euclid(DAY_US) + 999_999) / 1_000_000).unwrap_or(1);
        let left_today =
            allowance.per_day.map(|per_day| (per_day, per_day.saturating_sub(used), midnight_in_s));
        let refused = |limit, retry_after_s, left| {
            let fields = Fields::new(allowance, left, left_today);
            Err(Refused { limit, retry_after_s, fields })
        };
        if left_today.is_some_and(|(_, left, _)| left == 0) {
            return refused(Limited::Day, midnight_in_s, (0, midnight_in_s));
        }
        match self.bucket.take(allowance.rate, now_us) {
            Err(wait_s) => refused(Limited::Rate, wait_s, (0, wait_s)),
            Ok(left) => {
                if allowance.per_day.is_some() {
                    self.counted = (today, used + 1);
                }
                let left_today = left_today.map(|(per_day, left, ends)| (per_day, left - 1, ends));
                Ok(Fields::new(allowance, (left.requests, left.full_in_s), left_today))
            }
        }
    }

    pub(super) fn used_on(&self, day: i64) -> u64 {
        if self.counted.0 == day { self.counted.1 } else { 0 }
    }

    pub(super) fn resume(&mut self, day: i64, used: u64) {
        self.counted = (day, self.used_on(day).saturating_add(used));
    }

    /// Whether it is as if it had never been.
    fn is_settled(&self, now_us: Micros) -> bool {
        self.bucket.is_full(now_us) && self.used_on(day(now_us)) == 0
    }
}

/// Accounts by key.
#[derive(Debug)]
pub(super) struct Accounts<K> {
    each: HashMap<K, Account>,
    /// When those were last dropped that owe nothing.
    swept_us: Micros,
    /// Of all for whom there is no place.
    shared: Account,
}

impl<K> Default for Accounts<K> {
    fn default() -> Self {
        Self { each: HashMap::new(), swept_us: 0, shared: Account::default() }
    }
}

impl<K: Eq + Hash> Accounts<K> {
    /// The account of a key; where `accounts_max` are kept that owe something, the one that all others share.
    pub(super) fn of<Q>(&mut self, key: &Q, accounts_max: usize, now_us: Micros) -> &mut Account
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        if !self.each.contains_key(key) {
            let is_due = !(0..SWEPT_EVERY_US).contains(&now_us.saturating_sub(self.swept_us));
            if self.each.len() >= accounts_max && is_due {
                self.swept_us = now_us;
                self.each.retain(|_, account| !account.is_settled(now_us));
            }
            if self.each.len() < accounts_max {
                self.each.insert(key.to_owned(), Account::default());
            }
        }
        self.each.get_mut(key).unwrap_or(&mut self.shared)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Account)> {
        self.each.iter()
    }
}
