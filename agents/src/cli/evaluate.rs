//! `lobgym evaluate`: market-making policies over the same sessions.

use std::path::PathBuf;

use clap::Args;
use gym::EnvConfig;
use serde::Serialize;
use serde_json::{Map, Value};

use super::env_args::EnvSource;
use super::output::{self, JsonTarget};
use super::{Failure, Stop};
use crate::evaluation::{
    self, Candidate, Entrant, Evaluation, PairedPolicies, Plan, Setting, Summary, TRADING_SECONDS_PER_YEAR,
    session_seed,
};
use crate::market_making::{FillModel, FillModelPlan, estimate_fill_model};
use crate::policy::PolicyReference;
use crate::report::{EvaluationPage, RunLog, evaluation_html};

/// Rows of a grid that are printed; the JSON has all.
const GRID_ROWS: usize = 15;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Runs of `lobgym train`, or their policy files: evaluated beside --policies, in the environment that the first was trained in
    #[arg(value_name = "RUN|POLICY")]
    trained: Vec<PathBuf>,
    /// An environment or a configuration that comes with the program [default: the run's, or market_making]
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    env: Option<String>,
    #[command(flatten)]
    source: EnvSource,
    /// Policies: join, mid, as, glft, random, with options as in mid:distance=0.5:lots=2:limit=10:skew=4; policy:RUN
    #[arg(
        long,
        value_name = "POLICY,...",
        value_delimiter = ',',
        default_value = "join,join:skew=4,mid:distance=0.5,mid:distance=1:lots=2:skew=4,as,glft,random"
    )]
    policies: Vec<String>,
    /// Instead of --policies: search the rules over size, distance, limit, skew and risk aversion, best mean reward first
    #[arg(long, conflicts_with = "policies")]
    grid: bool,
    /// Sessions; every policy plays all of them
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    episodes: u64,
    /// Seed of the sessions, none of which a training with the same seed sees
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Worker threads; the results do not depend on it [default: one a core]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
    /// The policy that the others are compared with, as it is named in --policies [default: the first; of a grid the best]
    #[arg(long, value_name = "POLICY")]
    against: Option<String>,
    /// Write the results as JSON (docs/market_making.md); - is standard output, and the table then goes to standard
    /// error
    #[arg(long, value_name = "FILE", value_parser = JsonTarget::parse)]
    json: Option<JsonTarget>,
    /// Write a self-contained report
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What the JSON says besides the results: enough to make them again.
#[derive(Debug, Serialize)]
struct Settings {
    env: Map<String, Value>,
    episodes: usize,
    seed: u64,
    threads: usize,
    grid: bool,
    /// What fitted rules assume: A in 1 / s and side, k in 1 / ticks, sigma in ticks in a second.
    fill_model: Option<FittedModel>,
    trading_seconds_per_year: f64,
    version: &'static str,
    command: String,
    seconds: f64,
    interrupted: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct FittedModel {
    arrival_rate: f64,
    decay: f64,
    volatility: f64,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    policies: &'a [Summary],
    paired: &'a [PairedPolicies],
    settings: &'a Settings,
}

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let config = environment(arguments)?;
    let setting = Setting::new(&config)?;
    let entrants = entrants(arguments, &setting)?;
    // Policies first: a file that does not fit should not wait for a fit of the market.
    let trained = entrants.iter().filter(|entrant| matches!(entrant, Entrant::Policy(_)));
    trained.map(|entrant| entrant.candidate(&setting, None)).collect::<Result<Vec<_>, _>>()?;
    let model = if entrants.iter().any(Entrant::needs_model) { Some(fit(&setting)?) } else { None };
    let candidates: Vec<Candidate> = entrants
        .iter()
        .map(|entrant| entrant.candidate(&setting, model.as_ref()))
        .collect::<Result<_, _>>()?;
    let against = against(arguments, &candidates)?;
    let plan = Plan {
        episodes: arguments.episodes as usize,
        seed: arguments.seed,
        threads: arguments.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, usize::from),
            |threads| threads as usize,
        ),
    };
    let stop = Stop::on_ctrl_c()?;
    let bar = output::timed_progress(arguments.episodes);
    bar.set_message(format!("sessions x {} policies", candidates.len()));
    let mut found =
        evaluation::evaluate(&setting, &candidates, &plan, stop.flag(), &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    if found.policies.iter().all(|policy| policy.episodes == 0) {
        return Err(Failure::Abandoned);
    }
    if arguments.grid {
        found.sort();
    }
    let place = |name: &str| found.policies.iter().position(|policy| policy.name == name);
    let against = against.and_then(|name| place(&name)).unwrap_or(0);
    found.compare_with(against);
    let command: Vec<String> = std::env::args().skip(1).collect();
    let settings = Settings {
        env: config.to_map(),
        episodes: plan.episodes,
        seed: plan.seed,
        threads: plan.threads,
        grid: arguments.grid,
        fill_model: model.map(|model| FittedModel {
            arrival_rate: model.arrival_rate,
            decay: model.decay,
            volatility: model.volatility,
        }),
        trading_seconds_per_year: TRADING_SECONDS_PER_YEAR,
        version: env!("CARGO_PKG_VERSION"),
        command: format!("lobgym {}", command.join(" ")),
        seconds: found.seconds,
        interrupted: found.interrupted,
    };
    let report = Report { policies: &found.policies, paired: &found.paired, settings: &settings };
    output::report(&render(&found, &config, arguments.grid), &report, arguments.json.as_ref())?;
    if let Some(path) = &arguments.html {
        output::write_file(path, &page(&found, &setting, (&entrants, &candidates), &settings)?)?;
        eprintln!("report: {}", path.display());
    }
    if found.interrupted { Err(Failure::Interrupted) } else { Ok(()) }
}

