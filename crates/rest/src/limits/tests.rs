//! Clients and peers against their limits.

use super::*;

/// Noon of a day.
const NOON: Micros = 20_000 * DAY_US + DAY_US / 2;

fn allowance(per_second: u32, burst: u32, per_day: Option<u64>) -> Allowance {
    Allowance { rate: Rate { per_second, burst }, per_day }
}

fn limiter(client: Allowance) -> Limiter {
    let named = BTreeMap::from([("slow".to_owned(), allowance(1, 1, None))]);
    Limiter::new(Limits { client, clients: named, peer: Rate { per_second: 1, burst: 2 } })
}

fn headers(fields: &Fields) -> Vec<String> {
    fields.each().map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII"))).collect()
}

#[test]
fn each_client_has_its_own_bucket_and_is_told_of_it() {
    let limiter = limiter(allowance(2, 2, None));
    let told = headers(&limiter.client("a", NOON).expect("taken"));
    assert_eq!(told, ["ratelimit-policy: \"rate\";q=2;w=1", "ratelimit: \"rate\";r=1;t=1"]);
    limiter.client("a", NOON).expect("the second");
    let refused = limiter.client("a", NOON).expect_err("the third");
    assert_eq!((refused.limit, refused.retry_after_s), (Limited::Rate, 1));
    limiter.client("b", NOON).expect("another's is untouched");
    limiter.client("slow", NOON).expect("the first");
    limiter.client("slow", NOON).expect_err("named, and slower");
    limiter.client("a", NOON + 500_000).expect("half a second later");
}

#[test]
fn a_day_is_used_up_until_midnight_and_across_a_restart() {
    let limits = || limiter(allowance(1_000, 1_000, Some(3)));
    let before = limits();
    let told = headers(&before.client("a", NOON).expect("taken"));
    assert_eq!(
        told,
        [
            "ratelimit-policy: \"rate\";q=1000;w=1, \"day\";q=3;w=86400",
            "ratelimit: \"rate\";r=999;t=1, \"day\";r=2;t=43200",
        ]
    );
    before.client("a", NOON).expect("the second");
    let kept = before.used_on_day(NOON);
    assert_eq!(kept, [("a".to_owned(), 2)]);
    let after = limits();
    after.resume(kept, NOON);
    after.client("a", NOON).expect("the third");
    let refused = after.client("a", NOON).expect_err("the fourth");
    assert_eq!((refused.limit, refused.retry_after_s), (Limited::Day, 43_200));
    after.client("a", NOON + DAY_US / 2).expect("a new day");
    assert_eq!(before.used_on_day(NOON + DAY_US / 2), []);
}

#[test]
fn peers_are_limited_apart_from_clients() {
    let limiter = limiter(allowance(1, 1, None));
    let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().expect("an address"));
    limiter.peer(one, NOON).expect("the first");
    limiter.peer(one, NOON).expect("the second");
    let refused = limiter.peer(one, NOON).expect_err("the third");
    assert_eq!(refused.limit, Limited::Peer);
    limiter.peer(other, NOON).expect("another");
}

#[test]
fn with_too_many_keys_the_rest_share_one_account() {
    let mut accounts = Accounts::<String>::default();
    let one = allowance(1, 1, None);
    for name in ["a", "b"] {
        accounts.of(name, 2, NOON).take(&one, NOON).expect("a place");
    }
    accounts.of("c", 2, NOON).take(&one, NOON).expect("the shared one");
    accounts.of("d", 2, NOON).take(&one, NOON).expect_err("used by c");
    accounts.of("d", 2, NOON + 1_000_000).take(&one, NOON + 1_000_000).expect("the others are settled");
    assert_eq!(accounts.iter().count(), 1, "what is settled goes");
}
