//! `lobgym compare`: execution strategies over the same sessions.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use lob::Side;
use lob::flow::MarketConfig;

use super::market_args::{MarketSource, preset_name};
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::baselines::{StrategyFactory, StrategyName, StrategyParams};
use crate::evaluate::Comparison as Run;
use crate::execution::{Arena, Episode, Task};
use crate::report::{Comparison, EpisodePicture, Example, Settings, comparison_html, terminal_table};

use lob::sim::{Latency, derive_seed};

/// The markets and sizes of the published table.
const REFERENCE_MARKETS: [&str; 3] = ["noise", "flow", "strategic"];
const REFERENCE_LOTS: [u64; 2] = [20, 60];
/// The most decisions an episode may ask for.
const MOST_STEPS: f64 = 1e5;
/// Time between two points of the example episode's picture, in seconds.
const PICTURE_STEP: f64 = 0.5;

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
    /// Strategies, compared with twap where it is among them
    #[arg(
        long,
        value_name = "NAME,...",
        value_delimiter = ',',
        value_enum,
        default_value = "sl,twap,twap-schedule,vwap,pov,ac,market"
    )]
    strategies: Vec<StrategyName>,
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
    let tasks = tasks(arguments)?;
    let mut strategies: Vec<StrategyName> = Vec::new();
    for &name in &arguments.strategies {
        if !strategies.contains(&name) {
            strategies.push(name);
        }
    }
    let mut params = StrategyParams { participation_rate: arguments.participation, ..Default::default() };
    params.almgren_chriss.risk_aversion = arguments.risk_aversion;
    params.validate().map_err(|error| Failure::Usage(error.to_string()))?;
    let threads = arguments.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |threads| threads as usize,
    );
    let stop = Stop::on_ctrl_c()?;
    let started = Instant::now();
    let episodes = arguments.episodes as usize;
    let progress = output::timed_progress(arguments.episodes * markets.len() as u64);
    let (mut cells, mut examples) = (Vec::new(), Vec::new());
    for (name, market, latency) in &markets {
        if stop.requested() {
            break;
        }
        progress.set_message(format!("episodes, market {name}"));
        let factory = StrategyFactory::new(
            &market.flow,
            params,
            arguments.step,
            strategies.contains(&StrategyName::Ac),
        )?;
        let run = Run {
            name,
            market,
            latency,
            tasks: &tasks,
            strategies: &strategies,
            factory: &factory,
            episodes,
            seed: arguments.seed,
            threads,
        };
        let outcomes = run.run(stop.flag(), &|done| progress.inc(done as u64))?;
        if outcomes.episodes() == 0 {
            break;
        }
        cells.extend(run.summarise(&outcomes));
        if arguments.html.is_some() {
            examples.extend(draw(&run)?);
        }
    }
    progress.finish_and_clear();
    let interrupted = stop.requested();
    let comparison = Comparison {
        cells,
        seconds: started.elapsed().as_secs_f64(),
        settings: settings(arguments, &markets, &strategies, threads, interrupted),
    };
    output::report(&terminal_table(&comparison), &comparison, arguments.json.as_ref())?;
    warn_of_unfilled(&comparison);
    if let Some(path) = &arguments.html {
        output::write_file(path, &comparison_html(&comparison, &examples))?;
        eprintln!("report: {}", path.display());
    }
    if interrupted { Err(Failure::Interrupted) } else { Ok(()) }
}

/// A parent order that the market could not take makes costs look small: the rest counts at the final mid.
fn warn_of_unfilled(comparison: &Comparison) {
    for cell in &comparison.cells {
        for strategy in &cell.strategies {
            let filled = strategy.fill_rate_passive + strategy.fill_rate_aggressive;
            if filled < 0.999 {
                eprintln!(
                    "warning: {}, {} lots, {}: only {:.1}% of the parent order found a counterparty; the rest counts at the final mid",
                    cell.market,
                    cell.lots,
                    strategy.name,
                    100.0 * filled
                );
            }
        }
    }
}

type NamedMarket = (String, MarketConfig, Latency);

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
            let market = arguments.source.resolve(&name)?;
            let latency = market.latency.compile(arguments.source.directory())?;
            Ok((name, market, latency))
        })
        .collect()
}

