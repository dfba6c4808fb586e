//! Messages to a book as rows of an array.

use lob::{
    Amendment, Nanos, NewOrder, OrderKind, Owner, Price, Quantity, SelfTradePrevention, Side, TimeInForce,
};

use crate::arguments::MODES;
use crate::record::record;

/// The names of the kinds of messages, by their codes.
pub(crate) const MESSAGE_KINDS: [&str; 10] = [
    "limit",
    "market",
    "cancel",
    "stop",
    "stop_limit",
    "amend",
    "cancel_quantity",
    "mass_cancel",
    "expire",
    "set_self_trade_prevention",
];

/// Flag of a new order: it never takes liquidity.
pub(crate) const POST_ONLY: u8 = 1;
/// Flag of an amendment: `quantity` is the new open size.
pub(crate) const AMEND_QUANTITY: u8 = 2;
/// Flag of an amendment: `price` is the new limit.
pub(crate) const AMEND_PRICE: u8 = 4;
/// Flag of an amendment: `stop` is the new trigger.
pub(crate) const AMEND_STOP: u8 = 8;

record! {
    /// One message, 64 bytes: `lobgym.MESSAGE_DTYPE`. The first 32 are laid out as the records of a message file.
    MessageRow {
        kind: u8 = "u1",
        side: u8 = "u1",
        time_in_force: u8 = "u1",
        flags: u8 = "u1",
        owner: u32 = "u4",
        id: u64 = "u8",
        price: i64 = "i8",
        quantity: u64 = "u8",
        display: u64 = "u8",
        stop: i64 = "i8",
        expiry: u64 = "u8",
        self_trade_prevention: u8 = "u1",
    } padding { _padding: [u8; 7] }
}

record! {
    /// One record of a message file, 32 bytes: `lobgym.BASIC_MESSAGE_DTYPE`.
    BasicRow {
        kind: u8 = "u1",
        side: u8 = "u1",
        reserved: u16 = "u2",
        owner: u32 = "u4",
        id: u64 = "u8",
        price: i64 = "i8",
        quantity: u64 = "u8",
    }
}

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Submit { id: u64, order: NewOrder },
    Cancel { id: u64 },
    Amend { id: u64, amendment: Amendment },
    CancelQuantity { owner: Owner, side: Side, price: Price, quantity: Quantity },
    MassCancel { owner: Owner, side: Option<Side> },
    Expire { until: Nanos },
    SetSelfTradePrevention { owner: Owner, mode: SelfTradePrevention },
}

/// A field of a message that is not legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) field: &'static str,
    pub(crate) value: i128,
    pub(crate) legal: &'static str,
}

/// A row that spells a message.
pub(crate) trait Message: Copy + Send + Sync {
    /// What it asks for, or the first field that is not legal.
    fn decode(self) -> Result<Operation, Malformed>;
}

const KINDS: &str = "0 limit, 1 market, 2 cancel, 3 stop, 4 stop_limit, 5 amend, 6 cancel_quantity, 7 mass_cancel, \
                     8 expire, 9 set_self_trade_prevention";

fn malformed<T>(field: &'static str, value: impl Into<i128>, legal: &'static str) -> Result<T, Malformed> {
    Err(Malformed { field, value: value.into(), legal })
}

fn side(code: u8) -> Result<Side, Malformed> {
    Side::try_from(code).or_else(|code| malformed("side", code, "0 buy, 1 sell"))
}

impl MessageRow {
    /// Fields that this kind of message does not have must be zero: a value there would be ignored, which nobody means.
    #[inline]
    fn without(&self, fields: u8) -> Result<(), Malformed> {
        let zero = "0 for this kind of message";
        if fields & TIME_IN_FORCE != 0 && self.time_in_force != 0 {
            return malformed("time_in_force", self.time_in_force, zero);
        }
        if fields & FLAGS != 0 && self.flags != 0 {
            return malformed("flags", self.flags, zero);
        }
        if fields & DISPLAY != 0 && self.display != 0 {
            return malformed("display", self.display, zero);
        }
        if fields & STOP != 0 && self.stop != 0 {
            return malformed("stop", self.stop, zero);
        }
        if fields & EXPIRY != 0 && self.expiry != 0 {
            return malformed("expiry", self.expiry, zero);
        }
        if fields & MODE != 0 && self.self_trade_prevention != 0 {
            return malformed("self_trade_prevention", self.self_trade_prevention, zero);
        }
        Ok(())
    }

