//! One line: a stamp and a message. A scanner for the exact shapes that Binance sends; any other shape of the same content goes through
//! a general JSON parser and is brought into that shape first.

use super::fields::{Field, Fields};
use crate::data::market::step::{NumberError, Step};

/// A message. Its levels are in the buffer that was passed to [`message`]: bids first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    Depth {
        symbol: &'a [u8],
        time: u64,
        first: u64,
        last: u64,
        previous: Option<u64>,
        bids: usize,
    },
    Best {
        symbol: &'a [u8],
        time: Option<u64>,
        id: u64,
    },
    /// `of_market`: two orders of the market met. USD-M futures say so (`X`), and also print what is no such trade.
    Trade {
        symbol: &'a [u8],
        time: u64,
        id: u64,
        buyer_is_maker: bool,
        of_market: bool,
    },
    Snapshot {
        time: Option<u64>,
        id: u64,
        bids: usize,
    },
}

/// A price in ticks and a size in lots.
pub(super) type Pair = (i64, u64);

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanError {
    /// Of another shape than the scanner knows.
    Shape,
    /// No instrument of that name.
    Symbol,
    /// A price or size.
    Number(&'static str, NumberError),
}

/// Tick and lot of a symbol.
pub(super) trait Steps {
    fn steps(&self, symbol: Option<&[u8]>) -> Option<(Step, Step)>;
}

/// A place in a text.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    #[inline(always)]
    pub(super) fn eat(&mut self, literal: &[u8]) -> Result<(), ScanError> {
        if self.maybe(literal) { Ok(()) } else { Err(ScanError::Shape) }
    }

    #[inline(always)]
    pub(super) fn maybe(&mut self, literal: &[u8]) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    #[inline(always)]
    pub(super) fn integer(&mut self) -> Result<u64, ScanError> {
        let mut value = 0_u64;
        let mut length = 0;
        for &byte in self.rest {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            length += 1;
        }
        // Nineteen digits always fit into 64 bits.
        if length == 0 || length > 19 {
            return Err(ScanError::Shape);
        }
        self.rest = &self.rest[length..];
        Ok(value)
    }

    /// Up to the next quotation mark, which is eaten too.
    #[inline(always)]
    pub(super) fn text(&mut self) -> Result<&'a [u8], ScanError> {
        let end = self.rest.iter().position(|&byte| byte == b'"').ok_or(ScanError::Shape)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    /// A number up to a quotation mark, which is eaten too.
    #[inline(always)]
    fn number(&mut self, what: &'static str, step: Step) -> Result<(bool, u64), ScanError> {
        let negative = self.maybe(b"-");
        let (value, length) = step.scan(self.rest).map_err(|error| ScanError::Number(what, error))?;
        if self.rest.get(length) != Some(&b'"') {
            return Err(ScanError::Number(what, NumberError::NotDecimal));
        }
        self.rest = &self.rest[length + 1..];
        if value > i64::MAX as u64 {
            return Err(ScanError::Number(what, NumberError::TooLarge));
        }
        Ok((negative, value))
    }

    #[inline(always)]
    fn pair(&mut self, between: &[u8], steps: (Step, Step)) -> Result<Pair, ScanError> {
        let (below, price) = self.number("price", steps.0)?;
        self.eat(between)?;
        let (negative, size) = self.number("size", steps.1)?;
        if negative && size > 0 {
            return Err(ScanError::Number("size", NumberError::Negative));
        }
        let price = price.cast_signed();
        Ok((if below { -price } else { price }, size))
    }

    /// `[["1.0","2.0"],...]`.
    #[inline(always)]
    fn levels(&mut self, steps: (Step, Step), out: &mut Vec<Pair>) -> Result<(), ScanError> {
        self.eat(b"[")?;
        if self.maybe(b"]") {
            return Ok(());
        }
        loop {
            self.eat(b"[\"")?;
            let pair = self.pair(b",\"", steps)?;
            out.push(pair);
            if self.maybe(b"],") {
                continue;
            }
            return self.eat(b"]]");
        }
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Scans a message. `levels` is emptied first; what it holds after a quote is bid and ask, after a trade price and size.
#[inline]
pub(super) fn message<'a>(
    json: &'a [u8],
    steps: &impl Steps,
    levels: &mut Vec<Pair>,
) -> Result<Message<'a>, ScanError> {
    levels.clear();
    let mut at = Cursor::new(json);
    if at.maybe(b"{\"lastUpdateId\":") {
        return snapshot(at, steps, levels);
    }
    at.eat(b"{\"stream\":\"")?;
    at.text()?;
    at.eat(b",\"data\":{\"")?;
    let message = if at.maybe(b"u\":") {
        best(&mut at, steps, levels)?
    } else {
        at.eat(b"e\":\"")?;
        if at.maybe(b"bookTicker\",\"u\":") {
            best(&mut at, steps, levels)?
        } else if at.maybe(b"depthUpdate\",\"E\":") {
            depth(&mut at, steps, levels)?
        } else {
            at.eat(b"trade\",\"E\":")?;
            trade(&mut at, steps, levels)?
        }
    };
    at.eat(b"}}")?;
    if at.is_empty() { Ok(message) } else { Err(ScanError::Shape) }
}

