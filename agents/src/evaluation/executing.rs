//! The execution task evaluated: a comparison in one environment.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gym::envs::ExecutionConfig;
use serde_json::{Value, json};

use super::request::{EvaluateError, Record, Request, place_of};
use crate::baselines::StrategyParams;
use crate::compare::{self, AGAINST, Compared, NamedMarket, Origin, Plan};
use crate::execution::Entrant;
use crate::report::{Cell, comparison_html, terminal_table};

/// What an evaluation of the execution task found.
pub struct ExecutionFinding {
    /// The comparison; its one cell is the environment's task.
    pub compared: Compared,
    record: Record,
}

impl std::fmt::Debug for ExecutionFinding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ExecutionFinding").field("record", &self.record).finish_non_exhaustive()
    }
}

impl ExecutionFinding {
    pub(super) fn find(
        request: &Request,
        task: &ExecutionConfig,
        stop: &AtomicBool,
        progress: &(dyn Fn(&str, usize) + Sync),
    ) -> Result<Self, EvaluateError> {
        let entrants: Vec<Entrant> =
            request.policies.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        let names: Vec<String> = entrants.iter().map(Entrant::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let against = match &request.against {
            Some(name) => {
                let name =
                    name.parse::<Entrant>().map_or_else(|_| name.clone(), |entrant| entrant.to_string());
                entrants[place_of(&name, &names)?].clone()
            }
            None if entrants.contains(&AGAINST) => AGAINST,
            None => entrants[0].clone(),
        };
        let settings = &request.env.market;
        let (config, home) = settings.load(&request.env.directory)?;
        let latency = config.latency.compile(home)?;
        let stem = Path::new(&settings.market).file_stem();
        let name = stem.map_or_else(|| settings.market.clone(), |stem| stem.to_string_lossy().into_owned());
        let plan = Plan {
            lots: vec![task.lots],
            side: task.side,
            episodes: request.episodes,
            strategies: entrants,
            against,
            params: StrategyParams::default(),
            horizon_seconds: task.horizon_seconds,
            step_seconds: task.step_seconds,
            seed: request.seed,
            held_out: true,
            threads: request.threads,
            examples: request.examples,
        };
        let origin = Origin {
            flow_file: settings.flow_file.as_ref().map(|path| path.display().to_string()),
            command: request.command.clone(),
        };
        let market = NamedMarket { name, config, latency };
        let compared = compare::run(plan, &[market], origin, stop, &|_, done| progress("episodes", done))?;
        let (seconds, interrupted) = (compared.comparison.seconds, compared.comparison.settings.interrupted);
        Ok(Self { record: Record::new(request, seconds, interrupted), compared })
    }

    /// The task's cell; none if not one session was finished.
    pub fn cell(&self) -> Option<&Cell> {
        self.compared.comparison.cells.first()
    }

    pub(super) fn episodes(&self) -> usize {
        self.cell().and_then(|cell| cell.strategies.first()).map_or(0, |strategy| strategy.episodes)
    }

    pub(super) fn table(&self) -> String {
        terminal_table(&self.compared.comparison)
    }

    pub(super) fn json(&self) -> Result<Value, serde_json::Error> {
        let (policies, paired) = match self.cell() {
            Some(cell) => (serde_json::to_value(&cell.strategies)?, serde_json::to_value(&cell.paired)?),
            None => (json!([]), json!([])),
        };
        Ok(json!({"policies": policies, "paired": paired, "settings": serde_json::to_value(&self.record)?}))
    }

    pub(super) fn html(&self) -> String {
        comparison_html(&self.compared.comparison, &self.compared.examples)
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let notes = self.compared.notes.iter().cloned();
        notes.chain(compare::warnings(&self.compared.comparison)).collect()
    }
}
