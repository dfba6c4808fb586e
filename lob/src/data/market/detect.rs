//! Which format a file has, by its content.

use std::fmt;
use std::path::Path;

use super::bitstamp::{self, BitstampReader};
use super::{HftReader, Input, LobsterReader, MarketReader, ReadError, ReadOptions, lobster};

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Order events of Bitstamp, CSV.
    Bitstamp,
    /// Raw feed of Binance spot.
    BinanceSpot,
    /// Raw feed of Binance USD-M futures.
    BinanceUsdm,
    /// Events in hftbacktest's layout, npz.
    HftBacktest,
    /// LOBSTER messages, CSV.
    Lobster,
    /// NASDAQ TotalView-ITCH 5.0.
    Itch,
    /// Databento's binary encoding.
    Dbn,
}

impl Format {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bitstamp => "bitstamp",
            Self::BinanceSpot => "binance_spot",
            Self::BinanceUsdm => "binance_usdm",
            Self::HftBacktest => "hftbacktest",
            Self::Lobster => "lobster",
            Self::Itch => "itch",
            Self::Dbn => "dbn",
        }
    }

    /// What it is, in words.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Bitstamp => "Bitstamp order events (CSV, level 3)",
            Self::BinanceSpot => "Binance spot raw feed (level 2)",
            Self::BinanceUsdm => "Binance USD-M futures raw feed (level 2)",
            Self::HftBacktest => "events in hftbacktest's layout (npz)",
            Self::Lobster => "LOBSTER messages (CSV, level 3)",
            Self::Itch => "NASDAQ TotalView-ITCH 5.0 (level 3)",
            Self::Dbn => "Databento DBN",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

/// Bytes that are looked at to tell the format.
const HEAD: usize = 4096;

/// Opens a file of any format that this build reads.
///
/// # Errors
/// If it cannot be read, is of no known format, or its beginning is damaged.
pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Box<dyn MarketReader>, ReadError> {
    let path = path.as_ref();
    let mut magic = [0; 4];
    let begins = std::fs::File::open(path).and_then(|mut file| std::io::Read::read(&mut file, &mut magic));
    if begins.is_ok() && magic == *b"PK\x03\x04" {
        refuse_orderbook(Format::HftBacktest, options)?;
        return Ok(Box::new(HftReader::open(path, options)?));
    }
    let input = Input::open(path).map_err(|error| ReadError::File(error.to_string()))?;
    open_input(input, options)
}

/// Opens bytes of any format that can be read front to back, which all but npz can.
///
/// # Errors
/// As [`open`].
pub fn open_input(mut input: Input, options: &ReadOptions) -> Result<Box<dyn MarketReader>, ReadError> {
    if let Err(error) = input.peek(HEAD)
        && input.available().is_empty()
    {
        return Err(ReadError::io(&input, error));
    }
    if input.available().is_empty() {
        return Err(ReadError::File("the file is empty".to_owned()));
    }
    let reader = of_format(input, options)?;
    if reader.format() != Format::Lobster {
        refuse_orderbook(reader.format(), options)?;
    }
    Ok(reader)
}

fn refuse_orderbook(format: Format, options: &ReadOptions) -> Result<(), ReadError> {
    if options.orderbook.is_none() {
        return Ok(());
    }
    let text = format!("an order-book file belongs to messages of LOBSTER; these are {format}");
    Err(ReadError::File(text))
}

fn of_format(input: Input, options: &ReadOptions) -> Result<Box<dyn MarketReader>, ReadError> {
    let head = input.available();
    if head.starts_with(bitstamp::HEADER.as_bytes()) {
        return Ok(Box::new(BitstampReader::new(input, options)?));
    }
    if lobster::recognises(head) {
        return Ok(Box::new(LobsterReader::new(input, options)?));
    }
    #[cfg(feature = "dbn")]
    if head.starts_with(b"DBN") {
        return Ok(Box::new(super::DbnReader::new(input, options)?));
    }
    #[cfg(feature = "itch")]
    if super::itch::recognises(head) {
        return Ok(Box::new(super::ItchReader::new(input, options)?));
    }
    #[cfg(feature = "binance")]
    if super::binance::recognises(head) {
        return Ok(Box::new(super::BinanceReader::new(input, options)?));
    }
    Err(ReadError::File(format!(
        "of no known format; it begins with {}; legal: {}",
        bitstamp::shown(&head[..head.len().min(40)]),
        KNOWN
    )))
}

/// What this build would have read.
const KNOWN: &str =
    "Bitstamp order events, Binance raw feed, hftbacktest npz, LOBSTER messages, ITCH 5.0, DBN";
