//! What a session on paper stands at, from its journal.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::entrant::TraderEntrant;
use super::journal::{Record, TradeError, is_running, kill_file};
use super::run::capital_of;

/// A session as it stands. Money, units, and money a unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TradeStatus {
    /// `running`, `ended` (no more bars, or as many as were asked for), `stopped`, `killed`, `liquidated` or `loss_limit`.
    pub state: &'static str,
    /// Who trades.
    pub policy: String,
    /// The file of bars.
    pub bars: String,
    /// Bars traded on.
    pub steps: u64,
    /// Of these, how many are of the time that the policy was trained on, where it is a learned one that says so: what is seen there was
    /// learned from.
    pub trained_on: u64,
    /// When the last of them began, ns since 1970; none before the first.
    pub time_ns: Option<i64>,
    /// Money at the start.
    pub initial_equity: f64,
    /// Money and the position's value at the last price.
    pub equity: f64,
    /// The difference.
    pub profit: f64,
    /// What closed positions brought, after all costs.
    pub realised_profit: f64,
    /// What the open one would bring at the last price.
    pub unrealised_profit: f64,
    /// Units held.
    pub position: f64,
    /// Where the open position ends even, costs included.
    pub average_price: Option<f64>,
    /// The last price.
    pub close: Option<f64>,
    /// Money.
    pub cash: f64,
    /// Paid to the venue.
    pub fees: f64,
    /// What spread and impact cost.
    pub impact: f64,
    /// What holding cost.
    pub funding: f64,
    /// Trades.
    pub fills: u64,
    /// How far the equity is below its highest, a share of that.
    pub drawdown: f64,
    /// The largest so far.
    pub max_drawdown: f64,
    /// Bars at whose end the equity was below its highest.
    pub steps_under_water: u64,
    /// Whether a position is open.
    pub open_cycle: bool,
    /// Positions opened.
    pub cycles: u64,
    /// Of those closed, how many brought a profit.
    pub won: u64,
    /// Whether the kill switch is on.
    pub kill_switch: bool,
}

impl TradeStatus {
    /// That of a session's directory, also while the trader is at work.
    ///
    /// # Errors
    /// A journal that there is not, or that is none.
    pub fn of(directory: &Path) -> Result<Self, TradeError> {
        // The other way round, a trader that ends meanwhile would seem to have stopped.
        let running = is_running(directory);
        let record = Record::read(directory)?;
        let capital = capital_of(&record).unwrap_or(f64::NAN);
        let text = |key: &str| {
            record.settings.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        let state = match record.ending {
            _ if running => "running",
            None => "stopped",
            Some(ending) => match ending.name() {
                "bars_end" | "steps" => "ended",
                name => name,
            },
        };
        let last = record.entries.last();
        let of = |figure: fn(&super::journal::Entry) -> f64| last.map_or(0.0, figure);
        Ok(Self {
            state,
            policy: text("policy"),
            bars: text("bars"),
            steps: last.map_or(0, |last| last.step),
            trained_on: trained_on(&record),
            time_ns: last.map(|last| last.time_ns),
            initial_equity: capital,
            equity: last.map_or(capital, |last| last.equity),
            profit: last.map_or(0.0, |last| last.equity - capital),
            realised_profit: of(|last| last.realised_profit),
            unrealised_profit: of(|last| last.unrealised_profit),
            position: of(|last| last.position),
            average_price: last.and_then(|last| last.average_price),
            close: last.map(|last| last.close),
            cash: last.map_or(capital, |last| last.cash),
            fees: of(|last| last.fees),
            impact: of(|last| last.slippage),
            funding: of(|last| last.funding_paid),
            fills: last.map_or(0, |last| last.fills),
            drawdown: of(|last| last.drawdown),
            max_drawdown: of(|last| last.max_drawdown),
            steps_under_water: last.map_or(0, |last| last.steps_under_water),
            open_cycle: last.is_some_and(|last| last.position != 0.0),
            cycles: last.map_or(0, |last| last.cycles),
            won: last.map_or(0, |last| last.won),
            kill_switch: kill_file(directory).exists(),
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let share = |value: f64| 100.0 * value / self.initial_equity;
        let mut text = format!(
            "{}, {} bars, {}\n  equity          {:.2} ({:+.3}%)\n  realised        {:+.2}\n  open            {:+.2}\n",
            self.policy,
            self.steps,
            self.state,
            self.equity,
            share(self.profit),
            self.realised_profit,
            self.unrealised_profit,
        );
        let position = match (self.average_price, self.close) {
            (Some(average), Some(close)) => {
                format!("{:.8} at {average:.4} (even), last {close:.4}", self.position)
            }
            _ => "none".to_owned(),
        };
        text += &format!(
            "  position        {position}\n  cash            {:.2}\n  fees            {:.2}\n  spread, impact  {:.2}\n  funding         {:.2}\n",
            self.cash, self.fees, self.impact, self.funding
        );
        text += &format!(
            "  fills           {}\n  cycles          {}, {} won{}\n  drawdown        {:.3}%, at most {:.3}%\n  under water     {} bars\n",
            self.fills,
            self.cycles,
            self.won,
            if self.open_cycle { ", one open" } else { "" },
            100.0 * self.drawdown,
            100.0 * self.max_drawdown,
            self.steps_under_water
        );
        if self.trained_on > 0 {
            text += &format!(
                "  {} of the {} bars are of the time that the policy was trained on: what is seen there was learned from\n",
                self.trained_on, self.steps
            );
        }
        if self.kill_switch {
            text += "  the kill switch is on\n";
        }
        text
    }
}

/// Bars of the span that a learned policy's features were normalised by: its training's.
fn trained_on(record: &Record) -> u64 {
    let policy = record.settings.get("policy").and_then(Value::as_str).unwrap_or_default();
    let is_learned = policy.parse::<TraderEntrant>().is_ok_and(|entrant| entrant.trained().is_some());
    let span = || record.settings.get("env")?.get("normalisation")?.get("span");
    let Some(span) = span().filter(|_| is_learned) else { return 0 };
    let end = |key: &str| span.get(key).and_then(Value::as_i64);
    let (Some(first), Some(last)) = (end("first_ns"), end("last_ns")) else { return 0 };
    record.entries.iter().filter(|entry| (first..=last).contains(&entry.time_ns)).count() as u64
}
