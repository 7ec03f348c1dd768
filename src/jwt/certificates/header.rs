use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use openssl::{hash::MessageDigest, x509::X509};

/// How a proxy writes the certificate of its client into a header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CertificateFormat {
    /// The SHA-256 digest of its DER: 64 hexadecimal digits, or 43 letters of base64url.
    Sha256,
    /// PEM, percent-encoded: `$ssl_client_escaped_cert` of nginx.
    EscapedPem,
    /// `x-forwarded-client-cert` of Envoy, of which `Hash` counts.
    Xfcc,
}

/// A certificate with an RSA key of 4096 bits and many names, percent-encoded.
const MAX: usize = 16 << 10;

/// The digest in the one line that there must be. A line without a value is none: so proxies tell that there is none.
pub(super) fn read<'a>(
    lines: impl IntoIterator<Item = &'a HeaderValue>,
    format: CertificateFormat,
) -> Result<Option<[u8; 32]>, ()> {
    let mut lines = lines.into_iter().map(HeaderValue::as_bytes);
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Ok(None),
        (Some(line), None) if line.len() <= MAX => line.trim_ascii(),
        _ => return Err(()),
    };
    if line.is_empty() {
        return Ok(None);
    }
    let digest = match format {
        CertificateFormat::Sha256 => hex(line).or_else(|| base64url(line)),
        CertificateFormat::EscapedPem => pem(line),
        CertificateFormat::Xfcc => xfcc(line),
    };
    digest.map(Some).ok_or(())
}

fn hex(text: &[u8]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(digest)
}

fn base64url(text: &[u8]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut digest).ok()?;
    (length == 32).then_some(digest)
}

/// One certificate, no more and no less.
fn pem(line: &[u8]) -> Option<[u8; 32]> {
    let text = unescaped(line)?;
    let begins = text.windows(BEGIN.len()).filter(|part| *part == BEGIN).count();
    if begins != 1 || !text.starts_with(BEGIN) {
        return None;
    }
    let certificate = X509::from_pem(&text).ok()?;
    certificate.digest(MessageDigest::sha256()).ok()?.as_ref().try_into().ok()
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn unescaped(line: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let [high, low, after @ ..] = rest else { return None };
            text.push(digit(*high)? << 4 | digit(*low)?);
            rest = after;
        } else {
            text.push(byte);
        }
    }
    Some(text)
}

/// The one `Hash` of the last element.
fn xfcc(line: &[u8]) -> Option<[u8; 32]> {
    let element = split(line, b',')?.pop()?;
    let mut hashes = split(element, b';')?.into_iter().filter_map(|pair| {
        let at = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        name.eq_ignore_ascii_case(b"hash").then_some(value)
    });
    match (hashes.next(), hashes.next()) {
        (Some(hash), None) => hex(hash),
        _ => None,
    }
}

/// The parts between separators that stand in no quotes. `None` if a quote is open at the end.
fn split(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if byte == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str], format: CertificateFormat) -> Result<Option<[u8; 32]>, ()> {
        let lines: Vec<HeaderValue> = lines.iter().map(|line| line.parse().unwrap()).collect();
        read(&lines, format)
    }

    #[test]
    fn a_digest_is_hexadecimal_or_base64url() {
        use CertificateFormat::Sha256;
        let seven = Ok(Some([7; 32]));
        assert_eq!(told(&[&"07".repeat(32)], Sha256), seven);
        assert_eq!(told(&[&URL_SAFE_NO_PAD.encode([7; 32])], Sha256), seven);
        assert_eq!(told(&[], Sha256), Ok(None));
        assert_eq!(told(&[""], Sha256), Ok(None));
        let (short, long) = ("07".repeat(31), "07".repeat(33));
        for bad in [&*short, &long, "x", &"0g".repeat(32), &format!("{}=", "A".repeat(43))] {
            assert_eq!(told(&[bad], Sha256), Err(()), "{bad}");
        }
        let one = "07".repeat(32);
        assert_eq!(told(&[&one, &one], Sha256), Err(()), "two lines");
        assert_eq!(told(&[&format!("{one}, {one}")], Sha256), Err(()));
    }

    #[test]
    fn of_envoys_header_the_hash_in_the_last_element_counts() {
        use CertificateFormat::Xfcc;
        let (seven, eight) = ("07".repeat(32), "08".repeat(32));
        let subject = format!("Subject=\"CN=a\\\",Hash={eight};b\"");
        for line in [
            format!("Hash={seven}"),
            format!("By=spiffe://a;hash={seven};{subject}"),
            format!("Hash={eight},By=a;Hash={seven}"),
            format!("{subject};Hash={seven}"),
        ] {
            assert_eq!(told(&[&line], Xfcc), Ok(Some([7; 32])), "{line}");
        }
        for bad in [
            "Hash=07".to_owned(),
            subject,
            format!("Hash={seven};Hash={eight}"),
            format!("Hash={seven};Subject=\"open"),
            format!("Hash={seven},"),
            format!("Hash=\"{seven}\""),
            seven,
        ] {
            assert_eq!(told(&[&bad], Xfcc), Err(()), "{bad}");
        }
    }

    #[test]
    fn what_is_oversize_or_no_certificate_is_illegible() {
        use CertificateFormat::EscapedPem;
        for bad in ["a", "%", "%2", "%zz", "-----BEGIN%20CERTIFICATE-----", &"a".repeat(MAX + 1)] {
            assert_eq!(told(&[bad], EscapedPem), Err(()), "{}", bad.len());
        }
    }
}
