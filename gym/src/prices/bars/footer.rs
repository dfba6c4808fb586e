//! A look at what a Parquet file says of itself before its reader believes it.
//!
//! The reader makes room for as many columns and row groups as are announced and descends as deep as they are nested: a few bytes could ask
//! for more memory, or a deeper stack, than there is, and that ends a process where no panic is caught. Here nothing is kept: what is
//! announced must be there. A footer is a structure of Thrift's compact protocol
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).

/// Values within values deeper than this are none that a footer has.
const MAX_DEPTH: usize = 32;

/// More structures than this, each of which may lie within another, are none that a file of prices has.
const MAX_STRUCTURES: usize = 1_000;

const CUT_OFF: &str = "it is cut off";

/// Looks at the footer of a file that begins as a Parquet file.
pub(super) fn check(bytes: &[u8]) -> Result<(), &'static str> {
    let (body, tail) = bytes.split_last_chunk::<8>().ok_or(CUT_OFF)?;
    let [a, b, c, d, magic @ ..] = *tail;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let start = body.len().checked_sub(length).filter(|_| magic == *b"PAR1").ok_or(CUT_OFF)?;
    let mut footer = Footer { rest: &body[start..], length, structures: 0, path: Vec::new() };
    footer.structure()
}

struct Footer<'a> {
    /// What is not looked at yet.
    rest: &'a [u8],
    length: usize,
    structures: usize,
    /// Numbers of the fields that the next value lies in.
    path: Vec<i64>,
}

impl Footer<'_> {
    fn bytes(&mut self, count: u64) -> Result<&[u8], &'static str> {
        let count = usize::try_from(count).map_err(|_| CUT_OFF)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        Ok(self.bytes(1)?[0])
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("it has a number of more than 64 bits")
    }

    fn whole(&mut self) -> Result<i64, &'static str> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn structure(&mut self) -> Result<(), &'static str> {
        let mut field = 0_i64;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Ok(());
            }
            field = match header >> 4 {
                0 => self.whole()?,
                step => field.wrapping_add(i64::from(step)),
            };
            // Whether a field is true or false is said by its type.
            if !matches!(header & 15, 1 | 2) {
                self.value(header & 15, field)?;
            }
        }
    }

    fn value(&mut self, kind: u8, field: i64) -> Result<(), &'static str> {
        if self.path.len() >= MAX_DEPTH {
            return Err("its parts are nested too deep");
        }
        self.path.push(field);
        match kind {
            1..=3 => drop(self.byte()?),
            4..=6 => {
                let number = self.whole()?;
                // Elements of the schema, field 2, say in their field 5 how many more are within them.
                if self.path == [2, 0, 5] {
                    self.structures += 1;
                    if self.structures > MAX_STRUCTURES {
                        return Err("it has more than 1000 structures");
                    }
                    if !usize::try_from(number).is_ok_and(|number| number <= self.length) {
                        return Err("it announces more than it has");
                    }
                }
            }
            7 => drop(self.bytes(8)?),
            8 => {
                let count = self.varint()?;
                self.bytes(count)?;
            }
            9 | 10 => {
                let header = self.byte()?;
                let count = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
                self.values(count, &[header & 15])?;
            }
            11 => {
                let count = self.varint()?;
                if count > 0 {
                    let kinds = self.byte()?;
                    self.values(count, &[kinds >> 4, kinds & 15])?;
                }
            }
            12 => self.structure()?,
            _ => return Err("it has a value of no known type"),
        }
        self.path.pop();
        Ok(())
    }

    /// `count` times a value of each of `kinds`; none takes less than a byte.
    fn values(&mut self, count: u64, kinds: &[u8]) -> Result<(), &'static str> {
        if count > self.rest.len() as u64 {
            return Err("it announces more than it has");
        }
        for _ in 0..count {
            for &kind in kinds {
                self.value(kind, 0)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

    use super::*;

    /// A file without data and with this schema: elements with these numbers of children.
    fn file(announced: u32, elements: impl Iterator<Item = u32>) -> Vec<u8> {
        let varint = |to: &mut Vec<u8>, mut value: u32| {
            while value >= 0x80 {
                to.push(value as u8 | 0x80);
                value >>= 7;
            }
            to.push(value as u8);
        };
        // Version 2, then the list.
        let mut footer = vec![0x15, 4, 0x19, 0xfc];
        varint(&mut footer, announced);
        for children in elements {
            footer.extend([0x48, 1, b'a', 0x15]);
            varint(&mut footer, children << 1);
            footer.push(0);
        }
        footer.push(0);
        let length = (footer.len() as u32).to_le_bytes();
        [b"PAR1", &footer[..], &length, b"PAR1"].concat()
    }

    #[test]
    fn what_is_announced_must_be_there() {
        assert_eq!(check(&file(3, [2, 1, 0].into_iter())), Ok(()));
        assert!(
            check(&file(100_000, std::iter::repeat_n(1, 100_000))).unwrap_err().contains("1000 structures")
        );
        assert!(check(&file(1, [u32::MAX >> 2].into_iter())).unwrap_err().contains("announces"));
        assert!(check(&file(u32::MAX, [1].into_iter())).unwrap_err().contains("announces"));
        assert_eq!(check(b"PAR1"), Err(CUT_OFF));
        assert_eq!(check(b"PAR1\xff\xff\xff\xffPAR1"), Err(CUT_OFF));
        // Structures in structures: field 1 of each is the next.
        let deep = [b"PAR1", &[0x1c; 100_000][..], &100_000_u32.to_le_bytes(), b"PAR1"].concat();
        assert!(check(&deep).unwrap_err().contains("too deep"));
    }
}
