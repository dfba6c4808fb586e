//! NASDAQ TotalView-ITCH 5.0 as files: each message behind its length (two bytes, big-endian). Prices have four decimals, stamps count
//! nanoseconds since midnight.

use super::reader::{
    BATCH, Cause, Damage, Instrument, MarketReader, Origin, Position, ReadError, ReadOptions, Tally, counted,
};
use super::step::Step;
use super::{Compression, Format, Input, Kind, MarketEvent};
use crate::{Nanos, Price, Quantity, Side};

/// The unit of prices, in decimals.
const DECIMALS: i32 = -4;

/// No instrument of this locate code is wanted, or it has not been seen.
const UNSEEN: u16 = u16::MAX;
const UNWANTED: u16 = u16::MAX - 1;

/// Length of each message by its type; 0 where there is no such type.
const LENGTHS: [u8; 256] = {
    let mut lengths = [0_u8; 256];
    let known = [
        (b'S', 12),
        (b'R', 39),
        (b'H', 25),
        (b'Y', 20),
        (b'L', 26),
        (b'V', 35),
        (b'W', 12),
        (b'K', 28),
        (b'J', 35),
        (b'h', 21),
        (b'A', 36),
        (b'F', 40),
        (b'E', 31),
        (b'C', 36),
        (b'X', 23),
        (b'D', 19),
        (b'U', 35),
        (b'P', 44),
        (b'Q', 40),
        (b'B', 19),
        (b'I', 50),
        (b'N', 20),
        (b'O', 48),
    ];
    let mut i = 0;
    while i < known.len() {
        lengths[known[i].0 as usize] = known[i].1;
        i += 1;
    }
    lengths
};

/// Reads TotalView-ITCH 5.0.
#[derive(Debug)]
pub struct ItchReader {
    input: Input,
    instruments: Vec<Instrument>,
    /// Instrument by locate code.
    located: Vec<u16>,
    wanted: Vec<[u8; 8]>,
    tick: Step,
    tick_origin: Origin,
    /// Units of the format in a tick.
    units: u32,
    strict: bool,
    /// A message of length 0 has ended the session.
    ended: bool,
    tally: Tally,
    causes: [u64; CAUSES.len()],
}

#[derive(Clone, Copy)]
enum Mismatch {
    Trade,
    Execution,
}

const CAUSES: [(&str, &str); 2] = [
    ("off_tick_trade", "trade of a hidden order, or cross, between two ticks of the size given: passed over"),
    ("off_tick_execution", "execution between two ticks of the size given: taken without its price"),
];

/// True if a file that begins like this is an ITCH stream: its first messages have the lengths of their types.
pub(super) fn recognises(mut head: &[u8]) -> bool {
    let mut seen = 0;
    while let [high, low, kind, ..] = *head {
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length == 0 {
            // The end of a session.
            break;
        }
        if usize::from(LENGTHS[usize::from(kind)]) != length {
            return false;
        }
        seen += 1;
        head = head.get(2 + length..).unwrap_or_default();
    }
    seen > 0
}

#[inline(always)]
fn u16_at(message: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([message[at], message[at + 1]])
}

#[inline(always)]
fn u32_at(message: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([message[at], message[at + 1], message[at + 2], message[at + 3]])
}

#[inline(always)]
fn u64_at(message: &[u8], at: usize) -> u64 {
    u64::from(u32_at(message, at)) << 32 | u64::from(u32_at(message, at + 4))
}

fn symbol_at(message: &[u8], at: usize) -> [u8; 8] {
    let mut symbol = [b' '; 8];
    symbol.copy_from_slice(&message[at..at + 8]);
    symbol
}

impl ItchReader {
    /// Begins to read.
    ///
    /// # Errors
    /// If the tick given is no multiple of the format's 0.0001, or a symbol is longer than 8 characters.
    pub fn new(input: Input, options: &ReadOptions) -> Result<Self, ReadError> {
        let (tick, tick_origin) = match options.tick {
            Some(tick) => (tick, Origin::Given),
            None => (Step::power_of_ten(DECIMALS), Origin::Format),
        };
        let units = Step::power_of_ten(DECIMALS).parse(tick.to_string().as_bytes()).ok();
        let units = units.and_then(|units| u32::try_from(units).ok()).filter(|&units| units > 0);
        let units =
            units.ok_or_else(|| ReadError::File(format!("tick is {tick}; legal: a multiple of 0.0001")))?;
        if let Some(lot) = options.lot.filter(|&lot| lot != Step::ONE) {
            return Err(ReadError::File(format!("lot is {lot}; legal: 1, as sizes are in shares")));
        }
        let wanted = options.symbols.iter().map(|symbol| {
            let mut padded = [b' '; 8];
            let Some(place) = padded.get_mut(..symbol.len()) else {
                return Err(ReadError::File(format!("symbol is {symbol}; legal: at most 8 characters")));
            };
            place.copy_from_slice(symbol.as_bytes());
            Ok(padded)
        });
        Ok(Self {
            input,
            instruments: Vec::new(),
            located: vec![UNSEEN; 1 << 16],
            wanted: wanted.collect::<Result<_, _>>()?,
            tick,
            tick_origin,
            units,
            strict: options.strict,
            ended: false,
            tally: Tally::default(),
            causes: [0; CAUSES.len()],
        })
    }

