//! Feature sets: what a row has, what is refused, and that normalisation knows its training span alone.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use std::path::Path;

use gym::Settings;
use gym::features::{FeatureSet, FeaturesConfig, Field, Method, Normalisation, Tick};
use gym::indicators::{IndicatorConfig, batch};
use proptest::prelude::*;
use serde_json::{Value, json};

fn config(features: Value) -> FeaturesConfig {
    FeaturesConfig::from_map(json!({"features": features}).as_object().unwrap().clone()).unwrap()
}

fn complaint(features: Value) -> String {
    let map = json!({"features": features}).as_object().unwrap().clone();
    FeaturesConfig::from_map(map).unwrap_err().to_string()
}

/// A market that moves without chance.
fn ticks(count: usize) -> Vec<Tick> {
    let tick = |i: usize| {
        let x = i as f64;
        let close = 100.0 + 3.0 * (0.21 * x).sin() + (0.9 * x).cos();
        Tick {
            open: close - 0.1,
            high: close + 0.3 + 0.2 * (0.5 * x).sin(),
            low: close - 0.4,
            close,
            volume: (i * i % 7) as f64,
            bid_price: (close * 10.0).floor() / 10.0,
            bid_size: 1.0 + (i * 5 % 11) as f64,
            ask_price: (close * 10.0).floor() / 10.0 + 0.1,
            ask_size: 1.0 + (i * 3 % 8) as f64,
            session: (i / 50) as f64,
        }
    };
    (0..count).map(tick).collect()
}

fn rows(config: &FeaturesConfig, ticks: &[Tick]) -> Vec<f64> {
    let mut set = FeatureSet::new(config).unwrap();
    let mut rows = vec![0.0; ticks.len() * set.names().len()];
    for (tick, row) in ticks.iter().zip(rows.chunks_exact_mut(set.names().len())) {
        set.update(tick, row).unwrap();
    }
    rows
}

#[test]
fn every_shipped_file_is_legal_has_a_name_and_survives_a_round_trip() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/features");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    for path in files {
        let config = FeaturesConfig::from_settings(&Settings::read(&path).unwrap());
        let config = config.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(FeaturesConfig::from_map(config.to_map()).unwrap(), config);
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(FeaturesConfig::named(name).unwrap(), config, "{name}");

        let mut set = FeatureSet::new(&config).unwrap();
        let mut row = vec![0.0; set.names().len()];
        for (i, tick) in ticks(200).iter().enumerate() {
            let is_ready = set.update(tick, &mut row).unwrap();
            assert_eq!(is_ready, i >= set.warm_up(), "{name}, {i}");
            assert_eq!(is_ready, row.iter().all(|number| number.is_finite()), "{name}, {i}: {row:?}");
        }
    }
    let message = FeaturesConfig::named("defualt").unwrap_err().to_string();
    assert!(
        message.starts_with("feature_set is \"defualt\"; legal: one of default, microstructure"),
        "{message}"
    );
}

#[test]
fn the_sets_that_are_shipped_need_what_they_say() {
    let needed = |name: &str| FeaturesConfig::named(name).unwrap().needed();
    use Field::{AskPrice, AskSize, BidPrice, BidSize, Close, High, Low, Session, Volume};
    assert_eq!(needed("default"), [High, Low, Close, Volume, Session]);
    assert_eq!(needed("microstructure"), [BidPrice, BidSize, AskPrice, AskSize]);
}

