//! The fields of a message of whatever shape, read by a general JSON parser. What no message needs is passed over unkept, so that a line takes
//! no more memory than its own length.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Field {
    /// It is not there.
    #[default]
    Missing,
    /// A whole number, 0 or more.
    Integer(u64),
    /// A text that may stand between quotation marks as it is.
    Text(String),
    /// True or false.
    Flag(bool),
    /// A list of prices and sizes, as JSON without the outer brackets: `["1.0","2.0"],["1.1","3.0"]`.
    Levels(String),
    /// Anything else.
    Other,
}

impl Field {
    pub(super) fn is_there(&self) -> bool {
        *self != Self::Missing
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Prices and sizes of a list.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = match self {
            Self::Levels(text) => text.as_str(),
            _ => "",
        };
        // Every second part lies between two quotation marks.
        let mut texts = text.split('"').skip(1).step_by(2);
        std::iter::from_fn(move || texts.next().zip(texts.next()))
    }
}

/// A text that is written back between quotation marks needs no escapes.
fn is_plain(text: &str) -> bool {
    !text.contains(['"', '\\'])
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Field, E> {
                Ok(Field::Flag(flag))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
                Ok(Field::Integer(number))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Field, E> {
                Ok(Field::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
                Ok(Field::Other)
            }

            fn visit_unit<E>(self) -> Result<Field, E> {
                Ok(Field::Other)
            }

            fn visit_str<E>(self, text: &str) -> Result<Field, E> {
                Ok(if is_plain(text) { Field::Text(text.to_owned()) } else { Field::Other })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Field, A::Error> {
                let mut levels = String::new();
                while let Some(Pair(pair)) = values.next_element()? {
                    let Some((price, size)) = pair else {
                        while values.next_element::<IgnoredAny>()?.is_some() {}
                        return Ok(Field::Other);
                    };
                    let comma = if levels.is_empty() { "" } else { "," };
                    for part in [comma, "[\"", &price, "\",\"", &size, "\"]"] {
                        levels.push_str(part);
                    }
                }
                Ok(Field::Levels(levels))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Field, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Field::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// The first two texts of a list, if they are that.
struct Pair(Option<(String, String)>);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Two;

        impl<'de> Visitor<'de> for Two {
            type Value = Pair;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Pair, E> {
                Ok(Pair(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Pair, E> {
                Ok(Pair(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Pair, E> {
                Ok(Pair(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Pair, E> {
                Ok(Pair(None))
            }

            fn visit_unit<E>(self) -> Result<Pair, E> {
                Ok(Pair(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<Pair, E> {
                Ok(Pair(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Pair, A::Error> {
                let mut two = [Field::Missing, Field::Missing];
                for field in &mut two {
                    // A value in a list that is itself a list is no number, whatever is in it.
                    *field = values.next_element()?.unwrap_or_default();
                }
                while values.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Pair(match two {
                    [Field::Text(price), Field::Text(size)] => Some((price, size)),
                    _ => None,
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Pair, A::Error> {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Pair(None))
            }
        }

        deserializer.deserialize_any(Two)
    }
}

/// What messages have in them: the fields below `data`, or those of the message itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    data: Option<Box<Self>>,
    #[serde(rename = "e")]
    pub(super) kind: Field,
    #[serde(rename = "E")]
    pub(super) event_time: Field,
    #[serde(rename = "T")]
    pub(super) time: Field,
    #[serde(rename = "s")]
    pub(super) symbol: Field,
    #[serde(rename = "U")]
    pub(super) first: Field,
    #[serde(rename = "u")]
    pub(super) last: Field,
    #[serde(rename = "pu")]
    pub(super) previous: Field,
    #[serde(rename = "b")]
    pub(super) bid: Field,
    #[serde(rename = "B")]
    pub(super) bid_size: Field,
    #[serde(rename = "a")]
    pub(super) ask: Field,
    #[serde(rename = "A")]
    pub(super) ask_size: Field,
    #[serde(rename = "t")]
    pub(super) trade: Field,
    #[serde(rename = "p")]
    pub(super) price: Field,
    #[serde(rename = "q")]
    pub(super) size: Field,
    #[serde(rename = "X")]
    pub(super) of: Field,
    #[serde(rename = "m")]
    pub(super) buyer_is_maker: Field,
    #[serde(rename = "lastUpdateId")]
    pub(super) snapshot: Field,
    pub(super) bids: Field,
    pub(super) asks: Field,
}

impl Fields {
    /// Reads a message.
    pub(super) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let mut fields: Self = serde_json::from_slice(json)?;
        Ok(match fields.data.take() {
            Some(data) => *data,
            None => fields,
        })
    }
}
