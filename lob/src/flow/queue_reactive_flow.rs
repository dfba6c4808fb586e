//! A queue-reactive flow that runs: exact simulation of the queues around a reference price.

use std::sync::Arc;

use super::queue_reactive::at;
use super::{Activity, OrderFlow, QueueModel, QueueReactiveParams};
use crate::parameter::ParameterError;
use crate::random::{exponential, uniform};
use crate::sim::{CROWD, Market, SimRng};
use crate::{NewOrder, Price, Quantity, Side};

/// What never changes; shared by all sessions of a market.
#[derive(Debug)]
struct Tables {
    params: QueueReactiveParams,
    /// Distribution function of each queue's stationary law, by size in units.
    law: Vec<Vec<f64>>,
    activity: Activity,
}

/// A queue-reactive order flow; see [`QueueReactiveParams`].
///
/// A Markov chain, simulated exactly: the waiting time is drawn from the state that the last event left, the event from the book as it
/// is when it is due (others may have changed it; their orders count in the queues). A market order or cancellation of one unit takes what is
/// left of a queue's last unit, so that it is always one step down in units.
///
/// The reference price moves as the parameters say, where the queue it moves over is empty: a tick up needs the first ask queue
/// empty, a tick down the first bid queue, as in the paper. What others did to the mid is followed at the flow's next event. Orders of
/// the flow beyond queue K are withdrawn when they get there: the paper's book has K queues, and forgotten ones would pile up.
#[derive(Clone, Debug)]
pub struct QueueReactiveFlow {
    tables: Arc<Tables>,
    /// The price of the first bid queue; the reference price is half a tick above, the first ask queue a tick.
    first_bid: i64,
    /// Best bid + best ask, when both were last there.
    twice_mid: Option<i64>,
    started: bool,
    /// Rates in the order side, queue, (limit, cancel, market).
    rates: Vec<f64>,
}

impl QueueReactiveFlow {
    /// The flow that the parameters describe.
    ///
    /// # Errors
    /// As [`QueueReactiveParams::validate`].
    pub fn new(params: &QueueReactiveParams) -> Result<Self, ParameterError> {
        params.validate()?;
        let law = (0..params.queues())
            .map(|queue| {
                // Validation has refused queues without a law.
                let mut law = params.stationary_law(queue).unwrap_or_else(|| vec![1.0]);
                let mut sum = 0.0;
                for p in &mut law {
                    sum += *p;
                    *p = sum;
                }
                law
            })
            .collect();
        let tables = Tables { law, activity: params.profile.compile()?, params: params.clone() };
        let mut flow = Self {
            rates: Vec::with_capacity(6 * params.queues()),
            tables: Arc::new(tables),
            first_bid: 0,
            twice_mid: None,
            started: false,
        };
        flow.reset();
        Ok(flow)
    }

    /// The reference price, in ticks: between two prices.
    pub fn reference_price(&self) -> f64 {
        self.first_bid as f64 + 0.5
    }

    /// The price of a queue, counted from 0.
    fn price(&self, side: Side, queue: usize) -> Price {
        match side {
            Side::Buy => Price(self.first_bid - queue as i64),
            Side::Sell => Price(self.first_bid + 1 + queue as i64),
        }
    }

    /// Rates of all events in the book as it is. Returns their sum, per second.
    fn read_rates(&mut self, market: &Market) -> f64 {
        let tables = Arc::clone(&self.tables);
        let params = &tables.params;
        self.rates.clear();
        for side in Side::BOTH {
            let mut nearer_empty = true;
            for queue in 0..params.queues() {
                let lots = market.book().quantity_at(side, self.price(side, queue)).0;
                let n = usize::try_from(lots.div_ceil(params.unit_lots[queue])).unwrap_or(usize::MAX);
                let second = &params.second_if_first_empty;
                let (limit, cancel, take) =
                    if queue == 1 && nearer_empty && params.model == QueueModel::ModelIia {
                        (&second.limit, &second.cancel, &second.market)
                    } else {
                        (&params.limit[queue], &params.cancel[queue], &params.market[queue])
                    };
                let take = if nearer_empty { at(take, n) } else { 0.0 };
                self.rates.extend([at(limit, n), at(cancel, n), take]);
                nearer_empty &= n == 0;
            }
        }
        self.rates.iter().sum()
    }

