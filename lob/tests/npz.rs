//! Reading and writing `.npz` archives, from outside: what is accepted, what is refused, and what the messages say.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use lob::data::{Dim, Domain, NpzFile, NpzWriter};
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A directory of its own for each test, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("lob-npz-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An `.npy` file by hand.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn archive(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A file with one array `x`.
fn with_x(scratch: &Scratch, bytes: &[u8]) -> PathBuf {
    let path = scratch.file("x.npz");
    fs::write(&path, archive(&[("x.npy", bytes)], CompressionMethod::Stored)).unwrap();
    path
}

fn doubles(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn read_x(path: &Path, dims: &[Dim], domain: Domain) -> Result<Vec<f64>, String> {
    let mut file = NpzFile::open(path).map_err(|error| error.to_string())?;
    file.array_f64("x", dims, domain).map(|array| array.data).map_err(|error| error.to_string())
}

#[test]
fn what_is_written_is_read_back() {
    let scratch = Scratch::new("round-trip");
    let path = scratch.file("all.npz");
    let mut writer = NpzWriter::create(&path).unwrap();
    writer.array_f64("matrix", &[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, -0.0]).unwrap();
    writer.array_i64("integers", &[2], &[i64::MIN, i64::MAX]).unwrap();
    writer.scalar_f64("scalar", 0.1).unwrap();
    writer.scalar_i64("version", 1).unwrap();
    writer.scalar_bool("flag", true).unwrap();
    writer.string("text", "Grüße, 市場 🦀").unwrap();
    writer.string("empty", "").unwrap();
    writer.strings("names", &["a", "", "longest"]).unwrap();
    writer.array_f64("none", &[0], &[]).unwrap();
    assert!(writer.scalar_f64("scalar", 0.2).unwrap_err().to_string().contains("two entries"));
    assert!(writer.array_f64("short", &[3], &[1.0]).unwrap_err().to_string().contains("1 elements"));
    assert!(!path.exists(), "nothing has the final name before it is complete");
    writer.finish().unwrap();
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1, "the temporary file is gone");

    let mut file = NpzFile::open(&path).unwrap();
    assert!(file.contains("matrix") && !file.contains("matrix.npy"));
    let matrix = file.array_f64("matrix", &[Dim::Exactly(2), Dim::Any], Domain::Finite).unwrap();
    assert_eq!((matrix.shape, matrix.data), (vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, -0.0]));
    assert_eq!(
        file.array_i64("integers", &[Dim::Any], i64::MIN..=i64::MAX).unwrap().data,
        [i64::MIN, i64::MAX]
    );
    assert_eq!(file.scalar_f64("scalar", Domain::Positive).unwrap(), 0.1);
    assert_eq!(file.scalar_i64("version", 1..=1).unwrap(), 1);
    assert!(file.scalar_bool("flag").unwrap());
    assert_eq!(file.string("text").unwrap(), "Grüße, 市場 🦀");
    assert_eq!(file.string("empty").unwrap(), "");
    assert_eq!(file.strings("names").unwrap(), ["a", "", "longest"]);
    assert_eq!(file.array_f64("none", &[Dim::Any], Domain::Any).unwrap().data, [0.0; 0]);
}

#[test]
fn the_same_arrays_give_the_same_bytes() {
    let scratch = Scratch::new("bytes");
    let write = |name: &str| {
        let mut writer = NpzWriter::create(scratch.file(name)).unwrap();
        writer.scalar_f64("x", 1.0).unwrap();
        writer.finish().unwrap();
        fs::read(scratch.file(name)).unwrap()
    };
    assert_eq!(write("a.npz"), write("b.npz"));
}

#[test]
fn an_abandoned_writer_leaves_the_old_file_and_nothing_else() {
    let scratch = Scratch::new("abandoned");
    let path = scratch.file("kept.npz");
    fs::write(&path, "old").unwrap();
    let mut writer = NpzWriter::create(&path).unwrap();
    writer.scalar_f64("x", 1.0).unwrap();
    drop(writer);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1);
}

