//! What left, or should have: deliveries and messages that were given up, withdrawals that did not arrive, the last
//! sweep.

use std::collections::BTreeSet;

use store::sqlite::Sqlite;
use store::{ForwardBacklog, Forwards, Micros, Outbox, Sweep, Unsettled, Withdrawals};

use super::Finding;

/// A withdrawal that waits longer is worth a word: the link is down, or the node is.
const WAIT_US_MAX: Micros = 5 * 60 * 1_000_000;
/// Deliveries that were given up whose causes are looked at.
const CAUSES_MAX: usize = 100;

/// What there is to say of each destination, and of the newest sweep.
pub(super) async fn findings(store: &Sqlite, now_us: Micros) -> store::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for unsettled in store.unsettled().await? {
        let dead = store.dead(&unsettled.destination, 0, CAUSES_MAX).await?;
        let causes: BTreeSet<String> = dead.into_iter().filter_map(|(_, row)| row.last_error).collect();
        findings.extend(of_destination(&unsettled, &causes, now_us));
    }
    for backlog in store.forward_backlogs().await? {
        let dead = store.dead_forwards(&backlog.destination, 0, CAUSES_MAX).await?;
        let causes: BTreeSet<String> = dead.into_iter().filter_map(|row| row.last_error).collect();
        findings.extend(of_partner(&backlog, &causes, now_us));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("deliveries", "none was given up, and no withdrawal waits"));
    }
    findings.extend(store.sweeps(1).await?.first().map(sweep));
    Ok(findings)
}

fn of_destination(unsettled: &Unsettled, causes: &BTreeSet<String>, now_us: Micros) -> Vec<Finding> {
    let Unsettled { destination, dead_content, dead_withdrawals, withdrawals, oldest_us } = unsettled;
    let causes = causes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut findings = Vec::new();
    if *dead_withdrawals > 0 {
        findings.push(Finding::fail(
            format!("withdrawals to {destination}"),
            format!("{dead_withdrawals} were given up ({causes}); what they take away may stand there"),
            "mend the cause, then send them again from the page of their message; until then new content of these \
             patients waits",
        ));
    }
    if *dead_content > 0 {
        findings.push(Finding::warn(
            format!("deliveries to {destination}"),
            format!("{dead_content} were given up ({causes})"),
            "mend the cause, then send them again from the page of their message",
        ));
    }
    let age_us = oldest_us.map_or(0, |oldest_us| now_us.saturating_sub(oldest_us));
    if *withdrawals > 0 && age_us > WAIT_US_MAX {
        findings.push(Finding::warn(
            format!("withdrawals to {destination}"),
            format!("{withdrawals} wait, the oldest for {} minutes", age_us / 60_000_000),
            "start the node, or mend the link; they are sent in order when the destination answers",
        ));
    }
    findings
}

/// Messages to a system of the hospital.
fn of_partner(backlog: &ForwardBacklog, causes: &BTreeSet<String>, now_us: Micros) -> Vec<Finding> {
    let ForwardBacklog { destination, pending, oldest_us, dead } = backlog;
    let name = format!("messages to {destination}");
    let mut findings = Vec::new();
    if *dead > 0 {
        let causes = causes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        findings.push(Finding::warn(
            name.clone(),
            format!("{dead} were given up ({causes})"),
            "mend the cause, then send them again from the page of their message",
        ));
    }
    let age_us = oldest_us.map_or(0, |oldest_us| now_us.saturating_sub(oldest_us));
    if *pending > 0 && age_us > WAIT_US_MAX {
        findings.push(Finding::warn(
            name,
            format!("{pending} wait, the oldest for {} minutes", age_us / 60_000_000),
            "start the node, or the partner's listener; they are sent in order when it answers",
        ));
    }
    findings
}

