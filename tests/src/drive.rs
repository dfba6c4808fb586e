//! From any byte string to a comparison of the two books: the entry point of the fuzz target and of its harness.

use lob::{BookConfig, Price, SelfTradePrevention, Side};

use crate::Tally;
use crate::program::{Kind, Level, Life, Order, Pick, Runner, Size, Step};

/// The configured number of owners; requests of others are refused.
pub const OWNERS: u32 = 6;

/// All modes of self-trade prevention.
pub const MODES: [SelfTradePrevention; 5] = [
    SelfTradePrevention::Allow,
    SelfTradePrevention::CancelNewest,
    SelfTradePrevention::CancelOldest,
    SelfTradePrevention::CancelBoth,
    SelfTradePrevention::Decrement,
];

/// Decodes `bytes` into a configuration and requests, and runs them on the engine and the reference.
///
/// Every byte string is a legal program. Bytes are spent so that uniformly random ones make a lively market.
///
/// # Panics
///
/// At the first difference between the two books.
pub fn drive(bytes: &[u8]) -> Tally {
    let mut bytes = Bytes { rest: bytes };
    let Some((config, centre)) = configuration(&mut bytes) else { return Tally::default() };
    let mut runner = Runner::new(config, centre, 8);
    while let Some(step) = bytes.step() {
        runner.step(&step);
    }
    runner.finish()
}

fn configuration(bytes: &mut Bytes<'_>) -> Option<(BookConfig, i64)> {
    let (shape, mode) = (bytes.next()?, bytes.next()?);
    let default = BookConfig::default();
    let (low, high) = (default.min_price.0, default.max_price.0);
    let (min_price, max_price, centre) = match shape & 7 {
        0 => (-24, 24, 0),
        1 => (low, high, high - 7),
        2 => (low, high, low + 7),
        3 => (low, high, -1000),
        _ => (low, high, 10_000),
    };
    let config = BookConfig {
        min_price: Price(min_price),
        max_price: Price(max_price),
        max_owners: OWNERS,
        self_trade_prevention: MODES[usize::from(mode) % MODES.len()],
        window_levels: [64, 64, 64, 64, 64, 128, 128, 1024][usize::from(shape >> 3 & 7)],
        order_capacity: [0, 1, 16, 1024][usize::from(shape >> 6)],
    };
    Some((config, centre))
}

struct Bytes<'a> {
    rest: &'a [u8],
}

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn step(&mut self) -> Option<Step> {
        Some(match self.next()? {
            0..112 => self.submit(0)?,
            112..132 => self.submit(1)?,
            132..148 => self.submit(2)?,
            148..164 => self.submit(3)?,
            164..190 => Step::Cancel(self.pick()?),
            190..198 => {
                let (of, quantity, owner) = (self.pick()?, self.size()?, self.next()?);
                let owner = (owner >= 224).then_some(owner % 8);
                Step::CancelQuantity { of, owner, quantity }
            }
            198 => {
                let code = self.next()?;
                let side = [None, Some(Side::Buy), Some(Side::Sell)][usize::from(code >> 4) % 3];
                Step::MassCancel { owner: code % 8, side }
            }
            199..226 => {
                let (order, what) = (self.pick()?, self.next()?);
                let quantity = if what & 1 == 0 { Some(self.size()?) } else { None };
                let price = if what & 6 == 0 || what & 1 == 1 { Some(self.level(0)?) } else { None };
                let stop = if what >= 208 { Some(self.level(0)?) } else { None };
                Step::Amend { order, quantity, price, stop }
            }
            226..238 => {
                let delta = self.next()?;
                Step::Expire(if delta >= 250 { -1 } else { (delta % 8) as i8 })
            }
            238..242 => {
                let code = self.next()?;
                Step::SetMode { owner: code % 7, mode: MODES[usize::from(code >> 3) % MODES.len()] }
            }
            242..250 => {
                let code = self.next()?;
                let ticks = i16::from(code as i8);
                Step::Drift(if code % 8 == 0 { ticks * 16 } else { ticks / 16 })
            }
            250..253 => Step::Fork,
            _ => Step::Restore,
        })
    }

    fn submit(&mut self, kind: u8) -> Option<Step> {
        let (who, how) = (self.next()?, self.next()?);
        let side = if who & 1 == 0 { Side::Buy } else { Side::Sell };
        // Limits lean to the passive side, or no book would build up.
        let lean = if side == Side::Buy { -3 } else { 3 };
        let kind = match kind {
            0 => Kind::Limit(self.level(lean)?),
            1 => Kind::Market,
            2 => Kind::Stop(self.level(0)?),
            _ => Kind::StopLimit(self.level(0)?, self.level(0)?),
        };
        // Most attributes go only where they mean something; a few go anywhere, to be refused.
        let anything = who >= 240;
        let limited = anything || matches!(kind, Kind::Limit(_) | Kind::StopLimit(..));
        let life = match how & 15 {
            0..10 => Life::Gtc,
            10 => Life::Ioc,
            11 | 12 => Life::Fok,
            _ if anything || !matches!(kind, Kind::Market) => Life::Gtd(self.next()? % 12),
            _ => Life::Ioc,
        };
        let may_rest = anything || limited && matches!(life, Life::Gtc | Life::Gtd(_));
        let display = if how >> 4 & 3 == 0 && may_rest { Some(Size::Lots(self.next()? % 8)) } else { None };
        let quantity = self.size()?;
        let owner = if who >= 252 { OWNERS as u8 } else { (who >> 1) % OWNERS as u8 };
        let post_only = how >> 6 == 0 && how & 48 != 16 && may_rest;
        Some(Step::Submit(Order { owner, side, kind, quantity, life, post_only, display }))
    }

    fn level(&mut self, lean: i8) -> Option<Level> {
        Some(match self.next()? {
            code @ 0..230 => Level::Near((code % 17) as i8 - 8 + lean),
            code @ 230..250 => {
                let ticks = i32::from(self.next()? as i8);
                Level::Far(ticks * [1, 5, 40, 70_000][usize::from(code % 4)])
            }
            code => Level::Extreme(code),
        })
    }

    fn size(&mut self) -> Option<Size> {
        Some(match self.next()? {
            code @ 0..252 => Size::Lots(code % 21 + u8::from(code >= 21)),
            code => Size::Huge(code % 4),
        })
    }

    fn pick(&mut self) -> Option<Pick> {
        let code = self.next()?;
        Some(match self.next()? {
            0..232 => Pick::Live(code),
            232..252 => Pick::Past(code),
            _ => Pick::Bogus(u32::from(code >> 5), u32::from(code & 31)),
        })
    }
}