#[test]
fn other_types_and_orders_are_accepted_where_nothing_is_lost() {
    let scratch = Scratch::new("types");
    let check = |descr: &str, data: &[u8]| {
        let path = with_x(&scratch, &npy(descr, false, "(2,)", data));
        read_x(&path, &[Dim::Exactly(2)], Domain::Any)
    };
    let expected = Ok(vec![1.0, 2.0]);
    assert_eq!(check("'<f8'", &doubles(&[1.0, 2.0])), expected);
    assert_eq!(check("'>f8'", &[1.0f64.to_be_bytes(), 2.0f64.to_be_bytes()].concat()), expected);
    assert_eq!(check("'<f4'", &[1.0f32.to_le_bytes(), 2.0f32.to_le_bytes()].concat()), expected);
    assert_eq!(check("'<i4'", &[1i32.to_le_bytes(), 2i32.to_le_bytes()].concat()), expected);
    assert_eq!(check("'>u2'", &[0, 1, 0, 2]), expected);
    assert_eq!(check("'|i1'", &[1, 2]), expected);
    let big = check("'<i8'", &[0i64.to_le_bytes(), ((1i64 << 53) + 1).to_le_bytes()].concat()).unwrap_err();
    assert!(big.contains("element 1") && big.contains("9007199254740993"), "{big}");

    let path = with_x(&scratch, &npy("'<f8'", true, "(2, 3)", &doubles(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0])));
    let read = read_x(&path, &[Dim::Any, Dim::Any], Domain::Any);
    assert_eq!(read, Ok(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), "Fortran order is turned around");

    let mut file = NpzFile::open(with_x(&scratch, &npy("'|S5'", false, "()", b"hello"))).unwrap();
    assert_eq!(file.string("x").unwrap(), "hello");
    let mut file = NpzFile::open(with_x(&scratch, &npy("'>U2'", false, "()", b"\0\0\0a\0\0\0b"))).unwrap();
    assert_eq!(file.string("x").unwrap(), "ab");

    // What numpy.savez_compressed writes.
    let path = scratch.file("compressed.npz");
    let bytes = npy("'<f8'", false, "(2,)", &doubles(&[1.0, 2.0]));
    fs::write(&path, archive(&[("x.npy", &bytes), ("notes.txt", b"hi")], CompressionMethod::Deflated))
        .unwrap();
    assert_eq!(read_x(&path, &[Dim::Any], Domain::Any), expected);
    assert_eq!(NpzFile::open(&path).unwrap().keys(), ["x"], "other files are not arrays");
}

#[test]
fn messages_name_file_key_and_what_was_expected() {
    let scratch = Scratch::new("messages");
    let message = |bytes: &[u8], dims: &[Dim], domain: Domain| {
        let path = with_x(&scratch, bytes);
        let text = read_x(&path, dims, domain).unwrap_err();
        assert!(text.starts_with(&format!("{}: key `x`: ", path.display())), "{text}");
        text.split_once("`x`: ").unwrap().1.to_owned()
    };
    let two = [Dim::AtLeast(2)];
    let array = |values: &[f64]| npy("'<f8'", false, &format!("({},)", values.len()), &doubles(values));
    assert_eq!(
        message(&array(&[1.0]), &two, Domain::Any),
        "has shape (1,); expected an array of float64 (any number) of shape (2 or more)"
    );
    assert_eq!(
        message(&npy("'<f8'", false, "(1, 2)", &doubles(&[1.0, 2.0])), &two, Domain::Any),
        "has shape (1, 2); expected an array of float64 (any number) of shape (2 or more)"
    );
    assert_eq!(
        message(&array(&[1.0, -2.0]), &two, Domain::NonNegative),
        "element 1 (counted from 0, row by row) is -2; expected a finite number >= 0"
    );
    assert!(message(&array(&[f64::NAN, 1.0]), &two, Domain::Finite).contains("element 0"));
    assert!(
        message(&array(&[1.0, f64::INFINITY]), &two, Domain::Finite).contains("is inf; expected a finite")
    );
    assert!(message(&array(&[1.0, 0.0]), &two, Domain::Positive).contains("expected a finite number > 0"));
    let text = message(&npy("'<U2'", false, "(1,)", &[0; 8]), &two, Domain::Any);
    assert!(text.starts_with("has dtype '<U2'; expected an array of float64"), "{text}");
    let text = message(&npy("[('a', '<f8')]", false, "(2,)", &[0; 16]), &two, Domain::Any);
    assert!(text.starts_with("has dtype [('a', '<f8'), ]; expected"), "{text}");
    assert!(message(&npy("'<c16'", false, "(2,)", &[0; 32]), &two, Domain::Any).starts_with("has dtype"));
    let text = message(&npy("'|O'", false, "(2,)", b"\x80\x04cos\nsystem\n."), &two, Domain::Any);
    assert!(
        text.starts_with("holds pickled Python objects, which are never read; expected an array"),
        "{text}"
    );
    assert!(message(b"garbage", &two, Domain::Any).starts_with("not an .npy array"));

    let path = scratch.file("y.npz");
    fs::write(&path, archive(&[("y.npy", &array(&[1.0]))], CompressionMethod::Stored)).unwrap();
    let text = read_x(&path, &two, Domain::Any).unwrap_err();
    assert!(text.ends_with("key `x`: missing; expected an array of float64 (any number) of shape (2 or more) (the file has: y)"), "{text}");
}

