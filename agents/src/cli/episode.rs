//! `lobgym episode`: one episode of market making under quotes by rule or a trained policy, as a picture and in figures.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gym::config::{Task, one_of};
use gym::render::HeatMap;
use gym::{AnyEnv, Env, EnvConfig, Step};
use lob::ParameterError;
use serde::Serialize;
use serde_json::{Map, Value};

use super::env_args::EnvSource;
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::evaluation::{EvaluateError, show};
use crate::market_making::{
    AvellanedaStoikov, FillModelPlan, FixedOffsets, Played, Quoter, QuotingSession, RandomOffsets,
    estimate_fill_model, picture,
};
use crate::policy::PolicyReference;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// An environment or a configuration that comes with the program [default: a trained policy's, or avellaneda_stoikov]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    env: Option<String>,
    #[command(flatten)]
    source: EnvSource,
    /// Who quotes: avellaneda-stoikov, symmetric (its average spread around the mid), fixed (always --offset ticks from the mid), random
    /// (distances drawn anew at each decision), or policy:RUN, a run of `lobgym train` or its policy file
    #[arg(long, value_name = "NAME", value_parser = who, default_value = "avellaneda-stoikov")]
    policy: Who,
    /// Seed of the episode, and of a policy that draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Lots on each side [default: the most that the environment takes]
    #[arg(long, value_name = "LOTS")]
    lots: Option<u64>,
    /// Risk aversion of avellaneda-stoikov and symmetric, 1 / (ticks x lots) [default: 0.1 in the model, the paper's; 0.01 in a book,
    /// whose episodes are longer: the spread grows with gamma x sigma^2 x time left]
    #[arg(long)]
    gamma: Option<f64>,
    /// Volatility that they assume, ticks in a second [default: the model's, or fitted to the market's flow]
    #[arg(long)]
    sigma: Option<f64>,
    /// Decay of the fills that they assume, 1 / ticks [default: the model's, or fitted to the market's flow]
    #[arg(long, value_name = "K")]
    decay: Option<f64>,
    /// Distance from the mid of policy fixed, ticks
    #[arg(long, value_name = "TICKS", default_value_t = 1.0)]
    offset: f64,
    /// Write the picture
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Size of the picture in pixels
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1200x800", value_parser = size)]
    size: (usize, usize),
    /// Write the figures as JSON (docs/cli.md); - is standard output, and the table then goes to standard
    /// error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
}

/// Quoting by rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyName {
    /// Around a price that leans against the inventory (Avellaneda & Stoikov 2008)
    AvellanedaStoikov,
    /// The average spread of the former, around the mid
    Symmetric,
    /// Always --offset ticks from the mid
    Fixed,
    /// Distances drawn anew at each decision
    Random,
}

/// Who quotes.
#[derive(Clone, Debug)]
enum Who {
    Rule(PolicyName),
    Trained(PolicyReference),
}

fn who(text: &str) -> Result<Who, String> {
    if PolicyReference::is_meant(text) {
        return text.parse().map(Who::Trained).map_err(|error: ParameterError| error.to_string());
    }
    PolicyName::from_str(text, false).map(Who::Rule).map_err(|_| {
        let names: Vec<_> = PolicyName::value_variants()
            .iter()
            .filter_map(PolicyName::to_possible_value)
            .map(|value| value.get_name().to_owned())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).chain(["policy:RUN"]).collect();
        format!("legal: {}", one_of(&names, text))
    })
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let sides =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    let legal = HeatMap::MIN_SIZE..=HeatMap::MAX_SIZE;
    match sides {
        Some((width, height)) if legal.contains(&width) && legal.contains(&height) => Ok((width, height)),
        _ => Err(format!("legal: WIDTHxHEIGHT, each from {} to {}", HeatMap::MIN_SIZE, HeatMap::MAX_SIZE)),
    }
}