/// The environment that was asked for, or the one that the first policy was trained in.
fn environment(arguments: &Arguments) -> Result<EnvConfig, Failure> {
    let trained = match (&arguments.env, arguments.trained.first()) {
        (None, Some(path)) if arguments.source.config.is_none() => Some(PolicyReference::new(path).open()?),
        _ => None,
    };
    let name = arguments.env.as_deref().unwrap_or("market_making");
    arguments.source.resolve(|| match trained {
        Some(file) => Ok(file.header.env),
        None => EnvConfig::named_settings(name),
    })
}

/// Who is evaluated, each once.
fn entrants(arguments: &Arguments, setting: &Setting) -> Result<Vec<Entrant>, Failure> {
    let trained = arguments.trained.iter().map(|path| Entrant::Policy(PolicyReference::new(path)));
    let mut entrants: Vec<Entrant> = Vec::new();
    let mut add = |entrant: Entrant| {
        if !entrants.contains(&entrant) {
            entrants.push(entrant);
        }
    };
    trained.for_each(&mut add);
    if arguments.grid {
        evaluation::grid(setting).into_iter().map(Entrant::Rule).for_each(&mut add);
    } else {
        for text in &arguments.policies {
            add(text.parse()?);
        }
    }
    Ok(entrants)
}

/// What the market's own flow says of fills and volatility.
fn fit(setting: &Setting) -> Result<FillModel, Failure> {
    let spinner = output::spinner("fitting the fill model to the market".to_owned());
    let plan = FillModelPlan { step_seconds: setting.step_seconds(), ..FillModelPlan::default() };
    let model = estimate_fill_model(&setting.market().flow, &plan)?;
    spinner.finish_and_clear();
    Ok(model)
}

/// The name of what the others are compared with, if it was said.
fn against(arguments: &Arguments, candidates: &[Candidate]) -> Result<Option<String>, Failure> {
    let Some(text) = &arguments.against else { return Ok(None) };
    let name = text.parse::<Entrant>().map_or_else(|_| text.clone(), |entrant| entrant.to_string());
    if candidates.iter().any(|candidate| candidate.name == name) {
        return Ok(Some(name));
    }
    let names: Vec<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    let list = if names.len() > 20 { "a policy of the grid".to_owned() } else { names.join(", ") };
    Err(Failure::Usage(format!("--against is {text:?}; legal: {list}")))
}

