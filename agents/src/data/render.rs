//! A survey as text.

use std::fmt::Write;

use lob::data::market::{BookAgreement, QuoteAgreement, Spells};

use super::{DamageAt, InstrumentSurvey, Survey};
use crate::report::plain_table;

/// More instruments than this are listed in one table, without details.
const DETAILED: usize = 8;

/// What is in the file.
pub fn render_info(survey: &Survey) -> String {
    let mut text = heading(survey);
    text += &silences(survey);
    for instrument in survey.instruments.iter().take(DETAILED) {
        text += &instrument_info(instrument);
    }
    if survey.instruments.len() > DETAILED {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "\n... and {} more instruments (--json has them)",
            survey.instruments.len() - DETAILED
        );
    }
    text
}

/// The same, and everything that was checked.
pub fn render_check(survey: &Survey) -> String {
    let mut text = render_info(survey);
    let mut section = |title: &str, rows: Vec<[String; 3]>| {
        let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
        if !rows.is_empty() {
            let rows =
                rows.into_iter().map(|row| vec![row[0].clone(), row[1].clone(), row[2].clone()]).collect();
            let _ = write!(text, "\n{title}\n{}", left_table(rows));
        }
    };
    let rows =
        survey.mismatches.iter().filter(|mismatch| mismatch.count > 0).map(|mismatch| {
            [mismatch.count.to_string(), mismatch.cause.to_owned(), mismatch.meaning.to_owned()]
        });
    let title = format!("Records that do not fit what came before: {}", survey.mismatched());
    section(&title, rows.collect());
    section(&format!("Damaged records: {}", survey.damaged), damage_rows("line or record", &survey.damages));
    let rows = survey.out_of_order.iter().map(|place| {
        [
            format!("event {}", place.event),
            format!("{} {}", place.clock, stamp(place.stamp)),
            format!(
                "{:.9} s before an earlier event's, in records {} to {}",
                place.behind_ns as f64 / 1e9,
                place.records.0,
                place.records.1
            ),
        ]
    });
    section("Stamps out of order, the first", rows.collect());
    if let Some(orderbook) = &survey.orderbook {
        let title = format!("Lines of {}: {}", orderbook.file, orderbook.agreement.rows);
        section(&title, agreement_rows(&orderbook.agreement));
        let title = format!("Damaged lines of {}: {}", orderbook.file, orderbook.agreement.damaged_rows);
        section(&title, damage_rows("line", &orderbook.damages));
    }
    for instrument in survey.instruments.iter().take(DETAILED) {
        section(&format!("{}: the book", instrument.symbol), book_rows(instrument));
        if let Some(quotes) = &instrument.quotes {
            let share = 100.0 * quotes.compared() as f64 / quotes.quotes.max(1) as f64;
            let title = format!(
                "{}: {} announced best prices, {} ({share:.2}%) compared with the book",
                instrument.symbol,
                quotes.quotes,
                quotes.compared()
            );
            section(&title, quote_rows(quotes));
        }
    }
    let unsound = survey.unsound();
    if unsound.is_empty() {
        text += "\nSound.\n";
    } else {
        let _ = writeln!(text, "\nNot sound: {}.", unsound.join("; "));
    }
    text
}

fn damage_rows(unit: &str, damages: &[DamageAt]) -> Vec<[String; 3]> {
    let rows = damages.iter().map(|damage| {
        [format!("{unit} {}", damage.record), format!("byte {}", damage.byte), damage.reason.clone()]
    });
    rows.collect()
}

/// Stretches without an event, if there are any.
fn silences(survey: &Survey) -> String {
    let silences = &survey.silences;
    if silences.count == 0 {
        return String::new();
    }
    let seconds = |nanos: u64| nanos as f64 / 1e9;
    let mut text = format!(
        "{} times without an event for {} s or more: {:.3} s in all, {:.3} s at most\n",
        silences.count,
        seconds(silences.threshold_ns),
        seconds(silences.nanoseconds),
        seconds(silences.longest_nanoseconds)
    );
    for silence in &silences.first {
        let length = seconds(silence.to - silence.from);
        let _ = writeln!(text, "  {} to {} ({length:.3} s)", stamp(silence.from), stamp(silence.to));
    }
    let more = silences.count - silences.first.len() as u64;
    if more > 0 {
        let _ = writeln!(text, "  ... and {more} more");
    }
    text
}

