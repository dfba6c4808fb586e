//! Parquet files of bars: every type that stamps and prices come in, the same checks as CSV's, and files that are damaged.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;
use std::sync::Arc;

use gym::prices::{
    BarsConfig, BarsFormat, BlockBootstrapConfig, Layout, Prices, PricesConfig, Repair, Stamp,
};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96, Int96Type,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

type Group<'g> = SerializedRowGroupWriter<'g, Vec<u8>>;

/// A file with this schema, each of `groups` a row group that writes its columns in order.
fn file(fields: &str, properties: WriterPropertiesBuilder, groups: &[&dyn Fn(&mut Group<'_>)]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message bars {{ {fields} }}")).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build())).unwrap();
    for fill in groups {
        let mut group = writer.next_row_group().unwrap();
        fill(&mut group);
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// The next column, with values wherever `levels` has 1; null: a column that is required.
fn column<T: DataType>(group: &mut Group<'_>, values: &[T::T], levels: Option<&[i16]>) {
    let mut writer = group.next_column().unwrap().unwrap();
    writer.typed::<T>().write_batch(values, levels, None).unwrap();
    writer.close().unwrap();
}

fn plain() -> WriterPropertiesBuilder {
    WriterProperties::builder()
}

/// Two assets over `rows` days, in two row groups.
fn days(rows: i32, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let part = |from: i32, to: i32| {
        move |group: &mut Group<'_>| {
            let days: Vec<i32> = (from..to).map(|day| 19_000 + day).collect();
            column::<Int32Type>(group, &days, None);
            for asset in 1..3 {
                let prices: Vec<f64> =
                    (from..to).map(|day| 100.0 * f64::from(asset) + 0.37 * f64::from(day)).collect();
                column::<DoubleType>(group, &prices, Some(&vec![1; prices.len()]));
            }
        }
    };
    let fields = "required int32 day (DATE); optional double A; optional double B;";
    file(fields, properties, &[&part(0, rows / 2), &part(rows / 2, rows)])
}

fn wide() -> BarsConfig {
    BarsConfig { file: "bars.parquet".into(), ..BarsConfig::default() }
}

fn values(config: &BarsConfig, bytes: Vec<u8>) -> Vec<f64> {
    config.read_parquet(bytes).unwrap().table.values().to_vec()
}

#[track_caller]
fn refused(config: &BarsConfig, bytes: Vec<u8>, words: &[&str]) {
    let message = config.read_parquet(bytes).unwrap_err().to_string();
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn every_codec_is_read_across_row_groups() {
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ] {
        let bars = wide().read_parquet(days(101, plain().set_compression(codec))).unwrap();
        assert_eq!((bars.table.rows(), bars.table.columns()), (101, 2), "{codec}");
        assert_eq!(bars.table.row(100), [137.0, 237.0], "{codec}");
        assert_eq!(bars.stamps[0].to_string(), "2022-01-08");
        assert_eq!(bars.stamps[100].to_string(), "2022-04-18");
    }
}

#[test]
fn stamps_may_be_of_every_kind() {
    let millis: [i64; 2] = [1_704_205_800_250, 1_704_292_200_000];
    let wanted = ["2024-01-02T14:30:00.25Z", "2024-01-03T14:30:00Z"];
    let check = |kind: &str, write: &dyn Fn(&mut Group<'_>), wanted: [&str; 2]| {
        let fill = |group: &mut Group<'_>| {
            write(group);
            column::<DoubleType>(group, &[1.0, 2.0], None);
        };
        let bytes = file(&format!("required {kind}; required double A;"), plain(), &[&fill]);
        let bars = wide().read_parquet(bytes).unwrap();
        assert_eq!([bars.stamps[0], bars.stamps[1]].map(|stamp| stamp.to_string()), wanted, "{kind}");
    };
    for utc in ["true", "false"] {
        for (unit, scale) in [("MILLIS", 1), ("MICROS", 1_000), ("NANOS", 1_000_000)] {
            let kind = format!("int64 t (TIMESTAMP({unit}, {utc}))");
            check(&kind, &|group| column::<Int64Type>(group, &millis.map(|ms| ms * scale), None), wanted);
        }
    }
    let legacy = |group: &mut Group<'_>| column::<Int64Type>(group, &millis, None);
    check("int64 t (TIMESTAMP_MILLIS)", &legacy, wanted);
    check("int64 t", &legacy, ["1704205800250", "1704292200000"]);
    check("double t", &|group| column::<DoubleType>(group, &[-1.5, 2.0], None), ["-1.5", "2"]);
    let texts = ["2024-01-02 14:30:00.25", "2024-01-03T15:30:00+01:00"];
    let text = |group: &mut Group<'_>| column::<ByteArrayType>(group, &texts.map(ByteArray::from), None);
    check("binary t (STRING)", &text, wanted);
    check("binary t", &text, wanted);
    let julian = |group: &mut Group<'_>| {
        let stamps = millis.map(|ms| {
            let (day, of_day) = (ms / 86_400_000 + 2_440_588, (ms % 86_400_000) as u64 * 1_000_000);
            Int96::from(vec![of_day as u32, (of_day >> 32) as u32, day as u32])
        });
        column::<Int96Type>(group, &stamps, None);
    };
    check("int96 t", &julian, wanted);
}

#[test]
fn prices_may_be_of_every_kind_and_decimals_are_the_nearest_floats() {
    let check = |kind: &str, write: &dyn Fn(&mut Group<'_>), wanted: [f64; 2]| {
        let fill = |group: &mut Group<'_>| {
            column::<Int32Type>(group, &[1, 2], None);
            write(group);
        };
        let bytes = file(&format!("required int32 t; required {kind};"), plain(), &[&fill]);
        assert_eq!(values(&wide(), bytes), wanted, "{kind}");
    };
    check("float A", &|group| column::<FloatType>(group, &[1.5, 0.1], None), [1.5, f64::from(0.1_f32)]);
    check("int32 A", &|group| column::<Int32Type>(group, &[7, 8], None), [7.0, 8.0]);
    check("int32 A (UINT_32)", &|group| column::<Int32Type>(group, &[7, -1], None), [7.0, 4_294_967_295.0]);
    check(
        "int64 A",
        &|group| column::<Int64Type>(group, &[7, 1 << 53], None),
        [7.0, 9_007_199_254_740_992.0],
    );
    let cents = [12_345, 10];
    check("int32 A (DECIMAL(9, 2))", &|group| column::<Int32Type>(group, &cents, None), [123.45, 0.1]);
    let wide_cents = cents.map(i64::from);
    check("int64 A (DECIMAL(18, 2))", &|group| column::<Int64Type>(group, &wide_cents, None), [123.45, 0.1]);
    let bytes = |value: i128, length: usize| ByteArray::from(value.to_be_bytes()[16 - length..].to_vec());
    let (long, short) = (123_456_789_012_345_678_901_234_567_890_i128, 7);
    check(
        "fixed_len_byte_array(16) A (DECIMAL(38, 20))",
        &|group| {
            let values = [bytes(long, 16).into(), bytes(short, 16).into()];
            column::<FixedLenByteArrayType>(group, &values, None);
        },
        [1_234_567_890.123_456_8, 7e-20],
    );
    check(
        "binary A (DECIMAL(20, 3))",
        &|group| column::<ByteArrayType>(group, &[bytes(1_001, 2), bytes(long % 1_000_000, 9)], None),
        [1.001, 567.890],
    );
    let text = [ByteArray::from("1.25"), ByteArray::from(" 3 ")];
    check("binary A (STRING)", &|group| column::<ByteArrayType>(group, &text, None), [1.25, 3.0]);
}

