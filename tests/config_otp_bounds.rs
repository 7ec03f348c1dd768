//! The bounds of a login, at both ends, each with its source.
#![cfg(feature = "gateway")]

#[path = "support/config.rs"]
mod support;

use support::{Folder, check, dev, login, served};

type Bound =
    (&'static str, &'static str, [&'static str; 2], &'static [(&'static str, &'static str)]);

/// Each bound of a login: the section, the key, what is just good, what is just wrong with what is said.
const BOUNDS: [Bound; 11] = [
    (
        "otp",
        "lifetime",
        ["60s", "300s"],
        &[
            (
                "59s",
                "lifetime of a code: 60 to 300 seconds, not 59 (ASVS 6.5.5 and the checklists: 5 minutes)",
            ),
            // Requirement 4.
            (
                "301s",
                "lifetime of a code: 60 to 300 seconds, not 301 (ASVS 6.5.5 and the checklists: 5 minutes)",
            ),
        ],
    ),
    (
        "otp",
        "cooldown",
        ["10s", "299s"],
        &[
            ("9s", "cooldown: 10 to 300 seconds, not 9 (messages take seconds to arrive)"),
            ("301s", "cooldown: 10 to 300 seconds, not 301 (messages take seconds to arrive)"),
            ("5m", "[otp]: the cooldown must be shorter than the lifetime of a code"),
        ],
    ),
    (
        "otp",
        "client",
        ["1/1m", "100/60m"],
        &[
            ("0/10m", "client: requests of a client: 1 to 100, not 0 (the checklists)"),
            ("101/10m", "client: requests of a client: 1 to 100, not 101 (the checklists)"),
            ("10/59s", "client: requests of a client: 60 to 3600 seconds, not 59 (the checklists)"),
            (
                "10/61m",
                "client: requests of a client: 60 to 3600 seconds, not 3660 (the checklists)",
            ),
        ],
    ),
    (
        "otp",
        "fingerprint",
        ["1/1m", "100/60m"],
        &[
            ("0/10m", "fingerprint: requests of a fingerprint: 1 to 100, not 0 (the checklists)"),
            (
                "5/61m",
                "fingerprint: requests of a fingerprint: 60 to 3600 seconds, not 3660 (the checklists)",
            ),
        ],
    ),
    (
        "otp",
        "phone",
        ["1/60s", "10/1h"],
        &[
            ("0/10m", "phone: messages to a phone: 1 to 10, not 0 (the checklists)"),
            ("11/10m", "phone: messages to a phone: 1 to 10, not 11 (the checklists)"),
            ("3/59s", "phone: messages to a phone: 60 to 3600 seconds, not 59 (the checklists)"),
            ("3/2h", "phone: messages to a phone: 60 to 3600 seconds, not 7200 (the checklists)"),
        ],
    ),
    (
        "otp",
        "device",
        ["1/60s", "10/1h"],
        &[
            ("0/5m", "device: messages for a device: 1 to 10, not 0 (the checklists)"),
            ("11/5m", "device: messages for a device: 1 to 10, not 11 (the checklists)"),
            (
                "3/59999ms",
                "device: messages for a device: 60 to 3600 seconds, not 59.999 (the checklists)",
            ),
            (
                "3/3601s",
                "device: messages for a device: 60 to 3600 seconds, not 3601 (the checklists)",
            ),
        ],
    ),
    (
        "otp",
        "guesses",
        ["5/15m", "20/24h"],
        &[
            ("4/1h", "guesses: wrong codes for a phone: 5 to 20, not 4 (the checklists)"),
            ("21/1h", "guesses: wrong codes for a phone: 5 to 20, not 21 (the checklists)"),
            (
                "10/14m",
                "guesses: wrong codes for a phone: 900 to 86400 seconds, not 840 (the checklists)",
            ),
            (
                "10/25h",
                "guesses: wrong codes for a phone: 900 to 86400 seconds, not 90000 (the checklists)",
            ),
        ],
    ),
    (
        "otp",
        "block",
        ["30s", "24h"],
        &[
            ("29s", "block: 30 to 86400 seconds, not 29 (the checklists: 900 seconds)"),
            ("25h", "block: 30 to 86400 seconds, not 90000 (the checklists: 900 seconds)"),
        ],
    ),
    (
        "token",
        "refresh",
        ["1d", "30d"],
        &[
            (
                "23h",
                "refresh: refresh token: 86400 to 2592000 seconds, not 82800 (the checklists: 7 to 30 days)",
            ),
            (
                "31d",
                "refresh: refresh token: 86400 to 2592000 seconds, not 2678400 (the checklists: 7 to 30 days)",
            ),
        ],
    ),
    (
        "token",
        "session",
        ["7d", "90d"],
        &[
            (
                "23h",
                "session: session: 86400 to 7776000 seconds, not 82800 (ASVS 7.3.2: an absolute lifetime)",
            ),
            (
                "91d",
                "session: session: 86400 to 7776000 seconds, not 7862400 (ASVS 7.3.2: an absolute lifetime)",
            ),
            ("6d", "[token]: a session must last as long as a refresh token"),
        ],
    ),
    (
        "token",
        "access",
        ["1m", "60m"],
        &[
            ("59s", "access: the lifetime of access tokens: 1 to 60 minutes"),
            ("61m", "1 to 60 minutes"),
        ],
    ),
];

fn with(section: &str, line: &str) -> String {
    if section == "otp" { login(line, "") } else { login("", line) }
}

#[test]
fn requirement_4_times_and_windows_have_bounds_at_both_ends() {
    let folder = Folder::new();
    let mut cases = Vec::new();
    for (section, key, good, wrong) in BOUNDS {
        let written = |value: &str| dev(&with(section, &format!("{key} = \"{value}\"")));
        for value in good {
            let text = served(&written(value));
            folder.parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        }
        cases.extend(wrong.iter().map(|(value, told)| (written(value), *told)));
    }
    assert_eq!(cases.len(), 32);
    check(&cases);
    let long_block = (login("block = \"899s\"", ""), "block: 900 to 86400 seconds, not 899");
    check(&[long_block]);
}

#[test]
fn counts_have_bounds_at_both_ends_and_short_codes_a_price() {
    let folder = Folder::new();
    let otp = |line: &str, told| (dev(&login(line, "")), told);
    let banking = |line: &str, told| (format!("profile = \"banking\"\n{}", login(line, "")), told);
    for good in [
        "digits = 6",
        "digits = 8",
        "attempts = 3",
        "attempts = 10",
        "resends = 0",
        "resends = 5",
        "guesses_per_day = 10",
        "guesses_per_day = 100",
        "phone_per_day = 3",
        "phone_per_day = 50",
        "guesses = \"20/1h\"\nguesses_per_day = 20",
        "phone_per_day = 10\nphone = \"10/1h\"",
        "allow_short_codes = true\ndigits = 4",
        "digits = 5\nattempts = 3\nlifetime = \"120s\"\nallow_short_codes = true",
    ] {
        let text = dev(&login(good, ""));
        folder.parse(&served(&text)).unwrap_or_else(|error| panic!("{good}\n{error}"));
    }
    let price = "codes of less than 6 digits allow at most 3 attempts and 120 seconds (ASVS 6.5.4: 20 bits)";
    let short = "[otp]: digits: codes of 4 or 5 digits can be guessed: 6 to 8, or add allow_short_codes = true, \
                 with at most 3 attempts and 120 seconds (ASVS 6.5.4: 20 bits)";
    check(&[
        otp("digits = 5", short),
        otp("digits = 4\nallow_short_codes = false", short),
        otp("digits = 3", "digits: digits of a code: 6 to 8, not 3 (ASVS 6.5.4: 20 bits)"),
        otp("digits = 9", "digits: digits of a code: 6 to 8, not 9 (ASVS 6.5.4: 20 bits)"),
        otp("digits = 3\nallow_short_codes = true", "digits of a short code: 4 to 5, not 3"),
        otp("digits = 6\nallow_short_codes = true", "digits of a short code: 4 to 5, not 6"),
        otp("allow_short_codes = true", "[otp]: digits: 4 or 5, which allow_short_codes is for"),
        otp("digits = 4\nallow_short_codes = true\nattempts = 4", price),
        otp("attempts = 4\nallow_short_codes = true\ndigits = 4", price),
        otp("attempts = 5\ndigits = 5\nallow_short_codes = true", price),
        otp("lifetime = \"121s\"\ndigits = 5\nallow_short_codes = true", price),
        banking("digits = 5", "digits of a code: 6 to 8, not 5"),
        banking(
            "digits = 5\nallow_short_codes = true",
            "profile \"banking\" does not take codes of less than 6 digits",
        ),
        otp(
            "attempts = 2",
            "attempts for a code: 3 to 10, not 2 (NIST SP 800-63B-4 section 3.2.2)",
        ),
        otp(
            "attempts = 11",
            "attempts for a code: 3 to 10, not 11 (NIST SP 800-63B-4 section 3.2.2)",
        ),
        otp(
            "guesses_per_day = 9",
            "guesses_per_day: wrong codes for a phone in a day: 10 to 100, not 9 (NIST SP 800-63B-4 section 3.2.2)",
        ),
        otp("guesses_per_day = 101", "wrong codes for a phone in a day: 10 to 100, not 101"),
        otp(
            "guesses_per_day = 19\nguesses = \"20/1h\"",
            "[otp]: wrong codes for a phone: 19 in a day are less than 20 at once",
        ),
        otp(
            "guesses_per_day = 11\nallow_short_codes = true\ndigits = 5",
            "[otp]: codes of less than 6 digits allow at most 10 wrong ones in a day, not 11",
        ),
        otp(
            "phone_per_day = 2",
            "phone_per_day: messages to a phone in a day: 3 to 50, not 2 (each is a paid message)",
        ),
        otp("phone_per_day = 51", "messages to a phone in a day: 3 to 50, not 51"),
        otp(
            "phone_per_day = 3\nphone = \"4/1h\"",
            "[otp]: messages to a phone: 3 in a day are less than 4 at once",
        ),
        otp("resends = 6", "resends of a code: 0 to 5, not 6 (each is a paid message)"),
        otp("resends = -1", "invalid value: integer `-1`"),
        otp("attempts = 256", "invalid value: integer `256`"),
        otp("attempts = \"5\"", "is needed here, not: string"),
        otp("lifetime = 300", "a string is needed here, not: integer"),
        otp("lifetime = \"5 minutes\"", "`5 minutes` is not a duration like 250ms, 30s"),
        otp("client = \"10\"", "`10` is not a window like 3/10m"),
        otp("client = \"10/10\"", "`10/10` is not a window like 3/10m"),
        otp("phone = \"-1/10m\"", "`-1/10m` is not a window like 3/10m"),
        otp("client = \"300/10m\"", "`300/10m` is a window of more than 100"),
    ]);
}

fn section(lines: &str) -> String {
    dev(&login(lines, ""))
}

#[test]
fn rules_and_spending_of_a_configuration_have_bounds() {
    let folder = Folder::new();
    for good in [
        "[otp.fraud]\ncountry = \"silent\"\nprefix = \"off\"\nclient = \"deny\"\ncountries = \"observe\"",
        "[otp.fraud]\ncountry_floor = { day = 5, hour = 1 }\nprefix_floor = { day = 1000000, hour = 100000 }",
        "[otp.fraud]\nclient_most = { day = 10000, hour = 1 }\nmost_countries = 50",
        "[otp.fraud]\nnear = { all = 50, client = 1, reach = 1000, within = \"24h\" }\nsequence = \"observe\"",
        "[otp.spending]\nper_day = \"250\"\nprice = \"0.05\"\nwarn_at = \"250\"\nprices = { IN = \"0.004\", \"+49\" = \"0.08\" }",
    ] {
        let text = served(&section(good));
        folder.parse(&text).unwrap_or_else(|error| panic!("{good}\n{error}"));
    }
    let fraud = |line: &str, told| (section(&format!("[otp.fraud]\n{line}")), told);
    let money = |line: &str, told| (section(&format!("[otp.spending]\n{line}")), told);
    check(&[
        fraud("country = \"on\"", "`on` is no mode; one of observe, challenge, deny, silent"),
        fraud("land = \"off\"", "unknown key `land`"),
        fraud("sequence = \"challenge\"", "[otp]: mode challenge: there is no challenger"),
        fraud(
            "country_floor = { day = 4, hour = 3 }",
            "country_floor: in a day: 5 to 1000000, not 4",
        ),
        fraud(
            "prefix_floor = { day = 20, hour = 0 }",
            "prefix_floor: in an hour: 1 to 100000, not 0",
        ),
        fraud("client_most = { day = 0, hour = 1 }", "client_most: in a day: 1 to 10000, not 0"),
        fraud("most_countries = 51", "most_countries: countries: 1 to 50, not 51"),
        fraud("near = { reach = 0 }", "near: reach: 1 to 1000, not 0"),
        fraud("near = { all = 51 }", "near: numbers: 1 to 50, not 51"),
        fraud("near = { client = 0 }", "near: numbers of a client: 1 to 50, not 0"),
        fraud("near = { within = \"59s\" }", "near: seconds: 60 to 86400, not 59"),
        money("per_day = \"250\"", "missing field `price`"),
        money("per_day = 250\nprice = \"1\"", "a string is needed here, not: integer"),
        money("per_day = \"1\"\nprice = \"0\"", "spending: price: more than 0, up to the cap, 1"),
        money(
            "per_day = \"1\"\nprice = \"1.01\"",
            "spending: price: more than 0, up to the cap, 1",
        ),
        money("per_day = \"1,5\"\nprice = \"1\"", "`1,5` is not an amount like 250 or 0.0457"),
        money(
            "per_day = \"9\"\nprice = \"1\"\nwarn_at = \"10\"",
            "warn_at: more than 0, up to the cap, 9",
        ),
        money(
            "per_day = \"9\"\nprice = \"1\"\nprices = { UK = \"1\" }",
            "prices: `UK` is neither a region",
        ),
        money(
            "per_day = \"9\"\nprice = \"1\"\nprices = { IN = \"10\" }",
            "prices: IN: price: more than 0",
        ),
    ]);
}
