//! Prices from CSV files of bars.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use lob::ParameterError;
use serde::{Deserialize, Serialize};

use super::Table;
use super::stamp::Stamp;
use crate::config::ConfigError;

/// How a file has its prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// A line a stamp, a column an asset.
    #[default]
    Wide,
    /// A line a stamp and asset, with the asset's name in one column and its price in another.
    Long,
}

/// What may be done to a file that is not as it should be. In this order, whatever the order in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Put lines in the order of their stamps.
    Sort,
    /// Of several lines with the same stamp (and asset), keep the first in the file's order.
    DropDuplicates,
    /// Take a price that is not above 0 as missing.
    NonPositiveAsMissing,
    /// Take the last price before for one that is missing.
    ForwardFill,
    /// Leave out stamps at which some asset's price is (still) missing.
    DropIncomplete,
}

/// A CSV file of prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CsvConfig {
    /// The file, comma separated, UTF-8, its first line the names of the columns.
    pub file: PathBuf,
    /// How it has its prices.
    pub layout: Layout,
    /// Column of the stamps; null: the first.
    pub time: Option<String>,
    /// Long only: column of the asset's name.
    pub asset: String,
    /// Long only: column of the price.
    pub price: String,
    /// The assets to take, in this order; null: all, in the order of the file.
    pub assets: Option<Vec<String>>,
    /// What may be repaired; nothing unless it is asked for.
    pub repair: Vec<Repair>,
    /// Whether a session begins at a row drawn at random, if it does not need them all, or at the first.
    pub random_start: bool,
}

impl Default for CsvConfig {
    fn default() -> Self {
        Self {
            file: PathBuf::new(),
            layout: Layout::Wide,
            time: None,
            asset: "asset".into(),
            price: "close".into(),
            assets: None,
            repair: Vec::new(),
            random_start: false,
        }
    }
}

/// One price, or none, with the place it came from.
struct Bar {
    line: u64,
    stamp: Stamp,
    /// Number of the asset.
    asset: usize,
    price: Option<f64>,
}

/// What files write where there is no number.
const MISSING: [&str; 7] = ["", "NA", "N/A", "NaN", "nan", "null", "None"];