fn agreement_rows(agreement: &BookAgreement) -> Vec<[String; 3]> {
    [
        (agreement.agreeing_rows, "agreeing_rows", "lines that contradict the book nowhere"),
        (agreement.seeded, "seeded", "levels of the first line: the book that the messages begin with"),
        (
            agreement.revealed,
            "revealed",
            "levels that come into view, and that nobody has told of: taken over",
        ),
        (
            agreement.changed_out_of_view,
            "changed_out_of_view",
            "levels that come back into view, and are not what they were: taken over",
        ),
        (agreement.missing, "missing", "levels in view that the book does not have"),
        (agreement.surplus, "surplus", "levels of the book in view that the line does not have"),
        (agreement.size_differs, "size_differs", "levels in view of another size than in the book"),
        (agreement.persists, "persists", "levels that differ as in the line before"),
        (agreement.messages_without_row, "messages_without_row", "messages behind the last line"),
        (agreement.rows_without_message, "rows_without_message", "lines behind the last message"),
    ]
    .map(|(count, name, meaning)| [count.to_string(), name.to_owned(), meaning.to_owned()])
    .into()
}

fn left_table(rows: Vec<Vec<String>>) -> String {
    let widths = [0, 1].map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in rows {
        let _ =
            writeln!(text, "  {:>w0$}  {:<w1$}  {}", row[0], row[1], row[2], w0 = widths[0], w1 = widths[1]);
    }
    text
}

fn heading(survey: &Survey) -> String {
    format!(
        "{}: {}, compression {}\n{} records, {} of them ignored, {} damaged\n",
        survey.file,
        survey.format_description,
        survey.compression,
        survey.records,
        survey.ignored,
        survey.damaged
    )
}

fn instrument_info(instrument: &InstrumentSurvey) -> String {
    let mut text = format!(
        "\n{}: tick {} ({}), lot {} ({})\n",
        instrument.symbol, instrument.tick, instrument.tick_origin, instrument.lot, instrument.lot_origin
    );
    for (name, range) in [("exchange time", instrument.exchange_time), ("local time", instrument.local_time)]
    {
        if let Some((first, last)) = range {
            let seconds = (last - first) as f64 / 1e9;
            let _ = writeln!(text, "{name:<13} {} to {} ({seconds:.3} s)", stamp(first), stamp(last));
        }
    }
    let rows = instrument.events.iter().map(|(kind, count)| vec![(*kind).to_owned(), count.to_string()]);
    text += &plain_table(&["event", "count"], 1, rows.collect());
    let side = |best: Option<(f64, f64)>| {
        best.map_or_else(|| "none".to_owned(), |(price, size)| format!("{size} at {price}"))
    };
    let _ = writeln!(
        text,
        "best at the end: bid {}, ask {}; {} orders rest, {} at most",
        side(instrument.best_bid),
        side(instrument.best_ask),
        instrument.resting_orders,
        instrument.most_orders
    );
    text
}

