//! Prices from files of bars.
//!
//! A format reads its cells ([`Source`]); what they mean, what is legal and what may be repaired is said once, here.

mod csv;
mod footer;
mod parquet;
mod ticks;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lob::ParameterError;
use serde::{Deserialize, Serialize};

use super::{Stamp, Table};
use crate::config::ConfigError;

pub use ticks::{BarColumns, Completion, RawBar, TickBar, TickBarsConfig, usual_interval_seconds};

/// How a file has its prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// A row a stamp, a column an asset.
    #[default]
    Wide,
    /// A row a stamp and asset, with the asset's name in one column and its price in another.
    Long,
}

/// What may be done to a file that is not as it should be. In this order, whatever the order in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Put rows in the order of their stamps.
    Sort,
    /// Of several rows with the same stamp (and asset), keep the first in the file's order.
    DropDuplicates,
    /// Take a price that is not above 0 as missing.
    NonPositiveAsMissing,
    /// Take the last price before for one that is missing.
    ForwardFill,
    /// Leave out stamps at which some asset's price is (still) missing.
    DropIncomplete,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarsFormat {
    /// Comma separated text, UTF-8, its first line the names of the columns.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// A file of prices, in either format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BarsConfig {
    /// The file.
    pub file: PathBuf,
    /// How it has its prices.
    pub layout: Layout,
    /// Column of the stamps; null: the one that a Parquet file written by pandas has as its index, else the first.
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

impl Default for BarsConfig {
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

/// What a file has.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// Prices above 0: a row a stamp, a column an asset.
    pub table: Table,
    /// Of each row, ascending.
    pub stamps: Arc<[Stamp]>,
}

/// What a file has in one place.
#[derive(Clone, Copy)]
enum Cell<'a> {
    Missing,
    /// NaN is missing as well.
    Number(f64),
    /// Nanoseconds since 1970-01-01 UTC.
    Time(i128),
    /// As people write it, which may be a number or a time.
    Text(&'a str),
}

/// Is told of a row: its place, and the cells that were asked for.
type Row<'r> = dyn FnMut(u64, &[Cell<'_>]) -> Result<(), ParameterError> + 'r;

/// A file that is read row by row.
trait Source {
    /// What the number of a row counts.
    const PLACE: &'static str;
    /// Where the names of the columns are.
    const NAMES: &'static str;

    /// Names of the columns.
    fn names(&mut self) -> Result<Vec<String>, ParameterError>;

    /// The column of the stamps where nobody says which.
    fn index(&self, _names: &[String]) -> usize {
        0
    }