    /// One event, drawn from the rates as they were read.
    fn event(&self, mut point: f64, market: &mut Market) {
        let mut chosen = None;
        for (index, &rate) in self.rates.iter().enumerate() {
            if rate > 0.0 {
                // Rounding may leave the point beyond the last one, which then takes it.
                chosen = Some(index);
                point -= rate;
                if point < 0.0 {
                    break;
                }
            }
        }
        let Some(index) = chosen else { return };
        let queues = self.tables.params.queues();
        let side = if index / (3 * queues) == 0 { Side::Buy } else { Side::Sell };
        let queue = index / 3 % queues;
        let price = self.price(side, queue);
        let unit = Quantity(self.tables.params.unit_lots[queue]);
        match index % 3 {
            0 => place(market, side, price, unit),
            1 => {
                // What is there of the crowd's own; others' orders are not its to cancel.
                let _none_of_its_own = market.cancel_quantity(CROWD, side, price, unit);
            }
            _ => {
                let quantity = unit.min(market.book().quantity_at(side, price));
                let order = NewOrder::market(CROWD, side.opposite(), quantity);
                let _refused_only_by_a_full_book = market.submit(order);
            }
        }
    }

    /// The reference price follows the mid, if that has moved.
    fn follow_mid(&mut self, market: &mut Market, rng: &mut SimRng) {
        let Some(moved) = self.note_mid(market) else { return };
        let reference = self.tables.params.reference_price;
        if uniform(rng) >= reference.theta {
            return;
        }
        let (ahead, behind) = if moved > 0 { (Side::Sell, Side::Buy) } else { (Side::Buy, Side::Sell) };
        if market.book().quantity_at(ahead, self.price(ahead, 0)).0 > 0 {
            return;
        }
        let last = self.tables.params.queues() - 1;
        let out_of_view = self.price(behind, last);
        self.first_bid += moved;
        if uniform(rng) < reference.theta_reinit {
            market.mass_cancel(CROWD, None);
            for queue in 0..=last {
                for side in Side::BOTH {
                    self.draw_queue(market, side, queue, rng);
                }
            }
        } else {
            let _none_there = market.cancel_quantity(CROWD, behind, out_of_view, Quantity(u64::MAX));
            self.draw_queue(market, ahead, last, rng);
        }
        self.note_mid(market);
    }

    /// Notes the mid; the direction it has moved in since it was last noted.
    fn note_mid(&mut self, market: &Market) -> Option<i64> {
        let now = market.book().best_bid()?.0 + market.book().best_ask()?.0;
        let before = self.twice_mid.replace(now)?;
        (now != before).then(|| (now - before).signum())
    }

    /// Fills a queue up to a size drawn from its stationary law.
    fn draw_queue(&self, market: &mut Market, side: Side, queue: usize, rng: &mut SimRng) {
        let law = &self.tables.law[queue];
        let point = uniform(rng);
        let units = law.partition_point(|&sum| sum <= point).min(law.len() - 1);
        let lots = units as u64 * self.tables.params.unit_lots[queue];
        let price = self.price(side, queue);
        let there = market.book().quantity_at(side, price).0;
        if lots > there {
            place(market, side, price, Quantity(lots - there));
        }
    }
}

fn place(market: &mut Market, side: Side, price: Price, quantity: Quantity) {
    let _refused_at_the_price_limits = market.submit(NewOrder::limit(CROWD, side, price, quantity));
}

impl OrderFlow for QueueReactiveFlow {
    fn reset(&mut self) {
        let centre = self.tables.params.opening.centre;
        // Between the best prices; of two middle ticks' gaps the lower.
        self.first_bid = (centre.best_bid.0 + centre.best_ask.0 - 1).div_euclid(2);
        self.twice_mid = None;
        self.started = false;
    }

    /// The first call only draws the time of the first event.
    fn act(&mut self, market: &mut Market, rng: &mut SimRng) -> f64 {
        self.follow_mid(market, rng);
        if self.started {
            let total = self.read_rates(market);
            self.event(uniform(rng) * total, market);
            self.follow_mid(market, rng);
        }
        self.started = true;
        let total = self.read_rates(market);
        self.tables.activity.wait(market.now(), exponential(rng) / total)
    }
}
