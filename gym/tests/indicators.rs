//! Indicators against formulas as books have them, against TA-Lib, and against themselves: tick by tick, as columns, and after a reset.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic, in its helpers too")]

use gym::indicators::{AnyIndicator, IndicatorConfig, LARGEST, batch};
use proptest::prelude::*;
use serde_json::{Value, json};

fn config(name: &str, settings: Value) -> IndicatorConfig {
    IndicatorConfig::from_map(name, settings.as_object().unwrap().clone()).unwrap()
}

/// Columns of outputs over columns of inputs.
fn columns(config: &IndicatorConfig, inputs: &[&[f64]]) -> Vec<Vec<f64>> {
    let outputs = AnyIndicator::new(config).unwrap().outputs().len();
    let mut columns = vec![vec![f64::INFINITY; inputs[0].len()]; outputs];
    batch(config, inputs, &mut columns.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>()).unwrap();
    columns
}

/// The same, tick by tick.
fn streamed(indicator: &mut AnyIndicator, inputs: &[&[f64]]) -> Vec<Vec<f64>> {
    let mut columns = vec![Vec::new(); indicator.outputs().len()];
    let mut row = vec![0.0; columns.len()];
    for tick in 0..inputs[0].len() {
        let input: Vec<f64> = inputs.iter().map(|column| column[tick]).collect();
        indicator.update(&input, &mut row).unwrap();
        for (column, number) in columns.iter_mut().zip(&row) {
            column.push(*number);
        }
    }
    columns
}

fn bits(columns: &[Vec<f64>]) -> Vec<Vec<u64>> {
    columns.iter().map(|column| column.iter().map(|number| number.to_bits()).collect()).collect()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= tolerance || (found.is_nan() && expected.is_nan());
        assert!(near, "row {i}: {found} where {expected} is expected");
    }
}

/// One of each, with inputs that it takes out of `market`.
fn every_indicator() -> Vec<IndicatorConfig> {
    vec![
        config("sma", json!({"period": 7})),
        config("ema", json!({"period": 7})),
        config("rsi", json!({"period": 5})),
        config("macd", json!({"fast": 3, "slow": 8, "signal": 4})),
        config("bollinger", json!({"period": 6})),
        config("atr", json!({"period": 4})),
        config("vwap", json!({})),
        config("vwap", json!({"window": 6})),
        config("volatility", json!({"period": 5})),
        config("volatility", json!({"period": 5, "divisor": "population"})),
        config("log_return", json!({"period": 3})),
        config("order_flow_imbalance", json!({"window": 4})),
        config("microprice_deviation", json!({})),
        config("microprice_deviation", json!({"unit": {"ticks": 0.5}})),
    ]
}

/// Columns of everything that indicators take.
#[derive(Clone, Debug)]
struct Market {
    close: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    volume: Vec<f64>,
    session: Vec<f64>,
    bid_price: Vec<f64>,
    bid_size: Vec<f64>,
    ask_price: Vec<f64>,
    ask_size: Vec<f64>,
}

impl Market {
    fn columns(&self, indicator: &IndicatorConfig) -> Vec<&[f64]> {
        let names = AnyIndicator::new(indicator).unwrap().inputs();
        let column = |name: &&str| match *name {
            "close" | "price" => &self.close[..],
            "high" => &self.high,
            "low" => &self.low,
            "volume" => &self.volume,
            "session" => &self.session,
            "bid_price" => &self.bid_price,
            "bid_size" => &self.bid_size,
            "ask_price" => &self.ask_price,
            "ask_size" => &self.ask_size,
            other => panic!("{other}"),
        };
        names.iter().map(column).collect()
    }
}

