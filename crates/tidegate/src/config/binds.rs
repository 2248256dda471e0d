//! Which addresses a node may listen on: loopback freely, beyond it only with TLS or, for MLLP, a reason.

use std::net::{IpAddr, SocketAddr};

use super::{Config, Mllp, Problem, Role};

/// The binds that are forbidden.
pub fn check(config: &Config, place: &str) -> Vec<Problem> {
    let problem = |key: String, cause: &str, fix: &str| Problem {
        place: format!("{place}: {key}"),
        cause: cause.to_owned(),
        fix: fix.to_owned(),
    };
    let mut problems = Vec::new();
    if is_beyond_loopback(config.http.listen) && config.http.tls.is_none() {
        let fix = "listen on 127.0.0.1, or add `tls: {certificate: …, key: …}`";
        problems.push(problem("http.listen".into(), "HTTP beyond loopback needs TLS", fix));
    }
    if config.http.url.as_deref().is_some_and(|url| !is_url(url, config.http.listen)) {
        let fix = "write `https://host` or `https://host:port`, without a slash at its end; `http://` on loopback alone";
        problems.push(problem("http.url".into(), "clients cannot be sent there", fix));
    }
    for mllp in clinical(config) {
        let key = format!("mllp.{}", mllp.name);
        if is_beyond_loopback(mllp.listen) && mllp.tls.is_none() && mllp.plaintext.is_none() {
            let fix = "add `tls`, or `plaintext: {allow: [CIDR], reason: \"…\"}` for a closed network";
            problems.push(problem(key.clone(), "a listener beyond loopback needs TLS", fix));
        }
        problems.extend(
            check_plaintext(mllp).map(|cause| problem(key, cause, "write networks as `10.1.2.0/24`")),
        );
    }
    let listens = clinical(config).map(|mllp| mllp.listen).chain([config.http.listen]);
    if config.demo && listens.into_iter().any(is_beyond_loopback) {
        let cause = "a demo listens on loopback only";
        problems.push(problem("demo".into(), cause, "remove `demo`, or listen on 127.0.0.1"));
    }
    problems
}

fn clinical(config: &Config) -> impl Iterator<Item = &Mllp> {
    config.mllp.iter().filter(|_| config.role == Role::Clinical)
}

fn check_plaintext(mllp: &Mllp) -> Option<&'static str> {
    let plaintext = mllp.plaintext.as_ref()?;
    if plaintext.reason.trim().is_empty() {
        return Some("plaintext needs a reason");
    }
    if plaintext.allow.is_empty() || !plaintext.allow.iter().all(|network| is_cidr(network)) {
        return Some("plaintext.allow needs networks in CIDR form");
    }
    None
}

/// An address that clients can be told.
fn is_url(url: &str, listen: SocketAddr) -> bool {
    let rest = match url.strip_prefix("https://") {
        Some(rest) => Some(rest),
        None => url.strip_prefix("http://").filter(|_| !is_beyond_loopback(listen)),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte);
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_plain))
}

fn is_beyond_loopback(address: SocketAddr) -> bool {
    !address.ip().is_loopback()
}

/// `10.0.0.0/8`, `fd00::/8`.
pub fn is_cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else { return false };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let bits = if address.is_ipv4() { 32 } else { 128 };
    prefix.parse::<u8>().is_ok_and(|prefix| prefix <= bits)
}