#[derive(Debug, Serialize)]
struct Report {
    env: &'static str,
    policy: String,
    seed: u64,
    steps: u64,
    reward: f64,
    mean_abs_inventory: f64,
    max_abs_inventory: f64,
    infos: Map<String, Value>,
    settings: Map<String, Value>,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let trained = match &arguments.policy {
        Who::Trained(reference) => Some(reference),
        Who::Rule(_) => None,
    };
    let config = arguments.source.resolve_for(arguments.env.as_deref(), trained, "avellaneda_stoikov")?;
    let stop = Stop::on_ctrl_c()?;
    let (width, height) = arguments.size;
    let mut map = HeatMap::new(width, height);
    let watch = |env: &AnyEnv, _: Option<&Step>| {
        // Scenes are made to be looked at, and cost more than a step.
        if arguments.png.is_some() {
            map.push(&env.scene());
        }
    };
    let (played, policy) = match &arguments.policy {
        Who::Rule(name) => {
            let mut session = QuotingSession::new(&config)?;
            let (mut quoter, policy) = quoter(*name, arguments, &config, &mut session)?;
            (session.play(arguments.seed, &mut quoter, watch)?, policy)
        }
        Who::Trained(reference) => show(&config, reference, arguments.seed, watch)
            .map(|(played, description)| (played, format!("{reference}, {description}")))
            .map_err(EvaluateError::from)?,
    };
    if stop.requested() {
        return Err(Failure::Abandoned);
    }
    if let Some(path) = &arguments.png {
        output::write_bytes(path, &picture(&mut map)?)?;
    }
    let infos = played.infos.iter().map(|&(name, value)| (name.to_owned(), value.into()));
    let report = Report {
        env: config.name(),
        policy,
        seed: arguments.seed,
        steps: played.steps,
        reward: played.reward,
        mean_abs_inventory: played.mean_abs_inventory,
        max_abs_inventory: played.max_abs_inventory,
        infos: infos.collect(),
        settings: config.to_map(),
    };
    output::report(&render(&report, &played), &report, arguments.json.as_ref())
}

/// The strategy, and how it is described.
fn quoter(
    name: PolicyName,
    arguments: &Arguments,
    config: &EnvConfig,
    session: &mut QuotingSession,
) -> Result<(Box<dyn Quoter>, String), Failure> {
    let codec = session.codec();
    let lots = arguments.lots.unwrap_or(codec.max_lots);
    Ok(match name {
        PolicyName::Fixed => {
            let quoter = FixedOffsets { offset: [arguments.offset; 2], lots };
            (Box::new(quoter), format!("fixed, {} ticks from the mid, {lots} lots", arguments.offset))
        }
        PolicyName::Random => {
            let (low, high) = (codec.min_offset, codec.max_offset);
            let quoter = RandomOffsets::new(low, high, lots);
            (Box::new(quoter), format!("random, {low} to {high} ticks from the mid, {lots} lots"))
        }
        PolicyName::AvellanedaStoikov | PolicyName::Symmetric => {
            let (sigma, decay) = model(arguments, config)?;
            let gamma = arguments.gamma.unwrap_or(match config.task {
                Task::ModelMarketMaking(_) => 0.1,
                _ => 0.01,
            });
            let quoter = AvellanedaStoikov::new(gamma, sigma, decay, lots)?;
            let with = format!("gamma {gamma}, sigma {sigma:.4}, k {decay:.4}, {lots} lots");
            if name == PolicyName::Symmetric {
                (Box::new(quoter.symmetric(session.horizon()?)), format!("symmetric, {with}"))
            } else {
                (Box::new(quoter), format!("avellaneda-stoikov, {with}"))
            }
        }
    })
}

/// Volatility and decay: as asked, as the model has them, or as fitted to the market's flow.
fn model(arguments: &Arguments, config: &EnvConfig) -> Result<(f64, f64), Failure> {
    if let (Some(sigma), Some(decay)) = (arguments.sigma, arguments.decay) {
        return Ok((sigma, decay));
    }
    let (sigma, decay) = match &config.task {
        Task::ModelMarketMaking(model) => (model.volatility, model.decay),
        _ => {
            let spinner = output::spinner("fitting the fill model to the market".to_owned());
            let market = config.market.resolve(&config.directory)?;
            let model = estimate_fill_model(&market.flow, &FillModelPlan::default())?;
            spinner.finish_and_clear();
            (model.volatility, model.decay)
        }
    };
    Ok((arguments.sigma.unwrap_or(sigma), arguments.decay.unwrap_or(decay)))
}

fn render(report: &Report, played: &Played) -> String {
    let row = |name: &str, value: f64| vec![name.to_owned(), format!("{value:.4}")];
    let mut rows = vec![row("reward", played.reward)];
    // Where an episode stands at its end: profit and its parts, cash, lots bought and sold.
    rows.extend(played.infos.iter().map(|&(name, value)| row(name, value)));
    rows.push(row("mean |inventory|", played.mean_abs_inventory));
    rows.push(row("greatest |inventory|", played.max_abs_inventory));
    let traded = played.info("bought") + played.info("sold");
    if traded > 0.0 {
        rows.push(row("spread captured, ticks a lot", played.info("spread_profit") / traded));
    }
    let table = output::table(&["figure", "at the end"], 1, rows);
    format!("{}, seed {}, {} decisions\n{}\n{table}", report.env, report.seed, report.steps, report.policy)
}
