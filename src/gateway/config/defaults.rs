//! What counts where nothing is written.

use super::{
    AlertsConfig, Config, LoginConfig, RouteConfig,
    audit::{FILE_MIB, QUEUE},
    events, records,
    secrets::WARN_AFTER,
    store::{DEADLINE, OUTAGE_SHARE},
};
use crate::{
    duration,
    gateway::lockdown::LIMITS,
    limit::Quota,
    otp::{Window, fraud::LineType},
    profile::Profile,
};
use std::time::Duration;
use toml::{Table, Value};

/// Fills in what `config` was made of besides `file`: read again, the whole makes the same.
pub(super) fn fill(file: &mut Table, config: &Config) {
    or(file, "profile", config.profile.name());
    let listen = section(file, "listen");
    or(listen, "address", config.address.to_string());
    or(listen, "drain", text(config.drain));
    if config.admin.is_some() {
        or(listen, "admin_public", false);
    }
    or(section(file, "clients"), "ipv6_prefix", 64);
    or(section(file, "headers"), "preset", "gateway");
    let store = section(file, "store");
    or(store, "backend", "memory");
    if store["backend"].as_str() == Some("redis") {
        or(store, "deadline", text(DEADLINE));
        or(store, "outage_share", OUTAGE_SHARE);
    }
    if let Some(cors) = there(file, "cors") {
        or(cors, "headers", Vec::<Value>::new());
        or(cors, "max_age", "10m");
    }
    fill_limits(file);
    each(file, "issuer", |issuer| {
        or(issuer, "typ", vec!["at+jwt"]);
        or(issuer, "leeway", "30s");
    });
    fill_tokens(file, config.login.is_some());
    if let Some(login) = &config.login {
        fill_login(section(file, "otp"), login, config.profile);
        fill_records(file);
    }
    if let Some(audit) = there(file, "audit") {
        or(audit, "addresses", "full");
        or(audit, "backend", "files");
        if audit["backend"].as_str() == Some("files") {
            or(audit, "file_mib", i64::from(FILE_MIB));
        }
        or(audit, "queue", i64::from(QUEUE.get()));
    }
    or(section(file, "secrets"), "warn_after", text(WARN_AFTER));
    let lockdown = section(file, "lockdown");
    or(lockdown, "on", false);
    or(lockdown, "limits", LIMITS);
    if let Some(events) = there(file, "events") {
        or(events, "queue", i64::from(events::QUEUE.get()));
    }
    if let Some(alerts) = &config.alerts {
        fill_alerts(file, alerts);
    }
    fill_routes(file, &config.routes);
}

fn fill_limits(file: &mut Table) {
    if !file.contains_key("limit") {
        let mut limit = Table::new();
        or(&mut limit, "name", "per-ip");
        or(&mut limit, "quota", "100/15m");
        or(file, "limit", vec![limit]);
    }
    each(file, "limit", |limit| {
        let quota = limit["quota"].as_str().and_then(|quota| quota.parse::<Quota>().ok());
        if let Some(quota) = quota {
            or(limit, "burst", i64::from(quota.burst()));
        }
        or(limit, "by", "ip");
        or(limit, "cost", 1);
        or(limit, "shadow", false);
    });
}

fn fill_tokens(file: &mut Table, has_login: bool) {
    if let Some(token) = there(file, "token") {
        or(token, "access", "15m");
        or(token, "jwks_max_age", "5m");
        if has_login {
            or(token, "refresh", "7d");
            or(token, "session", "30d");
            or(token, "delivery", "body");
        }
    }
    if let Some(dpop) = there(file, "dpop") {
        or(dpop, "routes", "if-bound");
        or(dpop, "max_age", "60s");
        or(dpop, "ahead", "5s");
        if has_login {
            or(dpop, "login", "allowed");
        }
    }
    if let Some(mtls) = there(file, "mtls") {
        or(mtls, "routes", "if-bound");
    }
}