impl CsvConfig {
    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        if self.file.as_os_str().is_empty() {
            return Err(ParameterError::new("file", "\"\"", "the path of a CSV file"));
        }
        if let Some(assets) = &self.assets {
            lob::parameter::length("assets", assets.len(), 1..=super::MAX_ASSETS)?;
            let mut seen = HashSet::new();
            if let Some(twice) = assets.iter().find(|name| !seen.insert(*name)) {
                return Err(ParameterError::new(
                    "assets",
                    format_args!("{twice:?} twice"),
                    "different names",
                ));
            }
        }
        Ok(())
    }

    fn may(&self, repair: Repair) -> bool {
        self.repair.contains(&repair)
    }

    /// Reads the prices, a relative path from `directory`: a row a stamp in ascending order, a column an asset, all above 0.
    ///
    /// # Errors
    /// [`ConfigError::Io`]; [`ConfigError::InFile`] with the line and what repair there is for it, if any.
    pub fn read(&self, directory: &Path) -> Result<Table, ConfigError> {
        let path = directory.join(&self.file);
        let text = std::fs::read_to_string(&path)
            .map_err(|problem| ConfigError::Io { path: path.clone(), problem })?;
        self.read_text(&text).map_err(|problem| ConfigError::InFile { path, problem })
    }

    /// The same of a file's text.
    ///
    /// # Errors
    /// The line and what is wrong there.
    pub fn read_text(&self, text: &str) -> Result<Table, ParameterError> {
        // A byte order mark is no part of the first column's name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let malformed = |error: &csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            ParameterError::new(
                format!("line {line}"),
                error,
                "comma-separated fields, as many as the first line has",
            )
        };
        let header = reader.headers().map_err(|error| malformed(&error))?.clone();
        let (mut bars, names) = match self.layout {
            Layout::Wide => self.wide(&header, reader.records(), malformed)?,
            Layout::Long => self.long(&header, reader.records(), malformed)?,
        };
        for pair in bars.windows(2) {
            if !pair[0].stamp.is_like(pair[1].stamp) {
                let key = format!("line {}", pair[1].line);
                return Err(ParameterError::new(
                    key,
                    "another kind of stamp",
                    "numbers in all lines, or times in all",
                ));
            }
        }
        self.order(&mut bars, &names)?;
        self.prices(&bars, &names)
    }

    fn wide<'r, R: std::io::Read + 'r>(
        &self,
        header: &csv::StringRecord,
        records: csv::StringRecordsIter<'r, R>,
        malformed: impl Fn(&csv::Error) -> ParameterError,
    ) -> Result<(Vec<Bar>, Vec<String>), ParameterError> {
        let time = self.time_column(header)?;
        let names = match &self.assets {
            Some(names) => names.clone(),
            None => {
                let others = header.iter().enumerate().filter(|&(index, _)| index != time);
                others.map(|(_, name)| name.to_owned()).collect()
            }
        };
        let columns = names.iter().map(|name| column(header, name)).collect::<Result<Vec<_>, _>>()?;
        let mut bars = Vec::new();
        for record in records {
            let record = record.map_err(|error| malformed(&error))?;
            let (line, stamp) = stamp(&record, time)?;
            for (asset, &column) in columns.iter().enumerate() {
                let price = number(&record[column], line, &names[asset])?;
                bars.push(Bar { line, stamp, asset, price });
            }
        }
        Ok((bars, names))
    }

    fn long<'r, R: std::io::Read + 'r>(
        &self,
        header: &csv::StringRecord,
        records: csv::StringRecordsIter<'r, R>,
        malformed: impl Fn(&csv::Error) -> ParameterError,
    ) -> Result<(Vec<Bar>, Vec<String>), ParameterError> {
        let time = self.time_column(header)?;
        let (asset_column, price_column) = (column(header, &self.asset)?, column(header, &self.price)?);
        let mut names = self.assets.clone().unwrap_or_default();
        let mut numbers: HashMap<String, usize> =
            names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        let mut bars = Vec::new();
        for record in records {
            let record = record.map_err(|error| malformed(&error))?;
            let (line, stamp) = stamp(&record, time)?;
            let name = &record[asset_column];
            let asset = match numbers.get(name) {
                Some(&asset) => asset,
                None if self.assets.is_some() => continue,
                None => {
                    numbers.insert(name.to_owned(), names.len());
                    names.push(name.to_owned());
                    names.len() - 1
                }
            };
            bars.push(Bar { line, stamp, asset, price: number(&record[price_column], line, name)? });
        }
        if let Some(absent) = (0..names.len()).find(|asset| bars.iter().all(|bar| bar.asset != *asset)) {
            let found = format!("without a line of {:?}", names[absent]);
            return Err(ParameterError::new("assets", found, "names that the file has"));
        }
        Ok((bars, names))
    }

    fn time_column(&self, header: &csv::StringRecord) -> Result<usize, ParameterError> {
        self.time.as_ref().map_or(Ok(0), |name| column(header, name))
    }

    /// Sees to it that stamps ascend and none is there twice.
    fn order(&self, bars: &mut Vec<Bar>, names: &[String]) -> Result<(), ParameterError> {
        let is_before =
            |a: &Bar, b: &Bar| a.stamp.partial_cmp(&b.stamp).is_some_and(std::cmp::Ordering::is_lt);
        if self.may(Repair::Sort) {
            // Stable: of lines with the same stamp the first in the file stays the first.
            bars.sort_by(|a, b| a.stamp.partial_cmp(&b.stamp).unwrap_or(std::cmp::Ordering::Equal));
        } else if let Some(pair) = bars.windows(2).find(|pair| is_before(&pair[1], &pair[0])) {
            let key = format!("line {}", pair[1].line);
            let found = format!("earlier than line {}", pair[0].line);
            return Err(ParameterError::new(key, found, "stamps in ascending order, or repair: [sort]"));
        }
        let mut seen: Vec<Option<(Stamp, u64)>> = vec![None; names.len()];
        let mut twice = None;
        bars.retain(|bar| match seen[bar.asset] {
            Some((stamp, line)) if stamp == bar.stamp => {
                twice.get_or_insert((bar.line, line));
                false
            }
            _ => {
                seen[bar.asset] = Some((bar.stamp, bar.line));
                true
            }
        });
        match twice.filter(|_| !self.may(Repair::DropDuplicates)) {
            Some((line, first)) => Err(ParameterError::new(
                format!("line {line}"),
                format_args!("the same stamp as line {first}"),
                "each stamp once, or repair: [drop_duplicates]",
            )),
            None => Ok(()),
        }
    }

    /// Rows of prices, all of them there.
    fn prices(&self, bars: &[Bar], names: &[String]) -> Result<Table, ParameterError> {
        let columns = names.len();
        let mut values = Vec::with_capacity(bars.len());
        let mut last: Vec<Option<f64>> = vec![None; columns];
        for group in bars.chunk_by(|a, b| a.stamp == b.stamp) {
            let mut row: Vec<Option<f64>> = vec![None; columns];
            for bar in group {
                row[bar.asset] = match bar.price {
                    Some(price) if price <= 0.0 && !self.may(Repair::NonPositiveAsMissing) => {
                        let key = format!("line {}, {}", bar.line, names[bar.asset]);
                        let legal = "a price > 0, or repair: [non_positive_as_missing]";
                        return Err(ParameterError::new(key, price, legal));
                    }
                    price => price.filter(|&price| price > 0.0),
                };
            }
            if self.may(Repair::ForwardFill) {
                for (price, last) in row.iter_mut().zip(&mut last) {
                    *price = price.or(*last);
                    *last = *price;
                }
            }
            match row.iter().position(Option::is_none) {
                None => values.extend(row.into_iter().flatten()),
                Some(_) if self.may(Repair::DropIncomplete) => {}
                Some(asset) => {
                    let key = format!("line {}, {}", group[0].line, names[asset]);
                    let legal = if self.may(Repair::ForwardFill) {
                        "a price at the first stamp, or repair: [forward_fill, drop_incomplete]"
                    } else {
                        "a price, or repair: [forward_fill] or [drop_incomplete]"
                    };
                    return Err(ParameterError::new(key, "missing", legal));
                }
            }
        }
        let rows = values.len() / columns.max(1);
        if rows < 2 || columns == 0 {
            let found = format!("{rows} complete rows of {columns} assets");
            return Err(ParameterError::new("the file", found, "2 rows or more and 1 asset or more"));
        }
        Table::new("prices", values, rows, columns)
    }
}

