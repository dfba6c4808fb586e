//! The environment as a picture.

use lob::models::Liquidity;
use lob::{Price, Side};

use super::Execution;
use crate::scene::{Scene, SceneFill, SceneLevel};

/// Levels of each side that are worth showing.
const LEVELS: usize = 15;

/// What there is to be drawn.
pub(super) fn draw(env: &Execution) -> Scene {
    let task = env.task();
    let verb = match task.side {
        Side::Sell => "selling",
        Side::Buy => "buying",
    };
    let remaining = task.lots.saturating_sub(env.ledger.filled());
    let shortfall = env.ledger.shortfall(task, env.arrival_mid);
    Scene {
        title: format!("{verb} {} lots in the market {}", task.lots, env.rules.market),
        time: env.time(),
        horizon: task.horizon_seconds,
        bids: levels(env, Side::Buy),
        asks: levels(env, Side::Sell),
        fills: env
            .fills()
            .iter()
            .map(|fill| SceneFill {
                time: fill.time,
                side: fill.fill.side,
                price: fill.fill.price.0 as f64,
                lots: fill.fill.quantity.0 as f64,
                maker: fill.fill.liquidity == Liquidity::Maker,
            })
            .collect(),
        figures: vec![
            ("remaining", remaining as f64, "lots"),
            ("shortfall", shortfall, "ticks per lot of the parent order"),
            ("mid", env.mid(), "ticks"),
            ("spread", (env.best(Side::Sell).0 - env.best(Side::Buy).0) as f64, "ticks"),
        ],
    }
}

/// A side's best levels, and those beyond where the agent has orders.
fn levels(env: &Execution, side: Side) -> Vec<SceneLevel> {
    let book = env.simulator().market().book();
    let owner = env.simulator().desk(env.desk).owner();
    let own = |price: Price| -> u64 {
        let orders = book.orders_of(owner).filter(|order| order.side == side && order.price == price);
        orders.map(|order| order.visible.0).sum()
    };
    let all = book.levels(side).map(|(price, lots, _)| (lots.0, own(price), price)).enumerate();
    let shown = all.filter(|&(index, (_, own, _))| index < LEVELS || own > 0);
    shown
        .map(|(_, (lots, own, price))| SceneLevel {
            price: price.0 as f64,
            lots: lots as f64,
            own: own as f64,
        })
        .collect()
}