#[test]
fn a_row_has_the_indicators_over_their_inputs_as_asked() {
    let config = config(json!([
        {"name": "plain", "indicator": {"ema": {"period": 5}}},
        {"name": "gap", "indicator": {"ema": {"period": 5}}, "input": "mid", "express": "gap", "reference": "open"},
        {"name": "macd", "indicator": {"macd": {"fast": 3, "slow": 6, "signal": 2}}, "outputs": ["histogram", "line"], "express": "share"},
        {"name": "vwap", "indicator": {"vwap": {}}},
        {"name": "volume", "indicator": {"sma": {"period": 2}}, "input": "volume"},
    ]));
    let names = ["plain", "gap", "macd.histogram", "macd.line", "vwap", "volume"];
    assert_eq!(FeatureSet::new(&config).unwrap().names(), names);
    let ticks = ticks(60);
    let rows = rows(&config, &ticks);

    let column = |of: fn(&Tick) -> f64| ticks.iter().map(of).collect::<Vec<_>>();
    let run = |indicator: &IndicatorConfig, inputs: &[&[f64]], outputs: usize| {
        let mut columns = vec![vec![0.0; ticks.len()]; outputs];
        batch(indicator, inputs, &mut columns.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>()).unwrap();
        columns
    };
    let one = |place: usize| &config.features[place].indicator;
    let close = column(|tick| tick.close);
    let plain = run(one(0), &[&close], 1).remove(0);
    let mid = run(one(1), &[&column(|tick| (tick.bid_price + tick.ask_price) / 2.0)], 1).remove(0);
    let macd = run(one(2), &[&close], 3);
    let typical = column(|tick| (tick.high + tick.low + tick.close) / 3.0);
    let vwap =
        run(one(3), &[&typical, &column(|tick| tick.volume), &column(|tick| tick.session)], 1).remove(0);
    let volume = run(one(4), &[&column(|tick| tick.volume)], 1).remove(0);
    for (i, row) in rows.chunks_exact(names.len()).enumerate() {
        let tick = ticks[i];
        let expected = [
            plain[i],
            mid[i] / tick.open - 1.0,
            macd[2][i] / tick.close,
            macd[0][i] / tick.close,
            vwap[i],
            volume[i],
        ];
        assert_eq!(row.map_bits(), expected.map_bits(), "{i}");
    }
}

trait MapBits {
    fn map_bits(&self) -> Vec<u64>;
}

impl MapBits for [f64] {
    fn map_bits(&self) -> Vec<u64> {
        self.iter().map(|number| number.to_bits()).collect()
    }
}

#[test]
fn a_tick_that_one_feature_refuses_changes_none() {
    let config = config(json!([
        {"name": "close", "indicator": {"ema": {"period": 2}}},
        {"name": "mid", "indicator": {"ema": {"period": 2}}, "input": "mid"},
        {"name": "gap", "indicator": {"sma": {"period": 1}}, "express": "gap", "reference": "open"},
    ]));
    let ticks = ticks(10);
    let (mut disturbed, mut plain) = (FeatureSet::new(&config).unwrap(), FeatureSet::new(&config).unwrap());
    let (mut first, mut second) = ([0.0; 3], [0.0; 3]);
    for tick in &ticks {
        for (bad, expected) in [
            (Tick { bid_price: f64::NAN, ..*tick }, "mid is NaN; legal: a number from -1e100 to 1e100"),
            (Tick { open: 0.0, ..*tick }, "open is 0; legal: a number from 1e-100 to 1e100"),
            (Tick::bar(1.0, 1.0, 1.0, 1.0, 1.0), "mid is NaN; legal: a number from -1e100 to 1e100"),
        ] {
            assert_eq!(disturbed.update(&bad, &mut first).unwrap_err().to_string(), expected);
        }
        let short = disturbed.update(tick, &mut first[..2]).unwrap_err().to_string();
        assert_eq!(short, "row is 2 numbers; legal: 3 numbers, one for each feature");
        disturbed.update(tick, &mut first).unwrap();
        plain.update(tick, &mut second).unwrap();
        assert_eq!(first.map_bits(), second.map_bits());
    }
    // A feature that does not look at quotes does without.
    let mut bars = FeatureSet::new(&FeaturesConfig::named("default").unwrap()).unwrap();
    let mut row = vec![0.0; bars.names().len()];
    assert!(!bars.update(&Tick::bar(1.0, 2.0, 0.5, 1.5, 3.0), &mut row).unwrap());
}

#[test]
fn a_set_that_is_reset_is_as_new() {
    let config = FeaturesConfig::named("default").unwrap();
    let mut set = FeatureSet::new(&config).unwrap();
    let (ticks, width) = (ticks(90), set.names().len());
    let mut play = || {
        let mut rows = vec![0.0; ticks.len() * width];
        let ready: Vec<bool> = ticks
            .iter()
            .zip(rows.chunks_exact_mut(width))
            .map(|(tick, row)| set.update(tick, row).unwrap())
            .collect();
        set.reset();
        (rows.map_bits(), ready)
    };
    assert_eq!(play(), play());
}

