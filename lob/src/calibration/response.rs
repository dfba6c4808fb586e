//! What follows market orders: the mid, and more of the same sign.

use std::collections::VecDeque;

use super::moments::Moments;
use crate::Side;

/// Seconds after a market order at which the mid is looked at; 0 is the book that it leaves.
pub(super) const RESPONSE_LAGS: [f64; 10] = [0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
/// The longest lag of the signs' autocorrelation, in market orders.
pub(super) const SIGN_LAGS: usize = 50;

#[derive(Clone, Copy, Debug)]
struct Order {
    time: f64,
    sign: f64,
    /// Twice the mid before it.
    mid: Option<i64>,
}

/// The mean move of the mid in the direction of market orders. Memory: the orders of the last minute.
#[derive(Clone, Debug)]
pub(super) struct Response {
    orders: VecDeque<Order>,
    /// How many orders there were before the first of them.
    gone: u64,
    /// How many each lag is done with.
    done: [u64; RESPONSE_LAGS.len()],
    pub(super) moments: [Moments; RESPONSE_LAGS.len()],
}

impl Response {
    pub(super) fn new() -> Self {
        let moments = [Moments::default(); RESPONSE_LAGS.len()];
        Self { orders: VecDeque::new(), gone: 0, done: [0; RESPONSE_LAGS.len()], moments }
    }

    /// The mid (twice, in ticks) holds until `time`, from where the last one ended.
    pub(super) fn hold(&mut self, time: f64, mid: Option<i64>) {
        if self.orders.is_empty() {
            return;
        }
        for ((done, moments), lag) in self.done.iter_mut().zip(&mut self.moments).zip(RESPONSE_LAGS) {
            while let Some(order) = self.orders.get((*done - self.gone) as usize) {
                if order.time + lag >= time {
                    break;
                }
                if let (Some(mid), Some(before)) = (mid, order.mid) {
                    moments.add(order.sign * 0.5 * (mid - before) as f64);
                }
                *done += 1;
            }
        }
        let finished = self.done.iter().copied().min().unwrap_or(0) - self.gone;
        self.orders.drain(..finished as usize);
        self.gone += finished;
    }

    pub(super) fn order(&mut self, time: f64, side: Side, mid: Option<i64>) {
        self.orders.push_back(Order { time, sign: sign(side), mid });
    }

    /// What follows is not seen.
    pub(super) fn forget(&mut self) {
        self.gone += self.orders.len() as u64;
        self.orders.clear();
        self.done = [self.gone; RESPONSE_LAGS.len()];
    }
}

fn sign(side: Side) -> f64 {
    match side {
        Side::Buy => 1.0,
        Side::Sell => -1.0,
    }
}

/// The autocorrelation of market orders' signs.
#[derive(Clone, Debug)]
pub(super) struct Signs {
    last: VecDeque<f64>,
    count: f64,
    sum: f64,
    products: [(f64, f64); SIGN_LAGS],
}

impl Signs {
    pub(super) fn new() -> Self {
        Self { last: VecDeque::new(), count: 0.0, sum: 0.0, products: [(0.0, 0.0); SIGN_LAGS] }
    }

    pub(super) fn add(&mut self, side: Side) {
        let sign = sign(side);
        for (past, product) in self.last.iter().zip(&mut self.products) {
            *product = (product.0 + past * sign, product.1 + 1.0);
        }
        self.last.push_front(sign);
        self.last.truncate(SIGN_LAGS);
        self.count += 1.0;
        self.sum += sign;
    }

    pub(super) fn forget(&mut self) {
        self.last.clear();
    }

    pub(super) fn count(&self) -> u64 {
        self.count as u64
    }

    /// At lags 1, 2, ...; `None` where there are no pairs, or only one sign.
    pub(super) fn correlations(&self) -> Vec<Option<f64>> {
        let mean = self.sum / self.count.max(1.0);
        let variance = 1.0 - mean * mean;
        let of = |&(sum, count): &(f64, f64)| {
            (count > 0.0 && variance > 0.0).then(|| (sum / count - mean * mean) / variance)
        };
        self.products.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mid_is_read_where_the_lag_falls() {
        let mut response = Response::new();
        response.order(1.0, Side::Sell, Some(20));
        response.hold(1.0, Some(20));
        assert_eq!(response.moments[0].count(), 0, "the book it leaves is not known yet");
        response.hold(1.15, Some(18));
        response.order(1.15, Side::Buy, None);
        response.hold(1.6, Some(22));
        let means: Vec<Option<f64>> = response.moments.iter().map(Moments::mean).collect();
        assert_eq!(means[..4], [Some(1.0), Some(1.0), Some(-1.0), Some(-1.0)]);
        assert_eq!(means[4], None);
        response.forget();
        response.hold(100.0, Some(30));
        assert_eq!(response.moments[4].count(), 0);
        response.order(100.0, Side::Buy, Some(30));
        response.hold(300.0, Some(32));
        assert!(response.orders.is_empty());
        assert_eq!(response.moments.map(|moments| moments.count()), [2, 2, 2, 2, 1, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn alternating_signs_are_anticorrelated() {
        let mut signs = Signs::new();
        for index in 0..1_000 {
            signs.add(if index % 2 == 0 { Side::Buy } else { Side::Sell });
        }
        let found = signs.correlations();
        assert!((found[0].unwrap() + 1.0).abs() < 1e-9 && (found[1].unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(Signs::new().correlations()[0], None);
    }
}
