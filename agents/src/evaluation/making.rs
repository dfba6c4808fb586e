//! Market making in a book evaluated, from names to a table, JSON and a page.

use std::sync::atomic::AtomicBool;

use serde::Serialize;
use serde_json::{Value, json};

use super::entrant::Entrant;
use super::player::Candidate;
use super::request::{EvaluateError, Record, Request, place_of, text_rows};
use super::stage::Setting;
use super::{Evaluation, Plan, TRADING_SECONDS_PER_YEAR, evaluate, example, grid, session_seed};
use crate::market_making::{FillModel, FillModelPlan, QuotingError, estimate_fill_model};
use crate::report::{EvaluationPage, RunLog, evaluation_html, plain_table};

/// Rows of a grid that are shown; the JSON has all.
const GRID_ROWS: usize = 15;

/// What an evaluation of market making in a book found.
#[derive(Debug)]
pub struct MakingFinding {
    /// The figures.
    pub evaluation: Evaluation,
    record: MakingRecord,
    setting: Setting,
    candidates: Vec<Candidate>,
    /// How the trained ones were trained.
    training: Vec<RunLog>,
}

/// What the JSON says besides the results: enough to make them again.
#[derive(Debug, Serialize)]
struct MakingRecord {
    #[serde(flatten)]
    common: Record,
    grid: bool,
    /// What fitted rules assume: A in 1 / s and side, k in 1 / ticks, sigma in ticks in a second.
    fill_model: Option<FittedModel>,
    trading_seconds_per_year: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct FittedModel {
    arrival_rate: f64,
    decay: f64,
    volatility: f64,
}

/// The log of a trained policy's run, if it was asked for by a directory that has one.
fn log(entrant: &Entrant) -> Option<RunLog> {
    let Entrant::Policy(reference) = entrant else { return None };
    RunLog::read(&reference.path, entrant.to_string()).ok()
}

impl MakingFinding {
    pub(super) fn find(
        request: &Request,
        stop: &AtomicBool,
        progress: &(dyn Fn(&str, usize) + Sync),
    ) -> Result<Self, EvaluateError> {
        let setting = Setting::new(&request.env)?;
        let entrants = entrants(request, &setting)?;
        // Policies first: a file that does not fit should not wait for a fit of the market.
        let trained = entrants.iter().filter(|entrant| matches!(entrant, Entrant::Policy(_)));
        trained.map(|entrant| entrant.candidate(&setting, None)).collect::<Result<Vec<_>, _>>()?;
        let model = if entrants.iter().any(Entrant::needs_model) {
            progress("fitting the fill model to the market", 0);
            let plan = FillModelPlan { step_seconds: setting.step_seconds(), ..FillModelPlan::default() };
            Some(estimate_fill_model(&setting.market().flow, &plan)?)
        } else {
            None
        };
        let candidates: Vec<Candidate> = entrants
            .iter()
            .map(|entrant| entrant.candidate(&setting, model.as_ref()))
            .collect::<Result<_, _>>()?;
        let names: Vec<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
        let against = match &request.against {
            Some(text) => {
                let name =
                    text.parse::<Entrant>().map_or_else(|_| text.clone(), |entrant| entrant.to_string());
                Some(names[place_of(&name, &names)?])
            }
            None => None,
        };
        let plan = Plan { episodes: request.episodes, seed: request.seed, threads: request.threads };
        let doing = format!("sessions x {} policies", candidates.len());
        progress(&doing, 0);
        let mut evaluation = evaluate(&setting, &candidates, &plan, stop, &|done| progress(&doing, done))?;
        if request.grid {
            evaluation.sort();
        }
        let place = |name: &str| evaluation.policies.iter().position(|policy| policy.name == name);
        let against = against.and_then(place).unwrap_or(0);
        evaluation.compare_with(against);
        let record = MakingRecord {
            common: Record::new(request, evaluation.seconds, evaluation.interrupted),
            grid: request.grid,
            fill_model: model.as_ref().map(FittedModel::new),
            trading_seconds_per_year: TRADING_SECONDS_PER_YEAR,
        };
        let training = entrants.iter().filter_map(log).collect();
        Ok(Self { evaluation, record, setting, candidates, training })
    }

    pub(super) fn json(&self) -> Result<Value, serde_json::Error> {
        let policies = serde_json::to_value(&self.evaluation.policies)?;
        let paired = serde_json::to_value(&self.evaluation.paired)?;
        Ok(json!({"policies": policies, "paired": paired, "settings": serde_json::to_value(&self.record)?}))
    }

    /// The report, with a session of the best policy to look at.
    pub(super) fn html(&self) -> Result<String, EvaluateError> {
        let found = &self.evaluation;
        let best = found.policies.iter().max_by(|one, other| one.reward_mean.total_cmp(&other.reward_mean));
        let candidate =
            best.and_then(|best| self.candidates.iter().find(|candidate| candidate.name == best.name));
        let session = session_seed(self.record.common.seed, 0);
        let drawn = match candidate {
            Some(candidate) => Some((candidate.name.as_str(), example(&self.setting, candidate, session)?)),
            None => None,
        };
        Ok(evaluation_html(&EvaluationPage {
            found,
            example: drawn.as_ref().map(|(name, tape)| (*name, tape)),
            training: &self.training,
            settings: text_rows(&self.record),
            episode_seconds: self.setting.steps() as f64 * self.setting.step_seconds(),
        }))
    }

    pub(super) fn table(&self) -> String {
        let (found, grid) = (&self.evaluation, self.record.grid);
        let shown = if grid { found.policies.len().min(GRID_ROWS) } else { found.policies.len() };
        let number = |value: f64, decimals: usize| format!("{value:.decimals$}");
        let maybe = |value: Option<f64>, decimals: usize| {
            value.map_or("-".to_owned(), |value| number(value, decimals))
        };
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
        let table = plain_table(&header, 1, rows.collect());
        let episodes = found.policies.first().map_or(0, |policy| policy.episodes);
        let env = &self.record.common.env;
        let word = |key: &str| env.get(key).and_then(Value::as_str).unwrap_or("-");
        let best = match found.policies.first() {
            Some(best) if grid => {
                format!("best of {} settings: {} ({})\n", found.policies.len(), best.name, best.description)
            }
            _ => String::new(),
        };
        format!(
            "{}, market {}, {episodes} sessions, {:.1} s{against}\n{table}{best}",
            word("name"),
            word("market"),
            found.seconds
        )
    }
}

impl FittedModel {
    fn new(model: &FillModel) -> Self {
        Self { arrival_rate: model.arrival_rate, decay: model.decay, volatility: model.volatility }
    }
}

/// Who is evaluated, each once.
fn entrants(request: &Request, setting: &Setting) -> Result<Vec<Entrant>, QuotingError> {
    let mut entrants: Vec<Entrant> = Vec::new();
    let mut add = |entrant: Entrant| {
        if !entrants.contains(&entrant) {
            entrants.push(entrant);
        }
    };
    for text in &request.policies {
        add(text.parse()?);
    }
    if request.grid {
        grid(setting).into_iter().map(Entrant::Rule).for_each(add);
    }
    Ok(entrants)
}