#[test]
fn checks_and_repairs_are_those_of_csv() {
    let fields = "required int64 t; optional double A; optional double B;";
    let bars = |stamps: &[i64], prices: &[Option<f64>]| {
        let (stamps, prices) = (stamps.to_vec(), prices.to_vec());
        let fill = |group: &mut Group<'_>| {
            column::<Int64Type>(group, &stamps, None);
            let some: Vec<f64> = prices.iter().flatten().copied().collect();
            let levels: Vec<i16> = prices.iter().map(|price| i16::from(price.is_some())).collect();
            column::<DoubleType>(group, &some, Some(&levels));
            column::<DoubleType>(group, &vec![9.0; prices.len()], Some(&vec![1; prices.len()]));
        };
        file(fields, plain(), &[&fill])
    };
    let with = |repair: &[Repair]| BarsConfig { repair: repair.to_vec(), ..wide() };
    let one = Some(1.0);
    refused(&with(&[]), bars(&[1, 3, 2], &[one; 3]), &["row 3", "earlier than row 2", "repair: [sort]"]);
    refused(&with(&[]), bars(&[1, 2, 2], &[one; 3]), &["row 3", "same stamp as row 2", "drop_duplicates"]);
    refused(&with(&[]), bars(&[1, 2, 3], &[one, Some(-1.0), one]), &["row 2, A is -1", "non_positive"]);
    refused(&with(&[]), bars(&[1, 2, 3], &[one, None, one]), &["row 2, A", "missing", "forward_fill"]);
    refused(&with(&[]), bars(&[1, 2, 3], &[one, Some(f64::NAN), one]), &["row 2, A", "missing"]);
    refused(&with(&[]), bars(&[1, 2, 3], &[one, Some(f64::INFINITY), one]), &["row 2, A is inf"]);
    let all = [Repair::Sort, Repair::DropDuplicates, Repair::NonPositiveAsMissing, Repair::ForwardFill];
    let broken = bars(&[4, 2, 2, 1, 3], &[None, Some(2.0), Some(5.0), one, Some(0.0)]);
    assert_eq!(values(&with(&all), broken), [1.0, 9.0, 2.0, 9.0, 2.0, 9.0, 2.0, 9.0]);
    let chosen = BarsConfig { assets: Some(vec!["B".into(), "A".into()]), ..wide() };
    assert_eq!(values(&chosen, bars(&[1, 2], &[one; 2])), [9.0, 1.0, 9.0, 1.0]);
    let none = BarsConfig { time: Some("T".into()), ..wide() };
    refused(&none, bars(&[1, 2], &[one; 2]), &["the columns", "T", "t, A, B"]);
}

