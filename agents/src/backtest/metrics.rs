//! What a track came to.

use serde::Serialize;

use super::Track;
use crate::statistics::mean_and_deviation;

/// Figures of a strategy over some periods, after costs. With returns `r` of a period, `p` periods in a year:
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// How many periods.
    pub periods: usize,
    /// Net asset value at the end / at the start - 1.
    pub total_return: f64,
    /// `p mean ln(1 + r)`, 1 / year.
    pub growth: f64,
    /// `sqrt(p)` x standard deviation (n - 1) of `ln(1 + r)`, 1 / sqrt(year).
    pub volatility: f64,
    /// `sqrt(p) mean(r - c) / deviation(r)` with the return of cash `c`, 1 / sqrt(year) (Sharpe, *The Sharpe ratio*, Journal of Portfolio
    /// Management 21, 1994); none without deviation.
    pub sharpe: Option<f64>,
    /// `sqrt(p) mean(r - c) / sqrt(mean(min(r - c, 0)^2))` (Sortino & Price, *Performance measurement in a downside risk framework*, Journal
    /// of Investing 3, 1994); none without losses.
    pub sortino: Option<f64>,
    /// The largest loss since a maximum before, a share of that.
    pub max_drawdown: f64,
    /// Sum of the absolute changes of weights, 1 / year.
    pub turnover: f64,
    /// Fees as shares of the net asset value, 1 / year.
    pub fees: f64,
    /// Impact as shares of the net asset value, 1 / year.
    pub impact: f64,
    /// Fees, money.
    pub fees_money: f64,
    /// Impact, money.
    pub impact_money: f64,
}

impl Metrics {
    /// Of a track, with `periods_per_year` and the simple return of cash in a period.
    pub fn of(track: &Track, periods_per_year: f64, cash_return: f64) -> Self {
        let n = track.log_returns.len();
        let (mean, deviation) = mean_and_deviation(&track.log_returns);
        let excess: Vec<f64> = track.log_returns.iter().map(|log| libm::expm1(*log) - cash_return).collect();
        let (excess_mean, excess_deviation) = mean_and_deviation(&excess);
        let losses = excess.iter().map(|value| value.min(0.0).powi(2)).sum::<f64>() / n.max(1) as f64;
        let root = periods_per_year.sqrt();
        let ratio = |by: f64| (by > 1e-15).then(|| root * excess_mean / by);
        let (mut peak, mut max_drawdown) = (0.0_f64, 0.0_f64);
        for &nav in &track.nav {
            peak = peak.max(nav);
            max_drawdown = max_drawdown.max(1.0 - nav / peak);
        }
        let a_year = |values: &[f64]| values.iter().sum::<f64>() / n.max(1) as f64 * periods_per_year;
        let money = |values: &[f64]| values.iter().zip(&track.nav).map(|(share, nav)| share * nav).sum();
        let ends = (track.nav.first().copied().unwrap_or(1.0), track.nav.last().copied().unwrap_or(1.0));
        Self {
            periods: n,
            total_return: ends.1 / ends.0 - 1.0,
            growth: periods_per_year * mean,
            volatility: root * deviation,
            sharpe: ratio(excess_deviation),
            sortino: ratio(losses.sqrt()),
            max_drawdown,
            turnover: a_year(&track.turnover),
            fees: a_year(&track.fees),
            impact: a_year(&track.impact),
            fees_money: money(&track.fees),
            impact_money: money(&track.impact),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_by_hand() {
        // Returns +10%, -10%, +20%.
        let nav = vec![100.0, 110.0, 99.0, 118.8];
        let track = Track {
            log_returns: nav.windows(2).map(|pair| libm::log(pair[1] / pair[0])).collect(),
            nav,
            turnover: vec![0.5, 0.0, 1.0],
            fees: vec![0.001, 0.0, 0.002],
            impact: vec![0.0, 0.0, 0.003],
            ..Track::default()
        };
        let found = Metrics::of(&track, 4.0, 0.0);
        let close =
            |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
        close(found.total_return, 0.188);
        close(found.growth, 4.0 * libm::log(1.188) / 3.0);
        let (mean, spread) = (0.2 / 3.0, f64::sqrt((0.01 + 0.01 + 0.04 - 0.04 / 3.0) / 2.0));
        close(found.sharpe.unwrap(), 2.0 * mean / spread);
        close(found.sortino.unwrap(), 2.0 * mean / f64::sqrt(0.01 / 3.0));
        close(found.max_drawdown, 0.1);
        close(found.turnover, 2.0);
        close(found.fees, 0.004);
        close(found.impact, 0.004);
        close(found.fees_money, 0.1 + 0.198);
        close(found.impact_money, 0.297);
        // Logarithms 0.0953, -0.1054, 0.1823: deviation 0.147536.
        assert!((found.volatility - 0.295_071).abs() < 1e-6, "{}", found.volatility);
        close(Metrics::of(&track, 4.0, 0.05).sharpe.unwrap(), 2.0 * (mean - 0.05) / spread);
    }

    #[test]
    fn without_spread_there_is_no_ratio() {
        let track = Track { log_returns: vec![0.0; 3], nav: vec![1.0; 4], ..Track::default() };
        let found = Metrics::of(&track, 252.0, 0.0);
        assert_eq!((found.sharpe, found.sortino, found.max_drawdown), (None, None, 0.0));
    }
}
