//! `lobgym calibrate-impact`: what meta-orders cost in a market, and the impact models that say so.

use std::path::PathBuf;

use clap::Args;

use super::market_args::MarketArgs;
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::impact::{self, Calibration, Family, Settings};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    market: MarketArgs,
    /// Sizes of the meta-orders, in lots
    #[arg(long, value_name = "LOTS,...", value_delimiter = ',', default_values_t = [5, 10, 20, 40, 80])]
    sizes: Vec<u64>,
    /// Their rates, in lots a second: one-lot market orders at even intervals
    #[arg(long, value_name = "RATE,...", value_delimiter = ',', default_values_t = [0.25, 0.5, 1.0, 2.0])]
    rates: Vec<f64>,
    /// Sessions that each meta-order is sent through; as many fresh ones test the fit
    #[arg(long, default_value_t = 1_000)]
    sessions: usize,
    /// When meta-orders begin, s
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    warm_up: f64,
    /// Over which time the market's volatility is measured, s
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    volatility_lag: f64,
    /// The family to choose [default: the one with the least error on the meta-orders it is fitted to]
    #[arg(long, value_name = "NAME", value_parser = family)]
    model: Option<Family>,
    /// Seed of the sessions
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Worker threads; the results do not depend on them [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// Write the chosen model, for environments (docs/impact.md)
    #[arg(long, value_name = "FILE.yaml")]
    out: Option<PathBuf>,
    /// Write everything as JSON (docs/impact.md); - is standard output, and the tables then go to standard error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
    /// Draw cost against size and the relaxation, with the fits
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn family(name: &str) -> Result<Family, String> {
    let found = Family::ALL.into_iter().find(|family| family.name() == name);
    found.ok_or_else(|| format!("no such model; legal: {}", Family::ALL.map(Family::name).join(", ")))
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings(arguments)?;
    let market = arguments.market.resolve()?;
    let latency = market.latency.compile(arguments.market.directory())?;
    let stop = Stop::on_ctrl_c()?;
    let bar = output::timed_progress(2 * settings.sessions as u64);
    bar.set_message("sessions");
    let name = arguments.market.name();
    let progress = |sessions: usize| bar.inc(sessions as u64);
    let calibration =
        impact::calibrate(&name, &market.flow, &latency, &settings, arguments.model, stop.flag(), &progress);
    bar.finish_and_clear();
    let calibration = calibration?;
    // Everything is ready before anything is written.
    let yaml = yaml(&calibration, &arguments.market.spelled(), &settings)?;
    let drawing = arguments.svg.as_ref().map(|path| Ok::<_, Failure>((path, impact::draw(&calibration)?)));
    let drawing = drawing.transpose()?;
    if stop.requested() {
        return Err(Failure::Abandoned);
    }
    if let Some(path) = &arguments.out {
        output::write_file(path, &yaml)?;
    }
    if let Some((path, svg)) = drawing {
        output::write_file(path, &svg)?;
    }
    output::report(&render(&calibration), &calibration, arguments.json.as_ref())
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let (mut sizes, mut rates) = (arguments.sizes.clone(), arguments.rates.clone());
    sizes.sort_unstable();
    sizes.dedup();
    rates.sort_unstable_by(f64::total_cmp);
    rates.dedup();
    let settings = Settings {
        sizes,
        rates,
        warm_up_seconds: arguments.warm_up,
        volatility_lag_seconds: arguments.volatility_lag,
        sessions: arguments.sessions,
        seed: arguments.seed,
        threads: arguments.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            |threads| threads as usize,
        ),
        ..Settings::default()
    };
    settings.validate_for_fit().map_err(|error| {
        let text = error.to_string();
        let (option, rest) = text.split_once(' ').unwrap_or((&text, ""));
        Failure::Usage(format!("--{} {rest}", option.replace('_', "-")))
    })?;
    Ok(settings)
}

