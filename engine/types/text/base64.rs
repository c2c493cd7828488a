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

/// Appends what `text` encodes, as Java's `Base64.getDecoder` reads it: the padding may be left out as a whole, white space
/// may not be there. False, with nothing appended, when it is not Base64.
pub fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.reserve(text.len() / 4 * 3 + 3);
    let mut groups = text.chunks_exact(4);
    let last = if text.len().is_multiple_of(4) && !text.is_empty() { groups.next_back() } else { None };
    let last = last.unwrap_or(groups.remainder());
    let whole = groups.all(|group| three_bytes(group, out));
    if whole && last_group(last, out) {
        return true;
    }
    out.truncate(start);
    false
}

/// Appends what `text` encodes, as Jackson reads it in JSON: with its padding, and with white space between groups of four
/// letters. False, with nothing appended, when it is not Base64.
pub fn decode_spaced(text: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.reserve(text.len() / 4 * 3);
    let mut rest = text;
    loop {
        while let [0..=b' ', after @ ..] = rest {
            rest = after;
        }
        let Some((group, after)) = rest.split_first_chunk::<4>() else { break };
        if !three_bytes(group, out) && !last_group(group, out) {
            break;
        }
        rest = after;
    }
    if rest.is_empty() {
        return true;
    }
    out.truncate(start);
    false
}

/// Appends the three bytes of four letters; false, with nothing appended, when they are not all letters.
#[inline]
fn three_bytes(group: &[u8], out: &mut Vec<u8>) -> bool {
    let &[a, b, c, d] = group else { return false };
    let [a, b, c, d] = [a, b, c, d].map(|letter| u32::from(VALUES[usize::from(letter)]));
    // What is no letter has its high bits set.
    if (a | b | c | d) > 63 {
        return false;
    }
    let bits = a << 18 | b << 12 | c << 6 | d;
    out.extend_from_slice(&[(bits >> 16) as u8, (bits >> 8) as u8, bits as u8]);
    true
}

/// The group at the end, whole, padded, or cut short where padding would stand.
fn last_group(group: &[u8], out: &mut Vec<u8>) -> bool {
    let letters = match group {
        [] => return true,
        [letters @ .., b'=', b'='] | [letters @ .., b'='] if group.len() == 4 => letters,
        letters => letters,
    };
    let value = |at: usize| letters.get(at).map_or(0, |letter| u32::from(VALUES[usize::from(*letter)]));
    let (a, b, c) = (value(0), value(1), value(2));
    match letters.len() {
        2 if (a | b) <= 63 => out.push((a << 2 | b >> 4) as u8),
        3 if (a | b | c) <= 63 => out.extend_from_slice(&[(a << 2 | b >> 4) as u8, (b << 4 | c >> 2) as u8]),
        4 => return three_bytes(letters, out),
        _ => return false,
    }
    true
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
        for bad in
            ["Zg=", "Z", "Zg==Zg==", "Zm9v=", "Z*==", "====", "=Zg=", "Zm9v\n", " Zm9v", "Zm 9v", "=", "Z===", "Z=g="]
        {
            let mut out = b"kept".to_vec();
            assert!(!decode(bad.as_bytes(), &mut out), "{bad}");
            assert_eq!(out, b"kept");
        }
        assert_eq!(decoded("Zm8").as_deref(), Some(&b"fo"[..]));
        assert_eq!(decoded("Zm9vZg").as_deref(), Some(&b"foof"[..]));
    }

    #[test]
    fn in_json_padding_is_needed_and_space_may_stand_between_groups() {
        let spaced = |text: &str| {
            let mut out = b"kept".to_vec();
            let read = decode_spaced(text.as_bytes(), &mut out);
            assert!(read || out == b"kept", "{text}");
            read.then(|| out[4..].to_vec())
        };
        for (text, plain) in [("", ""), (" Zm9v\r\n Zg== ", "foof"), ("Zm8=", "fo"), ("Zg==Zm9v", "ffoo")] {
            assert_eq!(spaced(text).as_deref(), Some(plain.as_bytes()), "{text}");
        }
        for bad in ["Zg", "Zm8", "Zm 9v", "Zg= =", "Zg=", "****", "Z===", "Zm9v="] {
            assert_eq!(spaced(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_byte_string_survives(bytes: Vec<u8>) {
            let text = encoded(&bytes);
            let mut spaced = Vec::new();
            proptest::prop_assert!(decode_spaced(text.as_bytes(), &mut spaced));
            proptest::prop_assert_eq!(&spaced, &bytes);
            proptest::prop_assert_eq!(decoded(&text), Some(bytes));
        }
    }
}