fn snapshot<'a>(
    mut at: Cursor<'a>,
    steps: &impl Steps,
    levels: &mut Vec<Pair>,
) -> Result<Message<'a>, ScanError> {
    let id = at.integer()?;
    let mut time = None;
    if at.maybe(b",\"E\":") {
        at.integer()?;
        at.eat(b",\"T\":")?;
        time = Some(at.integer()?);
    }
    let steps = steps.steps(None).ok_or(ScanError::Symbol)?;
    at.eat(b",\"bids\":")?;
    at.levels(steps, levels)?;
    let bids = levels.len();
    at.eat(b",\"asks\":")?;
    at.levels(steps, levels)?;
    at.eat(b"}")?;
    if at.is_empty() { Ok(Message::Snapshot { time, id, bids }) } else { Err(ScanError::Shape) }
}

#[inline(always)]
fn depth<'a>(
    at: &mut Cursor<'a>,
    steps: &impl Steps,
    levels: &mut Vec<Pair>,
) -> Result<Message<'a>, ScanError> {
    let mut time = at.integer()?;
    if at.maybe(b",\"T\":") {
        time = at.integer()?;
    }
    at.eat(b",\"s\":\"")?;
    let symbol = at.text()?;
    let steps = steps.steps(Some(symbol)).ok_or(ScanError::Symbol)?;
    at.eat(b",\"U\":")?;
    let first = at.integer()?;
    at.eat(b",\"u\":")?;
    let last = at.integer()?;
    let previous = if at.maybe(b",\"pu\":") { Some(at.integer()?) } else { None };
    at.eat(b",\"b\":")?;
    at.levels(steps, levels)?;
    let bids = levels.len();
    at.eat(b",\"a\":")?;
    at.levels(steps, levels)?;
    Ok(Message::Depth { symbol, time, first, last, previous, bids })
}

#[inline(always)]
fn best<'a>(
    at: &mut Cursor<'a>,
    steps: &impl Steps,
    levels: &mut Vec<Pair>,
) -> Result<Message<'a>, ScanError> {
    let id = at.integer()?;
    at.eat(b",\"s\":\"")?;
    let symbol = at.text()?;
    let steps = steps.steps(Some(symbol)).ok_or(ScanError::Symbol)?;
    at.eat(b",\"b\":\"")?;
    levels.push(at.pair(b",\"B\":\"", steps)?);
    at.eat(b",\"a\":\"")?;
    levels.push(at.pair(b",\"A\":\"", steps)?);
    let mut time = None;
    if at.maybe(b",\"T\":") {
        time = Some(at.integer()?);
        at.eat(b",\"E\":")?;
        at.integer()?;
    }
    Ok(Message::Best { symbol, time, id })
}

#[inline(always)]
fn trade<'a>(
    at: &mut Cursor<'a>,
    steps: &impl Steps,
    levels: &mut Vec<Pair>,
) -> Result<Message<'a>, ScanError> {
    let mut time = at.integer()?;
    if at.maybe(b",\"T\":") {
        time = at.integer()?;
    }
    at.eat(b",\"s\":\"")?;
    let symbol = at.text()?;
    let steps = steps.steps(Some(symbol)).ok_or(ScanError::Symbol)?;
    at.eat(b",\"t\":")?;
    let id = at.integer()?;
    at.eat(b",\"p\":\"")?;
    levels.push(at.pair(b",\"q\":\"", steps)?);
    let mut of_market = true;
    if at.maybe(b",\"X\":\"") {
        of_market = at.text()? == b"MARKET";
    } else if at.maybe(b",\"T\":") {
        time = at.integer()?;
    }
    at.eat(b",\"m\":")?;
    let buyer_is_maker = at.maybe(b"true");
    if !buyer_is_maker {
        at.eat(b"false")?;
    }
    if at.maybe(b",\"M\":") && !at.maybe(b"true") {
        at.eat(b"false")?;
    }
    Ok(Message::Trade { symbol, time, id, buyer_is_maker, of_market })
}

