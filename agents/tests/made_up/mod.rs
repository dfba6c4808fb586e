//! Comparisons with made-up numbers, the same at every call.

use agents::report::{Cell, Comparison, EpisodePicture, Example, Paired, Settings, StrategySummary};

/// Seven strategies, the first of them the one that the others are compared with.
pub(crate) const STRATEGIES: [&str; 7] = ["twap", "sl", "twap-schedule", "vwap", "pov", "ac", "market"];

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Three markets with 20 and 60 lots, seven strategies, an example a cell.
pub(crate) fn large(episodes: usize) -> (Comparison, Vec<Example>) {
    let mut chance = Chance(7);
    let mut cells = Vec::new();
    let mut examples = Vec::new();
    for market in ["noise", "flow", "strategic"] {
        for lots in [20, 60] {
            cells.push(cell(market, lots, &STRATEGIES, episodes, &mut chance));
            examples.push(example(market, lots, "twap", &mut chance));
        }
    }
    (comparison(cells, &STRATEGIES, episodes), examples)
}

/// One cell with these strategies and no example.
pub(crate) fn small(names: &[&str], episodes: usize) -> Comparison {
    comparison(vec![cell("noise", 20, names, episodes, &mut Chance(1))], names, episodes)
}

fn comparison(cells: Vec<Cell>, names: &[&str], episodes: usize) -> Comparison {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let settings = Settings {
        seed: 0,
        episodes,
        threads: 2,
        side: "sell".to_owned(),
        horizon_seconds: 150.0,
        step_seconds: 15.0,
        flow_file: None,
        fees: "maker \u{2212}0.2 bps, taker 0.5 bps".to_owned(),
        latency: "none".to_owned(),
        version: "0.1.0".to_owned(),
        command: format!(
            "lobgym compare --market all --lots all --episodes {episodes} --strategies {} --seed 0 --threads 2 --html report.html",
            names.join(",")
        ),
        strategies: names,
        interrupted: false,
    };
    Comparison { cells, seconds: 11.37, settings }
}

fn cell(market: &str, lots: u64, names: &[&str], episodes: usize, chance: &mut Chance) -> Cell {
    let strategies: Vec<_> = names.iter().map(|name| strategy(name, lots, episodes, chance)).collect();
    let paired = strategies[1..].iter().map(|other| {
        let difference = other.reward_mean - strategies[0].reward_mean;
        let half = 1.96 * 1.1 * other.reward_se;
        Paired {
            name: other.name.clone(),
            against: strategies[0].name.clone(),
            difference,
            ci95: [difference - half, difference + half],
        }
    });
    Cell { market: market.to_owned(), lots, paired: paired.collect(), strategies }
}

fn strategy(name: &str, lots: u64, episodes: usize, chance: &mut Chance) -> StrategySummary {
    // The market order is sure of its price, the others take their time and their chances.
    let eager = name == "market";
    let centre = if eager { -0.04 * lots as f64 } else { 0.9 * chance.uniform() - 0.02 * lots as f64 };
    let spread = if eager { 0.5 } else { 1.2 + chance.uniform() };
    let rewards: Vec<f64> = (0..episodes)
        .map(|_| {
            let draw = chance.normal();
            centre + spread * if draw < 0.0 { 1.6 * draw } else { 0.7 * draw }
        })
        .map(|reward| (reward * lots as f64).round() / lots as f64)
        .collect();
    let count = episodes as f64;
    let reward_mean = rewards.iter().sum::<f64>() / count;
    let reward_std =
        (rewards.iter().map(|reward| (reward - reward_mean).powi(2)).sum::<f64>() / count).sqrt();
    let mut worst = rewards.clone();
    worst.sort_by(f64::total_cmp);
    worst.truncate(episodes.div_ceil(20));
    let fill_rate_passive = if eager { 0.0 } else { 0.5 + 0.4 * chance.uniform() };
    let spread_ticks = 0.5 - fill_rate_passive;
    let fees_ticks = 0.05 - 0.07 * fill_rate_passive;
    let timing_ticks = 0.03 * chance.normal();
    let shortfall_ticks = 0.5 - reward_mean;
    StrategySummary {
        name: name.to_owned(),
        episodes,
        reward_mean,
        reward_std,
        reward_se: reward_std / count.sqrt(),
        shortfall_ticks,
        shortfall_se: reward_std / count.sqrt(),
        shortfall_bps: shortfall_ticks * 9.995,
        spread_ticks,
        impact_ticks: shortfall_ticks - spread_ticks - timing_ticks - fees_ticks,
        timing_ticks,
        fees_ticks,
        fill_rate_passive,
        fill_rate_aggressive: 1.0 - fill_rate_passive,
        completion_seconds: if eager { 0.0 } else { 100.0 + 50.0 * chance.uniform() },
        participation: 0.04 + 0.1 * chance.uniform(),
        risk_adjusted: if reward_std > 0.0 { reward_mean / reward_std } else { 0.0 },
        cvar95: worst.iter().sum::<f64>() / worst.len() as f64,
        rewards,
    }
}

fn example(market: &str, lots: u64, strategy: &str, chance: &mut Chance) -> Example {
    let mut episode = EpisodePicture::default();
    let (mut bid, mut gap, mut remaining) = (1000.0, 1.0, lots);
    for moment in 0..=600 {
        let time = f64::from(moment) * 0.25;
        if chance.uniform() < 0.12 {
            bid += if chance.uniform() < 0.52 { -1.0 } else { 1.0 };
            gap = if chance.uniform() < 0.8 { 1.0 } else { 2.0 };
        }
        let due = lots - (lots as f64 * (time + 15.0) / 165.0) as u64;
        if remaining > due && chance.uniform() < 0.06 {
            let size = (1 + (chance.uniform() * 4.0) as u64).min(remaining);
            episode.fills.push((time, bid + gap, size, true));
            remaining -= size;
        }
        if moment == 600 && remaining > 0 {
            episode.fills.push((time, bid, remaining, false));
            remaining = 0;
        }
        episode.steps.push((time, bid, bid + gap, remaining));
    }
    Example { market: market.to_owned(), lots, strategy: strategy.to_owned(), seed: 3, episode }
}
