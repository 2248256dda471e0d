//! When certificates end: the validity of X.509 (RFC 5280, 4.1.2.5), read from its DER without the rest.

use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::Finding;
use crate::config::Config;
use crate::{clock, keys};

/// Days before its end at which a certificate is to be renewed.
const RENEW_DAYS: i64 = 30;
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Tags of DER (X.690, 8.1.2).
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What there is to say of every certificate that the node uses.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for (name, tls) in std::iter::once(("http".to_owned(), config.http.tls.as_ref()))
        .chain(config.mllp.iter().map(|mllp| (format!("mllp.{}", mllp.name), mllp.tls.as_ref())))
    {
        let Some(tls) = tls else { continue };
        files.push((format!("certificate of {name}"), tls.certificate.clone()));
        files.extend(tls.client_ca.clone().map(|file| (format!("client CA of {name}"), file)));
    }
    files.push(("certificate of the link".to_owned(), config.keys.join(keys::LINK_CERTIFICATE)));
    files.push(("CA of the link".to_owned(), config.keys.join(keys::LINK_CA)));
    files.iter().map(|(name, file)| finding(name, file, clock::now_us())).collect()
}

fn finding(name: &str, file: &Path, now_us: i64) -> Finding {
    let read: Result<Vec<CertificateDer<'_>>, _> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let certificates = match read {
        Ok(certificates) => certificates,
        Err(error) => {
            let words = format!("{}: {error}", file.display());
            return Finding::fail(name, words, "name a PEM file that the node's user can read");
        }
    };
    let validities: Option<Vec<_>> = certificates.iter().map(|der| validity(der)).collect();
    let span = validities.and_then(|spans| {
        let begins = spans.iter().map(|(begins, _)| *begins).max()?;
        Some((begins, spans.iter().map(|(_, ends)| *ends).min()?))
    });
    let Some((begins, ends)) = span else {
        return Finding::fail(name, format!("{}: no certificate", file.display()), "write it as PEM");
    };
    let days = ends.saturating_sub(now_us) / DAY_US;
    if begins > now_us {
        Finding::fail(name, "is not valid yet", "look at the clock of this machine and of the CA")
    } else if ends <= now_us {
        Finding::fail(name, format!("ended {} days ago", -days), "renew it and start the node again")
    } else if days < RENEW_DAYS {
        Finding::warn(name, format!("ends in {days} days"), "renew it and start the node again")
    } else {
        Finding::ok(name, format!("valid for {days} days"))
    }
}

/// From when to when a certificate is valid, µs since the epoch.
fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    if *rest.first()? == VERSION {
        rest = element(rest)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (tag, span, _) = element(rest)?;
    let (begins_tag, begins, rest) = element(span)?;
    let (ends_tag, ends, _) = element(rest)?;
    let span = (instant(begins_tag, begins)?, instant(ends_tag, ends)?);
    (tag == SEQUENCE).then_some(span)
}

/// Tag, content and what follows of the first element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `YYMMDDHHMMSSZ` with years from 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
fn instant(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    Some(TimeZone::UTC.to_timestamp(at).ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::{DAY_US, finding, validity};
    use crate::commands::doctor::Level;

    fn pem(from: i32, to: i32) -> (Vec<u8>, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(to, 6, 30);
        let certificate = parameters.self_signed(&key).expect("a certificate");
        (certificate.der().to_vec(), certificate.pem())
    }

    #[test]
    fn both_forms_of_time_are_read_and_half_a_certificate_is_none() {
        let (der, _) = pem(1999, 2051);
        let (begins, ends) = validity(&der).expect("a validity");
        assert_eq!((begins, ends), (915_148_800_000_000, 2_571_696_000_000_000));
        for end in 0..60 {
            assert_eq!(validity(&der[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_certificate_is_told_by_the_day() {
        let (der, pem) = pem(2020, 2030);
        let (begins, ends) = validity(&der).expect("a validity");
        let file = std::env::temp_dir().join(format!("tidegate-{}.pem", crate::clock::random_hex(8)));
        std::fs::write(&file, pem).expect("a file");
        let levels = [begins - 1, begins + 1, ends - 10 * DAY_US, ends + DAY_US]
            .map(|now_us| finding("a", &file, now_us).level);
        std::fs::remove_file(&file).expect("the file");
        assert_eq!(levels, [Level::Fail, Level::Ok, Level::Warn, Level::Fail]);
        assert_eq!(finding("a", &file, begins).level, Level::Fail, "a file that is gone");
    }
}