fn book_rows(instrument: &InstrumentSurvey) -> Vec<[String; 3]> {
    let mut rows = Vec::new();
    let mut add = |count: u64, name: &str, meaning: String| {
        rows.push([count.to_string(), name.to_owned(), meaning]);
    };
    add(
        instrument.exchange_time_backwards,
        "exchange_time_backwards",
        "exchange stamp before an earlier event's".into(),
    );
    add(
        instrument.local_time_backwards,
        "local_time_backwards",
        "local stamp before an earlier event's".into(),
    );
    add(
        instrument.received_before_sent,
        "received_before_sent",
        "local stamp before the exchange stamp".into(),
    );
    for (name, what, spells) in [
        ("stale", "messages are missing", &instrument.stale),
        ("crossed", "best bid above best ask", &instrument.crossed),
        ("locked", "best bid equal to best ask", &instrument.locked),
    ] {
        add(spells.spells, name, spell_text(what, spells));
    }
    let problems = &instrument.book_problems;
    for (count, name, meaning) in [
        (problems.unknown_order, "unknown_order", "events about orders that do not rest"),
        (problems.duplicate_order, "duplicate_order", "new orders under a number in use"),
        (problems.too_many_lots, "too_many_lots", "more taken out of an order than it had"),
        (problems.zero_quantity, "zero_quantity", "orders of zero lots"),
        (problems.price_out_of_range, "price_out_of_range", "prices that a book cannot hold"),
        (problems.full, "full", "more lots or orders than a book can count"),
        (problems.mixed, "mixed", "orders and whole levels at one price"),
        (problems.no_side, "no_side", "events without the side that they need"),
    ] {
        if count > 0 {
            add(count, name, meaning.to_owned());
        }
    }
    rows
}

fn spell_text(what: &str, spells: &Spells) -> String {
    if spells.spells == 0 {
        return what.to_owned();
    }
    format!(
        "{what}: {} messages, {:.3} s in all, {:.3} s at most",
        spells.messages,
        spells.nanoseconds as f64 / 1e9,
        spells.longest_nanoseconds as f64 / 1e9
    )
}

fn quote_rows(quotes: &QuoteAgreement) -> Vec<[String; 3]> {
    [
        (
            quotes.same_update_agrees,
            "same_update_agrees",
            "shares its number with an update, and equals the book after it",
        ),
        (
            quotes.same_update_differs,
            "same_update_differs",
            "shares its number with an update, but differs from the book after it",
        ),
        (quotes.equals_earlier, "equals_earlier", "between two updates, equal to the book after the earlier"),
        (quotes.equals_later, "equals_later", "between two updates, equal to the book after the later"),
        (
            quotes.sides_of_both,
            "sides_of_both",
            "between two updates, one side as after the earlier, one as after the later",
        ),
        (
            quotes.passed_through,
            "passed_through",
            "between two updates, a size in between at a price that the later names",
        ),
        (
            quotes.came_and_went,
            "came_and_went",
            "between two updates, at a price that is empty after both and named by neither",
        ),
        (
            quotes.uncovered,
            "uncovered",
            "between two updates, at a level of both books with its size there, what is better being away",
        ),
        (quotes.unexplained, "unexplained", "between two updates, none of these"),
        (quotes.before_book, "before_book", "before the first book"),
        (quotes.while_stale, "while_stale", "while the book was stale"),
        (quotes.after_last_update, "after_last_update", "no later update came"),
        (quotes.too_late, "too_late", "came long after its update"),
    ]
    .map(|(count, name, meaning)| [count.to_string(), name.to_owned(), meaning.to_owned()])
    .into()
}

/// A stamp in words: a date (UTC), or a time of day where the format has no date.
pub(crate) fn stamp(nanos: u64) -> String {
    let (seconds, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let time = format!("{:02}:{:02}:{:02}.{fraction:09}", second / 3600, second / 60 % 60, second % 60);
    if days == 0 {
        return time;
    }
    let (year, month, day) = civil(days as i64);
    format!("{year:04}-{month:02}-{day:02}T{time}Z")
}

/// Year, month and day of a day counted from 1970-01-01 in the Gregorian calendar (H. Hinnant's `civil_from_days`).
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_dates() {
        assert_eq!(stamp(1_430_438_404_518_000_000), "2015-05-01T00:00:04.518000000Z");
        assert_eq!(stamp(1_709_210_096_000_000_001), "2024-02-29T12:34:56.000000001Z");
        assert_eq!(stamp(34_200_000_000_000), "09:30:00.000000000");
        assert_eq!(civil(-1), (1969, 12, 31));
    }
}