    /// Tells `each` of every row, with the cells of these columns in this order.
    fn rows(&mut self, columns: &[usize], each: &mut Row<'_>) -> Result<(), ParameterError>;
}

/// One price, or none, with the place it came from.
struct Bar {
    row: u64,
    stamp: Stamp,
    /// Number of the asset.
    asset: usize,
    price: Option<f64>,
}

/// What files write where there is no number.
const MISSING: [&str; 7] = ["", "NA", "N/A", "NaN", "nan", "null", "None"];

impl BarsConfig {
    pub(super) fn validate(&self) -> Result<(), ParameterError> {
        if self.file.as_os_str().is_empty() {
            return Err(ParameterError::new("file", "\"\"", "the path of a file"));
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

    /// Reads the prices, a relative path from `directory`.
    ///
    /// # Errors
    /// [`ConfigError::Io`]; [`ConfigError::InFile`] with the line or row and what repair there is for it, if any.
    pub fn read(&self, format: BarsFormat, directory: &Path) -> Result<Bars, ConfigError> {
        let path = directory.join(&self.file);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(problem) => return Err(ConfigError::Io { path, problem }),
        };
        let bars = match format {
            BarsFormat::Csv => csv_text(&bytes).and_then(|text| self.read_csv(text)),
            BarsFormat::Parquet => self.read_parquet(bytes),
        };
        bars.map_err(|problem| ConfigError::InFile { path, problem })
    }

    /// The same of a CSV file's text.
    ///
    /// # Errors
    /// The line and what is wrong there.
    pub fn read_csv(&self, text: &str) -> Result<Bars, ParameterError> {
        self.bars(&mut csv::Text::new(text))
    }

    /// The same of a Parquet file's bytes.
    ///
    /// # Errors
    /// The row and what is wrong there, or how the file is damaged.
    pub fn read_parquet(&self, bytes: Vec<u8>) -> Result<Bars, ParameterError> {
        self.bars(&mut parquet::File::open(bytes)?)
    }

    /// Everything that is checked and repaired, whatever the format.
    fn bars<S: Source>(&self, source: &mut S) -> Result<Bars, ParameterError> {
        let names = source.names()?;
        let time = match &self.time {
            Some(name) => column::<S>(&names, name)?,
            None => source.index(&names),
        };
        let (mut bars, names) = match self.layout {
            Layout::Wide => self.wide(source, &names, time)?,
            Layout::Long => self.long(source, &names, time)?,
        };
        for pair in bars.windows(2) {
            if !pair[0].stamp.is_like(pair[1].stamp) {
                let key = format!("{} {}", S::PLACE, pair[1].row);
                let legal = format!("numbers in all {0}s, or times in all", S::PLACE);
                return Err(ParameterError::new(key, "another kind of stamp", legal));
            }
        }
        self.order(&mut bars, &names, S::PLACE)?;
        self.prices(&bars, &names, S::PLACE)
    }

    fn wide<S: Source>(
        &self,
        source: &mut S,
        header: &[String],
        time: usize,
    ) -> Result<(Vec<Bar>, Vec<String>), ParameterError> {
        let names = match &self.assets {
            Some(names) => names.clone(),
            None => {
                let others = header.iter().enumerate().filter(|&(index, _)| index != time);
                others.map(|(_, name)| name.clone()).collect()
            }
        };
        let mut columns = vec![time];
        for name in &names {
            columns.push(column::<S>(header, name)?);
        }
        let mut bars = Vec::new();
        source.rows(&columns, &mut |row, cells| {
            let stamp = stamp::<S>(cells[0], row)?;
            for (asset, &cell) in cells[1..].iter().enumerate() {
                let price = number::<S>(cell, row, &names[asset])?;
                bars.push(Bar { row, stamp, asset, price });
            }
            Ok(())
        })?;
        Ok((bars, names))
    }

    fn long<S: Source>(
        &self,
        source: &mut S,
        header: &[String],
        time: usize,
    ) -> Result<(Vec<Bar>, Vec<String>), ParameterError> {
        let columns = [time, column::<S>(header, &self.asset)?, column::<S>(header, &self.price)?];
        let mut names = self.assets.clone().unwrap_or_default();
        let mut numbers: HashMap<String, usize> =
            names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        let mut bars = Vec::new();
        source.rows(&columns, &mut |row, cells| {
            let stamp = stamp::<S>(cells[0], row)?;
            let written;
            let name = match cells[1] {
                Cell::Text(name) => name,
                Cell::Number(number) if !number.is_nan() => {
                    written = number.to_string();
                    &written
                }
                _ => {
                    let key = format!("{} {row}, {}", S::PLACE, self.asset);
                    return Err(ParameterError::new(key, "no name", "the name of an asset"));
                }
            };
            let asset = match numbers.get(name) {
                Some(&asset) => asset,
                None if self.assets.is_some() => return Ok(()),
                None => {
                    numbers.insert(name.to_owned(), names.len());
                    names.push(name.to_owned());
                    names.len() - 1
                }
            };
            bars.push(Bar { row, stamp, asset, price: number::<S>(cells[2], row, &names[asset])? });
            Ok(())
        })?;
        if let Some(absent) = (0..names.len()).find(|asset| bars.iter().all(|bar| bar.asset != *asset)) {
            let found = format!("without a {} of {:?}", S::PLACE, names[absent]);
            return Err(ParameterError::new("assets", found, "names that the file has"));
        }
        Ok((bars, names))
    }

    /// Sees to it that stamps ascend and none is there twice.
    fn order(&self, bars: &mut Vec<Bar>, names: &[String], place: &str) -> Result<(), ParameterError> {
        let is_before =
            |a: &Bar, b: &Bar| a.stamp.partial_cmp(&b.stamp).is_some_and(std::cmp::Ordering::is_lt);
        if self.may(Repair::Sort) {
            // Stable: of rows with the same stamp the first in the file stays the first.
            bars.sort_by(|a, b| a.stamp.partial_cmp(&b.stamp).unwrap_or(std::cmp::Ordering::Equal));
        } else if let Some(pair) = bars.windows(2).find(|pair| is_before(&pair[1], &pair[0])) {
            let key = format!("{place} {}", pair[1].row);
            let found = format!("earlier than {place} {}", pair[0].row);
            return Err(ParameterError::new(key, found, "stamps in ascending order, or repair: [sort]"));
        }
        let mut seen: Vec<Option<(Stamp, u64)>> = vec![None; names.len()];
        let mut twice = None;
        bars.retain(|bar| match seen[bar.asset] {
            Some((stamp, row)) if stamp == bar.stamp => {
                twice.get_or_insert((bar.row, row));
                false
            }
            _ => {
                seen[bar.asset] = Some((bar.stamp, bar.row));
                true
            }
        });
        match twice.filter(|_| !self.may(Repair::DropDuplicates)) {
            Some((row, first)) => Err(ParameterError::new(
                format!("{place} {row}"),
                format_args!("the same stamp as {place} {first}"),
                "each stamp once, or repair: [drop_duplicates]",
            )),
            None => Ok(()),
        }
    }

    /// Rows of prices, all of them there.
    fn prices(&self, bars: &[Bar], names: &[String], place: &str) -> Result<Bars, ParameterError> {
        let columns = names.len();
        let mut values = Vec::with_capacity(bars.len());
        let mut stamps = Vec::new();
        let mut last: Vec<Option<f64>> = vec![None; columns];
        for group in bars.chunk_by(|a, b| a.stamp == b.stamp) {
            let mut row: Vec<Option<f64>> = vec![None; columns];
            for bar in group {
                row[bar.asset] = match bar.price {
                    Some(price) if price <= 0.0 && !self.may(Repair::NonPositiveAsMissing) => {
                        let key = format!("{place} {}, {}", bar.row, names[bar.asset]);
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
                None => {
                    values.extend(row.into_iter().flatten());
                    stamps.push(group[0].stamp);
                }
                Some(_) if self.may(Repair::DropIncomplete) => {}
                Some(asset) => {
                    let key = format!("{place} {}, {}", group[0].row, names[asset]);
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
        Ok(Bars { table: Table::new("prices", values, rows, columns)?, stamps: stamps.into() })
    }
}

/// The text of a CSV file.
fn csv_text(bytes: &[u8]) -> Result<&str, ParameterError> {
    if parquet::is_meant(bytes) {
        let legal = "a CSV file; prices: { parquet: ... } reads this one";
        return Err(ParameterError::new("the file", "a Parquet file", legal));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
        ParameterError::new(format!("line {line}"), "no UTF-8", "text in UTF-8")
    })
}

fn column<S: Source>(header: &[String], name: &str) -> Result<usize, ParameterError> {
    let mut found = header.iter().enumerate().filter(|(_, other)| *other == name);
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => {
            let names: Vec<&str> = header.iter().map(String::as_str).collect();
            let legal = crate::config::one_of(&names, name);
            Err(ParameterError::new(S::NAMES, format_args!("without {name:?}"), legal))
        }
        _ => Err(ParameterError::new(S::NAMES, format_args!("{name:?} twice"), "different names")),
    }
}

fn stamp<S: Source>(cell: Cell<'_>, row: u64) -> Result<Stamp, ParameterError> {
    let (stamp, found) = match cell {
        Cell::Text(text) => (Stamp::read(text), format!("{text:?}")),
        Cell::Number(number) => (number.is_finite().then_some(Stamp::Number(number)), number.to_string()),
        Cell::Time(nanos) => (Some(Stamp::Time(nanos)), String::new()),
        Cell::Missing => (None, "nothing".to_owned()),
    };
    stamp.ok_or_else(|| {
        let legal = "a number, or a date and time as in 2024-02-29 or 2024-02-29T16:00:00Z";
        ParameterError::new(format!("{} {row}", S::PLACE), format_args!("{found} as a stamp"), legal)
    })
}

fn number<S: Source>(cell: Cell<'_>, row: u64, asset: &str) -> Result<Option<f64>, ParameterError> {
    let (number, found) = match cell {
        Cell::Missing => return Ok(None),
        Cell::Text(text) if MISSING.contains(&text) => return Ok(None),
        Cell::Number(number) if number.is_nan() => return Ok(None),
        Cell::Text(text) => (text.parse::<f64>().ok(), format!("{text:?}")),
        Cell::Number(number) => (Some(number), number.to_string()),
        Cell::Time(_) => (None, "a time".to_owned()),
    };
    match number {
        Some(price) if price.is_finite() => Ok(Some(price)),
        _ => Err(ParameterError::new(
            format!("{} {row}, {asset}", S::PLACE),
            found,
            "a finite number, or nothing where it is missing",
        )),
    }
}
