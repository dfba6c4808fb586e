//! The header of one `.npy` array, checked before the library that parses it sees it.

use npyz::{NpyHeader, Order};

use super::NpzProblem;
use super::array::RawArray;

/// The longest header accepted, in bytes. NumPy itself refuses more than 10,000.
const MAX_HEADER: usize = 10_000;

/// The deepest nesting of brackets accepted: a structured type with subarrays needs 5.
const MAX_DEPTH: usize = 8;

/// A parsed header and the bytes that follow it.
pub(super) struct Member {
    pub(super) header: NpyHeader,
    /// Offset of the data.
    pub(super) start: usize,
}

/// Parses the header of an `.npy` file and checks that the data is as long as it says.
///
/// `expected` goes into the message where the array holds Python objects.
pub(super) fn parse(bytes: &[u8], expected: &str) -> Result<Member, NpzProblem> {
    let (text, start) = locate(bytes)?;
    screen(text)?;
    let header =
        NpyHeader::from_reader(&bytes[..start]).map_err(|error| NpzProblem::Header(error.to_string()))?;
    let dtype = header.dtype();
    if header.uses_pickled_array() {
        return Err(NpzProblem::Pickled { expected: expected.to_owned() });
    }
    let found = (bytes.len() - start) as u64;
    let needed = dtype
        .num_bytes()
        .and_then(|item| header.shape().iter().try_fold(item as u64, |product, &n| product.checked_mul(n)));
    if needed != Some(found) {
        return Err(NpzProblem::Length {
            dtype: dtype.descr(),
            shape: header.shape().to_vec(),
            needed: needed.map_or_else(|| "more than 2^64".into(), |needed| needed.to_string()),
            found,
        });
    }
    Ok(Member { header, start })
}

/// The array as it is stored.
pub(super) fn raw(member: &Member, bytes: &[u8]) -> RawArray {
    RawArray {
        descr: member.header.dtype().descr(),
        item_bytes: member.header.dtype().num_bytes().unwrap_or(0),
        shape: member.header.shape().iter().map(|&n| n as usize).collect(),
        fortran_order: member.header.order() == Order::Fortran,
        bytes: bytes[member.start..].to_vec(),
    }
}

/// The header's text, and the offset at which it ends.
pub(super) fn locate(bytes: &[u8]) -> Result<(&[u8], usize), NpzProblem> {
    let broken = |what: &str| NpzProblem::Header(what.to_owned());
    let (magic, rest) = bytes.split_at_checked(8).ok_or_else(|| broken("shorter than any header"))?;
    if magic[..6] != *b"\x93NUMPY" {
        return Err(broken("it does not begin with the magic bytes \\x93NUMPY"));
    }
    let (length, width) = match (magic[6], rest) {
        (1, [a, b, ..]) => (u32::from(u16::from_le_bytes([*a, *b])), 2),
        (2 | 3, [a, b, c, d, ..]) => (u32::from_le_bytes([*a, *b, *c, *d]), 4),
        (1..=3, _) => return Err(broken("truncated in the header")),
        (version, _) => return Err(NpzProblem::Header(format!("format version {version}; expected 1 to 3"))),
    };
    let length = length as usize;
    if length > MAX_HEADER {
        return Err(NpzProblem::Header(format!("a header of {length} bytes; at most {MAX_HEADER} are read")));
    }
    let text = rest.get(width..width + length).ok_or_else(|| broken("truncated in the header"))?;
    Ok((text, 8 + width + length))
}

/// Refuses headers that are legal Python but hostile: nesting that would exhaust the stack of a recursive parser, and
/// numbers whose product overflows (the library multiplies dimensions without looking).
///
/// All digits count, those in strings too: nobody needs to decide here where a string ends.
pub(super) fn screen(text: &[u8]) -> Result<(), NpzProblem> {
    let broken = |what: &str| Err(NpzProblem::Header(what.to_owned()));
    let (mut depth, mut product, mut number) = (0usize, 1u64, None::<u64>);
    // True after a letter: digits that follow belong to a name or a type, such as f8.
    let mut in_word = false;
    for &byte in text.iter().chain(b" ") {
        match byte {
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return broken("brackets nested too deeply");
        }
        if byte.is_ascii_digit() {
            let digit = u64::from(byte - b'0');
            let Some(next) = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(digit)) else {
                return broken("a number in the header does not fit 64 bits");
            };
            number = Some(next);
            continue;
        }
        let in_name = byte.is_ascii_alphabetic() || byte == b'_';
        if let Some(value) = number.take() {
            // Python has more ways to write a number (0x10, 1_000, 1e3); NumPy writes none of them.
            if !in_word && (in_name || byte == b'.') {
                return broken("a number in the header is not a plain decimal integer");
            }
            match product.checked_mul(value.max(1)) {
                Some(next) if next <= i64::MAX as u64 => product = next,
                _ => return broken("the shape has more than 2^63 elements"),
            }
        }
        in_word = in_name;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn problem(header: &str, data: &[u8]) -> String {
        parse(&npy(header, data), "an array").map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_plain_header_is_read() {
        let bytes = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n", &[0; 16]);
        let member = parse(&bytes, "").map_err(|error| error.to_string()).unwrap();
        assert_eq!(member.header.shape(), [2]);
        assert_eq!(bytes.len() - member.start, 16);
        let raw = raw(&member, &bytes);
        assert_eq!((raw.descr.as_str(), raw.item_bytes, raw.shape.as_slice()), ("'<f8'", 8, &[2usize][..]));
    }

    #[test]
    fn hostile_headers_are_refused_without_harm() {
        let shape = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n");
        let huge = shape("(4294967296, 4294967296)");
        assert!(problem(&huge, &[]).contains("2^63"));
        assert!(problem(&shape("(99999999999999999999,)"), &[]).contains("64 bits"));
        assert!(problem(&shape("(0x10000000000000000,)"), &[]).contains("decimal"));
        assert!(problem(&shape("(1_000,)"), &[]).contains("decimal"));
        assert!(problem(&shape("(1e9,)"), &[]).contains("decimal"));
        assert!(problem(&shape("(1000000,)"), &[0; 8]).contains("need 8000000 bytes, the array has 8"));
        assert!(problem(&shape("(1,)"), &[0; 9]).contains("need 8 bytes, the array has 9"));
        assert!(problem(&"[".repeat(5000), &[]).contains("nested"));
        assert!(
            problem("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", &[0; 30]).contains("pickled")
        );
        assert!(problem("{'descr': '<f8'}", &[]).contains("fortran_order"));
        assert!(problem("__import__('os')", &[]).contains("not an .npy array"));
        assert!(problem("", &[]).contains("not an .npy array"));
    }

    #[test]
    fn broken_beginnings_are_refused() {
        let text = |bytes: &[u8]| parse(bytes, "").map(|_| ()).unwrap_err().to_string();
        assert!(text(b"").contains("shorter"));
        assert!(text(b"PK\x03\x04 not numpy").contains("magic"));
        assert!(text(b"\x93NUMPY\x09\x00\x10\x00").contains("version 9"));
        assert!(text(b"\x93NUMPY\x01\x00\xff\x00{").contains("truncated"));
        assert!(text(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{").contains("at most"));
        assert!(text(b"\x93NUMPY\x02\x00\xff").contains("truncated"));
    }
}
