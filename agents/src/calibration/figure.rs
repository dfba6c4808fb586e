//! The figures of a calibration's report: the real market and simulated ones in one plot, drawn as SVG in the page's colours.

use lob::calibration::{Distribution, MarketStatistics};
use maud::{Markup, html};

use crate::report::{Axis, line, plain, px};

const WIDTH: f64 = 560.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 216.0;
const HEIGHT: f64 = BOTTOM + 42.0;

/// The class of the real market's colour.
pub(super) const REAL: &str = "s0";
/// That of a simulated market's.
pub(super) const SIMULATED: &str = "s2";

/// A point and its standard error.
type Point = (f64, f64, Option<f64>);

/// One line of a plot.
struct Series {
    class: &'static str,
    dashed: bool,
    name: String,
    points: Vec<Point>,
}

/// How an axis is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    /// Linear, and 0 is on it.
    FromZero,
    Logarithmic,
}

/// A plot.
struct Plot {
    across: (&'static str, Scale),
    up: (&'static str, Scale),
    series: Vec<Series>,
    /// Names of places across instead of numbers.
    places: Vec<(f64, String)>,
    /// Half the height of a grey band about 0.
    band: Option<f64>,
    markers: bool,
}

impl Plot {
    fn new(across: (&'static str, Scale), up: (&'static str, Scale), series: Vec<Series>) -> Self {
        Self { across, up, series, places: Vec::new(), band: None, markers: true }
    }

    fn draw(&self) -> Markup {
        let (across, up) = (self.across.1, self.up.1);
        let place =
            |scale: Scale, value: f64| if scale == Scale::Logarithmic { value.log10() } else { value };
        let shown = |point: &&Point| place(across, point.0).is_finite() && place(up, point.1).is_finite();
        let points = || self.series.iter().flat_map(|series| &series.points).filter(shown);
        let zero = |scale: Scale| (scale == Scale::FromZero).then_some(0.0);
        let ends = points().flat_map(|point| {
            let error = if up == Scale::Logarithmic { 0.0 } else { 2.0 * point.2.unwrap_or(0.0) };
            [place(up, point.1) - error, place(up, point.1) + error]
        });
        let horizontal = Axis::covering(
            points()
                .map(|point| place(across, point.0))
                .chain(zero(across))
                .chain(self.places.iter().map(|at| at.0)),
            7,
            LEFT,
            RIGHT,
        );
        let vertical = Axis::covering(
            ends.chain(zero(up)).chain(self.band).chain(self.band.map(|b| -b)),
            5,
            BOTTOM,
            TOP,
        );
        let at = |point: &Point| (horizontal.at(place(across, point.0)), vertical.at(place(up, point.1)));
        let content = html! {
            @if let Some(band) = self.band {
                rect.area.plain x=(px(LEFT)) y=(px(vertical.at(band))) width=(px(RIGHT - LEFT))
                    height=(px(vertical.at(-band) - vertical.at(band))) {}
            }
            @if up == Scale::Logarithmic { (vertical.named_beside(&decades(vertical.ends()), LEFT, RIGHT, self.up.0)) }
            @else { (vertical.beside(LEFT, RIGHT, self.up.0)) }
            @if !self.places.is_empty() { (horizontal.named(&self.places, TOP, BOTTOM, self.across.0)) }
            @else if across == Scale::Logarithmic {
                (horizontal.named(&decades(horizontal.ends()), TOP, BOTTOM, self.across.0))
            } @else { (horizontal.below(TOP, BOTTOM, self.across.0)) }
            @if up != Scale::Logarithmic && vertical.ends().0 <= 0.0 {
                (line([LEFT, vertical.at(0.0), RIGHT, vertical.at(0.0)], "zero"))
            }
            @for series in &self.series {
                @let points: Vec<&Point> = series.points.iter().filter(shown).collect();
                g class=(series.class) {
                    title { (series.name) }
                    path.line d=(path(points.iter().map(|&point| at(point)))) stroke-dasharray=[series.dashed.then_some("6 4")] {}
                    @for &point in &points {
                        @let (x, y) = at(point);
                        @if let Some(error) = point.2.filter(|_| up != Scale::Logarithmic) {
                            (line([x, vertical.at(point.1 - 2.0 * error), x, vertical.at(point.1 + 2.0 * error)], "interval"))
                        }
                        @if self.markers && !series.dashed { circle.solid cx=(px(x)) cy=(px(y)) r="2.2" {} }
                    }
                }
            }
        };
        let description = format!("{} over {}", self.up.0, self.across.0);
        html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img"
                aria-label=(description) { (content) }
        }
    }
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let pen = |index: usize| if index == 0 { 'M' } else { 'L' };
    points.enumerate().map(|(index, (x, y))| format!("{}{},{}", pen(index), px(x), px(y))).collect()
}

/// Powers of ten between logarithms; with 2 and 5 where there are few, and fewer where there are many.
fn decades((low, high): (f64, f64)) -> Vec<(f64, String)> {
    let digits: &[f64] = if high - low < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let stride = ((high - low) / 8.0).ceil().max(1.0) as i32;
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    let decades = (first..=last).filter(|decade| decade.rem_euclid(stride) == 0);
    let values = decades.flat_map(|decade| digits.iter().map(move |&digit| (decade, digit)));
    values
        .map(|(decade, digit)| {
            let name = if (-3..=4).contains(&decade) {
                plain(digit * 10f64.powi(decade), (-decade).max(0) as usize)
            } else {
                format!("{digit}e{decade}")
            };
            (f64::from(decade) + digit.log10(), name)
        })
        .filter(|(value, _)| (low..=high).contains(value))
        .collect()
}

/// A figure with its caption.
fn figure(title: &str, caption: &str, plot: &Plot) -> Markup {
    html! { figure { figcaption { strong { (title) "." } " " (caption) } (plot.draw()) } }
}

fn both<'a>(
    real: &'a MarketStatistics,
    simulated: &'a MarketStatistics,
    points: impl Fn(&'a MarketStatistics) -> Vec<Point>,
) -> Vec<Series> {
    [(REAL, "real", real), (SIMULATED, "simulated", simulated)]
        .map(|(class, name, of)| Series { class, dashed: false, name: name.to_owned(), points: points(of) })
        .into()
}

/// All figures of a model beside the real market.
pub(super) fn figures(real: &MarketStatistics, simulated: &MarketStatistics) -> Markup {
    html! {
        div.figures {
            (spread(real, simulated))
            (depth(real, simulated))
            (waiting(real, simulated))
            (volatility(real, simulated))
            (signs(real, simulated))
            (impact(real, simulated))
            @for (kind, name) in ["market orders", "limit orders", "cancellations"].into_iter().enumerate() {
                (sizes(name, &real.sizes[kind], &simulated.sizes[kind]))
            }
        }
    }
}

fn spread(real: &MarketStatistics, simulated: &MarketStatistics) -> Markup {
    let last = [real, simulated].iter().filter_map(|of| of.spread.quantile(0.998)).fold(4.0, f64::max);
    let points = |of: &MarketStatistics| {
        // Of bins that are wider than a tick, the share a tick.
        let share = |bin: &lob::calibration::Bin| 100.0 * bin.share / (bin.high - bin.low).max(1.0);
        of.spread.bins.iter().filter(|bin| bin.mean <= last).map(|bin| (bin.mean, share(bin), None)).collect()
    };
    let series = both(real, simulated, points);
    let plot = Plot::new(("spread, ticks", Scale::Linear), ("% of the time", Scale::FromZero), series);
    figure("Spread", "How long it has which width.", &plot)
}

fn depth(real: &MarketStatistics, simulated: &MarketStatistics) -> Markup {
    let mut series = Vec::new();
    for (side, name) in ["bids", "asks"].into_iter().enumerate() {
        let points = |of: &MarketStatistics| {
            of.depth[side]
                .iter()
                .zip(1..)
                .map(|(&lots, distance)| (f64::from(distance), lots, None))
                .collect()
        };
        for mut one in both(real, simulated, points) {
            (one.dashed, one.name) = (side == 1, format!("{}, {name}", one.name));
            series.push(one);
        }
    }
    let plot = Plot::new(
        ("distance from the opposite best, ticks", Scale::Linear),
        ("lots", Scale::FromZero),
        series,
    );
    figure("Depth profile", "Mean lots by distance; bids solid, asks dashed.", &plot)
}

/// Shares of bins as a density, on logarithmic axes.
fn density(of: &Distribution) -> Vec<Point> {
    let bins = of.bins.iter().filter(|bin| bin.high > bin.low);
    bins.map(|bin| ((bin.low * bin.high).sqrt(), bin.share / (bin.high - bin.low), None)).collect()
}

fn waiting(real: &MarketStatistics, simulated: &MarketStatistics) -> Markup {
    let series = both(real, simulated, |of| density(&of.inter_event_times));
    let mut plot = Plot::new(("seconds", Scale::Logarithmic), ("density, 1/s", Scale::Logarithmic), series);
    plot.markers = false;
    let at_once = |of: &MarketStatistics| {
        of.inter_event_times.bins.first().filter(|bin| bin.high == 0.0).map_or(0.0, |bin| 100.0 * bin.share)
    };
    let caption = format!(
        "From an event of any type to the next. At the same instant, and not shown: {}% of the real and {}% of the simulated ones.",
        plain(at_once(real), 1),
        plain(at_once(simulated), 1)
    );
    figure("Time between events", &caption, &plot)
}

fn volatility(real: &MarketStatistics, simulated: &MarketStatistics) -> Markup {
    let points = |of: &MarketStatistics| {
        let known = of.volatility.iter().filter_map(|at| Some((at.seconds, at.ticks?, at.standard_error)));
        known.collect()
    };
    let series = both(real, simulated, points);
    let plot = Plot::new(("seconds", Scale::Logarithmic), ("ticks / \u{221a}s", Scale::FromZero), series);
    figure(
        "Volatility signature",
        "Standard deviation of the mid's changes over so many seconds; two standard errors each way.",
        &plot,
    )
}

fn signs(real: &MarketStatistics, simulated: &MarketStatistics) -> Markup {
    let points = |of: &MarketStatistics| {
        let lags = of.sign_autocorrelation.iter().zip(1..);
        lags.filter_map(|(value, lag)| Some((f64::from(lag), (*value)?, None))).collect()
    };
    let series = both(real, simulated, points);
    let mut plot = Plot::new(("lag, market orders", Scale::Linear), ("correlation", Scale::FromZero), series);
    plot.band = (real.market_orders > 0).then(|| 2.0 / (real.market_orders as f64).sqrt());
    figure(
        "Memory of signs",
        "Autocorrelation of market orders' signs; in the band, as many signs without any memory would lie.",
        &plot,
    )
}

fn impact(real: &MarketStatistics, simulated: &MarketStatistics) -> Markup {
    let points = |of: &MarketStatistics| {
        let places = of.impact.iter().enumerate();
        places.filter_map(|(place, at)| Some((place as f64, at.ticks?, at.standard_error))).collect()
    };
    let series = both(real, simulated, points);
    let mut plot = Plot::new(
        ("seconds after the order, not to scale", Scale::Linear),
        ("ticks", Scale::FromZero),
        series,
    );
    let name = |(place, at): (usize, &lob::calibration::ImpactPoint)| (place as f64, at.seconds.to_string());
    plot.places = real.impact.iter().enumerate().map(name).collect();
    figure(
        "Impact of a market order",
        "Mean move of the mid in its direction; two standard errors each way.",
        &plot,
    )
}

/// Shares of events of at least a size.
fn sizes(name: &str, real: &Distribution, simulated: &Distribution) -> Markup {
    let survival = |of: &Distribution| -> Vec<Point> {
        let mut left = 1.0;
        let step = |bin: &lob::calibration::Bin| {
            let point = (bin.mean, left, None);
            left -= bin.share;
            point
        };
        // The last of many is one event, or rounding.
        let steps: Vec<Point> = of.bins.iter().map(step).collect();
        steps.into_iter().filter(|point| point.1 > 0.5 / of.weight.max(1.0)).collect()
    };
    let series = [(REAL, "real", real), (SIMULATED, "simulated", simulated)].map(|(class, name, of)| {
        Series { class, dashed: false, name: name.to_owned(), points: survival(of) }
    });
    let plot = Plot::new(
        ("lots", Scale::Logarithmic),
        ("share at least as large", Scale::Logarithmic),
        series.into(),
    );
    figure(&format!("Size of {name}"), "Share of those that have at least so many lots.", &plot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_suit_their_range() {
        let names = |low: f64, high: f64| -> Vec<String> {
            decades((low, high)).into_iter().map(|(_, name)| name).collect()
        };
        assert_eq!(names(-1.1, 2.0), ["0.1", "1", "10", "100"]);
        assert_eq!(names(0.1, 1.0), ["2", "5", "10"]);
        assert_eq!(names(-9.0, 3.0), ["1e-8", "1e-6", "1e-4", "0.01", "1", "100"]);
        assert!(names(0.3, 0.31).is_empty() || names(0.3, 0.31) == ["2"]);
    }
}
