//! One number for all assets, one for each, or numbers evenly spaced over them.

use std::fmt;

use lob::ParameterError;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A parameter of each asset, as configured: `0.2`, `[0.1, 0.2, 0.3]` or `{from: 0.1, to: 0.3}`.
#[derive(Clone, Debug, PartialEq)]
pub enum PerAsset {
    /// The same for all.
    All(f64),
    /// One each.
    Each(Vec<f64>),
    /// Evenly spaced, the first asset's and the last one's given; a single asset has the first.
    Range {
        /// The first asset's.
        from: f64,
        /// The last asset's.
        to: f64,
    },
}

impl PerAsset {
    /// The numbers of `assets` assets, each checked by `check`, which is told its key.
    ///
    /// # Errors
    /// A list of another length, or what `check` refuses.
    pub fn values(
        &self,
        key: &str,
        assets: usize,
        check: impl Fn(&str, f64) -> Result<(), ParameterError>,
    ) -> Result<Vec<f64>, ParameterError> {
        match self {
            Self::All(value) => {
                check(key, *value)?;
                Ok(vec![*value; assets])
            }
            Self::Each(values) => {
                lob::parameter::length(key, values.len(), assets..=assets)?;
                for (index, &value) in values.iter().enumerate() {
                    check(&format!("{key}[{index}]"), value)?;
                }
                Ok(values.clone())
            }
            Self::Range { from, to } => {
                check(&format!("{key}.from"), *from)?;
                check(&format!("{key}.to"), *to)?;
                let gap = (to - from) / assets.saturating_sub(1).max(1) as f64;
                Ok((0..assets).map(|asset| from + gap * asset as f64).collect())
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    from: f64,
    to: f64,
}

impl Serialize for PerAsset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All(value) => value.serialize(serializer),
            Self::Each(values) => values.serialize(serializer),
            &Self::Range { from, to } => Range { from, to }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PerAsset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = PerAsset;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number, a list of one for each asset, or a map of from and to")
            }

            fn visit_f64<E>(self, value: f64) -> Result<PerAsset, E> {
                Ok(PerAsset::All(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<PerAsset, E> {
                Ok(PerAsset::All(value as f64))
            }

            fn visit_u64<E>(self, value: u64) -> Result<PerAsset, E> {
                Ok(PerAsset::All(value as f64))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<PerAsset, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(values)).map(PerAsset::Each)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PerAsset, A::Error> {
                let Range { from, to } = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(PerAsset::Range { from, to })
            }
        }

        deserializer.deserialize_any(Reader)
    }
}