    #[inline]
    fn order(&self, kind: OrderKind) -> Result<Operation, Malformed> {
        let time_in_force = match self.time_in_force {
            0 => TimeInForce::Gtc,
            1 => TimeInForce::Ioc,
            2 => TimeInForce::Fok,
            3 => TimeInForce::Gtd(Nanos(self.expiry)),
            other => return malformed("time_in_force", other, "0 gtc, 1 ioc, 2 fok, 3 gtd"),
        };
        if self.time_in_force != 3 && self.expiry != 0 {
            return malformed("expiry", self.expiry, "0 unless time_in_force is 3 gtd");
        }
        if self.flags & !POST_ONLY != 0 {
            return malformed("flags", self.flags, "0 or 1 post_only for a new order");
        }
        let order = NewOrder {
            owner: Owner(self.owner),
            side: side(self.side)?,
            quantity: Quantity(self.quantity),
            kind,
            time_in_force,
            post_only: self.flags & POST_ONLY != 0,
            display: (self.display != 0).then_some(Quantity(self.display)),
        };
        Ok(Operation::Submit { id: self.id, order })
    }

    fn amendment(&self) -> Result<Amendment, Malformed> {
        if self.flags & !(AMEND_QUANTITY | AMEND_PRICE | AMEND_STOP) != 0 {
            return malformed("flags", self.flags, "a sum of 2 amend_quantity, 4 amend_price, 8 amend_stop");
        }
        let has = |flag| self.flags & flag != 0;
        if !has(AMEND_QUANTITY) && self.quantity != 0 {
            return malformed("quantity", self.quantity, "0 unless flags have 2 amend_quantity");
        }
        if !has(AMEND_PRICE) && self.price != 0 {
            return malformed("price", self.price, "0 unless flags have 4 amend_price");
        }
        if !has(AMEND_STOP) && self.stop != 0 {
            return malformed("stop", self.stop, "0 unless flags have 8 amend_stop");
        }
        Ok(Amendment {
            quantity: has(AMEND_QUANTITY).then_some(Quantity(self.quantity)),
            price: has(AMEND_PRICE).then_some(Price(self.price)),
            stop: has(AMEND_STOP).then_some(Price(self.stop)),
        })
    }
}

const TIME_IN_FORCE: u8 = 1;
const FLAGS: u8 = 2;
const DISPLAY: u8 = 4;
const STOP: u8 = 8;
const EXPIRY: u8 = 16;
const MODE: u8 = 32;
const ALL: u8 = 63;

impl Message for MessageRow {
    #[inline]
    fn decode(self) -> Result<Operation, Malformed> {
        let owner = Owner(self.owner);
        match self.kind {
            0 => {
                self.without(STOP | MODE)?;
                self.order(OrderKind::Limit { price: Price(self.price) })
            }
            1 => {
                self.without(STOP | MODE)?;
                self.order(OrderKind::Market)
            }
            2 => {
                self.without(ALL)?;
                Ok(Operation::Cancel { id: self.id })
            }
            3 => {
                self.without(MODE)?;
                self.order(OrderKind::Stop { stop: Price(self.stop) })
            }
            4 => {
                self.without(MODE)?;
                self.order(OrderKind::StopLimit { stop: Price(self.stop), price: Price(self.price) })
            }
            5 => {
                self.without(ALL & !(FLAGS | STOP))?;
                Ok(Operation::Amend { id: self.id, amendment: self.amendment()? })
            }
            6 => {
                self.without(ALL)?;
                let (price, quantity) = (Price(self.price), Quantity(self.quantity));
                Ok(Operation::CancelQuantity { owner, side: side(self.side)?, price, quantity })
            }
            7 => {
                self.without(ALL)?;
                let side = match self.side {
                    2 => None,
                    0 | 1 => Some(side(self.side)?),
                    other => return malformed("side", other, "0 buy, 1 sell, 2 both"),
                };
                Ok(Operation::MassCancel { owner, side })
            }
            8 => {
                self.without(ALL & !EXPIRY)?;
                Ok(Operation::Expire { until: Nanos(self.expiry) })
            }
            9 => {
                self.without(ALL & !MODE)?;
                let code = self.self_trade_prevention;
                let legal = "0 allow, 1 cancel_newest, 2 cancel_oldest, 3 cancel_both, 4 decrement";
                match MODES.get(usize::from(code)) {
                    Some(&mode) => Ok(Operation::SetSelfTradePrevention { owner, mode }),
                    None => malformed("self_trade_prevention", code, legal),
                }
            }
            other => malformed("kind", other, KINDS),
        }
    }
}

impl Message for BasicRow {
    #[inline]
    fn decode(self) -> Result<Operation, Malformed> {
        let Self { kind, side, reserved, owner, id, price, quantity } = self;
        if kind > 2 {
            return malformed("kind", kind, "0 limit, 1 market, 2 cancel");
        }
        if reserved != 0 {
            return malformed("reserved", reserved, "0");
        }
        MessageRow { kind, side, owner, id, price, quantity, ..MessageRow::default() }.decode()
    }
}
