//! A real market and a simulated one, set side by side, with a verdict in words.

use serde::Serialize;

use super::distribution::Distribution;
use super::statistics::MarketStatistics;

/// How far the mean spread may be off, as a share of the real one.
pub const SPREAD_LIMIT: f64 = 0.10;
/// How far the rate of a type of event may be off.
pub const RATE_LIMIT: f64 = 0.05;
/// How far the mid's volatility over a second may be off.
pub const VOLATILITY_LIMIT: f64 = 0.20;
/// From where on a difference is worth a word where no limit is set.
const TOLERANCE: f64 = 0.25;
/// The same for a Kolmogorov-Smirnov distance.
const KS_TOLERANCE: f64 = 0.10;
/// The lags at which the memory of signs is judged.
const SIGN_LAGS: [usize; 3] = [1, 10, 50];
/// The times at which impact is judged, in seconds.
const IMPACT_SECONDS: [f64; 3] = [0.0, 1.0, 10.0];

/// One statistic of two markets.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparisonRow {
    /// What it is.
    pub statistic: String,
    /// Its unit.
    pub unit: &'static str,
    /// The real market's: a mean where it is a distribution.
    pub real: Option<f64>,
    /// Its standard error.
    pub real_error: Option<f64>,
    /// The simulated market's.
    pub simulated: Option<f64>,
    /// Its standard error.
    pub simulated_error: Option<f64>,
    /// Simulated over real.
    pub ratio: Option<f64>,
    /// Kolmogorov-Smirnov distance of the distributions, from 0 to 1.
    pub ks: Option<f64>,
    /// Wasserstein-1 distance of the distributions, in the statistic's unit.
    pub wasserstein: Option<f64>,
    /// How far the ratio may be from 1, where a limit is set.
    pub limit: Option<f64>,
    /// Whether the model is right about it; `None` where it cannot be told.
    pub agrees: Option<bool>,
    /// The same in words.
    pub verdict: String,
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MarketComparison {
    /// What was compared.
    pub rows: Vec<ComparisonRow>,
}

impl MarketComparison {
    /// Whether everything that has a limit is within it.
    pub fn is_within_limits(&self) -> bool {
        self.rows.iter().filter(|row| row.limit.is_some()).all(|row| row.agrees == Some(true))
    }

    /// Where the model is wrong, limits first.
    pub fn wrong(&self) -> impl Iterator<Item = &ComparisonRow> {
        let wrong = |row: &&ComparisonRow| row.agrees == Some(false);
        let limited = self.rows.iter().filter(wrong).filter(|row| row.limit.is_some());
        limited.chain(self.rows.iter().filter(wrong).filter(|row| row.limit.is_none()))
    }

    /// A row by its name.
    pub fn row(&self, statistic: &str) -> Option<&ComparisonRow> {
        self.rows.iter().find(|row| row.statistic == statistic)
    }
}

/// A number and its standard error.
type Measured = (Option<f64>, Option<f64>);

/// Sets a simulated market against a real one.
pub fn compare(real: &MarketStatistics, simulated: &MarketStatistics) -> MarketComparison {
    let mut rows = Vec::new();
    let spread = |of: &MarketStatistics| (of.spread.mean, of.spread_error);
    let mut row = ratio(
        ("mean spread", "ticks"),
        (spread(real), spread(simulated)),
        Some(SPREAD_LIMIT),
        ["wider", "narrower"],
    );
    distances(&mut row, &real.spread, &simulated.spread);
    rows.push(row);
    for (real, simulated) in real.rates.iter().zip(&simulated.rates) {
        let name = format!("rate of {}", real.name.replace('_', " "));
        let measured = [real, simulated].map(|of| (Some(of.per_second), of.standard_error));
        rows.push(ratio((&name, "1/s"), measured.into(), Some(RATE_LIMIT), ["more", "fewer"]));
    }
    for (real, simulated) in real.volatility.iter().zip(&simulated.volatility) {
        let name = format!("volatility over {} s", real.seconds);
        let measured = [real, simulated].map(|of| (of.ticks, of.standard_error));
        let limit = (real.seconds == 1.0).then_some(VOLATILITY_LIMIT);
        rows.push(ratio((&name, "ticks/\u{221a}s"), measured.into(), limit, ["more", "less"]));
    }
    rows.extend(depth(real, simulated));
    rows.push(waiting(&real.inter_event_times, &simulated.inter_event_times));
    rows.extend(SIGN_LAGS.iter().map(|&lag| signs(real, simulated, lag)));
    for seconds in IMPACT_SECONDS {
        let at = |of: &MarketStatistics| {
            let point = of.impact.iter().find(|point| point.seconds == seconds);
            point.map_or((None, None), |point| (point.ticks, point.standard_error))
        };
        let name = format!("impact after {seconds} s");
        rows.push(ratio((&name, "ticks"), (at(real), at(simulated)), None, ["more", "less"]));
    }
    for (kind, name) in ["market orders", "limit orders", "cancellations"].into_iter().enumerate() {
        let (one, other) = (&real.sizes[kind], &simulated.sizes[kind]);
        rows.push(sizes(&format!("size of {name}"), one, other));
    }
    MarketComparison { rows }
}

