//! What a policy file is and needs, for people and as JSON.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{ActionRecord, ComponentRecord, Decision, Head, NetworkSpec, PolicyFile};
use crate::report::plain_table;

/// Numbers beside each other that differ by a count in their names only.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComponentGroup {
    /// Index of the first.
    pub first: usize,
    /// Index of the last; `first` if there is one.
    pub last: usize,
    /// What they are: `level of lot 0 to 19`.
    pub name: String,
    /// Their unit, or what they were divided by.
    pub unit: String,
    /// Never below; none if unbounded.
    pub low: Option<f32>,
    /// Never above; none if unbounded.
    pub high: Option<f32>,
}

/// A tensor of a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// Its shape, row-major.
    pub shape: Vec<usize>,
}

/// How observations are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Normalisation {
    /// Observations that mean and deviation are taken over.
    pub count: f64,
    /// Where normalised numbers are cut.
    pub limit: f32,
}

/// What a policy's action may be: numbers, or choices by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ActionGroups {
    /// A vector of numbers.
    Box {
        /// How many.
        count: usize,
        /// Which.
        groups: Vec<ComponentGroup>,
    },
    /// One of several choices.
    Discrete {
        /// Their names.
        choices: Vec<String>,
    },
    /// One choice from each of several lists.
    MultiDiscrete {
        /// The names of the lists and of their choices.
        lists: Vec<(String, Vec<String>)>,
    },
}

/// The numbers of an observation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObservationGroups {
    /// How many.
    pub count: usize,
    /// Which.
    pub groups: Vec<ComponentGroup>,
}

/// Everything about a policy file but its numbers. The fields serialize to what `lobgym policy inspect --json` writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// The file.
    pub file: PathBuf,
    /// Its format.
    pub format: u32,
    /// The version of this library that wrote it.
    pub code_version: String,
    /// The network.
    pub network: NetworkSpec,
    /// Its tensors, in order.
    pub tensors: Vec<Tensor>,
    /// Numbers in them.
    pub parameters: usize,
    /// What its outputs mean.
    pub head: Head,
    /// How it decides unless told otherwise: `mode` or `sample`.
    pub decision: &'static str,
    /// Mean standard deviation, of heads that have one.
    pub deviation: Option<f64>,
    /// None if observations are taken as they are.
    pub normalisation: Option<Normalisation>,
    /// What it sees.
    pub observation: ObservationGroups,
    /// What it says.
    pub action: ActionGroups,
    /// The settings of the environment that it was trained in.
    pub env: Map<String, Value>,
    /// How it was trained.
    pub training: Map<String, Value>,
}

impl Inspection {
    /// What a file says; `path` is its name there.
    pub fn new(path: &Path, file: &PolicyFile) -> Self {
        let header = &file.header;
        let tensors = header.network.parameters();
        let deviation = &file.policy.deviation;
        let mean = deviation.iter().map(|&x| f64::from(x)).sum::<f64>() / deviation.len() as f64;
        let normaliser = file.policy.normaliser.as_ref();
        Self {
            file: path.to_owned(),
            format: header.format,
            code_version: header.code_version.clone(),
            parameters: header.network.parameter_count(),
            tensors: tensors.into_iter().map(|(name, shape)| Tensor { name, shape }).collect(),
            network: header.network.clone(),
            head: header.head.clone(),
            decision: header.head.usual_decision().name(),
            deviation: (!deviation.is_empty()).then_some(mean),
            normalisation: normaliser.map(|normaliser| Normalisation {
                count: normaliser.moments().count,
                limit: normaliser.limit(),
            }),
            observation: ObservationGroups {
                count: header.observation.len(),
                groups: groups(&header.observation),
            },
            action: match &header.action {
                ActionRecord::Box { components } => {
                    ActionGroups::Box { count: components.len(), groups: groups(components) }
                }
                ActionRecord::Discrete { choices } => ActionGroups::Discrete { choices: choices.clone() },
                ActionRecord::MultiDiscrete { lists } => ActionGroups::MultiDiscrete { lists: lists.clone() },
            },
            env: header.env.clone(),
            training: header.training.clone(),
        }
    }