fn sweep(sweep: &Sweep) -> Finding {
    let counts = &sweep.counts;
    let words = format!(
        "{} released, {} withdrawn, {} refused of {} patients and shared entities",
        counts.released, counts.withdrawn, counts.refused, counts.units
    );
    match &sweep.ended {
        None => {
            Finding::warn("sweep", format!("not ended: {words}"), "let the node run; it goes on by itself")
        }
        Some(_) if counts.refused > 0 => Finding::warn(
            "sweep",
            words,
            "a check refused what de-identification made; what stood of it was withdrawn. Messages of these \
             patients tell the element under Held",
        ),
        Some(_) => Finding::ok("sweep", words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Level;
    use store::SweepCounts;

    const NOW_US: Micros = 1_795_392_000_000_000;

    fn unsettled() -> Unsettled {
        Unsettled { destination: "cloud".into(), ..Unsettled::default() }
    }

    fn said(unsettled: &Unsettled) -> Vec<(Level, String)> {
        let causes = BTreeSet::from(["refused:malformed".to_owned()]);
        let findings = of_destination(unsettled, &causes, NOW_US).into_iter();
        findings.map(|finding| (finding.level, format!("{}: {}", finding.name, finding.words))).collect()
    }

    #[test]
    fn a_withdrawal_that_was_given_up_is_a_fault_and_content_a_warning() {
        let dead = Unsettled { dead_content: 2, dead_withdrawals: 3, oldest_us: Some(NOW_US), ..unsettled() };
        let [(first, words), (second, other)] = said(&dead).try_into().expect("two findings");
        assert_eq!((first, second), (Level::Fail, Level::Warn));
        assert!(words.starts_with("withdrawals to cloud: 3 were given up (refused:malformed)"), "{words}");
        assert!(other.starts_with("deliveries to cloud: 2 were given up"), "{other}");
    }

    #[test]
    fn a_withdrawal_may_wait_for_a_while() {
        let waiting = |age_us| Unsettled { withdrawals: 1, oldest_us: Some(NOW_US - age_us), ..unsettled() };
        assert!(said(&waiting(WAIT_US_MAX)).is_empty());
        let late = said(&waiting(3 * WAIT_US_MAX));
        assert_eq!(late, [(Level::Warn, "withdrawals to cloud: 1 wait, the oldest for 15 minutes".into())]);
    }

    #[test]
    fn messages_that_were_given_up_or_wait_long_are_told_of() {
        let backlog = |pending, age_us, dead| ForwardBacklog {
            destination: "archive".into(),
            pending,
            oldest_us: Some(NOW_US - age_us),
            dead,
        };
        let causes = BTreeSet::from(["refused".to_owned()]);
        let said = |backlog: ForwardBacklog| {
            let findings = of_partner(&backlog, &causes, NOW_US).into_iter();
            findings.map(|finding| (finding.level, finding.words)).collect::<Vec<_>>()
        };
        assert!(said(backlog(9, WAIT_US_MAX, 0)).is_empty());
        let given_up = (Level::Warn, "2 were given up (refused)".to_owned());
        let waiting = (Level::Warn, "9 wait, the oldest for 10 minutes".to_owned());
        assert_eq!(said(backlog(9, 2 * WAIT_US_MAX, 2)), [given_up, waiting]);
    }

    #[test]
    fn a_sweep_that_refused_or_runs_is_told_of() {
        let of = |refused, ended| Sweep {
            number: 1,
            basis: "b".into(),
            requested_by: None,
            begun_us: NOW_US,
            through: 9,
            counts: SweepCounts { units: 4, released: 3, withdrawn: 2, refused },
            ended,
        };
        let done = Some((NOW_US, "done".to_owned()));
        let levels = [of(0, None), of(1, done.clone()), of(0, done)].map(|one| sweep(&one).level);
        assert_eq!(levels, [Level::Warn, Level::Warn, Level::Ok]);
        assert!(sweep(&of(0, None)).words.starts_with("not ended: 3 released, 2 withdrawn, 0 refused of 4"));
    }
}