fn markets() -> impl Strategy<Value = Market> {
    let tick = (900_i32..1100, 0_i32..20, 0_i32..20, 0_u32..5, 0_u32..9, 1_u32..9, 1_i32..4);
    prop::collection::vec(tick, 1..120).prop_map(|ticks| {
        let mut market = Market {
            close: vec![],
            high: vec![],
            low: vec![],
            volume: vec![],
            session: vec![],
            bid_price: vec![],
            bid_size: vec![],
            ask_price: vec![],
            ask_size: vec![],
        };
        for (i, (close, up, down, volume, bid_size, ask_size, spread)) in ticks.into_iter().enumerate() {
            let close = f64::from(close) / 8.0;
            market.close.push(close);
            market.high.push(close + f64::from(up) / 8.0);
            market.low.push(close - f64::from(down) / 8.0);
            market.volume.push(f64::from(volume));
            market.session.push((i / 17) as f64);
            // Few prices, so that queues last.
            let bid = (close / 12.5).round() * 12.5;
            market.bid_price.push(bid);
            market.bid_size.push(f64::from(bid_size));
            market.ask_price.push(bid + f64::from(spread) * 12.5);
            market.ask_size.push(f64::from(ask_size));
        }
        market
    })
}

/// Values over the last `period` rows by `of`, NaN where there are not as many.
fn rolling(values: &[f64], period: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let value = |i: usize| if i + 1 < period { f64::NAN } else { of(&values[i + 1 - period..=i]) };
    (0..values.len()).map(value).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64], lost: usize) -> f64 {
    let centre = mean(values);
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    (squares / (values.len() - lost) as f64).sqrt()
}

/// The average of Wilder's book at row `i`, from the beginning: `changes[0]` belongs to row 1.
fn wilder(changes: &[f64], period: usize, i: usize) -> f64 {
    let seed = mean(&changes[..period]);
    changes[period..i].iter().fold(seed, |average, change| average + (change - average) / period as f64)
}

