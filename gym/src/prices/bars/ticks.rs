//! Bars of one asset with all that they have besides a price: what a trader's features are made of.

use std::path::{Path, PathBuf};

use lob::ParameterError;
use serde::{Deserialize, Serialize};

use super::super::Stamp;
use super::{Source, column, csv, csv_text, number, parquet, stamp};
use crate::config::ConfigError;
use crate::features::Tick;

/// Prices outside this are a mistake, money.
const PRICES: std::ops::RangeInclusive<f64> = 1e-12..=1e12;

/// Columns that are known by name, with other names for the same.
const KNOWN: [(&str, &[&str]); 13] = [
    ("open", &[]),
    ("high", &[]),
    ("low", &[]),
    ("close", &["price"]),
    ("volume", &[]),
    ("bid", &["bid_price"]),
    ("bid_size", &[]),
    ("ask", &["ask_price"]),
    ("ask_size", &[]),
    ("spread", &[]),
    ("imbalance", &[]),
    ("funding_rate", &[]),
    ("session", &[]),
];

/// Columns of stamps, the likeliest first.
const TIMES: [&str; 7] = ["start_ns", "time_ns", "time", "timestamp", "datetime", "date", "open_time"];

/// A file of bars of one asset: CSV or Parquet, as its first bytes say.
///
/// Columns that are known by name: `open`, `high`, `low`, `close` (or `price`; the one that must be there), `volume`, `bid`, `bid_size`, `ask`,
/// `ask_size` (the best quote at the end of the bar), `spread` (money) and `imbalance` where there are no quotes, `funding_rate`, `session`. What
/// `lobgym store export --table bars` and `lobgym collect --bars-file` write has all but the last two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TickBarsConfig {
    /// The file.
    pub file: PathBuf,
    /// Column of the stamps; null: `start_ns`, `time_ns`, `time`, `timestamp`, `datetime`, `date` or `open_time`, else the first. Numbers count
    /// s, ms, us or ns since 1970, as their size says.
    pub time: Option<String>,
    /// Further columns of numbers that are seen as they are, such as `up_probability`.
    pub extra: Vec<String>,
}

/// A bar as it came: NaN where nothing is said.
#[derive(Clone, Debug, PartialEq)]
pub struct RawBar {
    /// When it began, ns since 1970.
    pub time_ns: i64,
    /// Prices, volume and the closing quote.
    pub tick: Tick,
    /// Ask less bid, money.
    pub spread: f64,
    /// (bid size - ask size) / (bid size + ask size).
    pub imbalance: f64,
    /// What a long position pays at the next funding, a share of its value.
    pub funding_rate: f64,
    /// The extra columns.
    pub extra: Vec<f64>,
}

/// A bar in which nothing needed is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct TickBar {
    /// When it began, ns since 1970.
    pub time_ns: i64,
    /// Prices and closing quote; volume and sizes are NaN where the file has none.
    pub tick: Tick,
    /// What a long position pays at the next funding, a share of its value; NaN where the file has said nothing yet.
    pub funding_rate: f64,
    /// Whether anybody traded: the prices are those of trades. Else they are the last ones known, which nobody need offer any more.
    pub traded: bool,
    /// Whether bid and ask are a quote that the file has, of this bar or the last one before it; else they are a spread around the close.
    pub quoted: bool,
}

impl TickBar {
    /// What a unit is worth at the bar's end, money: the last trade's price, or the middle of the quote where nobody traded and there is one.
    pub fn value(&self) -> f64 {
        if self.traded || !self.quoted {
            self.tick.close
        } else {
            (self.tick.bid_price + self.tick.ask_price) / 2.0
        }
    }
}

/// Fills in what bars leave out, from the bars before, never from those after.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    last: Option<TickBar>,
    /// The last quote that was given, bid and ask.
    quote: Option<[f64; 2]>,
    /// The last that was said of the trading session and of funding, if anything was.
    session: Option<f64>,
    funding_rate: Option<f64>,
    /// Ask less bid where nothing says it, a share of the price.
    spread: f64,
}

impl Completion {
    /// `spread` is ask less bid where nothing says it, a share of the price.
    pub fn new(spread: f64) -> Self {
        Self { spread, ..Self::default() }
    }

