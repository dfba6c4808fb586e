//! The figure: six panels.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::SimulateError;
use super::report::{Correlations, Report};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

// Okabe and Ito's colours, told apart by all kinds of eyes.
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const SIZE: (u32, u32) = (1260, 780);
const TITLE_HEIGHT: u32 = 44;
/// The spread's panel ends where this share of the time is covered.
const SPREAD_SHARE: f64 = 0.999;

/// Draws the statistics, as SVG.
///
/// # Errors
/// [`SimulateError::Plot`].
pub fn draw(report: &Report) -> Result<String, SimulateError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        panels(&area, report).map_err(|error| SimulateError::Plot(error.to_string()))?;
    }
    Ok(svg)
}

fn panels(area: &Area<'_>, report: &Report) -> Drawn {
    area.fill(&WHITE)?;
    let title = format!(
        "Market {}: {} sessions of {} s, seed {}",
        report.market, report.sessions, report.seconds, report.seed
    );
    let (head, body) = area.split_vertically(TITLE_HEIGHT);
    head.draw(&Text::new(title, (16, 14), ("sans-serif", 20).into_font()))?;
    let panels = body.split_evenly((2, 3));
    spread(&panels[0], report)?;
    signature(&panels[1], report)?;
    depth(&panels[2], report)?;
    correlations(
        &panels[3],
        "Autocorrelation of mid changes over 1 s",
        "lag, s",
        &report.return_autocorrelation,
    )?;
    correlations(
        &panels[4],
        "Autocorrelation of market-order signs",
        "lag, market orders",
        &report.sign_autocorrelation,
    )?;
    impact(&panels[5], report)?;
    area.present()?;
    Ok(())
}

fn builder<'a, 'b>(area: &'a Area<'b>, title: &str) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(12).caption(title, ("sans-serif", 16)).x_label_area_size(42).y_label_area_size(62);
    builder
}

/// Whole numbers only.
fn whole(value: &f64) -> String {
    if (value - value.round()).abs() < 1e-6 { format!("{value:.0}") } else { String::new() }
}

/// As few digits as tell neighbouring labels apart.
fn short(value: &f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// With room for a legend above.
fn room_for_legend(range: Range<f64>) -> Range<f64> {
    range.start..range.end + 0.45 * (range.end - range.start)
}

/// From `low` to `high` with room around, never empty.
fn padded(low: f64, high: f64) -> Range<f64> {
    let room = ((high - low) * 0.08).max(1e-3);
    let below = if low < 0.0 { low - room } else { low };
    below..high + room
}

fn spread(area: &Area<'_>, report: &Report) -> Drawn {
    let mut covered = report.spread.empty_side_share;
    let mut shown = 1;
    for point in &report.spread.distribution {
        if covered >= SPREAD_SHARE {
            break;
        }
        covered += point.share;
        shown = point.ticks;
    }
    let points = || report.spread.distribution.iter().filter(|point| point.ticks <= shown);
    let top = points().map(|point| 100.0 * point.share).fold(0.0, f64::max);
    let title = report
        .spread
        .mean_ticks
        .map_or_else(|| "Spread".to_owned(), |mean| format!("Spread, mean {mean:.2} ticks"));
    let mut chart =
        builder(area, &title).build_cartesian_2d(0.4..shown.max(4) as f64 + 0.6, padded(0.0, top))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .axis_desc_style(("sans-serif", 13))
        .disable_x_mesh()
        .x_labels(10)
        .x_label_formatter(&whole)
        .y_label_formatter(&short)
        .x_desc("spread, ticks")
        .y_desc("% of the time")
        .draw()?;
    chart.draw_series(points().map(|point| {
        let ticks = point.ticks as f64;
        Rectangle::new([(ticks - 0.38, 0.0), (ticks + 0.38, 100.0 * point.share)], BLUE.filled())
    }))?;
    Ok(())
}

fn signature(area: &Area<'_>, report: &Report) -> Drawn {
    let points: Vec<(f64, f64)> = report
        .volatility_signature
        .iter()
        .filter_map(|point| Some((point.lag_seconds, point.variance_per_second?)))
        .collect();
    let top = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let longest = points.iter().map(|point| point.0).fold(1.0, f64::max);
    let mut chart = builder(area, "Volatility signature")
        .build_cartesian_2d((0.08..longest * 1.4).log_scale(), padded(0.0, top))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .axis_desc_style(("sans-serif", 13))
        .x_labels(6)
        .x_label_formatter(&short)
        .y_label_formatter(&short)
        .x_desc("lag, s")
        .y_desc("variance of mid changes, ticks²/s")
        .draw()?;
    chart.draw_series(LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)))?;
    chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, BLUE.filled())))?;
    Ok(())
}

