//! Market making evaluated: the same sessions for all, the same figures for any number of threads.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use agents::evaluation::{
    Actor, Candidate, Evaluation, Plan, Rule, Setting, Stage, Tape, evaluate, example, grid, session_seed,
};
use agents::market_making::{FillModelPlan, estimate_fill_model};
use gym::{Action, Env, EnvConfig};
use lob::sim::derive_seed;
use serde_json::{Map, Value, json};

fn setting(changes: Value) -> Setting {
    let mut map = Map::from_iter([
        ("name".to_owned(), json!("market_making")),
        ("market".to_owned(), json!("flow")),
        ("steps".to_owned(), json!(60)),
    ]);
    map.extend(changes.as_object().unwrap().clone());
    Setting::new(&EnvConfig::from_map(&map, "".as_ref(), "").unwrap()).unwrap()
}

fn candidates(setting: &Setting, names: &[&str]) -> Vec<Candidate> {
    let plan = FillModelPlan { sessions: 4, session_seconds: 300.0, ..FillModelPlan::default() };
    let model = estimate_fill_model(&setting.market().flow, &plan).unwrap();
    names.iter().map(|name| name.parse::<Rule>().unwrap().candidate(setting, Some(&model)).unwrap()).collect()
}

fn found(setting: &Setting, candidates: &[Candidate], episodes: usize, threads: usize) -> Evaluation {
    let plan = Plan { episodes, seed: 3, threads };
    let mut found = evaluate(setting, candidates, &plan, &AtomicBool::new(false), &|_| {}).unwrap();
    found.compare_with(0);
    found.seconds = 0.0;
    found
}

const ALL: [&str; 6] =
    ["join:skew=4", "join", "mid:distance=0.5", "as:gamma=0.01", "glft:gamma=0.01", "random"];

#[test]
fn figures_do_not_depend_on_the_number_of_threads() {
    let setting = setting(json!({}));
    let candidates = candidates(&setting, &ALL);
    let one = found(&setting, &candidates, 40, 1);
    assert_eq!(one, found(&setting, &candidates, 40, 3));
    // Nor on the company: the random policy draws from a stream of its own.
    let alone = found(&setting, &candidates[5..], 40, 2);
    assert_eq!(alone.policies[0], one.policies[5]);
}

#[test]
fn all_policies_meet_the_same_sessions() {
    let setting = setting(json!({}));
    let twice = [candidates(&setting, &["join"]), candidates(&setting, &["join:lots=5:limit=10"])].concat();
    let found = found(&setting, &twice, 20, 1);
    assert_eq!(found.policies[0].rewards, found.policies[1].rewards, "the defaults, spelled out");
    let pair = &found.paired[0];
    assert_eq!((pair.difference, pair.ci95), (0.0, [0.0, 0.0]));
}

#[test]
fn the_parts_of_the_profit_add_up_and_the_limit_holds() {
    let rates = json!({"maker": {"per_lot": -0.1}, "taker": {"per_lot": 0.3}});
    let setting = setting(json!({"fees": {"maker_taker": rates}}));
    let found = found(&setting, &candidates(&setting, &["join:limit=3", "mid:distance=0.5", "as"]), 20, 1);
    for policy in &found.policies {
        let parts = policy.pnl_spread + policy.pnl_inventory + policy.pnl_liquidation + policy.pnl_fees;
        assert!((parts - policy.pnl_mean).abs() < 1e-9, "{}: {parts} {}", policy.name, policy.pnl_mean);
        // Rebates of 0.1 on the quotes' lots, 0.3 on what is left to liquidate: at most the limit.
        let liquidated = (0.1 * policy.lots_filled - policy.pnl_fees) / 0.3;
        assert!(
            (0.0..=10.0).contains(&liquidated) && policy.pnl_fees != 0.0,
            "{}: {liquidated}",
            policy.name
        );
        let shares: f64 = policy.inventory_distribution.iter().map(|held| held.share).sum();
        assert!((shares - 1.0).abs() < 1e-12);
    }
    let reach = found.policies[0].inventory_distribution.iter().map(|held| held.lots.abs()).max();
    assert_eq!(reach, Some(3));
}