    /// For people, in plain characters.
    pub fn text(&self) -> String {
        let word = |map: &Map<String, Value>, key: &str| map.get(key).map_or_else(|| "-".to_owned(), plain);
        let mut rows: Vec<(&str, String)> = vec![
            ("format", format!("{}, written by version {}", self.format, self.code_version)),
            (
                "trained",
                format!(
                    "by {} in {} (market {}): {} steps, {} updates, seed {}",
                    word(&self.training, "algorithm"),
                    word(&self.env, "name"),
                    word(&self.env, "market"),
                    word(&self.training, "steps"),
                    word(&self.training, "updates"),
                    word(&self.training, "seed"),
                ),
            ),
            ("network", self.network_text()),
        ];
        let head = serde_json::to_value(&self.head).unwrap_or_default();
        let kind = head.get("kind").map_or_else(|| "-".to_owned(), plain);
        let decides = if self.decision == Decision::Sample.name() {
            "draws its action"
        } else {
            "takes the likeliest action"
        };
        let deviation =
            self.deviation.map_or(String::new(), |mean| format!(", mean standard deviation {mean:.3}"));
        rows.push(("head", format!("{kind}{deviation}; {decides} unless told otherwise")));
        rows.push((
            "normalised",
            match &self.normalisation {
                None => "no: observations are taken as they are".to_owned(),
                Some(Normalisation { count, limit }) => {
                    format!("observations, by the mean and deviation of {count:.0}, cut at {limit}")
                }
            },
        ));
        let mut text = format!("{}\n", self.file.display());
        for (name, value) in rows {
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(text, "  {name:<11} {value}");
        }
        let _ = writeln!(text, "\nobservation, {} numbers", self.observation.count);
        text += &group_table(&self.observation.groups);
        match &self.action {
            ActionGroups::Box { count, groups } => {
                let _ = writeln!(text, "\naction, {count} numbers");
                text += &group_table(groups);
            }
            ActionGroups::Discrete { choices } => {
                let _ = writeln!(text, "\naction, one of {}: {}", choices.len(), choices.join(", "));
            }
            ActionGroups::MultiDiscrete { lists } => {
                let _ = writeln!(text, "\naction, a choice from each of {} lists", lists.len());
                for (name, choices) in lists {
                    let _ = writeln!(text, "  {name}: {}", choices.join(", "));
                }
            }
        }
        for (title, map) in [("environment", &self.env), ("training", &self.training)] {
            let _ = writeln!(text, "\n{title}; what is not listed is null");
            for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
                let _ = writeln!(text, "  {key}: {}", plain(value));
            }
        }
        text
    }

    fn network_text(&self) -> String {
        let network = &self.network;
        let widths = [network.features()].into_iter().chain(network.hidden.iter().copied());
        let widths: Vec<String> = widths.chain([network.outputs]).map(|width| width.to_string()).collect();
        let setting = |key: &str| serde_json::to_value(network).ok().and_then(|map| map.get(key).map(plain));
        let (body, activation) =
            (setting("body").unwrap_or_default(), setting("activation").unwrap_or_default());
        let window = match network.window {
            1 => String::new(),
            window => format!(" over a window of {window} observations"),
        };
        format!("{body}{window}, {}, {activation}; {} parameters", widths.join("-"), self.parameters)
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn group_table(groups: &[ComponentGroup]) -> String {
    let bound = |bound: Option<f32>| bound.map_or_else(|| "-".to_owned(), |bound| bound.to_string());
    let rows = groups.iter().map(|group| {
        let index = if group.first == group.last {
            group.first.to_string()
        } else {
            format!("{}-{}", group.first, group.last)
        };
        vec![index, group.name.clone(), group.unit.clone(), bound(group.low), bound(group.high)]
    });
    plain_table(&["index", "what", "unit", "low", "high"], 3, rows.collect())
}

/// Groups neighbours that are counted up: same words, unit and bounds.
fn groups(components: &[ComponentRecord]) -> Vec<ComponentGroup> {
    let mut groups: Vec<ComponentGroup> = Vec::new();
    // The words around the last group's number, and that number at its first member.
    let mut counted: Option<(String, String, u64)> = None;
    for (index, component) in components.iter().enumerate() {
        let split = split_number(&component.name);
        if let (Some(group), Some((before, after, start)), Some((own_before, own_after, number))) =
            (groups.last_mut(), &counted, &split)
            && (before, after) == (own_before, own_after)
            && *number == start + (index - group.first) as u64
            && (&group.unit, group.low, group.high) == (&component.unit, component.low, component.high)
        {
            group.last = index;
            group.name = format!("{before}{start} to {number}{after}");
            continue;
        }
        groups.push(ComponentGroup {
            first: index,
            last: index,
            name: component.name.clone(),
            unit: component.unit.clone(),
            low: component.low,
            high: component.high,
        });
        counted = split;
    }
    groups
}

/// A name around its first number.
fn split_number(name: &str) -> Option<(String, String, u64)> {
    let start = name.find(|letter: char| letter.is_ascii_digit())?;
    let rest = &name[start..];
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    Some((name[..start].to_owned(), rest[end..].to_owned(), rest[..end].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_up_is_one_group() {
        let component = |name: &str, unit: &str| ComponentRecord {
            name: name.into(),
            unit: unit.into(),
            low: None,
            high: Some(1.0),
        };
        let components = [
            component("time", "s"),
            component("bid volume at 1 from the best", "lots"),
            component("bid volume at 2 from the best", "lots"),
            component("bid volume at 4 from the best", "lots"),
            component("level of lot 0", "lots"),
            component("level of lot 1", "lots"),
            component("level of lot 2", "ticks"),
        ];
        let found = groups(&components);
        let found: Vec<_> =
            found.iter().map(|group| (group.first, group.last, group.name.as_str())).collect();
        assert_eq!(
            found,
            [
                (0, 0, "time"),
                (1, 2, "bid volume at 1 to 2 from the best"),
                (3, 3, "bid volume at 4 from the best"),
                (4, 5, "level of lot 0 to 1"),
                (6, 6, "level of lot 2"),
            ]
        );
    }
}