fn column(header: &csv::StringRecord, name: &str) -> Result<usize, ParameterError> {
    let mut found = header.iter().enumerate().filter(|(_, other)| *other == name);
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => {
            let names: Vec<_> = header.iter().collect();
            Err(ParameterError::new(
                "line 1",
                format_args!("without {name:?}"),
                crate::config::one_of(&names, name),
            ))
        }
        _ => Err(ParameterError::new("line 1", format_args!("{name:?} twice"), "different names")),
    }
}

fn stamp(record: &csv::StringRecord, column: usize) -> Result<(u64, Stamp), ParameterError> {
    let line = record.position().map_or(0, csv::Position::line);
    let text = &record[column];
    match Stamp::read(text) {
        Some(stamp) => Ok((line, stamp)),
        None => {
            let legal = "a number, or a date and time as in 2024-02-29 or 2024-02-29T16:00:00Z";
            Err(ParameterError::new(format!("line {line}"), format_args!("{text:?} as a stamp"), legal))
        }
    }
}

fn number(text: &str, line: u64, asset: &str) -> Result<Option<f64>, ParameterError> {
    if MISSING.contains(&text) {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(price) if price.is_finite() => Ok(Some(price)),
        _ => Err(ParameterError::new(
            format!("line {line}, {asset}"),
            format_args!("{text:?}"),
            "a finite number, or nothing where it is missing",
        )),
    }
}
