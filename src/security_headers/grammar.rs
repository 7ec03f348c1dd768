//! The grammar of sources (CSP Level 3 section 2.3.1).

/// `[scheme "://"] host [":" port] [path]`
pub(super) fn is_host(text: &str) -> bool {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        Some(_) => return false,
        None => text,
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "*"));
    is_host_name(host) && is_port(port) && path.bytes().all(is_path_byte)
}

fn is_host_name(host: &str) -> bool {
    let labels = host.strip_prefix("*.").unwrap_or(host);
    host == "*"
        || labels.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

fn is_port(port: &str) -> bool {
    port == "*" || port.parse::<u16>().is_ok_and(|_| port.bytes().all(|b| b.is_ascii_digit()))
}

/// The bytes of a path (RFC 3986 section 3.3) but `;`, `,` and `'`, which would end the directive or
/// the policy or look like a keyword; they must be percent-encoded.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%!$&()*+=:@".contains(&byte)
}

pub(super) fn is_scheme(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Whether `text` is the base64 (either alphabet) of as many `bytes`.
pub(super) fn is_digest(text: &str, bytes: usize) -> bool {
    let digits = text.trim_end_matches('=');
    text.len() == bytes.div_ceil(3) * 4
        && digits.len() == (bytes * 4).div_ceil(3)
        && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_".contains(&b))
}

/// RFC 4648 section 4. Digests are short and made once, so the encoder is plain.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(group.get(at).copied().unwrap_or_default())
        });
        for digit in 0..4 {
            text.push(if digit <= group.len() {
                char::from(DIGITS[bits >> (18 - 6 * digit) & 63])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_vectors_of_its_rfc() {
        for (bytes, text) in
            [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("", "")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
