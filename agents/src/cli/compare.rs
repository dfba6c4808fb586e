//! `lobgym compare`: execution strategies over the same sessions.

use std::path::PathBuf;

use clap::Args;
use lob::Side;

use super::market_args::{MarketSource, preset_name};
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::baselines::StrategyParams;
use crate::compare::{self, AGAINST, NamedMarket, Origin, Plan, REFERENCE_LOTS, REFERENCE_MARKETS};
use crate::execution::Entrant;
use crate::report::{comparison_html, terminal_table};
use crate::sharing::one_a_core;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Markets that come with the program: noise, flow, strategic, hawkes, queue_reactive, flow_u_shape; or all (the
    /// reference's three)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', default_value = "noise", value_parser = market_name, conflicts_with = "config")]
    market: Vec<String>,
    #[command(flatten)]
    source: MarketSource,
    /// Lots of the parent order, or all (20 and 60)
    #[arg(long, value_name = "LOTS,...", value_delimiter = ',', default_value = "20")]
    lots: Vec<String>,
    /// Sell or buy
    #[arg(long, value_enum, default_value = "sell")]
    side: SideChoice,
    /// Sessions of each market; every strategy plays all of them
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    episodes: u64,
    /// Strategies, compared with twap where it is among them: sl, twap, twap-schedule, vwap, pov, ac, market, or
    /// policy:PATH, a trained policy's file or its run's directory
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        default_value = "sl,twap,twap-schedule,vwap,pov,ac,market"
    )]
    strategies: Vec<Entrant>,
    /// Seed of the sessions
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Worker threads; the results do not depend on it [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// Time to trade in, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 150.0)]
    horizon: f64,
    /// Time between decisions, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    step: f64,
    /// POV: share of all traded lots, between 0 and 1
    #[arg(long, value_name = "SHARE", default_value_t = StrategyParams::default().participation_rate)]
    participation: f64,
    /// Almgren-Chriss: risk aversion, per tick x lot
    #[arg(long, value_name = "LAMBDA", default_value_t = StrategyParams::default().almgren_chriss.risk_aversion)]
    risk_aversion: f64,
    /// Write the results as JSON (docs/cli.md); - is standard output, and the table then goes to standard
    /// error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
    /// Write a self-contained report
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SideChoice {
    /// Sell the parent order
    Sell,
    /// Buy it
    Buy,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let markets = markets(arguments)?;
    let plan = plan(arguments)?;
    let stop = Stop::on_ctrl_c()?;
    let command: Vec<String> = std::env::args().skip(1).collect();
    let origin = Origin {
        flow_file: arguments.source.flow.as_ref().map(|path| path.display().to_string()),
        command: format!("lobgym {}", command.join(" ")),
    };
    let bar = output::timed_progress(arguments.episodes * markets.len() as u64);
    let tell = |market: &str, done: usize| {
        if done == 0 {
            bar.set_message(format!("episodes, market {market}"));
        }
        bar.inc(done as u64);
    };
    let compared = compare::run(plan, &markets, origin, stop.flag(), &tell)?;
    bar.finish_and_clear();
    let comparison = &compared.comparison;
    output::report(&terminal_table(comparison), comparison, arguments.json.as_ref())?;
    for warning in compared.notes.iter().chain(&compare::warnings(comparison)) {
        eprintln!("warning: {warning}");
    }
    if let Some(path) = &arguments.html {
        output::write_file(path, &comparison_html(comparison, &compared.examples))?;
        eprintln!("report: {}", path.display());
    }
    if comparison.settings.interrupted { Err(Failure::Interrupted) } else { Ok(()) }
}

fn market_name(name: &str) -> Result<String, String> {
    if name == "all" { Ok(name.to_owned()) } else { preset_name(name).map_err(|legal| legal + ", all") }
}

fn markets(arguments: &Arguments) -> Result<Vec<NamedMarket>, Failure> {
    let mut names: Vec<String> = Vec::new();
    if let Some(name) = arguments.source.name() {
        names.push(name);
    } else {
        for name in &arguments.market {
            let chosen =
                if name == "all" { REFERENCE_MARKETS.map(String::from).to_vec() } else { vec![name.clone()] };
            names.extend(chosen.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
        }
    }
    names
        .into_iter()
        .map(|name| {
            let config = arguments.source.resolve(&name)?;
            let latency = config.latency.compile(arguments.source.directory())?;
            Ok(NamedMarket { name, config, latency })
        })
        .collect()
}

fn plan(arguments: &Arguments) -> Result<Plan, Failure> {
    let mut lots = Vec::new();
    for text in &arguments.lots {
        if text == "all" {
            lots.extend(REFERENCE_LOTS);
            continue;
        }
        match text.parse::<u64>() {
            Ok(size @ 1..=1_000_000) => lots.push(size),
            _ => {
                let legal = "whole numbers from 1 to 1000000, or all";
                return Err(Failure::Usage(format!("--lots is {text}; legal: {legal}")));
            }
        }
    }
    let mut params = StrategyParams { participation_rate: arguments.participation, ..Default::default() };
    params.almgren_chriss.risk_aversion = arguments.risk_aversion;
    params.validate().map_err(|error| Failure::Usage(error.to_string()))?;
    let plan = Plan {
        lots,
        side: match arguments.side {
            SideChoice::Sell => Side::Sell,
            SideChoice::Buy => Side::Buy,
        },
        episodes: arguments.episodes as usize,
        strategies: arguments.strategies.clone(),
        against: AGAINST,
        params,
        horizon_seconds: arguments.horizon,
        step_seconds: arguments.step,
        seed: arguments.seed,
        held_out: false,
        threads: arguments.threads.map_or_else(one_a_core, |threads| threads as usize),
        examples: arguments.html.is_some(),
    };
    // The options are called as the settings are, but for the unit.
    plan.tidy()
        .map_err(|error| Failure::Usage(format!("--{}", error.to_string().replace("_seconds is", " is"))))
}
