//! `lobgym stationary`: the mean shape that a market's book has by itself.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::{Args, ValueEnum};
use lob::flow::{FlowConfig, OpeningBook, Provenance, Shape};
use lob::sim::{Simulator, derive_seed};
use lob::{BookConfig, Quantity, Side};

use super::market_args::MarketArgs;
use super::{Failure, Stop, output};
use crate::statistics::mean_and_deviation;

/// Distances that are measured.
const LEVELS: usize = 50;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    market: MarketArgs,
    /// Independent sessions
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    sessions: u32,
    /// Length of a session, s: where volume goes on accumulating far from the best prices, part of the result's definition
    #[arg(long, default_value_t = 12_000.0, value_parser = seconds)]
    seconds: f64,
    /// Beginning of a session that is not averaged, s [default: half of --seconds]
    #[arg(long, value_parser = seconds)]
    burn_in: Option<f64>,
    /// Time between samples of the book, s
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    interval: f64,
    /// The book that sessions start with
    #[arg(long, value_enum, default_value_t = Start::Thin)]
    start: Start,
    /// Seed of the run; session i has the seed derived from it and i
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Worker threads; the result does not depend on them
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    threads: u32,
    /// The order-flow file to write
    #[arg(long, value_name = "FILE.npz")]
    out: PathBuf,
}

/// The book that sessions start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Start {
    /// One lot a level: nothing of the result was put in
    Thin,
    /// The market's own shape
    Market,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1e9 => Ok(value),
        _ => Err("legal: a number of seconds above 0, at most 1e9".to_owned()),
    }
}

/// Mean lots at each distance over one session: bids, asks.
type SessionMean = [[f64; LEVELS]; 2];

/// Runs it.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let stop = Stop::on_ctrl_c()?;
    let market = arguments.market.resolve()?;
    let burn_in = arguments.burn_in.unwrap_or(arguments.seconds / 2.0);
    if burn_in + arguments.interval > arguments.seconds {
        return Err(Failure::Usage(format!(
            "--burn-in {burn_in} and --interval {} leave no sample; legal: a sum of at most --seconds {}",
            arguments.interval, arguments.seconds
        )));
    }
    let mut flow = market.flow.clone();
    if arguments.start == Start::Thin {
        let thin = vec![1.0; flow.opening().levels];
        flow.opening_mut().shape = Shape { bidv: thin.clone(), askv: thin, bidv_live: None, askv_live: None };
    }
    let sessions = sessions(arguments, &flow, burn_in, &stop)?;
    let [bids, asks] = [0, 1].map(|side| column(&sessions, |session, k| session[side][k]));
    let both = column(&sessions, |session, k| (session[0][k] + session[1][k]) / 2.0);
    let live = flow.opening().book == OpeningBook::Live;
    // Four decimals: the file holds what a listing of it shows.
    let rounded =
        |means: &[Mean]| -> Vec<f64> { means.iter().map(|mean| (mean.value * 1e4).round() / 1e4).collect() };
    let shape = Shape {
        bidv: rounded(&bids),
        askv: rounded(&asks),
        bidv_live: live.then(|| rounded(&bids)),
        askv_live: live.then(|| rounded(&asks)),
    };
    let start = if arguments.start == Start::Thin { "thin" } else { "market" };
    let command = format!(
        "lobgym stationary {} --sessions {} --seconds {} --burn-in {burn_in} --interval {} --start {start} --seed {}",
        arguments.market.spelled(),
        arguments.sessions,
        arguments.seconds,
        arguments.interval,
        arguments.seed
    );
    let text = |value: &str| value.to_owned();
    let provenance = Provenance::from([
        (text("tool"), text("lobgym stationary")),
        (text("version"), text(env!("CARGO_PKG_VERSION"))),
        (text("market"), text(flow.name())),
        (text("book"), text(if live { "live" } else { "frozen" })),
        (text("horizon"), format!("time average from {burn_in} s to {} s of a session", arguments.seconds)),
        (text("command"), command),
    ]);
    shape.to_npz(&arguments.out, &provenance)?;
    let before = market.flow.opening().shape.of(market.flow.opening().book);
    output::print(&render(&both, [&bids, &asks], before))?;
    output::print(&format!(
        "{} sessions, averaged from {burn_in} s to {} s, every {} s; book {}, started {start}\n",
        arguments.sessions,
        arguments.seconds,
        arguments.interval,
        if live { "live" } else { "frozen" },
    ))
}