    /// The end of a session (BinaryFILE: a message of length 0): what lies behind it is no part of it.
    #[cold]
    fn end(&mut self) -> Result<bool, ReadError> {
        self.ended = true;
        self.tally.ignored += 1;
        self.input.consume(2);
        let behind =
            self.input.peek(1).map(<[u8]>::len).map_err(|error| ReadError::io(&self.input, error))?;
        if behind > 0 {
            self.tally.records += 1;
            self.damaged("bytes behind the end of the session".to_owned())?;
        }
        Ok(false)
    }

    #[cold]
    fn register(&mut self, locate: u16, symbol: [u8; 8]) -> u16 {
        let index = if !self.wanted.is_empty() && !self.wanted.contains(&symbol)
            || self.instruments.len() >= usize::from(UNWANTED)
        {
            UNWANTED
        } else {
            self.instruments.push(Instrument {
                symbol: String::from_utf8_lossy(&symbol).trim_end().to_owned(),
                tick: self.tick,
                tick_origin: self.tick_origin,
                lot: Step::ONE,
                lot_origin: Origin::Format,
            });
            (self.instruments.len() - 1) as u16
        };
        self.located[usize::from(locate)] = index;
        index
    }

    /// The instrument of a message, which names its symbol at `at` if it does.
    #[inline(always)]
    fn instrument(&mut self, message: &[u8], at: Option<usize>) -> u16 {
        let locate = u16_at(message, 1);
        let index = self.located[usize::from(locate)];
        match (index, at) {
            (UNSEEN, Some(at)) => self.register(locate, symbol_at(message, at)),
            // With a filter, the symbol of a code that has not been named cannot be the one.
            (UNSEEN, None) if !self.wanted.is_empty() => UNWANTED,
            (UNSEEN, None) => {
                let symbol = format!("#{locate:<7}");
                self.register(locate, symbol_at(symbol.as_bytes(), 0))
            }
            _ => index,
        }
    }

