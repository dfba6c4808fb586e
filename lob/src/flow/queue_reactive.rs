//! Parameters of a queue-reactive flow: intensities are functions of the size of the queue they act on.

use serde::{Deserialize, Serialize};

use super::{Opening, OpeningBook, Profile, Shape};
use crate::parameter::{ParameterError, Validity, integer, length, non_negative_list, positive, probability};

/// The most queues on each side that a queue-reactive flow has.
pub const MAX_QUEUES: usize = 32;

/// The most entries in a table of intensities.
pub const MAX_TABLE: usize = 1024;

/// The queue-reactive model of W. Huang, C.-A. Lehalle, M. Rosenbaum, *Simulating and analyzing order book data: The
/// queue-reactive model*, Journal of the American Statistical Association 110 (2015) 107-122, arXiv 1312.0563.
///
/// Queues `Q_i`, `i = 1..K`, stand on each side at `i - 1/2` ticks from a reference price between two ticks. A queue's size is
/// counted in units of its mean event size ("AES" in the paper): `n = ceil(lots / unit_lots[i - 1])`, and every event
/// has the size of one unit. At a queue of size `n` limit orders arrive, orders are cancelled and market orders arrive
/// with intensities `limit[i - 1][n]`, `cancel[i - 1][n]`, `market[i - 1][n]` per second; beyond the end of a table its last
/// entry holds. Both sides use the same tables, mirrored (the symmetry the paper estimates under).
///
/// A book with price priority sends every market order to the best queue, so `market[i - 1]` acts only while queues 1..i-1 of
/// that side are empty, as in the paper's model IIa.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueReactiveParams {
    /// Which dependence between queues is modelled.
    pub model: QueueModel,
    /// Lots of one event at queue 1, 2, ..., K: its length is K.
    pub unit_lots: Vec<u64>,
    /// Limit orders per second: `[queue][size in units]`.
    pub limit: Vec<Vec<f64>>,
    /// Cancellations per second: `[queue][size in units]`; 0 at size 0.
    pub cancel: Vec<Vec<f64>>,
    /// Market orders per second: `[queue][size in units]`; 0 at size 0.
    pub market: Vec<Vec<f64>>,
    /// Model IIa: what holds at queue 2 instead while queue 1 of its side is empty. Ignored by model I.
    pub second_if_first_empty: SecondQueue,
    /// How the reference price moves.
    pub reference_price: ReferencePrice,
    /// The book at the start. Queues that are redrawn or come into view later come from [`stationary_law`](Self::stationary_law).
    pub opening: Opening,
    /// Time of day: multiplies all intensities.
    pub profile: Profile,
}

/// Which other queues an intensity looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueModel {
    /// Model I of the paper: none, queues are independent birth-and-death processes.
    ModelI,
    /// Model IIa: queue 2 also looks at whether queue 1 is empty.
    ModelIia,
}

/// Tables for queue 2 while queue 1 of its side is empty: intensities per second by size in units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondQueue {
    /// Limit orders.
    pub limit: Vec<f64>,
    /// Cancellations; 0 at size 0.
    pub cancel: Vec<f64>,
    /// Market orders; 0 at size 0.
    pub market: Vec<f64>,
}

/// How the reference price moves (section 3 of the paper).
///
/// Whenever an event changes the mid price, the reference price moves one tick the same way with probability `theta`. Queues
/// are then numbered anew, and the one that comes into view at the far end is drawn from its stationary law. With
/// probability `theta_reinit` a move is news from outside: all queues are redrawn around the new reference price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferencePrice {
    /// Probability that the reference price follows a change of the mid price.
    pub theta: f64,
    /// Probability that such a move redraws the book.
    pub theta_reinit: f64,
}

