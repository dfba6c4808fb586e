//! The statistics of sessions.

use lob::flow::OpeningBook;
use serde::Serialize;

use super::Settings;
use super::session::{KINDS, PROBE_LOTS, PROBE_TIMES, SAMPLES_PER_SECOND, SIGNATURE_LAGS, Sums};
use crate::statistics::{Autocorrelation, counted_mean, median, variance_per_second};

/// Version of the JSON.
const SCHEMA_VERSION: u32 = 1;

/// The statistics, as written to JSON. Prices in ticks, quantities in lots, times in seconds; `None` is what too few observations do not
/// say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of this schema.
    pub schema_version: u32,
    /// Name of the market.
    pub market: String,
    /// Who owns the opening book.
    pub book: OpeningBook,
    /// Seed of the sessions.
    pub seed: u64,
    /// How many there were.
    pub sessions: u64,
    /// Length of one, in seconds.
    pub seconds: f64,
    /// Time between two samples of the book, in seconds.
    pub sample_seconds: f64,
    /// The bid-ask spread.
    pub spread: Spread,
    /// Variance of mid changes by their lag.
    pub volatility_signature: Vec<SignaturePoint>,
    /// Mean visible lots by distance.
    pub depth_profile: Vec<DepthPoint>,
    /// Of mid changes over 1 s.
    pub return_autocorrelation: Correlations,
    /// Of the signs of market orders.
    pub sign_autocorrelation: Correlations,
    /// What market orders do to the mid.
    pub impact: Vec<Impact>,
    /// The crowd's events.
    pub event_rates: Vec<Rate>,
    /// Time between them.
    pub inter_event_time: InterEventTime,
}

/// The bid-ask spread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Mean over the samples with two sides, in ticks.
    pub mean_ticks: Option<f64>,
    /// Share of the samples at each spread.
    pub distribution: Vec<SpreadShare>,
    /// Share of the samples with an empty side.
    pub empty_side_share: f64,
}

/// How often a spread was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpreadShare {
    /// Best ask - best bid, in ticks.
    pub ticks: u64,
    /// Share of all samples.
    pub share: f64,
}

/// One lag of the volatility signature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignaturePoint {
    /// The lag, in seconds.
    pub lag_seconds: f64,
    /// Variance of the mid's changes over it, in ticks^2/s.
    pub variance_per_second: Option<f64>,
    /// Changes it was taken over.
    pub changes: u64,
}

/// One distance of the depth profile.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DepthPoint {
    /// Ticks from the opposite best price.
    pub distance: u64,
    /// Mean visible bids there, in lots.
    pub bid_lots: Option<f64>,
    /// Mean visible asks there, in lots.
    pub ask_lots: Option<f64>,
}

/// An autocorrelation function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlations {
    /// Values that the correlations are of.
    pub observations: u64,
    /// 95% of the correlations of white noise are nearer to 0.
    pub white_noise_band: Option<f64>,
    /// At lags 1, 2, ...
    pub values: Vec<Option<f64>>,
}

/// The response to market orders of one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Impact {
    /// Size of the market order, in lots.
    pub lots: u64,
    /// The mid afterwards, less what it would have been.
    pub response: Vec<ResponsePoint>,
}

/// The response after some time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResponsePoint {
    /// Time since the order, in seconds.
    pub seconds: f64,
    /// Mean response, in ticks in the order's direction.
    pub mean_ticks: Option<f64>,
    /// Its standard error, in ticks.
    pub standard_error: Option<f64>,
    /// Orders behind it.
    pub orders: u64,
}

/// How often one kind of event came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// `market`, `limit` or `cancel`.
    pub kind: &'static str,
    /// `buy` or `sell`.
    pub side: &'static str,
    /// How many there were.
    pub events: u64,
    /// How many a second.
    pub per_second: f64,
}

/// Time between two events of the crowd.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InterEventTime {
    /// Times between two events.
    pub observations: u64,
    /// Their mean, in seconds.
    pub mean_seconds: Option<f64>,
    /// Their median, in seconds.
    pub median_seconds: Option<f64>,
}

/// The statistics of what was played.
pub(super) fn summarise(settings: &Settings, market: String, book: OpeningBook, mut sums: Sums) -> Report {
    let in_seconds = |samples: usize| samples as f64 / SAMPLES_PER_SECOND as f64;
    let two_sided: u64 = sums.spreads.values().sum();
    let share = |count: u64| count as f64 / (sums.samples as f64).max(1.0);
    let spread = Spread {
        mean_ticks: counted_mean(&sums.spreads),
        distribution: sums
            .spreads
            .iter()
            .map(|(&ticks, &count)| SpreadShare { ticks, share: share(count) })
            .collect(),
        empty_side_share: share(sums.samples - two_sided),
    };
    let signature = SIGNATURE_LAGS.iter().zip(&sums.signature).map(|(&lag, moments)| SignaturePoint {
        lag_seconds: in_seconds(lag),
        variance_per_second: variance_per_second(moments, in_seconds(lag)),
        changes: moments.count,
    });
    let average = |sum: f64| (two_sided > 0).then(|| sum / two_sided as f64);
    let depth = sums.depth[0].iter().zip(&sums.depth[1]).zip(1..).map(|((&bid, &ask), distance)| {
        DepthPoint { distance, bid_lots: average(bid), ask_lots: average(ask) }
    });
    let correlations = |of: &Autocorrelation| Correlations {
        observations: of.count(),
        white_noise_band: of.white_noise_band(),
        values: of.all(),
    };
    let impact = PROBE_LOTS.iter().zip(&sums.impact).map(|(&lots, moments)| Impact {
        lots,
        response: PROBE_TIMES
            .iter()
            .zip(moments)
            .map(|(&samples, moments)| ResponsePoint {
                seconds: in_seconds(samples),
                mean_ticks: moments.mean(),
                standard_error: moments.standard_error(),
                orders: moments.count,
            })
            .collect(),
    });
    let played = sums.samples as f64 / SAMPLES_PER_SECOND as f64;
    let rates = KINDS.iter().zip(&sums.events).flat_map(|(&kind, counts)| {
        ["buy", "sell"].into_iter().zip(counts).map(move |(side, &events)| Rate {
            kind,
            side,
            events,
            per_second: events as f64 / played,
        })
    });
    let gaps = sums.gaps.len();
    Report {
        schema_version: SCHEMA_VERSION,
        market,
        book,
        seed: settings.seed,
        sessions: settings.sessions,
        seconds: played / settings.sessions as f64,
        sample_seconds: in_seconds(1),
        spread,
        volatility_signature: signature.collect(),
        depth_profile: depth.collect(),
        return_autocorrelation: correlations(&sums.returns),
        sign_autocorrelation: correlations(&sums.signs),
        impact: impact.collect(),
        event_rates: rates.collect(),
        inter_event_time: InterEventTime {
            observations: gaps as u64,
            mean_seconds: (gaps > 0).then(|| sums.gaps.iter().sum::<f64>() / gaps as f64),
            median_seconds: median(&mut sums.gaps),
        },
    }
}