#[test]
fn what_is_wrong_with_a_set_is_named() {
    let ema = json!({"ema": {"period": 5}});
    for (features, expected) in [
        (json!([]), "features is a list of 0; legal: 1 to 1000 entries"),
        (
            json!([{"name": "a b", "indicator": ema}]),
            "features[0].name is \"a b\"; legal: a name without spaces",
        ),
        (
            json!([{"name": "a", "indicator": ema}, {"name": "a", "indicator": ema}]),
            "features[1].name is \"a\"; legal: a name that no other feature has",
        ),
        (
            json!([{"name": "a", "indicator": {"ema": {"period": 0}}}]),
            "features[0].indicator.ema.period is 0; legal: an integer from 1 to 100000",
        ),
        (
            json!([{"name": "a", "indicator": {"atr": {}}, "input": "mid"}]),
            "features[0].input is \"mid\"; legal: null: the indicator takes high, low, close",
        ),
        (
            json!([{"name": "a", "indicator": {"macd": {}}, "outputs": ["line", "line"]}]),
            "features[0].outputs[1] is \"line\"; legal: one of line, signal, histogram (did you mean line?), each once",
        ),
        (
            json!([{"name": "a", "indicator": {"macd": {}}, "outputs": []}]),
            "features[0].outputs is a list of 0; legal: 1 to 3 entries",
        ),
        (
            json!([{"name": "a", "indicator": ema, "reference": "mid"}]),
            "features[0].reference is \"mid\"; legal: null, as express is value",
        ),
    ] {
        assert_eq!(complaint(features), expected);
    }
    let message =
        complaint(json!([{"name": "a", "indicator": ema, "express": "gap", "reference": "volume"}]));
    assert!(
        message.starts_with("features[0].reference is \"volume\"; legal: one of open, high"),
        "{message}"
    );
    let message = complaint(json!([{"name": "a", "indicator": ema, "inputs": "mid"}]));
    assert!(message.starts_with("features[0].inputs is \"mid\"; legal: "), "{message}");
    let message = complaint(json!([{"name": "a", "indicator": {"emma": {}}}]));
    assert!(message.starts_with("features[0].indicator") && message.contains("ema"), "{message}");

    let path = std::env::temp_dir().join(format!("lobgym-features-{}.yaml", std::process::id()));
    std::fs::write(&path, "features: []\n").unwrap();
    let error = FeaturesConfig::from_settings(&Settings::read(&path).unwrap()).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert!(error.to_string().starts_with(&format!("{}: features is", path.display())), "{error}");
}

/// One feature that is its input.
fn identity(columns: usize) -> FeaturesConfig {
    let feature = |i: usize| json!({"name": format!("f{i}"), "indicator": {"sma": {"period": 1}}});
    config((0..columns).map(feature).collect())
}

fn naive_quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place as usize, place.fract());
    if part == 0.0 { sorted[below] } else { sorted[below] * (1.0 - part) + sorted[below + 1] * part }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_fit_knows_its_span_alone(
        rows in prop::collection::vec([-1e3..1e3_f64, -1.0..1.0_f64], 6..60),
        other in -1e6..1e6_f64,
        method in prop::sample::select(vec![Method::MeanStd, Method::MedianIqr]),
    ) {
        let config = identity(2);
        let span = 2..rows.len() - 1;
        let flat = rows.concat();
        let fit = Normalisation::fit(method, &config, &flat, span.clone(), None).unwrap();
        let mut changed = rows.clone();
        changed[0] = [other, f64::NAN];
        changed[1] = [other; 2];
        *changed.last_mut().unwrap() = [f64::INFINITY, other];
        let again = Normalisation::fit(method, &config, &changed.concat(), span.clone(), None).unwrap();
        prop_assert_eq!(&fit, &again);

        for place in 0..2 {
            let mut column: Vec<f64> = rows[span.clone()].iter().map(|row| row[place]).collect();
            column.sort_by(f64::total_cmp);
            let (centre, scale) = match method {
                Method::MeanStd => {
                    let centre = column.iter().sum::<f64>() / column.len() as f64;
                    let squares: f64 = column.iter().map(|number| (number - centre).powi(2)).sum();
                    (centre, (squares / column.len() as f64).sqrt())
                }
                Method::MedianIqr => (
                    naive_quantile(&column, 0.5),
                    naive_quantile(&column, 0.75) - naive_quantile(&column, 0.25),
                ),
            };
            prop_assert!((fit.centre[place] - centre).abs() < 1e-9);
            prop_assert!((fit.scale[place] - scale).abs() < 1e-9);
        }
        // A file keeps every bit.
        let read = Normalisation::from_json(&fit.to_json()).unwrap();
        prop_assert_eq!(read.centre.map_bits(), fit.centre.map_bits());
        prop_assert_eq!(read.scale.map_bits(), fit.scale.map_bits());
        prop_assert_eq!(&read, &fit);
    }
}