    /// The bar in full, or nothing while no price has been seen. A bar without a trade (no close, or a volume of 0) has the last close as its
    /// prices and no volume. A missing quote is the last one given where nobody traded since, and lies around the close where somebody did or
    /// none was given: as wide as `spread` says, the column's, or as the last quote, or as the setting. Missing sizes add up to 1 and are as
    /// unequal as `imbalance` says, or are the last ones. Session and funding rate are the last ones said.
    ///
    /// # Errors
    /// A stamp that is not after the last one; a price out of bounds, a volume below 0, a funding rate beyond -1 to 1.
    pub fn complete(&mut self, raw: &RawBar) -> Result<Option<TickBar>, ParameterError> {
        if let Some(last) = self.last.as_ref().filter(|last| raw.time_ns <= last.time_ns) {
            let found = format!("{} ns after {} ns", raw.time_ns, last.time_ns);
            return Err(ParameterError::new("time", found, "stamps in ascending order, each once"));
        }
        if raw.tick.volume < 0.0 {
            return Err(ParameterError::new("volume", raw.tick.volume, "a number of units >= 0"));
        }
        if raw.funding_rate.abs() > 1.0 {
            return Err(ParameterError::new("funding_rate", raw.funding_rate, "a share from -1 to 1"));
        }
        let said = |value: f64| (!value.is_nan()).then_some(value);
        self.session = said(raw.tick.session).or(self.session);
        self.funding_rate = said(raw.funding_rate).or(self.funding_rate);
        let mut tick = raw.tick;
        tick.session = self.session.unwrap_or(0.0);
        if !tick.bid_price.is_nan() && !tick.ask_price.is_nan() {
            self.quote = Some([tick.bid_price, tick.ask_price]);
        }
        let before = self.last.as_ref().map(|last| last.tick);
        let traded = !tick.close.is_nan() && tick.volume != 0.0;
        if tick.close.is_nan() {
            let Some(before) = before else { return Ok(None) };
            (tick.open, tick.high, tick.low, tick.close) =
                (before.close, before.close, before.close, before.close);
            if tick.volume.is_nan() && !before.volume.is_nan() {
                tick.volume = 0.0;
            }
        }
        if tick.open.is_nan() {
            // As near to the last close as the bar says that its prices came; NaN bounds nothing.
            let open = before.map_or(tick.close, |before| before.close);
            tick.open = open.min(tick.high).max(tick.low);
        }
        if tick.high.is_nan() {
            tick.high = tick.open.max(tick.close);
        }
        if tick.low.is_nan() {
            tick.low = tick.open.min(tick.close);
        }
        let given = !tick.bid_price.is_nan() && !tick.ask_price.is_nan();
        let quoted = given || (!traded && self.quote.is_some());
        if !given {
            (tick.bid_price, tick.ask_price) = match self.quote {
                Some([bid, ask]) if !traded => (bid, ask),
                quote => {
                    let spread = match quote {
                        _ if !raw.spread.is_nan() => raw.spread.max(0.0),
                        Some([bid, ask]) => (ask - bid).max(0.0),
                        None => self.spread * tick.close,
                    };
                    (tick.close - spread / 2.0, tick.close + spread / 2.0)
                }
            };
        }
        if tick.bid_size.is_nan() || tick.ask_size.is_nan() {
            (tick.bid_size, tick.ask_size) = match before {
                _ if !raw.imbalance.is_nan() => ((1.0 + raw.imbalance) / 2.0, (1.0 - raw.imbalance) / 2.0),
                Some(before) => (before.bid_size, before.ask_size),
                None => (f64::NAN, f64::NAN),
            };
        }
        let prices = [
            ("open", tick.open),
            ("high", tick.high),
            ("low", tick.low),
            ("close", tick.close),
            ("bid", tick.bid_price),
            ("ask", tick.ask_price),
        ];
        if let Some((key, price)) = prices.into_iter().find(|(_, price)| !PRICES.contains(price)) {
            return Err(ParameterError::new(key, price, "a price from 1e-12 to 1e12"));
        }
        if tick.low > tick.open.min(tick.close) || tick.high < tick.open.max(tick.close) {
            let found =
                format!("{} to {} with open {} and close {}", tick.low, tick.high, tick.open, tick.close);
            return Err(ParameterError::new("low and high", found, "low <= open, close <= high"));
        }
        let funding_rate = self.funding_rate.unwrap_or(f64::NAN);
        let bar = TickBar { time_ns: raw.time_ns, tick, funding_rate, traded, quoted };
        self.last = Some(bar.clone());
        Ok(Some(bar))
    }
}

/// The usual time between bars that began at these times (ns, ascending), s: the median; none of fewer than two.
pub fn usual_interval_seconds(times_ns: impl IntoIterator<Item = i64>) -> Option<f64> {
    let times: Vec<i64> = times_ns.into_iter().collect();
    let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).map(|gap| (*gap as f64 / 1e9).max(1e-6))
}