/// An exponential average at the last of `values`, as the weighted sum that the recursion amounts to.
fn exponential(values: &[f64], period: usize) -> f64 {
    let decay = 1.0 - 2.0 / (period as f64 + 1.0);
    let later = &values[period..];
    let weighted =
        later.iter().rev().enumerate().map(|(age, value)| (1.0 - decay) * decay.powi(age as i32) * value);
    mean(&values[..period]) * decay.powi(later.len() as i32) + weighted.sum::<f64>()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ticks_and_columns_give_the_same_bits_and_a_reset_is_a_new_beginning(market in markets()) {
        for config in every_indicator() {
            let inputs = market.columns(&config);
            let mut indicator = AnyIndicator::new(&config).unwrap();
            let first = streamed(&mut indicator, &inputs);
            prop_assert_eq!(bits(&first), bits(&columns(&config, &inputs)), "{:?}", config);
            indicator.reset();
            prop_assert_eq!(bits(&first), bits(&streamed(&mut indicator, &inputs)), "{:?}", config);
        }
    }

    #[test]
    fn nothing_depends_on_what_comes_later(
        (market, other) in (markets(), markets()), share in 0.0..1.0_f64,
    ) {
        let rows = market.close.len().min(other.close.len());
        let cut = (rows as f64 * share) as usize;
        for config in every_indicator() {
            let own = market.columns(&config);
            let mixed: Vec<Vec<f64>> = own.iter().zip(other.columns(&config))
                .map(|(own, other)| [&own[..cut], &other[cut..]].concat()).collect();
            let mixed = columns(&config, &mixed.iter().map(Vec::as_slice).collect::<Vec<_>>());
            for (changed, unchanged) in bits(&mixed).iter().zip(bits(&columns(&config, &own))) {
                prop_assert_eq!(&changed[..cut], &unchanged[..cut], "{:?}", config);
            }
        }
    }

    #[test]
    fn the_warm_up_is_as_long_as_told(market in markets()) {
        for config in every_indicator() {
            // Volume-weighted prices wait for volume too.
            if matches!(config, IndicatorConfig::Vwap(_)) {
                continue;
            }
            let warm_up = AnyIndicator::new(&config).unwrap().warm_up();
            for column in columns(&config, &market.columns(&config)) {
                for (i, number) in column.iter().enumerate() {
                    prop_assert_eq!(number.is_nan(), i < warm_up, "{:?} at {}", config, i);
                }
            }
        }
    }

    #[test]
    fn windows_agree_with_their_formulas(market in markets(), period in 2_usize..30) {
        let close = &market.close;
        let found = |name, settings| columns(&config(name, settings), &[close]);
        assert_close(&found("sma", json!({"period": period}))[0], &rolling(close, period, mean), 1e-11);

        let settings = json!({"period": period, "deviations_up": 1.5, "deviations_down": 0.5});
        let bands = found("bollinger", settings);
        let band = |times: f64| rolling(close, period, |window| mean(window) + times * deviation(window, 0));
        for (column, times) in bands.iter().zip([1.5, 0.0, -0.5]) {
            assert_close(column, &band(times), 1e-11);
        }

        let growth: Vec<f64> = close.windows(2).map(|pair| pair[1].ln() - pair[0].ln()).collect();
        for (divisor, lost) in [("sample", 1), ("population", 0)] {
            let expected = [vec![f64::NAN], rolling(&growth, period, |window| deviation(window, lost))].concat();
            assert_close(&found("volatility", json!({"period": period, "divisor": divisor}))[0], &expected, 1e-13);
        }
        let expected: Vec<f64> = (0..close.len())
            .map(|i| if i < period { f64::NAN } else { close[i].ln() - close[i - period].ln() })
            .collect();
        assert_close(&found("log_return", json!({"period": period}))[0], &expected, 1e-13);
    }

    #[test]
    fn smoothed_averages_agree_with_their_formulas(market in markets(), period in 2_usize..30) {
        let close = &market.close;
        let at = |from: usize, value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..close.len()).map(|i| if i < from { f64::NAN } else { value(i) }).collect()
        };
        let expected = at(period - 1, &|i| exponential(&close[..=i], period));
        assert_close(&columns(&config("ema", json!({"period": period})), &[close])[0], &expected, 1e-11);

        let change = |sign: f64| -> Vec<f64> {
            close.windows(2).map(|pair| (sign * (pair[1] - pair[0])).max(0.0)).collect()
        };
        let (gains, losses) = (change(1.0), change(-1.0));
        let expected = at(period, &|i| {
            let (gain, loss) = (wilder(&gains, period, i), wilder(&losses, period, i));
            if gain + loss == 0.0 { 0.0 } else { 100.0 - 100.0 / (1.0 + gain / loss) }
        });
        assert_close(&columns(&config("rsi", json!({"period": period})), &[close])[0], &expected, 1e-9);

        let ranges: Vec<f64> = (1..close.len()).map(|i| {
            let (top, bottom) = (market.high[i].max(close[i - 1]), market.low[i].min(close[i - 1]));
            top - bottom
        }).collect();
        let expected = at(period, &|i| wilder(&ranges, period, i));
        let inputs = [&market.high[..], &market.low, close];
        assert_close(&columns(&config("atr", json!({"period": period})), &inputs)[0], &expected, 1e-11);

        let (fast, signal) = (period, 1 + period / 2);
        let slow = fast + 3;
        let line: Vec<f64> = (slow - 1..close.len())
            .map(|i| exponential(&close[slow - fast..=i], fast) - exponential(&close[..=i], slow))
            .collect();
        let begin = slow + signal - 2;
        let signals = at(begin, &|i| exponential(&line[..=i + 1 - slow], signal));
        let lines = at(begin, &|i| line[i + 1 - slow]);
        let histogram: Vec<f64> = lines.iter().zip(&signals).map(|(line, signal)| line - signal).collect();
        let found = columns(&config("macd", json!({"fast": fast, "slow": slow, "signal": signal})), &[close]);
        for (found, expected) in found.iter().zip([lines, signals, histogram]) {
            assert_close(found, &expected, 1e-11);
        }
    }

    #[test]
    fn volume_weighted_prices_agree_with_their_formula(market in markets(), window in 1_usize..20) {
        let inputs = [&market.close[..], &market.volume, &market.session];
        let average = |rows: std::ops::RangeInclusive<usize>| {
            let volume: f64 = market.volume[rows.clone()].iter().sum();
            let money: f64 = rows.map(|i| market.close[i] * market.volume[i]).sum();
            (volume > 0.0).then(|| money / volume)
        };
        let (mut in_session, mut in_window) = (f64::NAN, f64::NAN);
        let (mut sessions, mut windows) = (vec![], vec![]);
        for i in 0..market.close.len() {
            let begin = (0..=i).find(|&j| market.session[j] == market.session[i]).unwrap();
            in_session = average(begin..=i).unwrap_or(in_session);
            if i + 1 >= window {
                in_window = average(i + 1 - window..=i).unwrap_or(in_window);
            }
            sessions.push(in_session);
            windows.push(in_window);
        }
        assert_close(&columns(&config("vwap", json!({})), &inputs)[0], &sessions, 1e-11);
        assert_close(&columns(&config("vwap", json!({"window": window})), &inputs)[0], &windows, 1e-11);
    }

    #[test]
    fn indicators_of_quotes_agree_with_their_formulas(market in markets(), window in 1_usize..20) {
        let Market { bid_price, bid_size, ask_price, ask_size, .. } = &market;
        let inputs = [&bid_price[..], bid_size, ask_price, ask_size];
        // As the paper tells it: what a queue gains counts, and all of it when its price improves or worsens.
        let events: Vec<f64> = (1..bid_price.len()).map(|i| {
            let demand = match bid_price[i].total_cmp(&bid_price[i - 1]) {
                std::cmp::Ordering::Greater => bid_size[i],
                std::cmp::Ordering::Equal => bid_size[i] - bid_size[i - 1],
                std::cmp::Ordering::Less => -bid_size[i - 1],
            };
            let supply = match ask_price[i].total_cmp(&ask_price[i - 1]) {
                std::cmp::Ordering::Less => ask_size[i],
                std::cmp::Ordering::Equal => ask_size[i] - ask_size[i - 1],
                std::cmp::Ordering::Greater => -ask_size[i - 1],
            };
            demand - supply
        }).collect();
        let expected = [vec![f64::NAN], rolling(&events, window, |events| events.iter().sum())].concat();
        assert_close(&columns(&config("order_flow_imbalance", json!({"window": window})), &inputs)[0], &expected, 0.0);

        for (unit, size) in [(json!("price"), Some(1.0)), (json!({"ticks": 0.25}), Some(0.25)), (json!("relative"), None)] {
            let expected: Vec<f64> = (0..bid_price.len()).map(|i| {
                let weighted = (bid_price[i] * ask_size[i] + ask_price[i] * bid_size[i]) / (bid_size[i] + ask_size[i]);
                let mid = (bid_price[i] + ask_price[i]) / 2.0;
                (weighted - mid) / size.unwrap_or(mid)
            }).collect();
            let found = columns(&config("microprice_deviation", json!({"unit": unit})), &inputs);
            assert_close(&found[0], &expected, 1e-10);
        }
    }
}