fn tasks(arguments: &Arguments) -> Result<Vec<Task>, Failure> {
    let usage = |key: &str, value: &dyn std::fmt::Display, legal: &str| {
        Err(Failure::Usage(format!("--{key} is {value}; legal: {legal}")))
    };
    for (key, seconds) in [("horizon", arguments.horizon), ("step", arguments.step)] {
        if !(seconds > 0.0 && seconds <= 1e6) {
            return usage(key, &seconds, "above 0 and at most 1000000 seconds");
        }
    }
    if arguments.step > arguments.horizon {
        return usage("step", &arguments.step, "at most the horizon");
    }
    if arguments.horizon / arguments.step > MOST_STEPS {
        return usage("step", &arguments.step, "at least a hundred-thousandth of the horizon");
    }
    let mut sizes = Vec::new();
    for text in &arguments.lots {
        if text == "all" {
            sizes.extend(REFERENCE_LOTS);
            continue;
        }
        match text.parse::<u64>() {
            Ok(lots @ 1..=1_000_000) => sizes.push(lots),
            _ => return usage("lots", text, "whole numbers from 1 to 1000000, or all"),
        }
    }
    sizes.sort_unstable();
    sizes.dedup();
    let side = match arguments.side {
        SideChoice::Sell => Side::Sell,
        SideChoice::Buy => Side::Buy,
    };
    let task = |lots| Task { side, lots, horizon_seconds: arguments.horizon, step_seconds: arguments.step };
    Ok(sizes.into_iter().map(task).collect())
}

/// One example episode a task: the first session, under twap if it takes part, else under the first strategy.
fn draw(run: &Run<'_>) -> Result<Vec<Example>, Failure> {
    let strategy = run.strategies.iter().copied().find(|&name| name == StrategyName::Twap);
    let Some(strategy) = strategy.or_else(|| run.strategies.first().copied()) else { return Ok(Vec::new()) };
    let seed = derive_seed(run.seed, 0);
    let mut arena = Arena::new(&run.market.flow, run.market.fees, run.latency.clone())?;
    let mut examples = Vec::new();
    for task in run.tasks {
        let mut player = run.factory.make(strategy)?;
        let episode = arena.example(task, player.as_mut(), seed, PICTURE_STEP)?;
        examples.push(Example {
            market: run.name.to_owned(),
            lots: task.lots,
            strategy: strategy.name().to_owned(),
            seed,
            episode: picture(&episode),
        });
    }
    Ok(examples)
}

fn picture(episode: &Episode) -> EpisodePicture {
    EpisodePicture {
        steps: episode.steps.iter().map(|step| (step.time, step.bid, step.ask, step.remaining)).collect(),
        fills: episode.fills.iter().map(|fill| (fill.time, fill.price, fill.lots, fill.maker)).collect(),
    }
}

fn settings(
    arguments: &Arguments,
    markets: &[NamedMarket],
    strategies: &[StrategyName],
    threads: usize,
    interrupted: bool,
) -> Settings {
    let each = |of: &dyn Fn(&MarketConfig) -> String| {
        let mut texts: Vec<String> = markets.iter().map(|(_, market, _)| of(market)).collect();
        texts.dedup();
        texts.join("; ")
    };
    let command: Vec<String> = std::env::args().skip(1).collect();
    Settings {
        seed: arguments.seed,
        episodes: arguments.episodes as usize,
        threads,
        side: match arguments.side {
            SideChoice::Sell => "sell".to_owned(),
            SideChoice::Buy => "buy".to_owned(),
        },
        horizon_seconds: arguments.horizon,
        step_seconds: arguments.step,
        flow_file: arguments.source.flow.as_ref().map(|path| path.display().to_string()),
        fees: each(&|market| serde_json::to_string(&market.fees).unwrap_or_default()),
        latency: each(&|market| serde_json::to_string(&market.latency).unwrap_or_default()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        strategies: strategies.iter().map(|name| name.name().to_owned()).collect(),
        command: format!("lobgym {}", command.join(" ")),
        interrupted,
    }
}
