//! Plots, as SVG.

use std::error::Error;

use lobgym_benches::report::{GrowthPoint, GrowthReport};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::Failure;

/// Nanoseconds a message over live orders, one line an engine, with the range of its runs.
pub(super) fn growth(report: &GrowthReport) -> Result<String, Failure> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (760, 440)).into_drawing_area();
        draw(&area, report).map_err(|error| Failure::Plot(error.to_string()))?;
    }
    Ok(svg)
}

fn draw(area: &DrawingArea<SVGBackend<'_>, Shift>, report: &GrowthReport) -> Result<(), Box<dyn Error>> {
    // Okabe and Ito's colours, told apart by all kinds of eyes.
    let colours = [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115)];
    let mut names: Vec<String> = Vec::new();
    for point in &report.results {
        if !names.contains(&name(point)) {
            names.push(name(point));
        }
    }
    let least = report.results.iter().map(|point| point.live_orders).min().unwrap_or(1) as f64;
    let most = report.results.iter().map(|point| point.live_orders).max().unwrap_or(1) as f64;
    let top = report.results.iter().map(|point| point.ns_per_message.max).fold(1.0, f64::max);
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption("Time a message as the book grows", ("sans-serif", 18))
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d((least * 0.7..most * 1.5).log_scale(), 0.0..top * 1.15)?;
    chart
        .configure_mesh()
        .x_desc("live orders")
        .y_desc("nanoseconds")
        .x_label_formatter(&|value| format!("{value:.0}"))
        .draw()?;
    for (name_of, &colour) in names.iter().zip(colours.iter().cycle()) {
        let points: Vec<&GrowthPoint> =
            report.results.iter().filter(|point| name(point) == *name_of).collect();
        let medians = points.iter().map(|point| (point.live_orders as f64, point.ns_per_message.median));
        chart
            .draw_series(LineSeries::new(medians.clone(), colour.stroke_width(2)))?
            .label(name_of.as_str())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(medians.map(|point| Circle::new(point, 3, colour.filled())))?;
        chart.draw_series(points.iter().map(|point| {
            let (x, time) = (point.live_orders as f64, &point.ns_per_message);
            PathElement::new([(x, time.min), (x, time.max)], colour.mix(0.5).stroke_width(1))
        }))?;
    }
    if !names.is_empty() {
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
    }
    area.present()?;
    Ok(())
}

fn name(point: &GrowthPoint) -> String {
    if point.engine == "yardstick" {
        point.engine.clone()
    } else {
        format!("{}, {}", point.engine, point.mode)
    }
}