impl QueueReactiveParams {
    /// A default market with the *shapes* of the paper's estimates and scales of our own: not calibrated to data.
    ///
    /// The shapes, as the paper describes its estimates: at queue 1 limit orders arrive at a rate that hardly depends on the
    /// queue's size, except that it is lower where the queue is empty, since being alone at a new best price is risky; at queues
    /// further out it falls with size. Cancellations rise with size and level off, far below proportionality. Market orders
    /// at queue 1 fall off exponentially with its size (traders rush for what is left), and are rare behind. The rates are
    /// of the noise market's order of magnitude. `theta` and `theta_reinit` are our choice too; the paper fits them to the mean
    /// reversion and the volatility of each stock. The opening shape is the mean of each queue's stationary law.
    pub fn reference() -> Self {
        const SIZES: usize = 26;
        let table =
            |rate: &dyn Fn(f64) -> f64| (0..SIZES).map(|n| round(rate(n as f64))).collect::<Vec<f64>>();
        // Each: value at size 0, long-run value, units over which it gets there.
        let limit =
            |empty: f64, far: f64, units: f64| table(&|n| far + (empty - far) * libm::exp(-n / units));
        let cancel = |far: f64, units: f64| table(&|n| far * (1.0 - libm::exp(-n / units)));
        let market = |first: f64, units: f64| {
            table(&|n| if n == 0.0 { 0.0 } else { first * libm::exp(-(n - 1.0) / units) })
        };
        Self {
            model: QueueModel::ModelIia,
            unit_lots: vec![3; 5],
            limit: vec![
                limit(0.3, 0.5, 0.5),
                limit(0.6, 0.3, 8.0),
                limit(0.4, 0.15, 8.0),
                limit(0.25, 0.08, 8.0),
                limit(0.2, 0.06, 8.0),
            ],
            cancel: vec![
                cancel(0.55, 4.0),
                cancel(0.45, 5.0),
                cancel(0.25, 6.0),
                cancel(0.15, 6.0),
                cancel(0.12, 6.0),
            ],
            market: vec![
                market(0.35, 5.0),
                market(0.2, 3.0),
                market(0.1, 3.0),
                market(0.1, 3.0),
                market(0.1, 3.0),
            ],
            second_if_first_empty: SecondQueue {
                limit: limit(0.5, 0.35, 4.0),
                cancel: cancel(0.4, 5.0),
                market: market(0.3, 4.0),
            },
            reference_price: ReferencePrice { theta: 0.7, theta_reinit: 0.85 },
            opening: Opening {
                book: OpeningBook::Live,
                levels: 5,
                ..Opening::reference(Shape {
                    bidv: vec![26.6, 32.0, 36.1, 33.1, 31.1],
                    askv: vec![26.6, 32.0, 36.1, 33.1, 31.1],
                    bidv_live: None,
                    askv_live: None,
                })
            },
            profile: Profile::Flat,
        }
    }

    /// K, the number of queues on each side.
    pub fn queues(&self) -> usize {
        self.unit_lots.len()
    }

