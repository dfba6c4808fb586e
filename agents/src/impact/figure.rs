//! The figure: cost against size and the relaxation afterwards, by rate and by model.

use std::error::Error;

use lob::models::{ImpactModel, MetaOrder};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::CalibrationError;
use super::report::{Calibration, CellReport, FitReport};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

// Okabe and Ito's colours, told apart by all kinds of eyes.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
    RGBColor(128, 64, 0),
];
const SIZE: (u32, u32) = (1180, 860);
const STEPS: usize = 120;

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// Draws a calibration, as SVG: measured points with two standard errors each way, fits as lines.
///
/// # Errors
/// [`CalibrationError::Plot`].
pub fn draw(calibration: &Calibration) -> Result<String, CalibrationError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        panels(&area, calibration).map_err(|error| CalibrationError::Plot(error.to_string()))?;
    }
    Ok(svg)
}

/// A line of a panel: its name, its colour and what it says.
struct Line<'a> {
    name: String,
    colour: RGBColor,
    /// Of the measured points, which belong to no model where there are several.
    ink: RGBColor,
    points: Vec<&'a CellReport>,
    fit: &'a FitReport,
    rate: f64,
}

fn panels(area: &Area<'_>, calibration: &Calibration) -> Drawn {
    area.fill(&WHITE)?;
    let title = format!(
        "Market {}: impact of meta-orders, {} sessions, seed {}",
        calibration.market, calibration.sessions, calibration.seed
    );
    let (head, body) = area.split_vertically(40);
    head.draw(&Text::new(title, (16, 14), ("sans-serif", 20).into_font()))?;
    let mut rates: Vec<f64> = calibration.cells.iter().map(|cell| cell.rate).collect();
    rates.dedup();
    let of_rate = |rate: f64| calibration.cells.iter().filter(|cell| cell.rate == rate).collect::<Vec<_>>();
    let best = calibration.best();
    let by_rate: Vec<Line<'_>> = (rates.iter().enumerate())
        .map(|(index, &rate)| Line {
            name: format!("{rate} lots/s"),
            colour: colour(index),
            ink: colour(index),
            points: of_rate(rate),
            fit: best,
            rate,
        })
        .collect();
    let middle = rates[rates.len() / 2];
    let by_model: Vec<Line<'_>> = (calibration.fits.iter().enumerate())
        .map(|(index, fit)| Line {
            name: fit.family.replace('_', " "),
            colour: colour(index),
            ink: BLACK,
            points: if index == 0 { of_rate(middle) } else { Vec::new() },
            fit,
            rate: middle,
        })
        .collect();
    let panels = body.split_evenly((2, 2));
    let model = best.family.replace('_', " ");
    costs(&panels[0], calibration, &format!("Cost by size, lines: {model}"), &by_rate)?;
    relaxation(&panels[1], calibration, &format!("Relaxation of the largest, lines: {model}"), &by_rate)?;
    costs(&panels[2], calibration, &format!("Cost by size at {middle} lots/s, all models"), &by_model)?;
    relaxation(&panels[3], calibration, &format!("Relaxation at {middle} lots/s, all models"), &by_model)?;
    area.present()?;
    Ok(())
}

fn builder<'a, 'b>(area: &'a Area<'b>, title: &str) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(12).caption(title, ("sans-serif", 16)).x_label_area_size(42).y_label_area_size(58);
    builder
}

/// Room above the lines for their legend, as a factor.
fn headroom(lines: &[Line<'_>]) -> f64 {
    1.08 + 0.07 * lines.len() as f64
}

/// As few digits as a label needs.
fn short(value: &f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Draws points with their error bars: two standard errors each way.
macro_rules! points {
    ($chart:expr, $points:expr, $colour:expr) => {
        $chart.draw_series($points.map(|(x, mean, error): (f64, f64, f64)| {
            PathElement::new([(x, mean - 2.0 * error), (x, mean + 2.0 * error)], $colour.stroke_width(1))
        }))?;
        $chart.draw_series($points.map(|(x, mean, _)| Circle::new((x, mean), 3, $colour.filled())))?;
    };
}

macro_rules! legend {
    ($chart:expr, $position:expr) => {
        $chart
            .configure_series_labels()
            .position($position)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 13))
            .draw()?
    };
}

