use super::fraud::{Country, LineType};
use crate::phone::Phone;
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberType, Region};

/// What the numbering plans say of a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Number {
    pub(crate) country: Country,
    pub(crate) calling_code: u16,
    pub(crate) line: LineType,
}

/// Whether a network has a use for numbers like this one, by the numbering plan of its country.
///
/// Each number has one spelling here. The digits after the country code are taken as they are, where a parser for people
/// would drop the `0` of `+44 07911...`: two spellings of one phone would have twice its limits.
pub(crate) fn is_assignable(phone: &Phone) -> bool {
    read(phone).is_some()
}

/// Reads a number; `None` if it is not [assignable](is_assignable).
pub(crate) fn read(phone: &Phone) -> Option<Number> {
    let digits = &phone.as_e164()[1..];
    // No country code begins another one.
    (1..=3).find_map(|length| {
        let (country, national) = digits.split_at_checked(length)?;
        national_number(country, national)
    })
}

/// Whether there is a numbering plan of a region, or of a calling code where it is written like `+49`.
pub(crate) fn is_known_area(text: &str) -> bool {
    match text.strip_prefix('+') {
        Some(code) => {
            let known = |code| PHONE_NUMBER_UTIL.get_region_for_country_code(code).is_some();
            let digits = code.bytes().all(|byte| byte.is_ascii_digit());
            digits && !code.starts_with('0') && code.parse().is_ok_and(known)
        }
        None => {
            let upper = text.bytes().all(|byte| byte.is_ascii_uppercase());
            let region = Region::from_code(text).ok().filter(|_| upper);
            region.is_some_and(|it| PHONE_NUMBER_UTIL.get_country_code_for_region(it).is_some())
        }
    }
}

/// All countries that there are numbers of.
pub(crate) fn countries() -> impl Iterator<Item = Country> {
    let regions = PHONE_NUMBER_UTIL.get_supported_regions().filter(|it| *it != Region::World);
    let regions = regions.map(|region| Country::from_text(&region.as_region_str()));
    let others = PHONE_NUMBER_UTIL.get_supported_global_network_calling_codes();
    regions.chain(others.map(|code| Country::from_text(&code.to_string())))
}

/// Reads the numbering plans, so that the first request does not wait for it.
pub(crate) fn warm_up() {
    // A number of no region has the plans of all 25 that share the country code 1 made ready, by far the most for one.
    national_number("1", "5550100999");
}

// The library below writes numbers to the crate `log` at its level `trace`. Nothing here listens to that crate.
fn national_number(country: &str, national: &str) -> Option<Number> {
    let (country_code, national_number) = (country.parse().ok()?, national.parse().ok()?);
    PHONE_NUMBER_UTIL.get_region_for_country_code(country_code)?;
    let zeros = national.len() - national.trim_start_matches('0').len();
    let number = PhoneNumber {
        country_code,
        national_number,
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: i32::try_from(zeros).ok().filter(|zeros| *zeros > 1),
        ..PhoneNumber::default()
    };
    if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
        return None;
    }
    let calling_code = country_code.try_into().ok()?;
    Some(Number {
        country: match PHONE_NUMBER_UTIL.get_region_for_number(&number)? {
            Region::World => Country::from_text(country),
            region => Country::from_text(&region.as_region_str()),
        },
        calling_code,
        line: line(calling_code, PHONE_NUMBER_UTIL.get_number_type(&number)),
    })
}

fn line(calling_code: u16, kind: PhoneNumberType) -> LineType {
    match kind {
        // Whatever their plan says of them: a message there costs what a satellite costs.
        _ if matches!(calling_code, 870 | 881 | 882 | 883) => LineType::Satellite,
        _ if calling_code == 979 => LineType::PremiumRate,
        PhoneNumberType::FixedLine => LineType::FixedLine,
        PhoneNumberType::Mobile => LineType::Mobile,
        PhoneNumberType::FixedLineOrMobile => LineType::FixedLineOrMobile,
        PhoneNumberType::TollFree => LineType::TollFree,
        PhoneNumberType::PremiumRate => LineType::PremiumRate,
        PhoneNumberType::SharedCost => LineType::SharedCost,
        PhoneNumberType::VoIP => LineType::Voip,
        PhoneNumberType::PersonalNumber => LineType::Personal,
        PhoneNumberType::Pager => LineType::Pager,
        PhoneNumberType::UAN => LineType::Uan,
        PhoneNumberType::VoiceMail => LineType::Voicemail,
        PhoneNumberType::Unknown => LineType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_number_tells_its_country_and_what_it_is() {
        for (number, country, line) in [
            ("+919876543210", "IN", LineType::Mobile),
            ("+14155552671", "US", LineType::FixedLineOrMobile),
            ("+16135550123", "CA", LineType::FixedLineOrMobile),
            ("+447400123456", "GB", LineType::Mobile),
            ("+447911123456", "GG", LineType::Mobile),
            ("+390612345678", "IT", LineType::FixedLine),
            ("+19002345678", "US", LineType::PremiumRate),
            ("+18002345678", "US", LineType::TollFree),
            ("+443012345678", "GB", LineType::Uan),
            ("+77012345678", "KZ", LineType::Mobile),
        ] {
            let read = read(&number.parse().unwrap());
            let told = read.map(|read| (read.country.to_string(), read.line));
            assert_eq!(told, Some((country.to_owned(), line)), "{number}");
        }
        for code in [870, 881, 882, 883, 979] {
            let example = PHONE_NUMBER_UTIL.get_example_number_for_non_geo_entity(code).unwrap();
            let read = read(&example.to_string().parse().unwrap()).unwrap();
            let line = if code == 979 { LineType::PremiumRate } else { LineType::Satellite };
            assert_eq!((read.country.to_string(), read.line), (code.to_string(), line));
        }
    }
}