#[test]
fn values_and_warm_ups_are_those_of_ta_lib() {
    let file: Value = serde_json::from_str(include_str!("data/talib.json")).unwrap();
    let numbers = |list: &Value| -> Vec<f64> {
        list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect()
    };
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        let config = config(case["indicator"].as_str().unwrap(), case["settings"].clone());
        let names = case["inputs"].as_array().unwrap();
        let inputs: Vec<Vec<f64>> =
            names.iter().map(|name| numbers(&file["series"][name.as_str().unwrap()])).collect();
        let found = columns(&config, &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let expected: Vec<Vec<f64>> = case["outputs"].as_array().unwrap().iter().map(numbers).collect();
        assert_eq!(found.len(), expected.len(), "{config:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, 1e-9);
        }
    }
}

#[test]
fn rounding_does_not_grow_over_a_million_ticks() {
    // The last rows of a long column, against formulas over those rows alone; prices with digits that no sum holds.
    let mut state = 1_u64;
    let mut price = 50_000.0;
    let close: Vec<f64> = (0..1_000_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            price *= 1.0 + 1e-4 * ((state >> 33) as f64 / f64::from(u32::MAX >> 1) - 0.5);
            price
        })
        .collect();
    let last = &close[close.len() - 200..];
    for (name, settings, output, expected) in [
        ("sma", json!({"period": 200}), 0, mean(last)),
        ("bollinger", json!({"period": 200}), 0, mean(last) + 2.0 * deviation(last, 0)),
        ("bollinger", json!({"period": 200}), 2, mean(last) - 2.0 * deviation(last, 0)),
    ] {
        let found = *columns(&config(name, settings), &[&close])[output].last().unwrap();
        assert!((found - expected).abs() < 1e-9, "{name}: {found}, {expected}");
    }
    let growth: Vec<f64> = last.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect();
    let found = *columns(&config("volatility", json!({"period": 199})), &[&close])[0].last().unwrap();
    assert!((found / deviation(&growth, 1) - 1.0).abs() < 1e-11, "{found}");
    let ones = vec![1.0; close.len()];
    let session = *columns(&config("vwap", json!({})), &[&close, &ones, &ones])[0].last().unwrap();
    let exact = close.iter().map(|price| (price * 1e9).round() as i128).sum::<i128>() as f64
        / 1e9
        / close.len() as f64;
    assert!((session - exact).abs() < 1e-9, "{session}, {exact}");
}

