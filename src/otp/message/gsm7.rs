//! The default alphabet of text messages (3GPP TS 23.038 section 6.2.1): 160 characters to a message.

/// The basic table without the escape, the carriage return, which some phones overprint with, and whatever needs an
/// extension.
const BASIC: &str = "\n !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_\
    abcdefghijklmnopqrstuvwxyz¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ";
/// An escape and another septet.
const EXTENDED: &str = "[\\]^{|}~€";

/// How many septets a text takes, or its first character that this alphabet has not.
pub(super) fn septets(text: &str) -> Result<usize, char> {
    text.chars().try_fold(0, |sum, character| Ok(sum + cost(character).ok_or(character)?))
}

fn cost(character: char) -> Option<usize> {
    if BASIC.contains(character) { Some(1) } else { EXTENDED.contains(character).then_some(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_as_many_characters_as_the_standard() {
        // 128 places, of which the escape and the carriage return are left out.
        assert_eq!(BASIC.chars().count(), 126);
        // Ten with the form feed.
        assert_eq!(EXTENDED.chars().count(), 9);
        let mut all: Vec<char> = BASIC.chars().chain(EXTENDED.chars()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 135);
    }

    #[test]
    fn extensions_take_two_septets_and_other_scripts_none() {
        assert_eq!(septets(""), Ok(0));
        assert_eq!(septets("123456 is your Acme code.\n\n@acme.example #123456"), Ok(48));
        assert_eq!(septets("àÉΩ_@"), Ok(5));
        assert_eq!(septets("5 € [x]"), Ok(10));
        for foreign in ['`', 'ç', 'á', 'к', 'क', '’', '\t', '\r', '\u{1b}', '😀'] {
            assert_eq!(septets(&format!("a{foreign}b")), Err(foreign));
        }
    }
}
