use crate::error::ConfigError;

/// How many languages of a list are looked at. People name a few; a longer list is somebody's attempt at making work.
const MOST: usize = 16;
/// What RFC 5646 section 4.4.1 says is enough for any tag.
const LONGEST: usize = 35;

/// Whether a text can be a language tag (RFC 5646 section 2.1; whether the subtags are registered is not looked at).
pub(super) fn check(tag: &str) -> Result<(), ConfigError> {
    if is_tag(tag) {
        return Ok(());
    }
    Err(ConfigError::new("a language is a tag of BCP 47, such as `en` or `pt-BR`"))
}

/// The tags that a wish leads to, most wanted first: each language of it, then the same less and less exactly.
///
/// `wanted` is one tag or the value of `Accept-Language` (RFC 9110 section 12.5.4). What cannot be read is skipped.
pub(super) fn wishes(wanted: &str) -> impl Iterator<Item = &str> {
    let mut ranges: Vec<_> = wanted.split(',').take(MOST).filter_map(range).collect();
    // Stable: equal ones stay as they were written.
    ranges.sort_by_key(|(_, quality)| std::cmp::Reverse(*quality));
    ranges.into_iter().flat_map(|(tag, _)| std::iter::successors(Some(tag), |tag| shorter(tag)))
}

/// A tag and how much it is wanted, in thousandths; `None` for what is not wanted or cannot be read, and for `*`,
/// which is the default anyway.
fn range(text: &str) -> Option<(&str, u16)> {
    let (tag, weight) = match text.split_once(';') {
        Some((tag, weight)) => (tag, quality(weight.trim_matches([' ', '\t']))?),
        None => (text, 1000),
    };
    let tag = tag.trim_matches([' ', '\t']);
    (weight > 0 && is_tag(tag)).then_some((tag, weight))
}

/// A weight (RFC 9110 section 12.4.2): `q=` and 0 to 1 with at most three digits after the point.
fn quality(weight: &str) -> Option<u16> {
    let value = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{part:0<3}").parse::<u16>().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// One subtag less, and no single letter left at the end (RFC 4647 section 3.4).
fn shorter(tag: &str) -> Option<&str> {
    let (shorter, _) = tag.rsplit_once('-')?;
    match shorter.rsplit_once('-') {
        Some((before, last)) if last.len() == 1 => Some(before),
        _ => Some(shorter),
    }
}

fn is_tag(tag: &str) -> bool {
    let mut subtags = tag.split('-');
    let first = subtags.next().unwrap_or_default();
    tag.len() <= LONGEST
        && (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && subtags.all(|subtag| {
            (1..=8).contains(&subtag.len())
                && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
        && tag.rsplit_once('-').is_none_or(|(_, last)| last.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_followed_from_the_most_wanted_to_the_least_exact() {
        for (wanted, tags) in [
            ("de", "de"),
            ("pt-BR", "pt-BR pt"),
            ("zh-Hant-CN-x-private1", "zh-Hant-CN-x-private1 zh-Hant-CN zh-Hant zh"),
            ("fr;q=0.5, hi-IN, en;q=0.8", "hi-IN hi en fr"),
            ("a1, da , en-GB ; q=0.80,\ten;q=0.7", "da en-GB en en"),
            ("de;q=0, *, en;q=0.001", "en"),
            ("de;q=1.000,fr;q=1", "de fr"),
            ("de;q=1.5,fr;q=2,it;q=,es;q=.5,nl;q=0.1234,pl;r=1,sv;q=0.5;x=1,fi;q=-1", ""),
            ("", ""),
            ("*", ""),
            (",,;,;q=1,-,en-,-en,e,en--gb", ""),
        ] {
            assert_eq!(wishes(wanted).collect::<Vec<_>>().join(" "), tags, "{wanted}");
        }
    }

    #[test]
    fn a_hostile_list_makes_little_work() {
        let long = "en-a1-a2-a3-a4-a5-a6-a7-a8-a9-b1-b2,".repeat(10_000);
        assert_eq!(wishes(&long).count(), MOST * 12);
        let one = format!("en{}", "-ab".repeat(100_000));
        assert_eq!(wishes(&one).count(), 0);
        let quality = format!("en;q=0.{}", "1".repeat(100_000));
        assert_eq!(wishes(&quality).count(), 0);
    }

    #[test]
    fn what_cannot_be_a_tag_is_refused() {
        for good in ["en", "hi", "pt-BR", "zh-Hant-TW", "sl-rozaj-biske-1994", "de-x-formal"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "e", "en_US", "en-", "-en", "en-x", "english-usa-toolonglong", "e1", "én"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
