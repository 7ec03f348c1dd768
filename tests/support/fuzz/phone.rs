//! Phone numbers of arbitrary text: what parses prints back whole, and shows its country and four digits at most.

use portcullis::Phone;

pub(crate) fn run(text: &str) {
    let Ok(phone) = text.parse::<Phone>() else {
        // The error is the same for every text, so that it repeats none.
        assert_eq!(text.parse::<Phone>().err(), "".parse::<Phone>().err());
        return;
    };
    assert_eq!(phone.as_e164(), text);
    assert!(text.is_ascii() && (3..=16).contains(&text.len()));
    let shown = phone.to_string();
    assert_eq!(shown.len(), text.len(), "{shown}");
    let hidden = shown.matches('*').count();
    let tail = shown.rsplit('*').next().unwrap_or_default().len();
    let country = shown.split('*').next().unwrap_or_default().len() - 1;
    assert!(hidden > 0 && tail <= hidden.min(4) && (1..=3).contains(&country), "{shown}");
    assert_eq!(format!("{phone:?}"), format!("Phone({shown})"));
}