    /// The stationary law of queue `i` (from 0) by itself: probabilities of sizes 0, 1, ... in units.
    ///
    /// A birth-and-death chain: `pi(n) ~ prod_{j=1..n} limit(j - 1) / (cancel(j) + market(j))`, the paper's result for model I. With
    /// market orders counted at every queue, as there. The tail is cut where it falls below 1e-12.
    /// `None` if there is no such queue, or no such law: arrivals win in the long run (validation refuses that).
    pub fn stationary_law(&self, i: usize) -> Option<Vec<f64>> {
        let (limit, cancel, market) = (self.limit.get(i)?, self.cancel.get(i)?, self.market.get(i)?);
        stable(limit, cancel, market).then(|| {
            let mut law = vec![1.0f64];
            let (mut weight, mut total) = (1.0, 1.0);
            for n in 1..MAX_QUEUE_UNITS {
                weight *= at(limit, n - 1) / (at(cancel, n) + at(market, n));
                law.push(weight);
                total += weight;
                if n >= limit.len().max(cancel.len()).max(market.len()) && weight < 1e-12 * total
                    || weight == 0.0
                {
                    break;
                }
            }
            law.iter_mut().for_each(|p| *p /= total);
            law
        })
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that is not legal, by its path; a queue whose arrivals outrun its departures at any size.
    pub fn validate(&self) -> Result<(), ParameterError> {
        let queues = self.queues();
        length("unit_lots", queues, 1..=MAX_QUEUES)?;
        for (i, &lots) in self.unit_lots.iter().enumerate() {
            integer(&format!("unit_lots[{i}]"), lots, 1..=super::MAX_SIZE)?;
        }
        for (key, tables) in [("limit", &self.limit), ("cancel", &self.cancel), ("market", &self.market)] {
            length(key, tables.len(), queues..=queues)?;
        }
        for i in 0..queues {
            tables(
                [&format!("limit[{i}]"), &format!("cancel[{i}]"), &format!("market[{i}]")],
                [&self.limit[i], &self.cancel[i], &self.market[i]],
            )?;
        }
        let second = &self.second_if_first_empty;
        tables(["limit", "cancel", "market"], [&second.limit, &second.cancel, &second.market])
            .map_err(|error| error.within("second_if_first_empty"))?;
        probability("reference_price.theta", self.reference_price.theta)?;
        probability("reference_price.theta_reinit", self.reference_price.theta_reinit)?;
        self.opening.validate().map_err(|error| error.within("opening"))?;
        integer("opening.levels", self.opening.levels, queues..=super::MAX_LEVELS)?;
        self.profile.validate().map_err(|error| error.within("profile"))
    }
}

/// Where a stationary law is cut at the latest.
const MAX_QUEUE_UNITS: usize = 100_000;

/// A table's entry for a size, its last one beyond its end.
pub(super) fn at(table: &[f64], n: usize) -> f64 {
    table.get(n).or(table.last()).copied().unwrap_or(0.0)
}

/// True if departures outrun arrivals at the far end of the tables.
fn stable(limit: &[f64], cancel: &[f64], market: &[f64]) -> bool {
    at(limit, usize::MAX) < at(cancel, usize::MAX) + at(market, usize::MAX)
}

/// Limit, cancel and market table of one queue.
fn tables(keys: [&str; 3], [limit, cancel, market]: [&[f64]; 3]) -> Validity {
    non_negative_list(keys[0], limit, 1..=MAX_TABLE)?;
    for (key, table) in [(keys[1], cancel), (keys[2], market)] {
        non_negative_list(key, table, 2..=MAX_TABLE)?;
        if table[0] != 0.0 {
            return Err(ParameterError::new(
                format!("{key}[0]"),
                table[0],
                "0: an empty queue has nothing to take",
            ));
        }
    }
    positive(&format!("{}[0]", keys[0]), limit[0])?;
    for n in 1..cancel.len().max(market.len()) {
        if at(cancel, n) + at(market, n) == 0.0 {
            let value = format_args!("0, like {}[{n}]", keys[2]);
            return Err(ParameterError::new(format!("{}[{n}]", keys[1]), value, "a sum of both above 0"));
        }
    }
    if stable(limit, cancel, market) {
        return Ok(());
    }
    let (arrivals, departures) = (at(limit, usize::MAX), at(cancel, usize::MAX) + at(market, usize::MAX));
    let value = format_args!("a table that ends with {arrivals}");
    let legal = format!(
        "an end below {departures}, the last entries of {} and {} together: otherwise the queue grows without end",
        keys[1], keys[2]
    );
    Err(ParameterError::new(keys[0], value, legal))
}

/// Four decimals: what the shipped configuration shows is what runs.
fn round(rate: f64) -> f64 {
    (rate * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_legal_and_has_its_shapes() {
        let params = QueueReactiveParams::reference();
        params.validate().unwrap();
        let (cancel, market) = (&params.cancel[0], &params.market[0]);
        assert!(cancel.windows(2).all(|pair| pair[0] <= pair[1]), "cancellations rise with size");
        assert!(cancel[20] < 20.0 * cancel[1], "but less than proportionally");
        assert!(market[1..].windows(2).all(|pair| pair[0] > pair[1]), "market orders fall with size");
    }

    #[test]
    fn the_stationary_law_balances_every_step() {
        let params = QueueReactiveParams::reference();
        for i in 0..params.queues() {
            let law = params.stationary_law(i).unwrap();
            assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            for n in 1..law.len() {
                let up = law[n - 1] * at(&params.limit[i], n - 1);
                let down = law[n] * (at(&params.cancel[i], n) + at(&params.market[i], n));
                assert!((up - down).abs() <= 1e-12 * up.max(down).max(1e-300) + 1e-15, "queue {i}, size {n}");
            }
        }
        assert_eq!(params.stationary_law(99), None);
        let means: Vec<f64> = (0..params.queues())
            .map(|i| {
                let law = params.stationary_law(i).unwrap();
                let units: f64 = law.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
                (units * params.unit_lots[i] as f64 * 10.0).round() / 10.0
            })
            .collect();
        assert_eq!(means, params.opening.shape.bidv, "the opening shape is the mean of the law");
    }

    #[test]
    fn errors_name_the_entry() {
        type Spoil = fn(&mut QueueReactiveParams);
        let cases: [(&str, Spoil); 9] = [
            ("unit_lots[1]", |p| p.unit_lots[1] = 0),
            ("limit", |p| p.limit.truncate(2)),
            ("limit[0][3]", |p| p.limit[0][3] = f64::NAN),
            ("limit[2]", |p| p.limit[2] = vec![9.0]),
            ("cancel[4][0]", |p| p.cancel[4][0] = 0.1),
            ("market[1]", |p| p.market[1] = vec![0.0]),
            ("second_if_first_empty.limit", |p| p.second_if_first_empty.limit = vec![9.0]),
            ("reference_price.theta", |p| p.reference_price.theta = 2.0),
            ("opening.levels", |p| p.opening.levels = 4),
        ];
        for (key, spoil) in cases {
            let mut params = QueueReactiveParams::reference();
            spoil(&mut params);
            assert_eq!(params.validate().unwrap_err().key, key);
        }
    }
}