fn depth(area: &Area<'_>, report: &Report) -> Drawn {
    let levels = report.depth_profile.len();
    let top = report
        .depth_profile
        .iter()
        .flat_map(|point| [point.bid_lots, point.ask_lots])
        .flatten()
        .fold(0.0, f64::max);
    let mut chart = builder(area, "Depth profile")
        .build_cartesian_2d(0.4..levels as f64 + 0.6, room_for_legend(padded(0.0, top)))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .axis_desc_style(("sans-serif", 13))
        .disable_x_mesh()
        .x_labels(12)
        .x_label_formatter(&whole)
        .y_label_formatter(&short)
        .x_desc("distance from the opposite best, ticks")
        .y_desc("visible lots")
        .draw()?;
    let sides: [(&str, RGBColor, f64, Vec<Option<f64>>); 2] = [
        ("bids", BLUE, -0.4, report.depth_profile.iter().map(|point| point.bid_lots).collect()),
        ("asks", ORANGE, 0.0, report.depth_profile.iter().map(|point| point.ask_lots).collect()),
    ];
    for (name, colour, left, lots) in sides {
        chart
            .draw_series((1..).zip(lots).filter_map(|(distance, lots)| {
                let left = f64::from(distance) + left;
                Some(Rectangle::new([(left, 0.0), (left + 0.4, lots?)], colour.filled()))
            }))?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 13))
        .draw()?;
    Ok(())
}

fn correlations(area: &Area<'_>, title: &str, unit: &str, of: &Correlations) -> Drawn {
    let band = of.white_noise_band.unwrap_or(0.0).min(1.0);
    let present = || of.values.iter().flatten().copied();
    let low = present().fold(-1.5 * band, f64::min).min(-0.02);
    let high = present().fold(1.5 * band, f64::max).max(0.02);
    let lags = of.values.len() as f64;
    let mut chart = builder(area, title).build_cartesian_2d(0.4..lags + 0.6, padded(low, high))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .axis_desc_style(("sans-serif", 13))
        .disable_x_mesh()
        .x_labels(10)
        .x_label_formatter(&whole)
        .y_label_formatter(&short)
        .x_desc(unit)
        .y_desc("correlation")
        .draw()?;
    chart.draw_series([Rectangle::new([(0.4, -band), (lags + 0.6, band)], BLACK.mix(0.08).filled())])?;
    chart.draw_series((1..).zip(&of.values).filter_map(|(lag, value)| {
        let lag = f64::from(lag);
        Some(Rectangle::new([(lag - 0.3, 0.0), (lag + 0.3, (*value)?)], BLUE.filled()))
    }))?;
    chart.draw_series([PathElement::new([(0.4, 0.0), (lags + 0.6, 0.0)], BLACK.stroke_width(1))])?;
    Ok(())
}

fn impact(area: &Area<'_>, report: &Report) -> Drawn {
    let times: Vec<f64> = report
        .impact
        .first()
        .map(|impact| impact.response.iter().map(|point| point.seconds).collect())
        .unwrap_or_default();
    let ends = || {
        report.impact.iter().flat_map(|impact| &impact.response).filter_map(|point| {
            let (mean, error) = (point.mean_ticks?, point.standard_error.unwrap_or(0.0));
            Some((mean - error, mean + error))
        })
    };
    let low = ends().map(|end| end.0).fold(0.0, f64::min);
    let high = ends().map(|end| end.1).fold(0.0, f64::max);
    let last = times.len().max(2) as f64 - 1.0;
    let range = room_for_legend(padded(low, high));
    let mut chart =
        builder(area, "Effect of a market order on the mid").build_cartesian_2d(-0.3..last + 0.3, range)?;
    let label = |place: &f64| {
        let near = place.round();
        let time = (near >= 0.0 && (place - near).abs() < 1e-6).then(|| times.get(near as usize)).flatten();
        time.map(short).unwrap_or_default()
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .axis_desc_style(("sans-serif", 13))
        .disable_x_mesh()
        .x_labels(10)
        .x_label_formatter(&label)
        .y_label_formatter(&short)
        .x_desc("seconds after the order (not to scale)")
        .y_desc("ticks in the order's direction")
        .draw()?;
    for (impact, colour) in report.impact.iter().zip([BLUE, ORANGE, GREEN, PURPLE].into_iter().cycle()) {
        let points: Vec<(f64, f64, f64)> = impact
            .response
            .iter()
            .enumerate()
            .filter_map(|(place, point)| {
                Some((place as f64, point.mean_ticks?, point.standard_error.unwrap_or(0.0)))
            })
            .collect();
        chart
            .draw_series(LineSeries::new(points.iter().map(|&(x, y, _)| (x, y)), colour.stroke_width(2)))?
            .label(if impact.lots == 1 { "1 lot".to_owned() } else { format!("{} lots", impact.lots) })
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(points.iter().map(|&(x, y, _)| Circle::new((x, y), 3, colour.filled())))?;
        chart.draw_series(points.iter().map(|&(x, y, error)| {
            PathElement::new([(x, y - error), (x, y + error)], colour.mix(0.6).stroke_width(1))
        }))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 13))
        .draw()?;
    Ok(())
}