#[test]
fn numbers_that_are_none_are_refused_by_name_and_change_nothing() {
    for config in every_indicator() {
        let mut indicator = AnyIndicator::new(&config).unwrap();
        let names = indicator.inputs();
        let legal: Vec<f64> = names.iter().map(|name| if *name == "low" { 9.0 } else { 10.0 }).collect();
        let mut output = vec![0.0; indicator.outputs().len()];
        for _ in 0..40 {
            indicator.update(&legal, &mut output).unwrap();
        }
        for (place, name) in names.iter().enumerate() {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, LARGEST * 2.0] {
                let mut untouched = indicator.clone();
                let mut input = legal.clone();
                input[place] = bad;
                let error = indicator.update(&input, &mut output).unwrap_err();
                assert_eq!((&*error.key, error.value), (*name, bad.to_string()), "{config:?}");
                assert!(!error.legal.is_empty());
                let (mut after, mut expected) = (output.clone(), output.clone());
                indicator.clone().update(&legal, &mut after).unwrap();
                untouched.update(&legal, &mut expected).unwrap();
                assert_eq!(bits(&[after]), bits(&[expected]), "{config:?}");

                let mut columns: Vec<Vec<f64>> = legal.iter().map(|&number| vec![number; 5]).collect();
                columns[place][3] = bad;
                let mut outputs = vec![vec![0.0; 5]; output.len()];
                let inputs: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
                let mut outputs: Vec<&mut [f64]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
                let error = batch(&config, &inputs, &mut outputs).unwrap_err();
                assert_eq!(error.key, format!("{name}[3]"), "{config:?}");
            }
        }
    }
}