fn render(found: &Evaluation, config: &EnvConfig, grid: bool) -> String {
    let shown = if grid { found.policies.len().min(GRID_ROWS) } else { found.policies.len() };
    let number = |value: f64, decimals: usize| format!("{value:.decimals$}");
    let maybe =
        |value: Option<f64>, decimals: usize| value.map_or("-".to_owned(), |value| number(value, decimals));
    let rows = found.policies.iter().take(shown).map(|policy| {
        let pair = found.paired.iter().find(|pair| pair.name == policy.name);
        vec![
            policy.name.clone(),
            number(policy.reward_mean, 2),
            number(policy.reward_se, 2),
            pair.map_or("-".to_owned(), |pair| {
                format!("{:+.2} [{:+.2}, {:+.2}]", pair.difference, pair.ci95[0], pair.ci95[1])
            }),
            format!("{:.1} / {:.1}", policy.pnl_mean, policy.pnl_std),
            maybe(policy.sharpe, 2),
            maybe(policy.spread_capture, 2),
            maybe(policy.pnl_over_half_spread, 2),
            number(policy.inventory_abs_mean, 2),
            maybe(policy.inventory_half_life_s, 1),
            number(policy.max_drawdown, 1),
            number(policy.fills, 1),
            number(policy.lots_filled, 1),
            maybe(policy.fill_ratio, 4),
        ]
    });
    let against = found.paired.first();
    let against =
        against.map_or(String::new(), |pair| format!("; differences in reward are to {}", pair.against));
    let header = [
        "policy",
        "reward",
        "s.e.",
        "difference, 95%",
        "P&L mean / std",
        "Sharpe",
        "net5",
        "P&L/half-spread",
        "mean |inv|",
        "half-life s",
        "drawdown",
        "fills",
        "lots",
        "fill ratio",
    ];
    let table = output::table(&header, 1, rows.collect());
    let episodes = found.policies.first().map_or(0, |policy| policy.episodes);
    let market = config.to_map().get("market").and_then(Value::as_str).unwrap_or("-").to_owned();
    let best = if grid {
        format!(
            "best of {} settings: {} ({})\n",
            found.policies.len(),
            found.policies[0].name,
            found.policies[0].description
        )
    } else {
        String::new()
    };
    format!(
        "{}, market {market}, {episodes} sessions, {:.1} s{against}\n{table}{best}",
        config.name(),
        found.seconds
    )
}

/// The report, with a session of the best policy to look at.
fn page(
    found: &Evaluation,
    setting: &Setting,
    (entrants, candidates): (&[Entrant], &[Candidate]),
    settings: &Settings,
) -> Result<String, Failure> {
    let best = found.policies.iter().max_by(|one, other| one.reward_mean.total_cmp(&other.reward_mean));
    let candidate = best.and_then(|best| candidates.iter().find(|candidate| candidate.name == best.name));
    let session = session_seed(settings.seed, 0);
    let example = match candidate {
        Some(candidate) => Some((candidate.name.as_str(), evaluation::example(setting, candidate, session)?)),
        None => None,
    };
    let rows = serde_json::to_value(settings)?;
    let logs: Vec<RunLog> = entrants.iter().filter_map(log).collect();
    Ok(evaluation_html(&EvaluationPage {
        found,
        example: example.as_ref().map(|(name, tape)| (*name, tape)),
        training: &logs,
        settings: rows
            .as_object()
            .map(|map| map.iter().map(|(key, value)| (key.clone(), text(value))).collect())
            .unwrap_or_default(),
        episode_seconds: setting.steps() as f64 * setting.step_seconds(),
    }))
}

/// The log of a trained policy's run, if it was asked for by a directory that has one.
fn log(entrant: &Entrant) -> Option<RunLog> {
    let Entrant::Policy(reference) = entrant else { return None };
    RunLog::read(&reference.path, entrant.to_string()).ok()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
