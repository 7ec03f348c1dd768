use crate::phone::Phone;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber};

/// Whether a network has a use for numbers like this one, by the numbering plan of its country.
///
/// Type and owner of the number do not matter. Each number has one spelling here. The digits after the country code are taken as they are, where a parser for people
/// would drop the `0` of `+44 07911...`: two spellings of one phone would have twice its limits.
pub(crate) fn is_assignable(phone: &Phone) -> bool {
    let digits = &phone.as_e164()[1..];
    // No country code begins another one.
    (1..=3).any(|length| {
        let parts = digits.split_at_checked(length);
        parts.is_some_and(|(country, national)| is_national(country, national))
    })
}

/// Reads the numbering plans, so that the first request does not wait for it.
pub(crate) fn warm_up() {
    // A number of no region has the plans of all 25 that share the country code 1 made ready, by far the most for one.
    is_national("1", "5550100999");
}

// The library below writes numbers to the crate `log` at its level `trace`. Nothing here listens to that crate.
fn is_national(country: &str, national: &str) -> bool {
    let (Ok(country_code), Ok(national_number)) = (country.parse(), national.parse()) else {
        return false;
    };
    if PHONE_NUMBER_UTIL.get_region_for_country_code(country_code).is_none() {
        return false;
    }
    let zeros = national.len() - national.trim_start_matches('0').len();
    PHONE_NUMBER_UTIL.is_valid_number(&PhoneNumber {
        country_code,
        national_number,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: i32::try_from(zeros).ok().filter(|zeros| *zeros > 1),
        ..PhoneNumber::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rlibphonenumber::PhoneNumberType;

    /// Requirement 39: numbers that may get a code.
    const ASSIGNABLE: [&str; 20] = [
        "+919876543210",
        "+14155552671",
        "+12025550123",
        "+16135550123",
        "+447911123456",
        "+447400123456",
        "+4915123456789",
        "+33612345678",
        "+393123456789",
        "+390612345678",
        "+34612345678",
        "+79161234567",
        "+8613812345678",
        "+819012345678",
        "+5511961234567",
        "+5491123456789",
        "+525512345678",
        "+6591234567",
        "+27711234567",
        "+19002345678",
    ];
    const NOT_ASSIGNABLE: [&str; 12] = [
        "+91987654321",
        "+9198765432100",
        "+911111111111",
        "+1415555267",
        "+11234567890",
        "+15550100999",
        "+4407911123456",
        "+39612345678901",
        "+999123456789",
        "+2101234567890",
        "+12",
        "+123456789012345",
    ];
    const NO_PHONE: [&str; 8] = [
        "+",
        "+1234567890123456",
        "tel:+919876543210",
        "+91 98765 43210",
        "+9198765ABCDE",
        "+\u{669}\u{661}\u{669}\u{668}\u{667}\u{666}\u{665}\u{664}\u{663}\u{662}\u{661}\u{660}",
        "+\u{ff19}\u{ff11}9876543210",
        "00919876543210",
    ];

    #[test]
    fn requirement_39_forty_numbers() {
        warm_up();
        let wrong: Vec<_> = ASSIGNABLE
            .into_iter()
            .map(|number| (number, true))
            .chain(NOT_ASSIGNABLE.into_iter().chain(NO_PHONE).map(|number| (number, false)))
            .filter(|(number, good)| {
                number.parse::<Phone>().is_ok_and(|phone| is_assignable(&phone)) != *good
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(NO_PHONE.iter().all(|number| number.parse::<Phone>().is_err()));
    }

    #[test]
    fn one_number_of_each_country_is_assignable_however_many_zeros_it_begins_with() {
        let mut zeros = 0;
        for region in PHONE_NUMBER_UTIL.get_supported_regions() {
            let example = PHONE_NUMBER_UTIL
                .get_example_number_for_type_and_region(region, PhoneNumberType::FixedLine)
                .unwrap_or_else(|_| PHONE_NUMBER_UTIL.get_example_number(region).unwrap());
            zeros += usize::from(example.italian_leading_zero());
            assert!(is_assignable(&example.to_string().parse().unwrap()), "{region:?}");
        }
        assert!(zeros > 2, "{zeros}");
    }
}