/// Where a file has its columns, to read lines one by one.
#[derive(Clone, Debug)]
pub struct BarColumns {
    /// Positions of the stamps, the known columns that there are, and the extra ones.
    positions: Vec<usize>,
    /// Which known column comes at which place after the stamp.
    known: Vec<usize>,
    names: Vec<String>,
}

impl BarColumns {
    fn of<S: Source>(
        names: &[String],
        index: usize,
        config: &TickBarsConfig,
    ) -> Result<Self, ParameterError> {
        let time = match &config.time {
            Some(name) => column::<S>(names, name)?,
            None => TIMES
                .iter()
                .find_map(|time| names.iter().position(|name| name.eq_ignore_ascii_case(time)))
                .unwrap_or(index),
        };
        let (mut positions, mut known, mut used) = (vec![time], Vec::new(), vec![names[time].clone()]);
        for (which, (name, others)) in KNOWN.iter().enumerate() {
            let all = std::iter::once(name).chain(others.iter());
            let found = all
                .into_iter()
                .find_map(|name| names.iter().position(|other| other.eq_ignore_ascii_case(name)));
            match found {
                Some(position) => {
                    positions.push(position);
                    known.push(which);
                    used.push(names[position].clone());
                }
                None if *name == "close" => {
                    column::<S>(names, name)?;
                }
                None => {}
            }
        }
        for name in &config.extra {
            positions.push(column::<S>(names, name)?);
            used.push(name.clone());
        }
        Ok(Self { positions, known, names: used })
    }