/// The chosen model, with where it comes from.
fn yaml(calibration: &Calibration, market: &str, settings: &Settings) -> Result<String, Failure> {
    let best = calibration.best();
    let conditions = &calibration.conditions;
    let list = |values: Vec<String>| values.join(",");
    let mut text = format!(
        "# Impact measured in the market {}, fitted to meta-orders and tested on fresh ones. Written by lobgym {}:\n\
         #   lobgym calibrate-impact {market} --sizes {} --rates {} --sessions {} --warm-up {} --volatility-lag {} --model {} --seed {}\n\
         # Costs are fractions of the price, times are seconds (docs/impact.md).\n\
         # The market without meta-orders: mid {:.2} ticks, volatility {:.4e} of the price in a second (over {} s), {:.4} lots a second.\n\
         # Fresh meta-orders: costs within {:.3} ticks a lot (root mean square), displacements within {:.3} ticks.\n",
        calibration.market,
        env!("CARGO_PKG_VERSION"),
        list(settings.sizes.iter().map(u64::to_string).collect()),
        list(settings.rates.iter().map(f64::to_string).collect()),
        settings.sessions,
        settings.warm_up_seconds,
        settings.volatility_lag_seconds,
        best.family,
        settings.seed,
        conditions.price(),
        conditions.volatility(),
        calibration.volatility_lag_seconds,
        conditions.volume(),
        best.fresh_cost_rms,
        best.fresh_displacement_rms,
    );
    for parameter in &best.parameters {
        let (value, error) = (parameter.value, parameter.standard_error);
        text += &match error.is_nan() {
            true => format!("# {} = {value:.4e}\n", parameter.name),
            false => format!("# {} = {value:.4e} +- {error:.1e} (standard error)\n", parameter.name),
        };
    }
    Ok(text + best.config.to_yaml().map_err(impact::CalibrationError::from)?.trim_end() + "\n")
}

fn render(calibration: &Calibration) -> String {
    let conditions = &calibration.conditions;
    let mut text = format!(
        "market {}: mid {:.2} ticks, volatility {:.4e} of the price in a second (over {} s), {:.4} lots a second; {} sessions, seed {}\n\n",
        calibration.market,
        conditions.price(),
        conditions.volatility(),
        calibration.volatility_lag_seconds,
        conditions.volume(),
        calibration.sessions,
        calibration.seed
    );
    let header = [
        "lots",
        "lots/s",
        "cost, ticks a lot",
        "model",
        "mid at the end, ticks",
        "model",
        "at the last look",
        "model",
    ];
    for (title, cells) in [
        ("Fitted meta-orders", &calibration.cells),
        ("Fresh meta-orders: other sizes, rates and sessions", &calibration.fresh),
    ] {
        let rows = cells.iter().map(|cell| {
            let mut row = vec![
                cell.lots.to_string(),
                format!("{:.3}", cell.rate),
                format!("{:.3} +- {:.3}", cell.cost_ticks, cell.cost_se),
                format!("{:.3}", cell.cost_model),
            ];
            for look in cell.relaxation.first().into_iter().chain(cell.relaxation.last()) {
                row.push(format!("{:.3} +- {:.3}", look.ticks, look.standard_error));
                row.push(format!("{:.3}", look.model));
            }
            row
        });
        text += &format!(
            "{title} (+- standard error; model: {})\n{}\n",
            calibration.chosen,
            output::table(&header, 0, rows.collect())
        );
    }
    let rows = calibration.fits.iter().map(|fit| {
        let parameters = fit.parameters.iter();
        let parameters = parameters.map(|of| match of.standard_error.is_nan() {
            true => format!("{} {:.3e} (at its bound)", of.name, of.value),
            false => format!("{} {:.3e} +- {:.0e}", of.name, of.value, of.standard_error),
        });
        let parameters = parameters.collect::<Vec<_>>();
        vec![
            fit.family.to_owned(),
            parameters.join(", "),
            format!("{:.2}", fit.objective),
            format!("{:.2}", fit.fresh_objective),
            format!("{:.3}", fit.fresh_cost_rms),
            format!("{:.1}%", 100.0 * fit.fresh_cost_worst),
            format!("{:.3}", fit.fresh_displacement_rms),
        ]
    });
    let header = [
        "model",
        "parameters",
        "error",
        "fresh error",
        "fresh cost rms, ticks",
        "worst",
        "fresh mid rms, ticks",
    ];
    text += &format!("Models, best first\n{}", output::table(&header, 2, rows.collect()));
    text
}