fn fill_login(otp: &mut Table, login: &LoginConfig, profile: Profile) {
    let rules = login.settings.rules();
    let window = |Window { count, within }| format!("{count}/{}", text(within));
    for (name, value) in [
        ("lifetime", text(rules.lifetime)),
        ("cooldown", text(rules.cooldown)),
        ("guesses", window(rules.guesses)),
        ("client", window(rules.client)),
        ("fingerprint", window(rules.fingerprint)),
        ("phone", window(rules.phone)),
        ("device", window(rules.device)),
        ("block", text(rules.guesses_block.first())),
        ("device_cool_off", "0s".to_owned()),
    ] {
        or(otp, name, value);
    }
    for (name, count) in [
        ("digits", login.settings.code_length()),
        ("attempts", rules.attempts),
        ("resends", rules.resends),
        ("guesses_per_day", rules.guesses_per_day),
        ("phone_per_day", rules.phone_per_day),
    ] {
        or(otp, name, i64::from(count));
    }
    or(otp, "allow_short_codes", false);
    or(otp, "unicode", false);
    let changes = section(otp, "phone_change");
    or(changes, "allowed", true);
    or(changes, "reauth_after", "5m");
    or(changes, "cool_off", "0s");
    for sender in ["twilio", "twilio_verify", "msg91", "http"] {
        if let Some(sender) = there(otp, sender) {
            or(sender, "timeout", "10s");
        }
    }
    fill_fraud(otp, profile);
}

fn fill_fraud(otp: &mut Table, profile: Profile) {
    let destinations = section(otp, "destinations");
    let denied = if profile == Profile::Dev { &[][..] } else { &LineType::DENIED };
    let denied: Vec<_> = denied.iter().map(|line| line.name()).collect();
    or(destinations, "deny", Vec::<Value>::new());
    or(destinations, "deny_types", denied);
    or(destinations, "region_mode", "silent");
    or(destinations, "type_mode", "silent");
    let fraud = section(otp, "fraud");
    let mode = match profile {
        Profile::Dev => "off",
        Profile::Standard => "observe",
        Profile::Banking => "silent",
    };
    for rule in ["country", "prefix", "client", "countries", "sequence"] {
        or(fraud, rule, mode);
    }
    for (name, day, hour) in
        [("country_floor", 20, 3), ("prefix_floor", 20, 3), ("client_most", 10, 5)]
    {
        let floor = section(fraud, name);
        or(floor, "day", day);
        or(floor, "hour", hour);
    }
    or(fraud, "most_countries", 3);
    let near = section(fraud, "near");
    for (name, count) in [("all", 10), ("client", 3), ("reach", 20)] {
        or(near, name, count);
    }
    or(near, "within", "1h");
    if let Some(challenge) = there(fraud, "challenge") {
        or(challenge, "form", "siteverify");
        or(challenge, "timeout", "3s");
        or(challenge, "on_outage", "refuse");
    }
}

fn fill_records(file: &mut Table) {
    let keeps_pepper = there(file, "otp").is_some_and(|otp| otp.contains_key("pepper"));
    let records = section(file, "records");
    or(records, "backend", if keeps_pepper { "sqlite" } else { "memory" });
    match records["backend"].as_str() {
        Some("sqlite") => or(records, "path", records::FILE),
        Some("postgres") => or(records, "connections", 10),
        _ => {}
    }
}

fn fill_alerts(file: &mut Table, config: &AlertsConfig) {
    or(section(file, "alerts"), "defaults", true);
    let alerts = config.alerts.iter().map(|alert| {
        let mut row = Table::new();
        or(&mut row, "name", alert.name().as_str());
        or(&mut row, "on", alert.on().name());
        or(&mut row, "count", i64::from(alert.count()));
        or(&mut row, "within", text(alert.within()));
        if let Some(below) = alert.below() {
            or(&mut row, "below", below);
        }
        row
    });
    let alerts: Vec<_> = alerts.collect();
    file.insert("alert".to_owned(), alerts.into());
}

fn fill_routes(file: &mut Table, routes: &[RouteConfig]) {
    let mut routes = routes.iter();
    each(file, "route", |route| {
        or(route, "auth", "required");
        // In the order of the file.
        if let Some(made) = routes.next() {
            let limits: Vec<_> = made.limits.iter().map(|limit| limit.name().as_str()).collect();
            or(route, "limits", limits);
        }
    });
}

/// A section, if need be an empty one.
fn section<'a>(table: &'a mut Table, name: &str) -> &'a mut Table {
    let value = table.entry(name).or_insert_with(|| Table::new().into());
    if !value.is_table() {
        *value = Table::new().into();
    }
    #[allow(clippy::expect_used, reason = "it is one since the line before")]
    value.as_table_mut().expect("a table")
}

fn there<'a>(table: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    table.get_mut(name)?.as_table_mut()
}

fn each(file: &mut Table, name: &str, fill: impl FnMut(&mut Table)) {
    let sections = file.get_mut(name).and_then(Value::as_array_mut);
    sections.into_iter().flatten().filter_map(Value::as_table_mut).for_each(fill);
}

fn or(table: &mut Table, name: &str, value: impl Into<Value>) {
    table.entry(name).or_insert_with(|| value.into());
}

fn text(time: Duration) -> String {
    if time.is_zero() { "0s".to_owned() } else { duration::format(time) }
}
