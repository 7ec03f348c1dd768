//! Which slot of a cluster a key is in: CRC-16/XMODEM of its hash tag, by the Redis Cluster specification.

pub(in crate::store::redis) const COUNT: usize = 16_384;

/// The slot of a key: of what is between its first pair of braces, or of all of it.
pub(in crate::store::redis) fn of(key: &[u8]) -> u16 {
    let tag = || {
        let start = key.iter().position(|byte| *byte == b'{')? + 1;
        let length = key[start..].iter().position(|byte| *byte == b'}')?;
        (length > 0).then(|| &key[start..start + length])
    };
    crc16(tag().unwrap_or(key)) % COUNT as u16
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(of(b"foo"), 12_182);
        assert_eq!(of(b"{user1000}.following"), of(b"user1000"));
        assert_eq!(of(b"foo{{bar}}zap"), crc16(b"{bar") % COUNT as u16);
        assert_eq!(of(b"foo{bar}{zap}"), of(b"bar"));
        assert_eq!(of(b"foo{}{bar}"), crc16(b"foo{}{bar}") % COUNT as u16);
        assert_eq!(of(b"{open"), crc16(b"{open") % COUNT as u16);
    }
}
