//! Base64 with the standard alphabet (RFC 4648, section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const VALUES: [u8; 256] = {
    let mut values = [255u8; 256];
    let mut i = 0;
    while i < 64 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};

/// Appends the padded encoding of `bytes`.
pub fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    let mut chunks = bytes.chunks_exact(3);
    let letter = |bits: u32, shift: u32| ALPHABET[(bits >> shift & 63) as usize];
    for chunk in &mut chunks {
        let bits = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
        out.extend_from_slice(&[letter(bits, 18), letter(bits, 12), letter(bits, 6), letter(bits, 0)]);
    }
    match *chunks.remainder() {
        [a] => {
            let bits = u32::from(a) << 16;
            out.extend_from_slice(&[letter(bits, 18), letter(bits, 12), b'=', b'=']);
        }
        [a, b] => {
            let bits = u32::from(a) << 16 | u32::from(b) << 8;
            out.extend_from_slice(&[letter(bits, 18), letter(bits, 12), letter(bits, 6), b'=']);
        }
        _ => {}
    }
}

/// Appends what `text` encodes; false, with nothing appended, when it is not Base64. Padding may be left out, white
/// space is skipped.
pub fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.reserve(text.len() / 4 * 3 + 3);
    let (mut bits, mut letters, mut padding) = (0u32, 0usize, 0usize);
    for &byte in text {
        let value = VALUES[byte as usize];
        if value == 255 {
            match byte {
                b'=' => padding += 1,
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => {
                    out.truncate(start);
                    return false;
                }
            }
            continue;
        }
        if padding > 0 {
            out.truncate(start);
            return false;
        }
        bits = bits << 6 | u32::from(value);
        letters += 1;
        if letters.is_multiple_of(4) {
            out.extend_from_slice(&[(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]);
        }
    }
    let rest = letters % 4;
    let well_formed = match rest {
        0 => padding == 0,
        2 => {
            out.push((bits >> 4) as u8);
            padding == 0 || padding == 2
        }
        3 => {
            out.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]);
            padding == 0 || padding == 1
        }
        _ => false,
    };
    if !well_formed {
        out.truncate(start);
    }
    well_formed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        encode(bytes, &mut out);
        String::from_utf8(out).expect("the alphabet is ASCII")
    }

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(text.as_bytes(), &mut out).then_some(out)
    }

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(encoded(plain.as_bytes()), text);
            assert_eq!(decoded(text).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn what_is_not_base64_is_refused_and_leaves_nothing() {
        for bad in ["Zg=", "Z", "Zg==Zg==", "Zm9v=", "Z*==", "====", "=Zg="] {
            let mut out = b"kept".to_vec();
            assert!(!decode(bad.as_bytes(), &mut out), "{bad}");
            assert_eq!(out, b"kept");
        }
        assert_eq!(decoded("Zm8").as_deref(), Some(&b"fo"[..]));
    }

    proptest::proptest! {
        #[test]
        fn every_byte_string_survives(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(decoded(&encoded(&bytes)), Some(bytes));
        }
    }
}
