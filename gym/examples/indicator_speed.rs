//! What a tick of each indicator costs: `cargo run --release -p gym --example indicator_speed`.

use std::time::Instant;

use gym::features::{FeatureSet, FeaturesConfig, Tick};
use gym::indicators::{AnyIndicator, IndicatorConfig, batch};
use serde_json::Map;

const TICKS: usize = 1_000_000;
const REPEATS: usize = 5;

/// A number for each tick that moves around without chance.
fn wave(around: f64, amplitude: f64, pace: f64) -> Vec<f64> {
    (0..TICKS).map(|i| around + amplitude * (pace * i as f64).sin()).collect()
}

/// Median nanoseconds a tick.
fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let begin = Instant::now();
            work();
            begin.elapsed().as_secs_f64() * 1e9 / TICKS as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[REPEATS / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let close = wave(100.0, 5.0, 0.37);
    let (high, low) = (wave(106.0, 0.3, 0.11), wave(94.0, 0.3, 0.13));
    let (size, other) = (wave(10.0, 5.0, 0.7), wave(10.0, 5.0, 0.9));
    let zero = vec![0.0; TICKS];
    let column = |name: &str| match name {
        "high" | "ask_price" => &high[..],
        "low" | "bid_price" => &low,
        "volume" | "bid_size" => &size,
        "ask_size" => &other,
        "session" => &zero,
        _ => &close,
    };
    for name in IndicatorConfig::NAMES {
        let config = IndicatorConfig::from_map(name, Map::new())?;
        let indicator = AnyIndicator::new(&config)?;
        let inputs: Vec<&[f64]> = indicator.inputs().iter().map(|name| column(name)).collect();
        let mut outputs = vec![vec![0.0; TICKS]; indicator.outputs().len()];
        let mut columns: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        let mut outcome = Ok(());
        let nanoseconds = median(|| outcome = batch(&config, &inputs, &mut columns));
        outcome?;
        println!("{name:22} {nanoseconds:6.1} ns a tick");
    }
    for name in ["default", "microstructure"] {
        let mut set = FeatureSet::new(&FeaturesConfig::named(name)?)?;
        let mut row = vec![0.0; set.names().len()];
        let mut outcome = Ok(true);
        let nanoseconds = median(|| {
            for i in 0..TICKS {
                let bar = Tick::bar(close[i], high[i], low[i], close[i], size[i]);
                let tick = Tick {
                    bid_price: low[i],
                    bid_size: size[i],
                    ask_price: high[i],
                    ask_size: other[i],
                    ..bar
                };
                if let Err(error) = set.update(&tick, &mut row) {
                    outcome = Err(error);
                    return;
                }
            }
        });
        outcome?;
        println!("features {name:13} {nanoseconds:6.1} ns a tick, {} columns", row.len());
    }
    Ok(())
}