    #[inline(always)]
    fn price(&self, units: u32) -> Result<Price, &'static str> {
        if self.units == 1 {
            return Ok(Price(i64::from(units)));
        }
        if units.is_multiple_of(self.units) {
            Ok(Price(i64::from(units / self.units)))
        } else {
            Err("a price that is no multiple of the tick")
        }
    }

    /// Carries a message out whose length is right. Returns false if it means nothing to a book.
    #[inline(always)]
    fn message(&mut self, message: &[u8], events: &mut Vec<MarketEvent>) -> Result<bool, &'static str> {
        let time = Nanos(u64::from(u16_at(message, 5)) << 32 | u64::from(u32_at(message, 7)));
        let base = |kind, instrument| MarketEvent {
            instrument,
            flags: MarketEvent::LAST | MarketEvent::UNPRICED,
            ..MarketEvent::new(kind, time, time)
        };
        let side = |byte| match byte {
            b'B' => Ok(Some(Side::Buy)),
            b'S' => Ok(Some(Side::Sell)),
            _ => Err("a side that is neither B nor S"),
        };
        let kind = message[0];
        let symbol = match kind {
            b'A' | b'F' | b'P' => Some(24),
            b'E' | b'C' | b'X' | b'D' | b'U' => None,
            b'R' => Some(11),
            b'Q' => Some(19),
            _ => return Ok(false),
        };
        let instrument = self.instrument(message, symbol);
        if instrument == UNWANTED {
            return Ok(false);
        }
        let event = match kind {
            b'A' | b'F' => MarketEvent {
                id: u64_at(message, 11),
                side: side(message[19])?,
                quantity: Quantity(u64::from(u32_at(message, 20))),
                price: self.price(u32_at(message, 32))?,
                flags: MarketEvent::LAST,
                ..base(Kind::Add, instrument)
            },
            b'E' => MarketEvent {
                id: u64_at(message, 11),
                quantity: Quantity(u64::from(u32_at(message, 19))),
                reference: u64_at(message, 23),
                ..base(Kind::Execute, instrument)
            },
            b'C' => {
                let mut event = MarketEvent {
                    id: u64_at(message, 11),
                    quantity: Quantity(u64::from(u32_at(message, 19))),
                    reference: u64_at(message, 23),
                    ..base(Kind::Execute, instrument)
                };
                match self.price(u32_at(message, 32)) {
                    Ok(price) => event = MarketEvent { price, flags: MarketEvent::LAST, ..event },
                    Err(_) => self.causes[Mismatch::Execution as usize] += 1,
                }
                event
            }
            b'P' | b'Q' if self.price(u32_at(message, if kind == b'P' { 32 } else { 27 })).is_err() => {
                self.causes[Mismatch::Trade as usize] += 1;
                return Ok(true);
            }
            b'X' => MarketEvent {
                id: u64_at(message, 11),
                quantity: Quantity(u64::from(u32_at(message, 19))),
                ..base(Kind::Reduce, instrument)
            },
            b'D' => MarketEvent { id: u64_at(message, 11), ..base(Kind::Delete, instrument) },
            b'U' => MarketEvent {
                reference: u64_at(message, 11),
                id: u64_at(message, 19),
                quantity: Quantity(u64::from(u32_at(message, 27))),
                price: self.price(u32_at(message, 31))?,
                flags: MarketEvent::LAST,
                ..base(Kind::Replace, instrument)
            },
            // The side should be the hidden order's, but has been B since 14 July 2014 whatever that was: it says nothing.
            b'P' => MarketEvent {
                id: u64_at(message, 36),
                side: side(message[19])?.and(None),
                quantity: Quantity(u64::from(u32_at(message, 20))),
                price: self.price(u32_at(message, 32))?,
                flags: MarketEvent::LAST | MarketEvent::HIDDEN,
                ..base(Kind::Trade, instrument)
            },
            b'Q' => MarketEvent {
                id: u64_at(message, 31),
                quantity: Quantity(u64_at(message, 11)),
                price: self.price(u32_at(message, 27))?,
                flags: MarketEvent::LAST,
                ..base(Kind::Trade, instrument)
            },
            _ => return Ok(false),
        };
        events.push(event);
        Ok(true)
    }

    #[cold]
    fn damage(&self, reason: String) -> Damage {
        Damage { position: Position { byte: self.input.offset(), record: self.tally.records }, reason }
    }

    #[cold]
    fn damaged(&mut self, reason: String) -> Result<(), ReadError> {
        let damage = self.damage(reason);
        if self.strict {
            return Err(ReadError::Damaged { damage, unit: "message" });
        }
        self.tally.damage(damage);
        Ok(())
    }

    /// Where a length is wrong, nothing tells where the next message begins.
    #[cold]
    fn lost(&self, reason: String) -> ReadError {
        ReadError::Damaged { damage: self.damage(reason), unit: "message" }
    }
}

impl MarketReader for ItchReader {
    fn format(&self) -> Format {
        Format::Itch
    }

    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn read(&mut self, events: &mut Vec<MarketEvent>) -> Result<bool, ReadError> {
        let enough = events.len() + BATCH;
        let mut seen = 0;
        if self.ended {
            return Ok(false);
        }
        // Where a filter leaves little, the caller is not kept waiting for a whole file.
        while events.len() < enough && seen < 64 * BATCH {
            seen += 1;
            if self.input.available().len() < 2 + 64 {
                let length = self.input.peek(2 + 64).map(<[u8]>::len);
                if length.map_err(|error| ReadError::io(&self.input, error))? == 0 {
                    return Ok(false);
                }
            }
            self.tally.records += 1;
            let available = self.input.available();
            if available.starts_with(&[0, 0]) {
                return self.end();
            }
            let &[high, low, kind, ..] = available else {
                return Err(self.lost(format!("ends inside a message, after {} bytes", available.len())));
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let expected = usize::from(LENGTHS[usize::from(kind)]);
            if length != expected || expected == 0 {
                return Err(self.lost(format!(
                    "type {:?} of {length} bytes; legal: a type of ITCH 5.0 with its length ({expected})",
                    char::from(kind)
                )));
            }
            // The longest message is shorter than this copy, which lets the compiler drop the bounds of every field.
            let mut message = [0_u8; 64];
            let Some(bytes) = available.get(2..2 + length) else {
                return Err(self.lost(format!("ends inside a message of {length} bytes")));
            };
            match available.get(2..2 + 64) {
                Some(bytes) => message.copy_from_slice(bytes),
                None => message[..length].copy_from_slice(bytes),
            }
            match self.message(&message, events) {
                Ok(true) => {}
                Ok(false) => self.tally.ignored += 1,
                Err(reason) => self.damaged(format!("type {:?} with {reason}", char::from(kind)))?,
            }
            self.input.consume(2 + length);
        }
        Ok(true)
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn causes(&self) -> Vec<Cause> {
        counted(&CAUSES, &self.causes)
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.input.packed_position(), self.input.packed_length())
    }

    fn compression(&self) -> Compression {
        self.input.compression()
    }
}