#[test]
fn long_files_are_read() {
    let fill = |group: &mut Group<'_>| {
        column::<ByteArrayType>(group, &["X", "Y", "Y", "X"].map(ByteArray::from), None);
        column::<Int64Type>(group, &[1, 1, 2, 2], None);
        column::<FloatType>(group, &[10.0, 20.0, 21.0, 11.0], None);
    };
    let fields = "required binary asset (STRING); required int64 t; required float close;";
    let bytes = file(fields, plain(), &[&fill]);
    let long = BarsConfig { layout: Layout::Long, time: Some("t".into()), ..wide() };
    assert_eq!(values(&long, bytes.clone()), [10.0, 20.0, 11.0, 21.0]);
    let chosen = BarsConfig { assets: Some(vec!["Y".into()]), ..long };
    assert_eq!(values(&chosen, bytes), [20.0, 21.0]);
}

#[test]
fn the_index_of_a_pandas_frame_is_its_time() {
    let fill = |group: &mut Group<'_>| {
        column::<DoubleType>(group, &[5.0, 6.0], None);
        column::<Int64Type>(group, &[1, 2], None);
    };
    let fields = "required double A; required int64 when;";
    let said = KeyValue::new("pandas".into(), r#"{"index_columns": ["when"], "columns": []}"#.to_owned());
    let properties = plain().set_key_value_metadata(Some(vec![said]));
    let bars = wide().read_parquet(file(fields, properties, &[&fill])).unwrap();
    assert_eq!((bars.table.values(), bars.stamps[1]), (&[5.0, 6.0][..], Stamp::Number(2.0)));
    let unsaid = wide().read_parquet(file(fields, plain(), &[&fill])).unwrap();
    assert_eq!((unsaid.table.values(), unsaid.stamps[1]), (&[1.0, 2.0][..], Stamp::Number(6.0)));
}

