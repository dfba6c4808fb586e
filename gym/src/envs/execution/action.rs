//! From an action to what should stand in the market, and from there to orders.

use lob::sim::{Command, DeskId, Simulator};
use lob::{NewOrder, Owner, Price, Quantity};

use super::{ActionKind, Task};
use crate::env::Action;
use crate::space::{BoxSpace, Component, Space};

/// What can be done with all remaining lots, in the order of the discrete action's numbers.
pub const CHOICES: [&str; 7] =
    ["hold", "withdraw", "market", "market slice", "inside", "at best", "one behind"];

/// The agent's situation when it acts.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Lots not filled yet.
    pub(super) remaining: u64,
    /// Best price of the other side: for a sale the best bid.
    pub(super) far: Price,
    /// Best price of the own side.
    pub(super) near: Price,
    /// Decisions left, this one included.
    pub(super) steps_left: u64,
}

/// What should stand in the market.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    /// Everything stays as it is.
    pub(super) hold: bool,
    /// Lots to be sent at market now.
    pub(super) market: u64,
    /// Lots that should rest, by price; orders at other prices are cancelled.
    pub(super) limits: Vec<(Price, u64)>,
}

/// The space of a kind of action.
pub(super) fn space(kind: ActionKind, levels: usize, task: &Task) -> Space {
    let share = |name: String| Component::new(name, "part of the remaining lots", 0.0, 1.0);
    match kind {
        ActionKind::Simplex => {
            let far = if task.sign() > 0.0 { "best bid +" } else { "best ask -" };
            let slots = (1..=levels).map(|ticks| share(format!("limit order at {far} {ticks}")));
            let parts = std::iter::once(share("market order".into())).chain(slots);
            Space::Box(BoxSpace::new(parts.chain([share("inactive".into())]).collect()))
        }
        ActionKind::Discrete => Space::Discrete(CHOICES.map(str::to_owned).to_vec()),
        ActionKind::Rate => Space::Box(BoxSpace::new(vec![share("market order".into())])),
    }
}

/// Shares the remaining lots out: part l of them, rounded half to even and capped by what is still unallocated, in order. Negative parts
/// count as 0; all are divided by their sum. The last part, and what is left, is inactive. `give` gets the index and lots of each other part.
pub(super) fn allocate(parts: &[f32], remaining: u64, mut give: impl FnMut(usize, u64)) {
    let part = |value: f32| f64::from(value.clamp(0.0, f32::MAX));
    let sum: f64 = parts.iter().map(|&value| part(value)).sum();
    let mut unallocated = remaining;
    for (index, &value) in parts[..parts.len() - 1].iter().enumerate() {
        let share = if sum > 0.0 { part(value) / sum } else { 0.0 };
        let lots = ((share * remaining as f64).round_ties_even() as u64).min(unallocated);
        unallocated -= lots;
        give(index, lots);
    }
}

impl Targets {
    /// Reads a checked action.
    pub(super) fn read(&mut self, kind: ActionKind, action: Action<'_>, task: &Task, view: &View) {
        let View { remaining, far, near, steps_left } = *view;
        (self.hold, self.market) = (false, 0);
        self.limits.clear();
        match kind {
            ActionKind::Simplex => {
                let Self { market, limits, .. } = self;
                allocate(action.continuous(), remaining, |index, lots| match index {
                    0 => *market = lots,
                    ticks => limits.push((task.passive(far, ticks as i64), lots)),
                });
            }
            ActionKind::Rate => {
                let share = f64::from(action.continuous()[0].clamp(0.0, 1.0));
                self.market = (share * remaining as f64).round_ties_even() as u64;
            }
            ActionKind::Discrete => match action.discrete()[0] {
                0 => self.hold = true,
                1 => {}
                2 => self.market = remaining,
                3 => self.market = remaining.div_ceil(steps_left.max(1)),
                4 => {
                    // One tick better than the best, but never across.
                    let better = task.passive(near, -1);
                    let price = if better == far { near } else { better };
                    self.limits.push((price, remaining));
                }
                5 => self.limits.push((near, remaining)),
                _ => self.limits.push((task.passive(near, 1), remaining)),
            },
        }
    }

