//! What is secret stands in no log, metric or event.

use crate::{
    ALONE, Stage,
    login::{Ask, PHONE},
    written::Written,
};
use serde_json::json;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::test]
async fn requirement_5_and_44_and_58_no_secret_is_in_any_log() {
    let _alone = ALONE.lock().await;
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_ansi(false)
        .without_time()
        .with_writer(written.clone())
        .finish();
    let on = subscriber.set_default();
    let mut stage = Stage::new(false);
    crate::walk::drive(&mut stage).await;
    drop(on);
    let text = written.text();
    assert!(text.contains("started processing request"), "all levels are captured");
    let lines: Vec<_> = text.lines().filter(|line| line.contains("portcullis::audit")).collect();
    assert_eq!(
        lines.len(),
        stage.expected.len() + 2,
        "and the block by hand that was lifted\n{lines:#?}"
    );
    for act in &stage.expected {
        assert!(lines.iter().any(|line| line.contains(&format!("act=\"{act}\""))), "{act}");
    }
    assert!(stage.codes.len() > 8 && stage.tokens.len() > 30, "{:?}", stage.codes);
    stage.assert_silent("tracing", &text, true);
    stage.assert_silent("an answer", &stage.answers, false);
    let shown = format!("{:?} {:?} {:?}", stage.otp, stage.service, stage.store);
    stage.assert_silent("a value", &shown, true);
    // The one place for a code, with a number that is masked.
    let printed = stage.printed.text();
    for line in printed.lines() {
        assert!(line.starts_with("SMS to +91******3210: "), "{line}");
    }
    for token in &stage.tokens {
        assert!(!printed.contains(token));
    }
    assert_eq!(
        printed.lines().count() + 1,
        stage.codes.len(),
        "one line for each code but the fixed one"
    );
}

/// The label of no metric holds what is secret, or an address.
#[cfg(feature = "metrics")]
#[tokio::test]
async fn requirement_5_and_58_no_secret_is_in_any_metric() {
    let _alone = ALONE.lock().await;
    let recorded = crate::recorded::Recorded::default();
    let _on = recorded.listen();
    let mut stage = Stage::new(true);
    crate::walk::drive(&mut stage).await;
    let moved = recorded.moved();
    let refusals = moved.iter().filter(|(name, _)| name.starts_with("refusals_total{layer=otp"));
    let refused = stage.expected.iter().filter(|act| **act == "refused").count() as u64;
    assert_eq!(refusals.map(|(_, count)| count).sum::<u64>(), refused, "{moved:?}");
    let text = format!("{moved:#?}");
    stage.assert_silent("a metric", &text, true);
    assert!(!text.contains("203.0.113") && !text.contains("/v1/"), "{text}");
}

#[tokio::test]
async fn requirement_62_what_a_client_says_cannot_begin_a_line() {
    let _alone = ALONE.lock().await;
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(written.clone())
        .finish();
    let on = subscriber.set_default();
    let stage = Stage::new(false);
    for text in ["a\r\nERROR forged", "\u{2028}ERROR forged", "\u{1b}[31mERROR forged"] {
        let _ = crate::login::answer(stage.service.clone(), Ask::code(text)).await;
        let ask = Ask::post("/v1/otp/request", &json!({ "phone": PHONE, "locale": text }));
        let _ = crate::login::answer(stage.service.clone(), ask).await;
    }
    drop(on);
    assert!(written.text().contains("phone-invalid"));
    assert!(!written.text().contains("forged") && !stage.printed.text().contains("forged"));
}
