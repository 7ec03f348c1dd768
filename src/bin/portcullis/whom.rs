//! Whom rows of the audit log are about: what the options name, and what the records know to be of the same user.

use clap::Args;
use portcullis::{
    ConfigError, Phone,
    audit::chain::{Archive, Filter},
    gateway::Config,
    otp::Subject,
};
use serde_json::Value;
use std::error::Error;

#[derive(Args)]
pub(crate) struct Whom {
    /// A subject, for which --config is needed, or a tag as an export shows it, like subject:9f86..; may be repeated. Rows of the
    /// number that the records have for the subject are meant as well.
    #[arg(long = "subject", value_name = "ID", allow_hyphen_values = true)]
    subjects: Vec<String>,
    /// A phone in E.164, for which --config is needed; may be repeated. Rows of the subject that has it are meant as well.
    #[arg(long = "phone", value_name = "NUMBER")]
    phones: Vec<Phone>,
}

impl Whom {
    /// The tags of all that is meant; says on stderr what the records added, and what they cannot know.
    pub(crate) async fn tags(
        self,
        config: Option<&Config>,
        archive: &Archive,
    ) -> Result<Vec<String>, Box<dyn Error>> {
        let (mut tags, named): (Vec<_>, Vec<_>) =
            self.subjects.into_iter().partition(|it| is_tag(it));
        if named.is_empty() && self.phones.is_empty() {
            return Ok(tags);
        }
        let config = config.ok_or_else(|| {
            ConfigError::new(
                "the log knows tags alone, which --config can make of a subject or a phone",
            )
        })?;
        for subject in named {
            tags.extend(of_subject(config, archive, &subject).await?);
        }
        for phone in self.phones {
            tags.extend(of_phone(config, archive, &phone).await?);
        }
        tags.sort_unstable();
        tags.dedup();
        Ok(tags)
    }
}

/// The tags that a subject has in the audit log: its own, and that of the number it has in the records.
pub(crate) async fn tags_of(config: &Config, subject: &str) -> Result<Vec<String>, ConfigError> {
    let mut tags = vec![config.subject_tag(subject)?];
    if let Some(subject) = Subject::new(subject) {
        let phone = config.phone_of(&subject).await?;
        tags.extend(phone.map(|phone| config.phone_tag(&phone)).transpose()?);
    }
    Ok(tags)
}

async fn of_subject(
    config: &Config,
    archive: &Archive,
    subject: &str,
) -> Result<Vec<String>, ConfigError> {
    let tags = tags_of(config, subject).await?;
    match &tags[..] {
        [own, phone] => eprintln!("subject {subject}: rows of {own}, and of its number, {phone}"),
        _ => eprintln!(
            "subject {subject}: rows of {} alone: the records do not know it. If it was erased, name its number with --phone as well, or \
             with --subject the tag of it that `subjects erase` said",
            tags.join(" ")
        ),
    }
    tell_former(archive, &tags).await;
    Ok(tags)
}

async fn of_phone(
    config: &Config,
    archive: &Archive,
    phone: &Phone,
) -> Result<Vec<String>, ConfigError> {
    let own = config.phone_tag(phone)?;
    let Some(subject) = config.subject_of(phone).await? else {
        eprintln!("phone {phone}: rows of {own} alone: the records know no subject that has it");
        return Ok(vec![own]);
    };
    let tags = vec![config.subject_tag(subject.as_str())?, own];
    eprintln!("phone {phone}: rows of {}, and of its subject, {}", tags[1], tags[0]);
    tell_former(archive, &tags).await;
    Ok(tags)
}

/// Says which numbers a subject had before, by what the log tells of notices to them. Their rows are not added: somebody else may
/// have such a number now.
async fn tell_former(archive: &Archive, tags: &[String]) {
    let Some(subject) = tags.first() else { return };
    let mut rows = Vec::new();
    // What is asked for goes on without it, above all an erasure.
    if let Err(error) = archive.export(&Filter::default().tag(subject), &mut rows).await {
        eprintln!("numbers that {subject} had before cannot be told: {error}");
    }
    for row in rows.split(|byte| *byte == b'\n') {
        let Ok(row) = serde_json::from_slice::<Value>(row) else { continue };
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let (phone, time) = (text("key"), text("time"));
        let is_former = text("event").starts_with("notice-") && text("subject") == subject;
        if is_former && !tags.iter().any(|tag| tag == phone) {
            eprintln!(
                "{subject} had another number until {time}, whose rows are not among these; for them name --subject {phone}, and with an \
                 export --to {time}, as later ones are of whoever has it now"
            );
        }
    }
}

/// The kind, and 32 hexadecimal digits.
fn is_tag(text: &str) -> bool {
    let digits = text.split_once(':').map_or("", |(_, digits)| digits);
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
