//! A full date in the forms people write it.

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Folded forms of a date given as `YYYY-MM-DD` or `YYYYMMDD`, with or without a time; none for another text. Folding
/// removes separators, so `1980-02-03`, `1980/02/03` and `19800203` are one form.
pub(super) fn forms(text: &str) -> Vec<String> {
    let digits: String =
        text.chars().take_while(|character| *character != 'T').filter(char::is_ascii_digit).take(8).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let (year, month, day) = (part(0, 4), part(4, 6), part(6, 8));
    let name = month.parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    let (8, Some(name)) = (digits.len(), name) else { return Vec::new() };
    let (bare_month, bare_day) = (month.trim_start_matches('0'), day.trim_start_matches('0'));
    let short = name.get(..3).unwrap_or(name);
    let mut forms = vec![
        format!("{year}{month}{day}"),
        format!("{month}{day}{year}"),
        format!("{day}{month}{year}"),
        format!("{bare_month}{bare_day}{year}"),
        format!("{bare_day}{bare_month}{year}"),
        format!("{year}{day}{month}"),
        format!("{short}{day}{year}"),
        format!("{short}{bare_day}{year}"),
        format!("{day}{short}{year}"),
        format!("{bare_day}{short}{year}"),
        format!("{name}{bare_day}{year}"),
        format!("{bare_day}{name}{year}"),
    ];
    forms.retain(|form| form.len() >= 7);
    forms
}