/// The means of all sessions, in their order.
fn sessions(
    arguments: &Arguments,
    flow: &FlowConfig,
    burn_in: f64,
    stop: &Stop,
) -> Result<Vec<SessionMean>, Failure> {
    let count = arguments.sessions as usize;
    let book = BookConfig { window_levels: 256, ..BookConfig::default() };
    let simulator = Simulator::new(flow, book)?;
    let next = AtomicUsize::new(0);
    let done = Mutex::new(vec![None; count]);
    let bar = output::timed_progress(count as u64);
    bar.set_message("sessions");
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                let mut sim = simulator.clone();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || stop.requested() {
                        return;
                    }
                    sim.reset(derive_seed(arguments.seed, index as u64));
                    let mean = session(&mut sim, burn_in, arguments.seconds, arguments.interval, stop);
                    done.lock().unwrap_or_else(PoisonError::into_inner)[index] = mean;
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A mean over the sessions that happened to be finished would depend on the machine: nothing is written.
    done.into_iter().collect::<Option<Vec<_>>>().ok_or(Failure::Interrupted)
}

/// Averages the book of a session that has been reset; `None` if it was interrupted.
fn session(
    sim: &mut Simulator,
    burn_in: f64,
    seconds: f64,
    interval: f64,
    stop: &Stop,
) -> Option<SessionMean> {
    let samples = ((seconds - burn_in) / interval + 1e-9).floor() as u64;
    let mut sums = [[0.0; LEVELS]; 2];
    let mut depth = [Quantity::ZERO; LEVELS];
    for sample in 1..=samples {
        sim.run_until(burn_in + sample as f64 * interval);
        if stop.requested() {
            return None;
        }
        for side in Side::BOTH {
            sim.market().book().depth_from_opposite_best(side, &mut depth);
            for (sum, lots) in sums[side.index()].iter_mut().zip(depth) {
                *sum += lots.0 as f64;
            }
        }
    }
    Some(sums.map(|side| side.map(|sum| sum / samples as f64)))
}

/// A mean over sessions and its standard error, in lots.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mean {
    value: f64,
    error: f64,
}

impl Mean {
    /// Of independent values, at least two.
    fn of(values: &[f64]) -> Self {
        let (value, deviation) = mean_and_deviation(values);
        Self { value, error: deviation / (values.len() as f64).sqrt() }
    }
}

/// The mean at each distance.
fn column(sessions: &[SessionMean], value: impl Fn(&SessionMean, usize) -> f64) -> Vec<Mean> {
    (0..LEVELS)
        .map(|k| Mean::of(&sessions.iter().map(|session| value(session, k)).collect::<Vec<_>>()))
        .collect()
}

fn render(both: &[Mean], [bids, asks]: [&[Mean]; 2], before: (&[f64], &[f64])) -> String {
    let rows = (0..LEVELS).map(|k| {
        let old = before.0.get(k).zip(before.1.get(k)).map(|(bid, ask)| (bid + ask) / 2.0);
        vec![
            (k + 1).to_string(),
            format!("{:.3}", bids[k].value),
            format!("{:.3}", asks[k].value),
            format!("{:.3}", both[k].value),
            format!("{:.3}", both[k].error),
            old.map_or_else(|| "-".to_owned(), |old| format!("{old:.3}")),
            old.map_or_else(|| "-".to_owned(), |old| format!("{:+.1}%", 100.0 * (both[k].value / old - 1.0))),
        ]
    });
    let header = ["distance", "bids, lots", "asks", "mean", "standard error", "market's shape", "difference"];
    output::table(&header, 0, rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_comes_with_its_standard_error() {
        // Values 1, 2, 6: mean 3, squares 4 + 1 + 9 = 14, over 3 x 2.
        let mean = Mean::of(&[1.0, 2.0, 6.0]);
        assert_eq!(mean.value, 3.0);
        assert!((mean.error - (14.0f64 / 6.0).sqrt()).abs() < 1e-15);
    }
}