#[test]
fn files_that_are_no_archives_are_refused() {
    let scratch = Scratch::new("files");
    let path = scratch.file("f.npz");
    let message = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        NpzFile::open(&path).unwrap_err().to_string()
    };
    assert!(message(b"").contains("f.npz: the file is empty; expected a zip archive"));
    assert!(message(b"bidv,askv\n1,2\n").contains("not a zip archive"));
    assert!(message(&npy("'<f8'", false, "()", &[0; 8])).contains("not a zip archive"), "a bare .npy");
    let good = archive(&[("x.npy", &npy("'<f8'", false, "(50,)", &[0; 400]))], CompressionMethod::Stored);
    assert!(message(&good[..good.len() / 2]).contains("truncated"));
    let text = NpzFile::open(scratch.file("absent.npz")).unwrap_err().to_string();
    assert!(text.contains("absent.npz: No such file"), "{text}");
    assert!(NpzFile::open(&scratch.0).is_err(), "a directory");
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let scratch = Scratch::new("duplicate");
    let path = scratch.file("d.npz");
    let one = npy("'<f8'", false, "()", &1.0f64.to_le_bytes());
    // The writer refuses to make such a file: give the second entry another name and overwrite it.
    let mut bytes = archive(&[("x.npy", &one), ("q.npy", &one)], CompressionMethod::Stored);
    for at in 0..bytes.len() - 5 {
        if &bytes[at..at + 5] == b"q.npy" {
            bytes[at] = b'x';
        }
    }
    fs::write(&path, bytes).unwrap();
    assert!(NpzFile::open(&path).unwrap_err().to_string().contains("two entries of the same name"));
}

#[test]
fn a_bomb_is_refused_with_bounded_memory() {
    let scratch = Scratch::new("bomb");
    let path = scratch.file("bomb.npz");
    let zeros = vec![0; 8 << 20];
    let bomb = npy("'<f8'", false, "(1048576,)", &zeros);
    let bytes = archive(&[("x.npy", &bomb)], CompressionMethod::Deflated);
    assert!(bytes.len() < 20_000, "it is small on disk");
    fs::write(&path, &bytes).unwrap();
    let open = || NpzFile::open_with_limit(&path, 1 << 20).unwrap();
    let text = open().array_f64("x", &[Dim::Any], Domain::Any).unwrap_err().to_string();
    assert!(text.contains("at most 1048576 are read"), "{text}");

    // The same with a declared size that lies: 1,000 bytes, in the directory and in the entry.
    let declared = (bomb.len() as u32).to_le_bytes();
    let mut lying = bytes.clone();
    for at in 0..lying.len() - 4 {
        if lying[at..at + 4] == declared {
            lying[at..at + 4].copy_from_slice(&1000u32.to_le_bytes());
        }
    }
    fs::write(&path, &lying).unwrap();
    assert!(open().array_f64("x", &[Dim::Any], Domain::Any).is_err());
}

#[test]
fn structured_arrays_can_be_had_raw() {
    let scratch = Scratch::new("raw");
    let path = with_x(&scratch, &npy("[('ev', '<u8'), ('px', '<f8')]", false, "(3,)", &[7; 48]));
    let raw = NpzFile::open(path).unwrap().raw("x").unwrap();
    assert_eq!((raw.item_bytes, raw.shape, raw.bytes), (16, vec![3], vec![7; 48]));
    assert_eq!(raw.descr, "[('ev', '<u8'), ('px', '<f8'), ]");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Damage never panics, and never gets through as a number that is not finite.
    #[test]
    fn damaged_files_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
        deflate: bool,
        case in 0u32..1_000_000,
    ) {
        let scratch = Scratch::new(&format!("damage-{case}"));
        let method = if deflate { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let mut bytes = archive(
            &[
                ("x.npy", &npy("'<f8'", false, "(4,)", &doubles(&[1.0, 2.0, 3.0, 4.0]))),
                ("s.npy", &npy("'<U2'", false, "()", b"a\0\0\0b\0\0\0")),
            ],
            method,
        );
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let path = scratch.file("x.npz");
        fs::write(&path, &bytes).unwrap();
        if let Ok(mut file) = NpzFile::open(&path) {
            if let Ok(array) = file.array_f64("x", &[Dim::Any], Domain::Finite) {
                prop_assert!(array.data.iter().all(|value| value.is_finite()));
            }
            let _ = file.string("s");
        }
    }

    /// Damage to the header, behind a checksum that fits: what the archive's own checks cannot catch.
    #[test]
    fn damaged_headers_never_panic(
        damage in prop::collection::vec((0usize..90, prop::sample::select(b"0123456789()[]{}',: <>|fiuUSOVmMTFalse\\x\"".to_vec())), 1..12),
        case in 0u32..1_000_000,
    ) {
        let scratch = Scratch::new(&format!("header-{case}"));
        let mut bytes = npy("'<f8'", false, "(4, 2)", &[0; 64]);
        for (at, byte) in damage {
            if let Some(target) = bytes.get_mut(10 + at) {
                *target = byte;
            }
        }
        let path = with_x(&scratch, &bytes);
        let mut file = NpzFile::open(&path).unwrap();
        let _ = file.array_f64("x", &[Dim::Any, Dim::Any], Domain::Finite);
        let _ = file.array_i64("x", &[Dim::Any], 0..=5);
        let _ = file.strings("x");
        let _ = file.raw("x");
    }
}