/// A statistic judged by its ratio: by the limit if there is one, otherwise by a tolerance and by what its standard errors leave open.
fn ratio(
    (statistic, unit): (&str, &'static str),
    (real, simulated): (Measured, Measured),
    limit: Option<f64>,
    [more, less]: [&str; 2],
) -> ComparisonRow {
    let (agrees, verdict, ratio) = match (real.0, simulated.0) {
        (Some(one), Some(other)) if one != 0.0 => {
            let ratio = other / one;
            let off = (ratio - 1.0).abs();
            let chance = match (real.1, simulated.1) {
                (Some(a), Some(b)) => (other - one).abs() <= 2.0 * libm::hypot(a, b),
                _ => false,
            };
            let percent = percent(off);
            let word = if ratio >= 1.0 { more } else { less };
            let size = if ratio < 0.0 {
                "of the other sign".to_owned()
            } else if percent == "0%" {
                "equal".to_owned()
            } else {
                format!("{percent} {word}")
            };
            let possible = "two standard errors would explain it";
            match limit {
                Some(limit) if off <= limit => {
                    (Some(true), format!("{size}, within {}", self::percent(limit)), Some(ratio))
                }
                Some(limit) => {
                    let end = if chance { format!(", though {possible}") } else { String::new() };
                    (Some(false), format!("{size}, outside {}{end}", self::percent(limit)), Some(ratio))
                }
                None if off <= TOLERANCE => (Some(true), size, Some(ratio)),
                None if chance => (Some(true), format!("{size}; {possible}"), Some(ratio)),
                None => (Some(false), size, Some(ratio)),
            }
        }
        (Some(_), Some(0.0)) => (Some(true), "0 in both".to_owned(), None),
        (Some(_), Some(_)) => (Some(false), "0 in the real market".to_owned(), None),
        (None, _) => (None, "not enough of it in the real market".to_owned(), None),
        (_, None) => (limit.map(|_| false), "not enough of it in the simulated market".to_owned(), None),
    };
    ComparisonRow {
        statistic: statistic.to_owned(),
        unit,
        real: real.0,
        real_error: real.1,
        simulated: simulated.0,
        simulated_error: simulated.1,
        ratio,
        ks: None,
        wasserstein: None,
        limit,
        agrees,
        verdict,
    }
}

fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 0.05 {
        "0%".to_owned()
    } else if percent < 10.0 && (percent - percent.round()).abs() > 0.05 {
        format!("{percent:.1}%")
    } else {
        format!("{percent:.0}%")
    }
}

fn distances(row: &mut ComparisonRow, real: &Distribution, simulated: &Distribution) {
    row.ks = real.ks(simulated);
    row.wasserstein = real.wasserstein(simulated);
}

/// Volume at the distances next to the opposite best, and how it is spread over the window.
fn depth(real: &MarketStatistics, simulated: &MarketStatistics) -> Vec<ComparisonRow> {
    let levels = real.depth[0].len().min(simulated.depth[0].len());
    let both = |of: &MarketStatistics| -> Vec<f64> {
        of.depth[0].iter().zip(&of.depth[1]).take(levels).map(|(bid, ask)| 0.5 * (bid + ask)).collect()
    };
    let (one, other) = (both(real), both(simulated));
    let first = |of: &MarketStatistics, depth: &[f64]| (depth.first().copied(), of.depth_error);
    let nearest = ratio(
        ("depth at distance 1", "lots"),
        (first(real, &one), first(simulated, &other)),
        None,
        ["more", "less"],
    );
    let (sum, others): (f64, f64) = (one.iter().sum(), other.iter().sum());
    let name = format!("depth within {levels} ticks");
    let mut whole =
        ratio((&name, "lots a side"), ((Some(sum), None), (Some(others), None)), None, ["more", "less"]);
    if sum > 0.0 && others > 0.0 {
        let (mut difference, mut largest, mut moved) = (0.0_f64, 0.0_f64, 0.0);
        for (a, b) in one.iter().zip(&other) {
            difference += a / sum - b / others;
            largest = largest.max(difference.abs());
            moved += difference.abs();
        }
        (whole.ks, whole.wasserstein) = (Some(largest), Some(moved));
        if largest > KS_TOLERANCE {
            whole.agrees = Some(false);
            let mean = |lots: &[f64], sum: f64| {
                lots.iter().zip(1..).map(|(lots, k)| lots * f64::from(k)).sum::<f64>() / sum
            };
            let (a, b) = (mean(&one, sum), mean(&other, others));
            let word = if b > a { "further from" } else { "nearer to" };
            whole.verdict +=
                &format!("; volume lies {word} the touch ({b:.1} ticks on average against {a:.1})");
        }
    }
    vec![nearest, whole]
}

