//! Working an order against a schedule: passive within a bucket, crossing what is behind at its end.

use lob::Price;

use super::Strategy;
use crate::execution::{Task, Trader};

/// How much of a parent order should be done by when.
pub trait Schedule: Send {
    /// The share, from 0 to 1, that should have traded by `time` (s); 1 at the horizon. Must not fall.
    fn share(&self, task: &Task, time: f64) -> f64;
}

/// Equal amounts in equal times: time-weighted average price.
///
/// Source: Bertsimas & Lo, *Optimal control of execution costs*, Journal of Financial Markets 1 (1998), section 2.2: the optimum without
/// information under linear permanent impact.
#[derive(Clone, Copy, Debug)]
pub struct TwapSchedule;

impl Schedule for TwapSchedule {
    fn share(&self, task: &Task, time: f64) -> f64 {
        time / task.horizon_seconds
    }
}

/// Follows a schedule the way desks do (Kissell, *The Science of Algorithmic Trading and Portfolio Management*, 2013, chapter 1): in each
/// bucket of `step_seconds` the slice that is due by its end rests at the best price of the own side and follows it; what the schedule wanted by the end of the
/// bucket and has not got is sent to market then.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleFollower<S> {
    schedule: S,
    check_seconds: f64,
    /// The bucket whose slice has been placed.
    bucket: Option<usize>,
}

impl<S: Schedule> ScheduleFollower<S> {
    /// Follows `schedule` and looks at the book every `check_seconds`.
    pub fn new(schedule: S, check_seconds: f64) -> Self {
        Self { schedule, check_seconds, bucket: None }
    }

    /// Lots due by the end of bucket `index` - 1.
    fn due(&self, task: &Task, index: usize) -> u64 {
        if index >= task.steps() {
            return task.lots;
        }
        let share = self.schedule.share(task, index as f64 * task.step_seconds);
        ((share.clamp(0.0, 1.0) * task.lots as f64).round() as u64).min(task.lots)
    }

    fn start_bucket(&self, trader: &mut Trader<'_>, bucket: usize) {
        let task = *trader.task();
        trader.cancel_all();
        let behind = self.due(&task, bucket).saturating_sub(trader.filled());
        trader.send_market(behind);
        let slice = self.due(&task, bucket + 1).saturating_sub(trader.filled() + trader.working());
        if let Some(price) = trader.near_touch() {
            trader.place_limit(price, slice);
        }
    }

    /// Moves what rests behind the best price to it.
    fn follow_touch(trader: &mut Trader<'_>) {
        let Some(touch) = trader.near_touch() else { return };
        let behind = |price: Option<Price>| price.is_some_and(|price| trader.is_more_passive(price, touch));
        let tickets: Vec<_> =
            trader.orders().iter().filter(|order| behind(order.price)).map(|order| order.ticket).collect();
        for ticket in tickets {
            trader.amend_price(ticket, touch);
        }
    }
}

impl<S: Schedule> Strategy for ScheduleFollower<S> {
    fn start(&mut self, _: &Task) {
        self.bucket = None;
    }

    fn act(&mut self, trader: &mut Trader<'_>) -> Option<f64> {
        let step = trader.task().step_seconds;
        // A time that was computed as a multiple of the step is one.
        let bucket = (trader.time() / step + 1e-9).floor() as usize;
        if self.bucket == Some(bucket) {
            Self::follow_touch(trader);
        } else {
            self.bucket = Some(bucket);
            self.start_bucket(trader, bucket);
        }
        let next_bucket = (bucket + 1) as f64 * step;
        let next_check = trader.time() + self.check_seconds;
        Some(if next_check < next_bucket - 1e-9 { next_check } else { next_bucket })
    }
}