    /// Sends what brings the agent's orders to the targets: cancellations first (orders at other prices, then surplus, newest first), then
    /// the market order, then limit orders. Nothing is sent that could trade more than remains, whatever is still under way.
    pub(super) fn pursue(&self, sim: &mut Simulator, desk: DeskId, task: &Task) {
        if self.hold {
            return;
        }
        let wanted = |price: Price| self.limits.iter().position(|&(at, lots)| at == price && lots > 0);
        let mut index = 0;
        while let Some(&order) = sim.desk(desk).orders().get(index) {
            if order.price.is_some_and(|price| wanted(price).is_none()) {
                sim.send(desk, Command::Cancel(order.ticket));
            }
            // Without latency a cancelled order is gone from the list by now.
            if sim.desk(desk).orders().get(index).is_some_and(|next| next.ticket == order.ticket) {
                index += 1;
            }
        }
        for &(price, lots) in &self.limits {
            let resting = resting(sim, desk, price);
            if lots > 0 && resting > lots {
                let surplus = Quantity(resting - lots);
                sim.send(desk, Command::CancelQuantity(task.side, price, surplus));
            }
        }
        let market = self.market.min(idle(sim, desk, task));
        if market > 0 {
            sim.submit(desk, NewOrder::market(Owner(0), task.side, Quantity(market)));
        }
        for &(price, lots) in &self.limits {
            let missing = lots.saturating_sub(resting(sim, desk, price)).min(idle(sim, desk, task));
            if missing > 0 {
                sim.submit(desk, NewOrder::limit(Owner(0), task.side, price, Quantity(missing)));
            }
        }
    }
}

/// Lots of the agent's limit orders at a price, as far as it knows.
fn resting(sim: &Simulator, desk: DeskId, price: Price) -> u64 {
    let orders = sim.desk(desk).orders().iter().filter(|order| order.price == Some(price));
    orders.map(|order| order.open.0).sum()
}

/// Lots in orders that may still trade, as far as the agent knows.
pub(super) fn working(sim: &Simulator, desk: DeskId) -> u64 {
    sim.desk(desk).orders().iter().map(|order| order.open.0).sum()
}

/// Lots neither filled nor in an order, as far as the agent knows: what may be sent without ever trading too much.
fn idle(sim: &Simulator, desk: DeskId, task: &Task) -> u64 {
    task.lots.saturating_sub(sim.desk(desk).filled()).saturating_sub(working(sim, desk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocated(parts: &[f32], remaining: u64) -> Vec<u64> {
        let mut lots = Vec::new();
        allocate(parts, remaining, |index, share| {
            assert_eq!(index, lots.len());
            lots.push(share);
        });
        lots
    }

    #[test]
    fn parts_round_half_to_even_and_are_capped_in_order() {
        assert_eq!(allocated(&[0.125, 0.375, 0.5, 0.0], 20), [2, 8, 10], "2.5 becomes 2, 7.5 becomes 8");
        assert_eq!(allocated(&[0.5, 0.5, 0.0], 3), [2, 1], "1.5 becomes 2, and 1 is left for the other");
        assert_eq!(allocated(&[0.5, 0.5, 0.0], 1), [0, 0], "0.5 becomes 0: the lot is inactive");
    }

    #[test]
    fn negative_parts_count_as_nothing_and_all_zero_means_inactive() {
        assert_eq!(allocated(&[-3.0, 1.0, 1.0], 10), [0, 5]);
        assert_eq!(allocated(&[0.0, 0.0, 0.0], 10), [0, 0]);
        assert_eq!(allocated(&[-1.0, -0.0, -2.0], 10), [0, 0]);
        assert_eq!(allocated(&[4.0, 0.0, 12.0], 8), [2, 0], "parts above 1 are divided by the sum as well");
        assert_eq!(allocated(&[f32::INFINITY, 0.0, 0.0], 8), [8, 0]);
    }

    #[test]
    fn inside_never_crosses() {
        let task = Task::default();
        let mut targets = Targets::default();
        for (near, price) in [(1001, 1001), (1002, 1001), (1005, 1004)] {
            let view = View { remaining: 7, far: Price(1000), near: Price(near), steps_left: 3 };
            targets.read(ActionKind::Discrete, Action::Discrete(&[4]), &task, &view);
            assert_eq!(targets.limits, [(Price(price), 7)]);
        }
    }
}