#[test]
fn normalised_features_of_the_training_span_have_mean_0_and_deviation_1() {
    let config = FeaturesConfig::named("default").unwrap();
    let mut rows = rows(&config, &ticks(400));
    let width = FeatureSet::new(&config).unwrap().names().len();
    let times: Vec<i64> = (0..400).map(|i| 1_000 + 5 * i).collect();
    let fit = Normalisation::fit(Method::MeanStd, &config, &rows, 0..300, Some(&times)).unwrap();
    assert_eq!((fit.span.begin, fit.span.end, fit.span.rows), (0, 300, 300 - 59));
    assert_eq!((fit.span.first_ns, fit.span.last_ns), (Some(1_000), Some(1_000 + 5 * 299)));
    for row in rows.chunks_exact_mut(width) {
        fit.apply(row).unwrap();
    }
    assert!(rows[0].is_nan());
    for place in 0..width {
        let column: Vec<f64> = (59..300).map(|i| rows[i * width + place]).collect();
        let mean = column.iter().sum::<f64>() / column.len() as f64;
        let square = column.iter().map(|number| number * number).sum::<f64>() / column.len() as f64;
        assert!(mean.abs() < 1e-9 && (square - 1.0).abs() < 1e-9, "{}: {mean}, {square}", fit.names[place]);
    }
}

#[test]
fn a_constant_column_is_centred_and_not_blown_up() {
    let rows = [0.1, 1.0, 0.1, 2.0, 0.1, 4.0];
    for method in [Method::MeanStd, Method::MedianIqr] {
        let fit = Normalisation::fit(method, &identity(2), &rows, 0..3, None).unwrap();
        assert_eq!((fit.centre[0], fit.scale[0]), (0.1, 1.0));
        let mut row = [0.3, 2.0];
        fit.apply(&mut row).unwrap();
        assert!((row[0] - 0.2).abs() < 1e-15 && row[1].abs() < 1.0);
        assert!(fit.apply(&mut row[..1]).is_err());
    }
}

#[test]
fn what_cannot_be_fitted_or_read_is_named() {
    let rows = [1.0, 2.0, f64::NAN, 3.0];
    let fit = |rows: &[f64], span, times: Option<&[i64]>| {
        Normalisation::fit(Method::MeanStd, &identity(1), rows, span, times).unwrap_err().to_string()
    };
    assert_eq!(fit(&rows, 0..5, None), "span is 0 to 5; legal: rows 0 to 4, at least 2");
    assert_eq!(fit(&rows, 2..2, None), "span is 2 to 2; legal: rows 0 to 4, at least 2");
    assert_eq!(
        fit(&rows, 2..4, None),
        "span is 2 to 4, 1 rows of it without NaN; legal: at least 2 rows without NaN"
    );
    assert_eq!(fit(&rows, 0..2, Some(&[1])), "times_ns is 1 times; legal: 4, one for each row");
    let error = Normalisation::fit(Method::MeanStd, &identity(3), &rows, 0..1, None).unwrap_err();
    assert_eq!(error.to_string(), "rows is 4 numbers; legal: a multiple of 3, one number for each feature");

    let good = Normalisation::fit(Method::MeanStd, &identity(1), &rows, 0..2, None).unwrap();
    for (change, expected) in [
        (
            (|fit| fit.names[0] = "other".into()) as fn(&mut Normalisation),
            "names is [\"other\"]; legal: those of",
        ),
        (|fit| fit.scale[0] = 0.0, "scale[0] is 0; legal: a finite number > 0"),
        (|fit| fit.centre.push(1.0), "centre is a list of 2; legal: 1 entries"),
        (|fit| fit.config.features.clear(), "config.features is a list of 0"),
    ] {
        let mut bad = good.clone();
        change(&mut bad);
        let message = Normalisation::from_json(&bad.to_json()).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
    assert!(Normalisation::from_json("{}").unwrap_err().key == "normalisation");
}