#[test]
fn the_tape_agrees_with_the_environment() {
    let setting = setting(json!({}));
    let candidate = &candidates(&setting, &["join"])[0];
    let tape = example(&setting, candidate, session_seed(0, 0)).unwrap();
    assert_eq!((tape.mids.len(), tape.profit.len(), tape.inventory[0]), (60, 60, 0.0));
    assert!(!tape.fills.is_empty());
    // What was bought and sold is what is held before the liquidation, and nothing after it.
    let quoted: f64 = tape.fills.iter().map(|fill| fill.sign * fill.lots).sum();
    let forced: f64 = tape.forced.iter().map(|trade| trade.1 * trade.3).sum();
    assert_eq!(quoted + forced, 0.0);
    // Against everybody's mid, a passive fill earns the half-spread at least.
    for fill in &tape.fills {
        let [bid, ask] = fill.touch.unwrap();
        assert!(fill.sign * ((bid + ask) / 2.0 - fill.price) >= (ask - bid) / 2.0 - 1e-9, "{fill:?}");
    }
    let parts = tape.attribution.spread + tape.attribution.inventory + tape.attribution.liquidation;
    assert_eq!(tape.profit.last().copied(), Some(parts));
}

/// An actor that says the same thing always, and counts its episodes.
struct Constant(Vec<f32>);

impl Actor for Constant {
    fn act(&mut self, observation: &[f32]) -> Action<'_> {
        assert_eq!(observation.len(), 28);
        Action::Continuous(&self.0)
    }
}

#[test]
fn an_actor_plays_in_the_environment_as_it_is_configured() {
    let setting = setting(json!({"max_offset_ticks": 2.0}));
    // Both sides at 1 tick, 5 lots: as the rule says it.
    let actor = Candidate::actor("constant", "a tick from the mid", || Constant(vec![0.0, 0.0, 1.0, 1.0]));
    let rule = candidates(&setting, &["mid:distance=1"]).remove(0);
    let found = found(&setting, &[rule, actor], 20, 2);
    assert_eq!(found.policies[0].rewards, found.policies[1].rewards);
    assert_eq!(found.policies[1].name, "constant");
}

#[test]
fn an_actor_that_says_what_is_no_action_is_refused() {
    let setting = setting(json!({}));
    for action in [vec![0.0; 3], vec![f32::NAN; 4], vec![0.0; 8]] {
        let mut stage = Stage::new(&setting).unwrap();
        let actor = Candidate::actor("wrong", "", move || Constant(action.clone()));
        assert!(
            stage.play(1, &mut actor.make(), &mut Tape { step_seconds: 1.0, ..Tape::default() }).is_err()
        );
    }
}

#[test]
fn sessions_are_not_those_of_a_training_with_the_same_seed() {
    // Row `i` of a batch with seed `s` plays sessions derive_seed(s + i, k).
    let trained: BTreeSet<u64> =
        (0..64).flat_map(|row| (0..200).map(move |episode| derive_seed(row, episode))).collect();
    for seed in 0..8 {
        for episode in 0..2_000 {
            assert!(!trained.contains(&session_seed(seed, episode)));
        }
    }
    assert_ne!(session_seed(0, 1), session_seed(1, 0));
}

#[test]
fn the_grid_has_every_rule_once_and_within_the_environment() {
    let setting = setting(json!({"max_quote_lots": 2, "inventory_limit": 4}));
    let rules = grid(&setting);
    let names: BTreeSet<String> = rules.iter().map(Rule::to_string).collect();
    assert_eq!(names.len(), rules.len());
    assert!(names.contains("join:lots=2:limit=4:skew=4") && names.contains("random"));
    assert!(
        names.iter().any(|name| name.starts_with("as:"))
            && names.iter().any(|name| name.starts_with("glft:"))
    );
    let text: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(candidates(&setting, &text).len(), rules.len());
}

#[test]
fn other_environments_are_refused_by_name() {
    let config = EnvConfig::named("execution").unwrap();
    let error = Setting::new(&config).unwrap_err().to_string();
    assert!(error.contains("execution") && error.contains("market_making"), "{error}");
}

#[test]
fn an_actor_sees_what_the_environment_shows() {
    // The observation at each decision is the one the environment wrote, from the first of the episode on.
    struct First(Option<f32>);
    impl Actor for First {
        fn start(&mut self, _seed: u64) {
            self.0 = None;
        }
        fn act(&mut self, observation: &[f32]) -> Action<'_> {
            let left = *self.0.get_or_insert(observation[0]);
            assert_eq!(left, 1.0, "all of the time is left at first");
            Action::Continuous(&[1.0, 1.0, -1.0, -1.0])
        }
    }
    let setting = setting(json!({}));
    let mut stage = Stage::new(&setting).unwrap();
    let mut player = Candidate::actor("first", "", || First(None)).make();
    let mut tape = Tape { step_seconds: 1.0, ..Tape::default() };
    for session in 0..3 {
        stage.play(session, &mut player, &mut tape).unwrap();
        assert_eq!(
            (tape.wanted_lots, tape.fills.len(), tape.two_sided),
            (0, 0, 0),
            "sizes of -1 quote nothing"
        );
    }
    let env = gym::AnyEnv::new(&EnvConfig::named("market_making").unwrap()).unwrap();
    assert_eq!(env.observation_space().len(), 28);
}