fn costs(area: &Area<'_>, calibration: &Calibration, title: &str, lines: &[Line<'_>]) -> Drawn {
    let sizes = || calibration.cells.iter().map(|cell| cell.lots as f64);
    let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    let conditions = &calibration.conditions;
    let mut curves = Vec::new();
    for line in lines {
        let model = line.fit.config.model()?;
        let mut curve = Vec::with_capacity(STEPS + 1);
        for step in 0..=STEPS {
            let lots = least * (most / least).powf(step as f64 / STEPS as f64);
            let cost = model.cost(&MetaOrder::new(lots, lots / line.rate)?, conditions);
            curve.push((lots, conditions.ticks(cost.fraction())));
        }
        curves.push(curve);
    }
    let measured =
        lines.iter().flat_map(|line| &line.points).map(|cell| cell.cost_ticks + 2.0 * cell.cost_se);
    let top = curves.iter().flatten().map(|point| point.1).chain(measured).fold(0.1, f64::max);
    let mut chart = builder(area, title)
        .build_cartesian_2d((least * 0.85..most * 1.18).log_scale(), 0.0..top * headroom(lines))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .axis_desc_style(("sans-serif", 13))
        .x_label_formatter(&short)
        .y_label_formatter(&short)
        .x_desc("size, lots")
        .y_desc("cost, ticks a lot")
        .draw()?;
    for (line, curve) in lines.iter().zip(curves) {
        let colour = line.colour;
        chart
            .draw_series(LineSeries::new(curve, colour.stroke_width(2)))?
            .label(line.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    for line in lines {
        let points = line.points.iter().map(|cell| (cell.lots as f64, cell.cost_ticks, cell.cost_se));
        points!(chart, points.clone(), line.ink);
    }
    legend!(chart, SeriesLabelPosition::UpperLeft);
    Ok(())
}

fn relaxation(area: &Area<'_>, calibration: &Calibration, title: &str, lines: &[Line<'_>]) -> Drawn {
    let Some(largest) = calibration.cells.iter().map(|cell| cell.lots).max() else { return Ok(()) };
    let longest = calibration.cells[0].relaxation.last().map_or(1.0, |look| look.seconds.max(1.0));
    let conditions = &calibration.conditions;
    // 1 s more than the time since the end: the end itself has a place on a logarithmic axis.
    let mut curves = Vec::new();
    for line in lines {
        let mut model = line.fit.config.model()?;
        model.trade(&MetaOrder::new(largest as f64, largest as f64 / line.rate)?, conditions);
        let at = |step: usize| (1.0 + longest).powf(step as f64 / STEPS as f64);
        let curve: Vec<(f64, f64)> = (0..=STEPS)
            .map(|step| (at(step), conditions.ticks(model.displacement_after(at(step) - 1.0))))
            .collect();
        curves.push(curve);
    }
    let looks = |line: &Line<'_>| {
        let cell = line.points.iter().find(|cell| cell.lots == largest);
        cell.map(|cell| cell.relaxation.clone()).unwrap_or_default()
    };
    let measured = lines
        .iter()
        .flat_map(looks)
        .flat_map(|look| [look.ticks - 2.0 * look.standard_error, look.ticks + 2.0 * look.standard_error]);
    let (low, high) = curves
        .iter()
        .flatten()
        .map(|point| point.1)
        .chain(measured)
        .fold((0.0_f64, 0.1_f64), |(low, high), value| (low.min(value), high.max(value)));
    let mut chart = builder(area, title)
        .build_cartesian_2d((0.93..(1.0 + longest) * 1.08).log_scale(), low * 1.1..high * headroom(lines))?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .axis_desc_style(("sans-serif", 13))
        .x_label_formatter(&short)
        .y_label_formatter(&short)
        .x_desc(format!("1 + seconds since the end of {largest} lots"))
        .y_desc("displacement of the mid, ticks")
        .draw()?;
    for (line, curve) in lines.iter().zip(curves) {
        let colour = line.colour;
        chart
            .draw_series(LineSeries::new(curve, colour.stroke_width(2)))?
            .label(line.name.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    for line in lines {
        let looks = looks(line);
        let points = looks.iter().map(|look| (1.0 + look.seconds, look.ticks, look.standard_error));
        points!(chart, points.clone(), line.ink);
    }
    legend!(chart, SeriesLabelPosition::UpperRight);
    Ok(())
}