#[test]
fn columns_that_no_price_can_be_are_named() {
    let fill = |group: &mut Group<'_>| {
        column::<Int32Type>(group, &[1, 2], None);
        column::<DoubleType>(group, &[5.0, 6.0], None);
        column::<parquet::data_type::BoolType>(group, &[true, false], None);
        column::<Int32Type>(group, &[1, 2], None);
        column::<ByteArrayType>(group, &["x", "y"].map(ByteArray::from), None);
    };
    let fields = "required int32 t; required double A; required boolean flag; required group g { required int32 inner; }
                  required binary name (STRING);";
    let bytes = file(fields, plain(), &[&fill]);
    let of = |name: &str| BarsConfig { assets: Some(vec![name.into()]), ..wide() };
    assert_eq!(values(&of("A"), bytes.clone()), [5.0, 6.0], "the others do not matter");
    refused(&of("flag"), bytes.clone(), &["column flag", "true or false"]);
    refused(&of("g"), bytes.clone(), &["column g", "a structure"]);
    refused(&of("name"), bytes, &["row 1, name", "\"x\"", "a finite number"]);
}

#[test]
fn a_file_under_the_name_of_the_other_format_is_told() {
    let directory = std::env::temp_dir().join(format!("lobgym-parquet-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("bars.parquet"), days(20, plain())).unwrap();
    std::fs::write(directory.join("bars.csv"), "t,A\n1,5\n2,6\n").unwrap();
    let parquet = wide();
    let csv = BarsConfig { file: "bars.csv".into(), ..wide() };
    let says = |config: &BarsConfig, format: BarsFormat, word: &str| {
        let message = config.read(format, &directory).unwrap_err().to_string();
        assert!(message.contains(&format!("bars.{}", word)) || message.contains(word), "{message}");
        assert!(message.starts_with(&*directory.to_string_lossy()), "{message}");
    };
    says(&parquet, BarsFormat::Csv, "prices: { parquet: ... }");
    says(&csv, BarsFormat::Parquet, "prices: { csv: ... }");
    let resolve = |config: PricesConfig| config.resolve(None, &directory);
    let Ok(Prices::Table { table, stamps: Some(stamps), .. }) =
        resolve(PricesConfig::Parquet(parquet.clone()))
    else {
        panic!("a table with stamps");
    };
    assert_eq!((table.rows(), stamps.len()), (20, 20));
    let bootstrap = |csv, parquet| {
        PricesConfig::BlockBootstrap(Box::new(BlockBootstrapConfig { csv, parquet, ..Default::default() }))
    };
    assert_eq!(resolve(bootstrap(None, Some(parquet.clone()))).unwrap().assets(), 2);
    assert!(resolve(bootstrap(Some(csv), Some(parquet))).is_err(), "one of them");
    std::fs::remove_dir_all(&directory).unwrap();
    let missing = PricesConfig::Parquet(wide()).resolve(None, Path::new("no/such")).map(drop);
    assert!(missing.unwrap_err().to_string().contains("no/such"));
}

/// Numbers that look random, the same each time.
fn draws(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    let bytes = days(400, plain().set_compression(Compression::SNAPPY));
    for part in 0..50 {
        let cut = bytes[..bytes.len() * part / 50].to_vec();
        let message = wide().read_parquet(cut).unwrap_err().to_string();
        assert!(message.starts_with("the file is "), "{part}: {message}");
    }
}

#[test]
fn flipped_bits_never_end_the_process() {
    let (mut refused, mut read) = (0, 0);
    for (seed, codec) in
        [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())]
            .into_iter()
            .enumerate()
    {
        let bytes = days(300, plain().set_compression(codec));
        let mut draw = draws(seed as u64 + 1);
        for round in 0..1_500 {
            let mut broken = bytes.clone();
            // Half of them in the last part, where the file says what it has.
            for _ in 0..=draw(4) {
                let from = if round % 2 == 0 { 4 } else { broken.len() * 3 / 4 };
                let at = from + draw(broken.len() - from);
                broken[at] ^= 1 << draw(8);
            }
            match wide().read_parquet(broken) {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 500 && read > 50, "both were met: {refused} {read}");
}