    fn raw<S: Source>(&self, row: u64, cells: &[super::Cell<'_>]) -> Result<RawBar, ParameterError> {
        let time_ns = nanoseconds(stamp::<S>(cells[0], row)?);
        let mut tick = Tick::default();
        let (mut spread, mut imbalance, mut funding_rate) = (f64::NAN, f64::NAN, f64::NAN);
        let mut extra = Vec::with_capacity(cells.len() - 1 - self.known.len());
        for (place, &cell) in cells[1..].iter().enumerate() {
            let value = number::<S>(cell, row, &self.names[place + 1])?.unwrap_or(f64::NAN);
            let Some(&which) = self.known.get(place) else {
                extra.push(value);
                continue;
            };
            *match KNOWN[which].0 {
                "open" => &mut tick.open,
                "high" => &mut tick.high,
                "low" => &mut tick.low,
                "close" => &mut tick.close,
                "volume" => &mut tick.volume,
                "bid" => &mut tick.bid_price,
                "bid_size" => &mut tick.bid_size,
                "ask" => &mut tick.ask_price,
                "ask_size" => &mut tick.ask_size,
                "spread" => &mut spread,
                "imbalance" => &mut imbalance,
                "funding_rate" => &mut funding_rate,
                _ => &mut tick.session,
            } = value;
        }
        if !imbalance.is_nan() && !(-1.0..=1.0).contains(&imbalance) {
            let key = format!("{} {row}, imbalance", S::PLACE);
            return Err(ParameterError::new(key, imbalance, "a number from -1 to 1"));
        }
        Ok(RawBar { time_ns, tick, spread, imbalance, funding_rate, extra })
    }

    /// Those of a CSV file's first line.
    ///
    /// # Errors
    /// Without `close`, or an extra column that there is not.
    pub fn of_header(line: &str, config: &TickBarsConfig) -> Result<Self, ParameterError> {
        let mut text = csv::Text::new(line);
        let names = text.names()?;
        Self::of::<csv::Text<'_>>(&names, 0, config)
    }

    /// A line of a CSV file with these columns; `number` is its number, for errors.
    ///
    /// # Errors
    /// A field that is missing or no number.
    pub fn read_line(&self, header: &str, line: &str, number: u64) -> Result<RawBar, ParameterError> {
        let text = format!("{}\n{}", header.trim_end(), line);
        let mut source = csv::Text::new(&text);
        let mut bar = None;
        let read = source.rows(&self.positions, &mut |_, cells| {
            bar = Some(self.raw::<csv::Text<'_>>(number, cells)?);
            Ok(())
        });
        read.map_err(|error| ParameterError {
            key: error.key.replace("line 2", &format!("line {number}")),
            ..error
        })?;
        bar.ok_or_else(|| ParameterError::new(format!("line {number}"), "empty", "the fields of a bar"))
    }
}

/// Since 1970, whatever a number counts: its size tells s, ms, us and ns from each other for all times from 1973 to 5138.
fn nanoseconds(stamp: Stamp) -> i64 {
    match stamp {
        Stamp::Time(nanos) => i64::try_from(nanos).unwrap_or(i64::MAX),
        Stamp::Number(number) => {
            let unit = match number.abs() {
                size if size >= 1e17 => 1.0,
                size if size >= 1e14 => 1e3,
                size if size >= 1e11 => 1e6,
                _ => 1e9,
            };
            (number * unit) as i64
        }
    }
}

impl TickBarsConfig {
    /// Checks every field without reading the file.
    ///
    /// # Errors
    /// The first that is not legal.
    pub fn validate(&self) -> Result<(), ParameterError> {
        if self.file.as_os_str().is_empty() {
            return Err(ParameterError::new("file", "\"\"", "the path of a file"));
        }
        match self.extra.iter().enumerate().find(|(i, name)| self.extra[..*i].contains(name)) {
            Some((_, twice)) => {
                Err(ParameterError::new("extra", format_args!("{twice:?} twice"), "different names"))
            }
            None => Ok(()),
        }
    }

    /// Reads the file, a relative path from `directory`. Bars come as they are, not yet completed.
    ///
    /// # Errors
    /// [`ConfigError::Io`]; [`ConfigError::InFile`] with the line or row.
    pub fn read(&self, directory: &Path) -> Result<Vec<RawBar>, ConfigError> {
        let path = directory.join(&self.file);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(problem) => return Err(ConfigError::Io { path, problem }),
        };
        let bars = if parquet::is_meant(&bytes) {
            parquet::File::open(bytes).and_then(|mut file| self.rows(&mut file))
        } else {
            csv_text(&bytes).and_then(|text| self.rows(&mut csv::Text::new(text)))
        };
        bars.map_err(|problem| ConfigError::InFile { path, problem })
    }

    fn rows<S: Source>(&self, source: &mut S) -> Result<Vec<RawBar>, ParameterError> {
        let names = source.names()?;
        let columns = BarColumns::of::<S>(&names, source.index(&names), self)?;
        let mut bars = Vec::new();
        source.rows(&columns.positions, &mut |row, cells| {
            bars.push(columns.raw::<S>(row, cells)?);
            Ok(())
        })?;
        Ok(bars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "start_ns,open,high,low,close,volume,spread,imbalance,up";

    fn config() -> TickBarsConfig {
        TickBarsConfig { file: "x.csv".into(), extra: vec!["up".into()], ..TickBarsConfig::default() }
    }

    #[test]
    fn lines_are_read_as_the_file_is() {
        let text =
            format!("{HEADER}\n1000000000000000000,1,3,1,2,5,0.2,0.5,0.7\n1000000005000000000,,,,,,,,\n");
        let whole = config().rows(&mut csv::Text::new(&text)).unwrap();
        let columns = BarColumns::of_header(HEADER, &config()).unwrap();
        for (index, line) in text.lines().skip(1).enumerate() {
            let one = columns.read_line(HEADER, line, index as u64 + 2).unwrap();
            assert_eq!(format!("{one:?}"), format!("{:?}", whole[index]));
        }
        assert_eq!(whole[0].time_ns, 1_000_000_000_000_000_000);
        assert_eq!((whole[0].tick.close, whole[0].spread, whole[0].extra[0]), (2.0, 0.2, 0.7));
    }

    #[test]
    fn what_is_missing_comes_from_the_past() {
        let text = format!("{HEADER}\n1,,,,,,,,\n2,1,3,1,2,5,0.2,0.5,0.7\n3,,,,,,0.4,,\n");
        let bars = config().rows(&mut csv::Text::new(&text)).unwrap();
        let mut completion = Completion::new(0.0);
        assert_eq!(completion.complete(&bars[0]).unwrap(), None);
        let first = completion.complete(&bars[1]).unwrap().unwrap().tick;
        assert_eq!(
            (first.bid_price, first.ask_price, first.bid_size, first.ask_size),
            (1.9, 2.1, 0.75, 0.25)
        );
        let second = completion.complete(&bars[2]).unwrap().unwrap().tick;
        assert_eq!(
            (second.open, second.high, second.low, second.close, second.volume),
            (2.0, 2.0, 2.0, 2.0, 0.0)
        );
        assert_eq!((second.bid_price, second.ask_price, second.bid_size), (1.8, 2.2, 0.75));
        let error = completion.complete(&bars[2]).unwrap_err();
        assert_eq!(error.key, "time");
    }

    #[test]
    fn a_missing_open_is_the_last_close_or_as_near_to_it_as_the_bar_came() {
        let header = "time,high,low,close";
        let config = TickBarsConfig { file: "x.csv".into(), ..TickBarsConfig::default() };
        let text = format!("{header}\n1,5,3,4\n2,6,4,5\n3,9,7,8\n4,6,1,2\n5,,,3\n");
        let mut completion = Completion::new(0.0);
        let bars = config.rows(&mut csv::Text::new(&text)).unwrap();
        let opens = bars.iter().map(|bar| completion.complete(bar).unwrap().unwrap().tick.open);
        assert_eq!(opens.collect::<Vec<_>>(), [4.0, 4.0, 7.0, 6.0, 2.0]);
    }

    #[test]
    fn a_bar_without_a_trade_keeps_the_quote_that_was_offered_last() {
        let header = "time,close,volume,bid,ask,spread";
        let config = TickBarsConfig { file: "x.csv".into(), ..TickBarsConfig::default() };
        let text = format!(
            "{header}\n1,100,,,,\n2,100,5,98,104,\n3,,,110,112,\n4,,,,,\n5,100,0,,,\n6,103,2,,,\n7,103,2,,,1\n"
        );
        let mut completion = Completion::new(0.02);
        let bars = config.rows(&mut csv::Text::new(&text)).unwrap();
        let found: Vec<_> = bars
            .iter()
            .map(|bar| {
                let bar = completion.complete(bar).unwrap().unwrap();
                (bar.tick.bid_price, bar.tick.ask_price, bar.traded, bar.quoted, bar.value())
            })
            .collect();
        let wanted = [
            (99.0, 101.0, true, false, 100.0),
            (98.0, 104.0, true, true, 100.0),
            (110.0, 112.0, false, true, 111.0),
            (110.0, 112.0, false, true, 111.0),
            (110.0, 112.0, false, true, 111.0),
            // As wide as the last quote, or as the column says.
            (102.0, 104.0, true, false, 103.0),
            (102.5, 103.5, true, false, 103.0),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn sessions_and_funding_rates_hold_until_others_are_said() {
        let config = TickBarsConfig { file: "x.csv".into(), ..TickBarsConfig::default() };
        let text = "time,close,session,funding_rate\n1,,3,0.01\n2,5,,\n3,5,4,-0.02\n4,,,\n5,5,5,0\n";
        let mut completion = Completion::new(0.0);
        let bars = config.rows(&mut csv::Text::new(text)).unwrap();
        let bars = bars.iter().filter_map(|bar| completion.complete(bar).unwrap());
        let found: Vec<_> = bars.map(|bar| (bar.tick.session, bar.funding_rate)).collect();
        assert_eq!(found, [(3.0, 0.01), (4.0, -0.02), (4.0, -0.02), (5.0, 0.0)]);
    }

    #[test]
    fn volumes_below_nothing_and_rates_beyond_all_are_refused() {
        let config = TickBarsConfig { file: "x.csv".into(), ..TickBarsConfig::default() };
        for (cells, wanted) in [("-1,0", "volume"), ("1,1.5", "funding_rate"), ("1,-50", "funding_rate")] {
            let text = format!("time,close,volume,funding_rate\n1,5,{cells}\n");
            let bar = &config.rows(&mut csv::Text::new(&text)).unwrap()[0];
            assert_eq!(Completion::new(0.0).complete(bar).unwrap_err().key, wanted);
        }
    }

    #[test]
    fn wrong_cells_are_named_with_their_line() {
        for (line, wanted) in [("2,1,0.5,1,2,5,0,0,0", "low and high"), ("2,1,3,1,-2,5,0,0,0", "close")] {
            let columns = BarColumns::of_header(HEADER, &config()).unwrap();
            let bar = columns.read_line(HEADER, line, 9).unwrap();
            assert_eq!(Completion::new(0.0).complete(&bar).unwrap_err().key, wanted);
        }
        let columns = BarColumns::of_header(HEADER, &config()).unwrap();
        let error = columns.read_line(HEADER, "2,1,3,1,x,5,0,0,0", 9).unwrap_err().to_string();
        assert!(error.contains("line 9") && error.contains("close"), "{error}");
        let error = columns.read_line(HEADER, "2,1,3", 9).unwrap_err().to_string();
        assert!(error.contains("line 9"), "{error}");
        let error = BarColumns::of_header("time,open", &config()).unwrap_err().to_string();
        assert!(error.contains("close"), "{error}");
    }

    #[test]
    fn numbers_of_any_unit_are_times() {
        for text in
            ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000", "2023-11-14T22:13:20Z"]
        {
            assert_eq!(nanoseconds(Stamp::read(text).unwrap()), 1_700_000_000_000_000_000, "{text}");
        }
    }
}