/// The same message in the exact shape; `Ok(false)` if it is sound JSON but of no kind that matters to a book.
///
/// # Errors
/// If it is no JSON, or lacks a field that its kind has.
#[cold]
pub(super) fn reshape(json: &[u8], out: &mut Vec<u8>) -> Result<bool, String> {
    use std::io::Write;

    out.clear();
    let fields = Fields::parse(json).map_err(|error| format!("no JSON: {error}"))?;
    let integer = |key: &str, field: &Field| match field {
        Field::Integer(number) => Ok(*number),
        _ => Err(format!("field `{key}` is missing or no integer")),
    };
    let text = |key: &str, field: &'_ Field| match field {
        Field::Text(text) => Ok(text.clone()),
        _ => Err(format!("field `{key}` is missing or no text")),
    };
    let levels = |key: &str, field: &Field| match field {
        Field::Levels(levels) => Ok(format!("[{levels}]")),
        _ => Err(format!("field `{key}` is no list of [price, size]")),
    };
    let optional = |key: &str, field: &Field| match field {
        Field::Integer(number) => format!(",\"{key}\":{number}"),
        _ => String::new(),
    };
    // Writing to a vector cannot fail, here and below.
    let write = |out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>| {
        let _ = out.write_fmt(arguments);
    };
    let stamps =
        || integer("E", &fields.event_time).map(|event| format!("{event}{}", optional("T", &fields.time)));
    let kind = match &fields.kind {
        Field::Text(kind) => Some(kind.as_str()),
        _ => None,
    };
    match kind {
        Some("depthUpdate") => write(
            out,
            format_args!(
                "{{\"stream\":\"\",\"data\":{{\"e\":\"depthUpdate\",\"E\":{},\"s\":\"{}\",\"U\":{},\"u\":{}{},\"b\":{},\"a\":{}}}}}",
                stamps()?,
                text("s", &fields.symbol)?,
                integer("U", &fields.first)?,
                integer("u", &fields.last)?,
                optional("pu", &fields.previous),
                levels("b", &fields.bid)?,
                levels("a", &fields.ask)?
            ),
        ),
        Some("trade") => {
            let of = match &fields.of {
                Field::Text(of) => format!(",\"X\":\"{of}\""),
                _ => String::new(),
            };
            let Field::Flag(buyer_is_maker) = fields.buyer_is_maker else {
                return Err("field `m` is missing or no boolean".to_owned());
            };
            write(
                out,
                format_args!(
                    "{{\"stream\":\"\",\"data\":{{\"e\":\"trade\",\"E\":{},\"s\":\"{}\",\"t\":{},\"p\":\"{}\",\"q\":\"{}\"{of},\"m\":{buyer_is_maker}}}}}",
                    stamps()?,
                    text("s", &fields.symbol)?,
                    integer("t", &fields.trade)?,
                    text("p", &fields.price)?,
                    text("q", &fields.size)?,
                ),
            );
        }
        Some("bookTicker") | None if fields.bid_size.is_there() => {
            let times = match fields.time {
                Field::Integer(time) => format!(",\"T\":{time},\"E\":{time}"),
                _ => String::new(),
            };
            write(
                out,
                format_args!(
                    "{{\"stream\":\"\",\"data\":{{\"e\":\"bookTicker\",\"u\":{},\"s\":\"{}\",\"b\":\"{}\",\"B\":\"{}\",\"a\":\"{}\",\"A\":\"{}\"{times}}}}}",
                    integer("u", &fields.last)?,
                    text("s", &fields.symbol)?,
                    text("b", &fields.bid)?,
                    text("B", &fields.bid_size)?,
                    text("a", &fields.ask)?,
                    text("A", &fields.ask_size)?
                ),
            );
        }
        _ if fields.snapshot.is_there() => {
            let times = match fields.time {
                Field::Integer(time) => format!(",\"E\":{time},\"T\":{time}"),
                _ => String::new(),
            };
            write(
                out,
                format_args!(
                    "{{\"lastUpdateId\":{}{times},\"bids\":{},\"asks\":{}}}",
                    integer("lastUpdateId", &fields.snapshot)?,
                    levels("bids", &fields.bids)?,
                    levels("asks", &fields.asks)?
                ),
            );
        }
        _ => return Ok(false),
    }
    Ok(true)
}
