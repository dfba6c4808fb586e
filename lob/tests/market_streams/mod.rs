//! Small sound streams of each format that is read front to back, to be damaged.

#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod memory;

use std::io::Write;

pub(crate) fn bitstamp() -> Vec<u8> {
    let mut text = "id,timestamp,exchange.timestamp,price,volume,action,direction\n".to_owned();
    for i in 0..40_u64 {
        let (id, side) = (i / 2, if i / 2 % 2 == 0 { "bid" } else { "ask" });
        let action = ["created", "deleted"][(i % 2) as usize];
        text += &format!(
            "{id},{},{},{}.0{},{},{action},{side}\n",
            10_000 + i,
            10_000,
            5 + id % 3,
            id % 10,
            7 + id
        );
    }
    text.into_bytes()
}

fn binance() -> Vec<u8> {
    let mut text =
        "1 {\"lastUpdateId\":10,\"bids\":[[\"1.00\",\"2.0\"]],\"asks\":[[\"2.00\",\"3.0\"]]}\n".to_owned();
    for i in 11..40_u64 {
        text += &format!(
            "{i} {{\"stream\":\"x\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{i},\"s\":\"X\",\"U\":{i},\"u\":{i},\"b\":[[\"1.0{}\",\"{}.5\"]],\"a\":[]}}}}\n",
            i % 10,
            i % 4
        );
        text += &format!(
            "{i} {{\"stream\":\"x\",\"data\":{{\"u\":{i},\"s\":\"X\",\"b\":\"1.0{}\",\"B\":\"{}.5\",\"a\":\"2.00\",\"A\":\"3.0\"}}}}\n",
            i % 10,
            i % 4
        );
        text += &format!(
            "{i} {{\"stream\":\"x\",\"data\":{{\"e\":\"trade\",\"E\":{i},\"s\":\"X\",\"t\":{i},\"p\":\"1.50\",\"q\":\"0.5\",\"T\":{i},\"m\":true,\"M\":true}}}}\n"
        );
    }
    text.into_bytes()
}

fn lobster() -> Vec<u8> {
    let rows = (0..60_u64).map(|i| {
        format!(
            "{}.5,{},{},{},{},{}\n",
            34_200 + i,
            1 + i % 4,
            i / 3,
            1 + i % 7,
            10_000 * (i % 5 + 1),
            if i % 2 == 0 { 1 } else { -1 }
        )
    });
    rows.collect::<String>().into_bytes()
}

pub(crate) fn itch() -> Vec<u8> {
    let mut bytes = Vec::new();
    for i in 0..30_u64 {
        let mut message = vec![b'A', 0, 1, 0, 0, 0, 0, 0, 0, 0, i as u8];
        message.extend((i + 1).to_be_bytes());
        message.push(if i % 2 == 0 { b'B' } else { b'S' });
        message.extend((10 + i as u32).to_be_bytes());
        message.extend(b"TEST    ");
        message.extend((10_000 + i as u32).to_be_bytes());
        bytes.extend((message.len() as u16).to_be_bytes());
        bytes.extend(&message);
        if i % 3 == 0 {
            let mut message = vec![b'D', 0, 1, 0, 0, 0, 0, 0, 0, 0, i as u8];
            message.extend((i / 2 + 1).to_be_bytes());
            bytes.extend((message.len() as u16).to_be_bytes());
            bytes.extend(&message);
        }
    }
    bytes
}

pub(crate) fn dbn() -> Vec<u8> {
    use dbn::encode::{EncodeRecord, dbn::Encoder};
    use dbn::{MboMsg, MetadataBuilder, RecordHeader, SType, Schema, rtype};

    let metadata = MetadataBuilder::new()
        .dataset("XNAS.ITCH".to_owned())
        .schema(Some(Schema::Mbo))
        .start(0)
        .stype_in(Some(SType::RawSymbol))
        .stype_out(SType::InstrumentId)
        .build();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, &metadata).unwrap();
    for i in 0..30_u64 {
        let record = MboMsg {
            hd: RecordHeader::new::<MboMsg>(rtype::MBO, 2, 5, 1_000 + i),
            order_id: i / 2,
            price: 1_000_000_000 * (1 + i.cast_signed() % 4),
            size: 3 + i as u32,
            flags: dbn::FlagSet::new(128),
            channel_id: 0,
            action: b"AMCFTR"[(i % 6) as usize] as std::os::raw::c_char,
            side: b"AB"[(i / 2 % 2) as usize] as std::os::raw::c_char,
            ts_recv: 1_100 + i,
            ts_in_delta: 0,
            sequence: i as u32,
        };
        encoder.encode_record(&record).unwrap();
    }
    bytes
}

pub(crate) fn sound() -> [(&'static str, Vec<u8>); 5] {
    [
        ("bitstamp", bitstamp()),
        ("binance", binance()),
        ("lobster", lobster()),
        ("itch", itch()),
        ("dbn", dbn()),
    ]
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
