//! What a file becomes: a history cut into episodes, and the mean book that observations are scaled by.

use std::sync::Arc;

use super::{History, HistoryError, Part, ReplayParams, Starts};
use crate::Side;
use crate::flow::{Centre, Opening, OpeningBook, Shape};
use crate::parameter::ParameterError;

/// A file that was read, and the episodes in it.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub(super) history: Arc<History>,
    /// Stamps of the episodes' starts, in nanoseconds, ascending.
    pub(super) starts: Arc<[u64]>,
}

/// Stamps are nanoseconds.
const NANOS: f64 = 1e9;

impl ReplayParams {
    /// Stamps of the starts of the episodes.
    pub(super) fn cut(&self, history: &History) -> Result<Vec<u64>, ParameterError> {
        let (first, last) = history.span();
        let length = (last - first) as f64 / NANOS;
        let until = self.until_seconds.unwrap_or(length).min(length);
        let earliest = self.from_seconds + self.lead_in_seconds;
        let times = match &self.starts {
            Some(Starts::At(times)) => times.clone(),
            every => {
                let every =
                    if let Some(Starts::Every(seconds)) = every { *seconds } else { self.episode_seconds };
                let count = ((until - earliest) / every).clamp(-1.0, 1e7) as i64;
                (0..=count).map(|index| earliest + every * index as f64).collect()
            }
        };
        let split = self.from_seconds + self.train_share * (until - self.from_seconds);
        let fits = |start: f64| {
            let end = start + self.episode_seconds;
            let inside = start >= earliest && end <= until + 1e-9;
            inside
                && match self.part {
                    Part::All => true,
                    Part::Train => end <= split,
                    Part::Test => start >= split,
                }
        };
        let mut starts: Vec<u64> = (times.into_iter().filter(|&start| fits(start)))
            .map(|start| first + (start * NANOS).round() as u64)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        if starts.is_empty() {
            let legal = format!(
                "such that an episode fits between {} s (from_seconds + lead_in_seconds) and {until:.3} s{}",
                earliest,
                if self.part == Part::All { "" } else { ", on its side of the split" },
            );
            return Err(ParameterError::new("episode_seconds", self.episode_seconds, legal));
        }
        Ok(starts)
    }

    /// The mean book over the time for training, at a thousand moments.
    pub(super) fn mean_book(&self, history: &History) -> Result<Opening, HistoryError> {
        const MOMENTS: u64 = 1_000;
        let (first, last) = history.span();
        let stamp = |seconds: f64| first.saturating_add((seconds * NANOS) as u64).min(last);
        let from = stamp(self.from_seconds);
        let until = self.until_seconds.map_or(last, stamp);
        let split = from + ((until - from) as f64 * self.train_share) as u64;
        let mut sums = [vec![0.0; self.levels], vec![0.0; self.levels]];
        let (mut seen, mut centre) = (0.0, None);
        let mut tour = history.tour();
        for moment in 1..=MOMENTS {
            let at = from + ((split - from) as u128 * u128::from(moment) / u128::from(MOMENTS)) as u64;
            let book = tour.book_at(at);
            let (Some(bid), Some(ask)) = (book.best_price(Side::Buy), book.best_price(Side::Sell)) else {
                continue;
            };
            if bid >= ask {
                continue;
            }
            seen += 1.0;
            centre.get_or_insert(Centre { best_bid: bid, best_ask: ask });
            for (side, opposite) in [(Side::Buy, ask), (Side::Sell, bid)] {
                for (price, lots) in book.levels(side) {
                    let distance = price.0.abs_diff(opposite.0) as usize;
                    let Some(sum) = sums[side.index()].get_mut(distance - 1) else { break };
                    *sum += lots.0 as f64 / self.lot_multiple as f64;
                }
            }
        }
        let Some(centre) = centre else {
            return Err(HistoryError::File(
                "the book has never two sides in the time for training".to_owned(),
            ));
        };
        // Observations are divided by it: a level that is always empty counts as one that had a lot once.
        let mean = |sums: &[f64]| sums.iter().map(|&sum| f64::max(sum, 1.0) / seen).collect::<Vec<f64>>();
        let [bidv, askv] = sums;
        let shape = Shape { bidv: mean(&bidv), askv: mean(&askv), bidv_live: None, askv_live: None };
        let opening = Opening {
            book: OpeningBook::Live,
            centre,
            levels: self.levels,
            lead_in_seconds: self.lead_in_seconds,
            shape,
        };
        opening.validate()?;
        Ok(opening)
    }
}
