//! Normalisation of features, fitted on a training span and nowhere else.

use lob::ParameterError;
use serde::{Deserialize, Serialize};

use super::{FeatureSet, FeaturesConfig};
use crate::indicators::join_all;

/// What a column is centred at and divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Mean and standard deviation of the population.
    #[default]
    MeanStd,
    /// Median and interquartile range; quantiles are interpolated linearly between order statistics, as NumPy does. Blind to outliers.
    MedianIqr,
}

/// Which rows a normalisation was fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// First row, counted from 0.
    pub begin: usize,
    /// The row after the last.
    pub end: usize,
    /// Rows in it that had no NaN: those that count.
    pub rows: usize,
    /// When its first row was, ns since 1970 in UTC, if the caller told.
    #[serde(default)]
    pub first_ns: Option<i64>,
    /// When its last row was.
    #[serde(default)]
    pub last_ns: Option<i64>,
}

/// `(value - centre) / scale` for each column, with the feature set and the span that it belongs to. Serialised with Serde, to JSON or
/// YAML; [`to_json`](Self::to_json) and [`from_json`](Self::from_json) keep every bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// How centre and scale were chosen.
    pub method: Method,
    /// The feature set.
    pub config: FeaturesConfig,
    /// What it was fitted on.
    pub span: Span,
    /// The columns' names.
    pub names: Vec<String>,
    /// What is taken off each column.
    pub centre: Vec<f64>,
    /// What each column is divided by then; 1 for a column that was constant over the span.
    pub scale: Vec<f64>,
}

impl Normalisation {
    /// Fits one on rows `span` of a feature set's `rows`, which lie one after another; rows with NaN, as in the warm-up, do not count, and
    /// nothing outside the span is looked at. `times_ns`, one for each row, are noted.
    ///
    /// # Errors
    /// A span outside the rows, one without two rows that count, rows of another width, times that are not as many as rows.
    pub fn fit(
        method: Method,
        config: &FeaturesConfig,
        rows: &[f64],
        span: std::ops::Range<usize>,
        times_ns: Option<&[i64]>,
    ) -> Result<Self, ParameterError> {
        let names = FeatureSet::new(config)?.names().to_vec();
        let width = names.len();
        if !rows.len().is_multiple_of(width) {
            let legal = format!("a multiple of {width}, one number for each feature");
            return Err(ParameterError::new("rows", format_args!("{} numbers", rows.len()), legal));
        }
        let count = rows.len() / width;
        if span.start >= span.end || span.end > count {
            let legal = format!("rows 0 to {count}, at least 2");
            return Err(ParameterError::new("span", format_args!("{} to {}", span.start, span.end), legal));
        }
        if let Some(times) = times_ns.filter(|times| times.len() != count) {
            let found = format_args!("{} times", times.len());
            return Err(ParameterError::new("times_ns", found, format!("{count}, one for each row")));
        }
        let within = &rows[span.start * width..span.end * width];
        let usable: Vec<&[f64]> =
            within.chunks_exact(width).filter(|row| row.iter().all(|number| number.is_finite())).collect();
        if usable.len() < 2 {
            let found =
                format_args!("{} to {}, {} rows of it without NaN", span.start, span.end, usable.len());
            return Err(ParameterError::new("span", found, "at least 2 rows without NaN"));
        }
        let mut column = vec![0.0; usable.len()];
        let (mut centre, mut scale) = (Vec::with_capacity(width), Vec::with_capacity(width));
        for place in 0..width {
            for (number, row) in column.iter_mut().zip(&usable) {
                *number = row[place];
            }
            let (middle, spread) = method.measure(&mut column);
            centre.push(middle);
            // A spread that is rounding alone would blow the column up later.
            let is_constant = spread <= middle.abs() * f64::EPSILON * 4.0;
            scale.push(if is_constant { 1.0 } else { spread });
        }
        let span = Span {
            begin: span.start,
            end: span.end,
            rows: usable.len(),
            first_ns: times_ns.map(|times| times[span.start]),
            last_ns: times_ns.map(|times| times[span.end - 1]),
        };
        Ok(Self { method, config: config.clone(), span, names, centre, scale })
    }

    /// Normalises a row in place; NaN stays NaN.
    ///
    /// # Errors
    /// A row of another length.
    pub fn apply(&self, row: &mut [f64]) -> Result<(), ParameterError> {
        if row.len() != self.centre.len() {
            let legal = format!("{} numbers, one for each feature", self.centre.len());
            return Err(ParameterError::new("row", format_args!("{} numbers", row.len()), legal));
        }
        for ((number, centre), scale) in row.iter_mut().zip(&self.centre).zip(&self.scale) {
            *number = (*number - centre) / scale;
        }
        Ok(())
    }

    /// As JSON, for a file.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("it consists of numbers and text")
    }

    /// Reads what [`to_json`](Self::to_json) wrote, and checks it.
    ///
    /// # Errors
    /// Text that is no such JSON; a feature set that is not legal; lists that do not fit it; numbers that are none.
    pub fn from_json(text: &str) -> Result<Self, ParameterError> {
        // JSON is YAML, and this parser gives every number the bits that were written.
        let read: Self = serde_saphyr::from_str(text).map_err(|error| {
            ParameterError::new("normalisation", error, "what lobgym wrote for a feature set")
        })?;
        read.validate()?;
        Ok(read)
    }

    /// Checks what was read from elsewhere.
    ///
    /// # Errors
    /// A feature set that is not legal; lists that do not fit it; numbers that are none.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let names = FeatureSet::new(&self.config).map_err(|error| error.within("config"))?.names().to_vec();
        if self.names != names {
            let found = format_args!("{:?}", self.names);
            return Err(ParameterError::new("names", found, format!("those of config: {names:?}")));
        }
        for (key, list) in [("centre", &self.centre), ("scale", &self.scale)] {
            lob::parameter::length(key, list.len(), names.len()..=names.len())?;
            for (i, &number) in list.iter().enumerate() {
                if !number.is_finite() || (key == "scale" && number <= 0.0) {
                    let legal = if key == "scale" { "a finite number > 0" } else { "a finite number" };
                    return Err(ParameterError::new(format!("{key}[{i}]"), number, legal));
                }
            }
        }
        Ok(())
    }
}

impl Method {
    /// Centre and spread of a column, which it may reorder.
    fn measure(self, column: &mut [f64]) -> (f64, f64) {
        match self {
            Self::MeanStd => {
                let moments = join_all(column.iter().copied());
                (moments.mean, (moments.squares / moments.count).sqrt())
            }
            Self::MedianIqr => {
                column.sort_unstable_by(f64::total_cmp);
                let spread = quantile(column, 0.75) - quantile(column, 0.25);
                (quantile(column, 0.5), spread)
            }
        }
    }
}

/// Of sorted values, interpolated linearly: Hyndman and Fan (1996), "Sample Quantiles in Statistical Packages", definition 7.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor();
    let (low, high) = (sorted[below as usize], sorted[place.ceil() as usize]);
    low + (high - low) * (place - below)
}
