//! The Hawkes and the queue-reactive flow in a book.

#![allow(clippy::unwrap_used, reason = "helpers of tests: clippy exempts the tests themselves only")]

use lob::flow::{FlowConfig, MarketConfig, QueueModel, QueueReactiveParams, ReferencePrice};
use lob::sim::Simulator;
use lob::{BookConfig, Price, Side};

fn simulator(flow: &FlowConfig) -> Simulator {
    Simulator::new(flow, BookConfig { window_levels: 256, ..BookConfig::default() }).unwrap()
}

fn preset(name: &str) -> FlowConfig {
    MarketConfig::preset(name).unwrap().flow
}

#[test]
fn the_same_seed_gives_the_same_events() {
    for name in ["hawkes", "queue_reactive"] {
        let digest = |sim: &mut Simulator, seed: u64| {
            sim.market_mut().keep_digest(true);
            sim.reset(seed);
            sim.run_until(300.0);
            sim.market().events_digest().unwrap()
        };
        let mut sim = simulator(&preset(name));
        let first = digest(&mut sim, 7);
        assert_ne!(first, digest(&mut sim, 8), "{name}");
        assert_eq!(first, digest(&mut sim, 7), "{name}: whatever was played before");
        assert_eq!(first, digest(&mut simulator(&preset(name)), 7), "{name}");
    }
}

#[test]
fn a_fork_has_the_same_future() {
    for name in ["hawkes", "queue_reactive"] {
        let mut sim = simulator(&preset(name));
        sim.reset(1);
        sim.run_until(60.0);
        let mut fork = sim.clone();
        sim.run_until(120.0);
        fork.run_until(120.0);
        assert_eq!(sim.market().book().digest(), fork.market().book().digest(), "{name}");
    }
}

#[test]
fn the_book_does_not_run_away() {
    for name in ["hawkes", "queue_reactive"] {
        let mut sim = simulator(&preset(name));
        sim.reset(11);
        let (mut near, mut spread, mut two_sided) = ([0.0; 2], 0.0, 0.0);
        let hours = 12;
        for second in 1..=hours * 3_600 {
            sim.run_until(f64::from(second));
            let book = sim.market().book();
            let mut depth = [lob::Quantity::ZERO; 13];
            for side in Side::BOTH {
                book.depth_from_opposite_best(side, &mut depth);
                near[side.index()] += depth.iter().map(|lots| lots.0 as f64).sum::<f64>();
            }
            if let Some(ticks) = book.spread() {
                spread += ticks as f64;
                two_sided += 1.0;
            }
        }
        let samples = f64::from(hours * 3_600);
        let (bids, asks, spread) = (near[0] / samples, near[1] / samples, spread / two_sided);
        println!(
            "{name}: {bids:.0} and {asks:.0} lots within 13 ticks, spread {spread:.2}, two-sided {:.4}",
            two_sided / samples
        );
        assert!(two_sided > 0.99 * samples, "{name}");
        for lots in [bids, asks] {
            assert!((20.0..600.0).contains(&lots), "{name}: {lots} lots");
        }
        assert!((1.0..6.0).contains(&spread), "{name}: {spread} ticks");
    }
}

#[test]
fn queues_follow_their_stationary_law_while_the_reference_price_is_held() {
    let reference = QueueReactiveParams::reference();
    let mut params = QueueReactiveParams {
        model: QueueModel::ModelI,
        reference_price: ReferencePrice { theta: 0.0, theta_reinit: 0.0 },
        ..reference
    };
    // Market orders reach the first queue alone, so that the others' law must have none.
    for table in &mut params.market[1..] {
        table.fill(0.0);
    }
    for (queue, cancel) in params.cancel.iter_mut().enumerate().skip(1) {
        // Without market orders the far queues would be near the end of their stability.
        cancel.iter_mut().for_each(|rate| *rate *= 1.5);
        assert!(cancel[25] > params.limit[queue][25]);
    }
    let flow = FlowConfig::QueueReactive(Box::new(params.clone()));
    let mut sim = simulator(&flow);
    let (sessions, samples) = (60, 400);
    // Mean size in units by session: sessions are independent, moments within one are not.
    let mut means = vec![Vec::new(); params.queues()];
    let mut empty = Vec::new();
    for seed in 0..sessions {
        sim.reset(seed);
        let mut sums = vec![0.0; params.queues()];
        let mut empties = 0.0;
        for k in 0..samples {
            sim.run_until(400.0 + 5.0 * f64::from(k));
            for (queue, sum) in sums.iter_mut().enumerate() {
                let lots = sim.market().book().quantity_at(Side::Buy, Price(1000 - queue as i64)).0;
                *sum += lots.div_ceil(params.unit_lots[queue]) as f64;
                empties += f64::from(u8::from(queue == 0 && lots == 0));
            }
        }
        for (means, sum) in means.iter_mut().zip(sums) {
            means.push(sum / f64::from(samples));
        }
        empty.push(empties / f64::from(samples));
    }
    let z = |values: &[f64], expected: f64| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, (mean - expected) / (variance / n).sqrt())
    };
    for (queue, means) in means.iter().enumerate() {
        let law = params.stationary_law(queue).unwrap();
        let expected = law.iter().enumerate().map(|(n, p)| n as f64 * p).sum::<f64>();
        let (mean, z) = z(means, expected);
        assert!(z.abs() < 4.0, "queue {queue}: {mean} units for {expected}, {z} standard errors");
    }
    let expected = params.stationary_law(0).unwrap()[0];
    let (share, z) = z(&empty, expected);
    assert!(z.abs() < 4.0, "queue 0 is empty {share} of the time for {expected}, {z} standard errors");
}