/// The times between events: their distance says whether they are alike, their variation how they are not.
fn waiting(real: &Distribution, simulated: &Distribution) -> ComparisonRow {
    let mut row = ratio(
        ("time between events", "s"),
        ((real.mean, None), (simulated.mean, None)),
        None,
        ["longer", "shorter"],
    );
    distances(&mut row, real, simulated);
    let (Some(ks), Some(one), Some(other)) = (row.ks, real.variation(), simulated.variation()) else {
        return row;
    };
    row.agrees = Some(ks <= KS_TOLERANCE && row.agrees != Some(false));
    row.verdict = if ks <= 0.5 * KS_TOLERANCE {
        format!("alike (distance {ks:.3})")
    } else {
        let word = match other / one {
            ratio if ratio < 0.8 => "less clustered",
            ratio if ratio > 1.25 => "more clustered",
            _ => "as clustered, otherwise distributed",
        };
        format!("{word}: coefficient of variation {other:.2} against {one:.2} (distance {ks:.2})")
    };
    row
}

/// Memory of the signs of market orders.
fn signs(real: &MarketStatistics, simulated: &MarketStatistics, lag: usize) -> ComparisonRow {
    let at = |of: &MarketStatistics| of.sign_autocorrelation.get(lag - 1).copied().flatten();
    let error =
        |of: &MarketStatistics| (of.market_orders > 0).then(|| 1.0 / (of.market_orders as f64).sqrt());
    let (one, other) = (at(real), at(simulated));
    let (agrees, verdict) = match (one, other, error(real), error(simulated)) {
        (Some(one), Some(other), Some(a), Some(b)) => {
            let numbers = format!("autocorrelation at lag {lag} {other:.2} against {one:.2}");
            if (one - other).abs() <= (2.0 * libm::hypot(a, b)).max(0.02) {
                (Some(true), format!("alike: {numbers}"))
            } else if other.abs() <= (2.0 * b).max(0.1 * one.abs()) {
                let memory = if lag >= 10 { "no long memory" } else { "no memory" };
                (Some(false), format!("the model has {memory} of signs: {numbers}"))
            } else {
                let word = if other < one { "too little memory" } else { "too much memory" };
                (Some(false), format!("the model has {word} of signs: {numbers}"))
            }
        }
        _ => (None, "too few market orders".to_owned()),
    };
    ComparisonRow {
        statistic: format!("sign autocorrelation at lag {lag}"),
        unit: "",
        real: one,
        real_error: error(real),
        simulated: other,
        simulated_error: error(simulated),
        ratio: one.zip(other).filter(|pair| pair.0 != 0.0).map(|(one, other)| other / one),
        ks: None,
        wasserstein: None,
        limit: None,
        agrees,
        verdict,
    }
}

fn sizes(name: &str, real: &Distribution, simulated: &Distribution) -> ComparisonRow {
    let measured = |of: &Distribution| {
        let error = of.deviation.map(|deviation| deviation / of.weight.max(1.0).sqrt());
        (of.mean, error)
    };
    let mut row = ratio((name, "lots"), (measured(real), measured(simulated)), None, ["larger", "smaller"]);
    distances(&mut row, real, simulated);
    if let Some(ks) = row.ks
        && ks > KS_TOLERANCE
    {
        row.agrees = Some(false);
        row.verdict += &format!(", distributed otherwise (distance {ks:.2})");
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(real: Measured, simulated: Measured, limit: Option<f64>) -> (Option<bool>, String) {
        let row = ratio(("x", ""), (real, simulated), limit, ["wider", "narrower"]);
        (row.agrees, row.verdict)
    }

    #[test]
    fn verdicts_say_how_far_and_which_way() {
        let exact = |value| (Some(value), Some(1e-6));
        assert_eq!(
            verdict(exact(2.0), exact(1.94), Some(0.1)),
            (Some(true), "3% narrower, within 10%".into())
        );
        assert_eq!(
            verdict(exact(2.0), exact(2.4), Some(0.1)),
            (Some(false), "20% wider, outside 10%".into())
        );
        let rough = (Some(2.4), Some(0.3));
        let text = "20% wider, outside 10%, though two standard errors would explain it";
        assert_eq!(verdict(exact(2.0), rough, Some(0.1)), (Some(false), text.into()));
        assert_eq!(verdict(exact(2.0), exact(3.0), None), (Some(false), "50% wider".into()));
        assert_eq!(verdict(exact(2.0), exact(-3.0), None), (Some(false), "of the other sign".into()));
        assert_eq!(verdict(exact(2.0), exact(2.0), None), (Some(true), "equal".into()));
        assert_eq!(verdict((None, None), exact(2.0), None).0, None);
        assert_eq!(
            verdict(exact(2.0), (None, None), Some(0.1)).0,
            Some(false),
            "a limit is not met by nothing"
        );
    }

    #[test]
    fn percentages_have_as_many_digits_as_they_need() {
        assert_eq!([0.0001, 0.034, 0.05, 0.126, 2.0].map(percent), ["0%", "3.4%", "5%", "13%", "200%"]);
    }
}
