//! One colour a strategy, the same everywhere and in every report.

/// Names known here have a slot each; the style sheet has a colour a slot, after Okabe and Ito's, told apart by all kinds of eyes.
const KNOWN: [&str; 7] = ["sl", "twap", "market", "twap-schedule", "vwap", "pov", "ac"];
/// Slots for other names.
const OTHERS: usize = 5;

/// The slots of a report's strategies.
#[derive(Clone, Debug)]
pub(super) struct Palette(Vec<(String, usize)>);

impl Palette {
    /// Known names have their own slot. Another one's is a hash of it, so that it does not depend on the company; only if two share one
    /// does the later by alphabet move on, in the end to the slots of known names that are not there.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names.dedup();
        let known = |name: &str| KNOWN.iter().position(|&known| known == name);
        let mut taken = [false; KNOWN.len() + OTHERS];
        names.iter().filter_map(|name| known(name)).for_each(|slot| taken[slot] = true);
        let slots = names.into_iter().map(|name| {
            let slot = known(name).unwrap_or_else(|| {
                let wanted = hash(name) % OTHERS;
                let own = (wanted..wanted + OTHERS).map(|slot| KNOWN.len() + slot % OTHERS);
                let free = own.chain(0..KNOWN.len()).find(|&slot| !taken[slot]);
                let slot = free.unwrap_or(KNOWN.len() + wanted);
                taken[slot] = true;
                slot
            });
            (name.to_owned(), slot)
        });
        Self(slots.collect())
    }

    /// The class that gives an element and all within the strategy's colour.
    pub(super) fn class(&self, name: &str) -> String {
        let slot =
            self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).map_or(0, |index| self.0[index].1);
        format!("s{slot}")
    }
}

/// FNV-1a, folded: a published hash that is the same in every build.
fn hash(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) as u32 as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_strategy_keeps_its_colour_in_any_company() {
        let all = Palette::new(KNOWN.into_iter().chain(["ppo", "zebra"]));
        let one = Palette::new(["pov"].into_iter());
        assert_eq!(all.class("pov"), one.class("pov"));
        assert_eq!(all.class("ppo"), Palette::new(["ppo"].into_iter()).class("ppo"));
    }

    #[test]
    fn strategies_differ_while_there_are_colours() {
        let names = ["a", "b", "c", "d", "e"];
        let palette = Palette::new(names.into_iter().chain(KNOWN));
        let mut classes: Vec<_> = names.into_iter().chain(KNOWN).map(|name| palette.class(name)).collect();
        classes.sort();
        classes.dedup();
        assert_eq!(classes.len(), 12);
    }
}