#[test]
fn ticks_that_contradict_themselves_are_refused() {
    let message = |name: &str, settings: Value, input: &[f64]| {
        let mut indicator = AnyIndicator::new(&config(name, settings)).unwrap();
        let mut output = vec![0.0; indicator.outputs().len()];
        indicator.update(input, &mut output).unwrap_err().to_string()
    };
    assert_eq!(message("atr", json!({}), &[1.0, 2.0, 1.5]), "low is 2; legal: at most high, 1");
    assert!(message("volatility", json!({}), &[0.0]).starts_with("close is 0; legal: a number from 1e-100"));
    assert!(message("log_return", json!({}), &[-1.0]).starts_with("close is -1; legal"));
    assert!(message("vwap", json!({}), &[1.0, -2.0, 0.0]).starts_with("volume is -2; legal: 0, or"));
    let quote = [1.0, 0.0, 2.0, 0.0];
    let found = message("microprice_deviation", json!({}), &quote);
    assert_eq!(found, "ask_size is 0; legal: above 0, as bid_size is 0");
    assert!(
        message("microprice_deviation", json!({}), &[-1.0, 1.0, 2.0, 1.0]).starts_with("bid_price is -1")
    );
    assert_eq!(message("rsi", json!({}), &[1.0, 2.0]), "input is a list of 2; legal: 1: close");
}

#[test]
fn columns_of_other_lengths_are_refused_by_name() {
    let atr = config("atr", json!({}));
    let (three, four) = ([1.0; 3], [1.0; 4]);
    let error = batch(&atr, &[&three, &four, &three], &mut [&mut [0.0; 3]]).unwrap_err();
    assert_eq!(error.to_string(), "low is 4 long; legal: 3 long, as high is");
    let error = batch(&atr, &[&three, &three, &three], &mut [&mut [0.0; 4]]).unwrap_err();
    assert_eq!(error.to_string(), "value is 4 long; legal: 3 long, as high is");
    let error = batch(&atr, &[&three], &mut [&mut [0.0; 3]]).unwrap_err();
    assert_eq!(error.to_string(), "inputs is a list of 1; legal: 3: high, low, close");
    batch(&atr, &[&[], &[], &[]], &mut [&mut []]).unwrap();
}

#[test]
fn settings_that_are_not_legal_are_refused_by_name() {
    for (name, settings, key, legal) in [
        ("sma", json!({"period": 0}), "period", "1 to 100000"),
        ("ema", json!({"period": 100_001}), "period", "1 to 100000"),
        ("rsi", json!({"period": 1}), "period", "2 to 100000"),
        ("rsi", json!({"period": "long"}), "period", "an integer of 0 or more"),
        ("rsi", json!({"period": 2.5}), "period", "an integer of 0 or more"),
        ("volatility", json!({"period": 1}), "period", "2 to 100000"),
        ("volatility", json!({"divisor": "both"}), "divisor", "sample"),
        ("macd", json!({"fast": 26}), "fast", "2 to 25"),
        ("macd", json!({"slow": 2}), "slow", "3 to 100000"),
        ("macd", json!({"signal": 0}), "signal", "1 to 100000"),
        ("bollinger", json!({"deviations_up": -1.0}), "deviations_up", "0 to 1000"),
        ("vwap", json!({"window": 0}), "window", "1 to 100000"),
        ("order_flow_imbalance", json!({"window": 0}), "window", "1 to 100000"),
        ("microprice_deviation", json!({"unit": {"ticks": 0.0}}), "unit.ticks", "1e-100"),
        ("atr", json!({"perod": 3}), "perod", "period"),
    ] {
        let error = IndicatorConfig::from_map(name, settings.as_object().unwrap().clone()).unwrap_err();
        assert_eq!(error.key, key, "{name} {settings}: {error}");
        assert!(error.legal.contains(legal), "{name} {settings}: {error}");
    }
    let error = IndicatorConfig::from_map("rsy", serde_json::Map::new()).unwrap_err();
    assert!(error.to_string().starts_with("indicator is \"rsy\"; legal: one of sma, "), "{error}");
    for name in IndicatorConfig::NAMES {
        let config = IndicatorConfig::from_map(name, serde_json::Map::new()).unwrap();
        assert!(serde_json::to_value(config).unwrap()[name].is_object(), "{name}");
        assert_eq!(config.name(), name);
    }
}
