use proptest::prelude::*;

use super::*;
use crate::{BookConfig, NewOrder, Owner, Price, Quantity, Side};

fn day() -> Conditions {
    Conditions::over(23_400.0, 50.0, 0.02, 1e6).unwrap()
}

fn order(quantity: f64, seconds: f64) -> MetaOrder {
    MetaOrder::new(quantity, seconds).unwrap()
}

fn transient(coefficient: f64, exponent: f64, decay: Decay) -> TransientParams {
    TransientParams { coefficient, exponent, decay, half_spread: 0.0 }
}

fn depth(recovery_seconds: Option<f64>) -> DepthParams {
    let side = |step: f64| -> Vec<DepthLevel> {
        (0..5).map(|k| DepthLevel { distance: step * (0.5 + f64::from(k)), quantity: 4_000.0 }).collect()
    };
    DepthParams { bids: side(1e-4), asks: side(1e-4), recovery_seconds }
}

/// Every model that is legal and keeps its memory while it trades.
fn models() -> Vec<ImpactConfig> {
    let power = |exponent, shift_seconds| Decay::PowerLaw { exponent, shift_seconds };
    vec![
        ImpactConfig::None,
        ImpactConfig::SquareRoot(SquareRootParams { y: 0.8, memory_seconds: Some(900.0), half_spread: 2e-4 }),
        ImpactConfig::Temporary(TemporaryParams { coefficient: 20.0, exponent: 0.6, half_spread: 0.0 }),
        ImpactConfig::Permanent(PermanentParams { coefficient: 0.003, exponent: 1.0, half_spread: 1e-4 }),
        ImpactConfig::AlmgrenChriss(AlmgrenChrissParams {
            half_spread: 1e-4,
            temporary: 20.0,
            temporary_exponent: 1.0,
            permanent: 0.003,
        }),
        ImpactConfig::Transient(transient(0.05, 1.0, Decay::Exponential { seconds: 600.0 })),
        ImpactConfig::Transient(transient(1.0, 1.0, power(0.4, 0.0))),
        ImpactConfig::Transient(transient(1.0, 1.0, power(0.6, 5.0))),
        ImpactConfig::Book(depth(Some(300.0))),
        ImpactConfig::Book(depth(None)),
    ]
}

fn near(one: f64, other: f64, tolerance: f64) -> bool {
    (one - other).abs() <= tolerance * (1e-6 + one.abs().max(other.abs()))
}

#[test]
fn published_figures_come_out() {
    // Square root: a hundredth of the day's volume at 2% volatility moves the price by 20 basis points.
    let law = SquareRootParams { y: 1.0, memory_seconds: None, half_spread: 0.0 };
    let cost = SquareRoot::new(law).unwrap().cost(&order(10_000.0, 600.0), &day());
    assert!(near(cost.fraction(), 2.0 / 3.0 * 0.002, 1e-12), "{cost:?}");
    assert!(near(cost.money(), 2.0 / 3.0 * 0.002 * 500_000.0, 1e-12));
    // Almgren, Thum, Hauptmann & Li 2005: a tenth of a day's volume in half a day at a volatility of 1.57%: 0.142 x 1.57% x 0.2^0.6.
    let ibm = Conditions::over(23_400.0, 100.0, 0.0157, 6.561e6).unwrap();
    let eta = TemporaryParams { coefficient: 0.142 * 23_400.0_f64.sqrt(), exponent: 0.6, half_spread: 0.0 };
    let cost = Temporary::new(eta).unwrap().cost(&order(-656_100.0, 11_700.0), &ibm);
    assert!(near(cost.fraction(), 8.49e-4, 1e-3), "{cost:?}");
    // Obizhaeva & Wang: a block pushes by its whole impact and pays half of it.
    let block = order(1_000.0, 1e-6);
    let mut book = Transient::new(transient(0.05, 1.0, Decay::Exponential { seconds: 600.0 })).unwrap();
    let push = 0.05 * day().volatility() * block.market_seconds(&day());
    assert!(near(book.trade(&block, &day()).displaced, push / 2.0, 1e-6));
    assert!(near(book.displacement(), push, 1e-6));
    assert!(near(book.displacement_after(600.0), push / std::f64::consts::E, 1e-6));
}

#[test]
fn a_root_and_a_root_are_the_square_root_law() {
    // Participation^1/2 with a decay by t^-1/2: 2 c sigma sqrt(Q / V) at the end, however long it takes.
    for seconds in [60.0, 6_000.0] {
        let decay = Decay::PowerLaw { exponent: 0.5, shift_seconds: 0.0 };
        let mut model = Transient::new(transient(0.4, 0.5, decay)).unwrap();
        let order = order(10_000.0, seconds);
        let cost = model.trade(&order, &day());
        assert!(near(model.displacement(), 0.8 * 0.002, 1e-9), "{}", model.displacement());
        assert!(near(cost.displaced, 2.0 / 3.0 * 0.8 * 0.002, 1e-9), "{cost:?}");
    }
}

#[test]
fn an_order_pays_the_displacement_while_it_trades() {
    for config in models() {
        let mut model = config.model().unwrap();
        model.trade(&order(-3_000.0, 200.0), &day());
        model.wait(50.0);
        let whole = order(9_000.0, 700.0);
        let cost = model.cost(&whole, &day());
        // The same in small pieces, each at the displacement in its middle.
        const PIECES: usize = 20_000;
        let piece = order(9_000.0 / PIECES as f64, 700.0 / PIECES as f64);
        let (mut paid, mut before) = (0.0, model.displacement());
        let is_book = matches!(config, ImpactConfig::Book(_));
        let mut fine = model.clone();
        for _ in 0..PIECES {
            let cost = fine.trade(&piece, &day());
            let after = fine.displacement();
            // A book's mid moves by half of what the side that is eaten does.
            paid += if is_book { cost.displaced } else { (before + after) / 2.0 };
            before = after;
        }
        let mut coarse = model;
        coarse.trade(&whole, &day());
        // 64 orders are remembered one by one, 20,000 are not.
        let tolerance = if matches!(config, ImpactConfig::Transient(_)) { 0.02 } else { 1e-3 };
        assert!(
            near(cost.displaced, paid / PIECES as f64, tolerance),
            "{config:?}: {cost:?} {}",
            paid / PIECES as f64
        );
        assert!(near(coarse.displacement(), fine.displacement(), tolerance), "{config:?}");
    }
}

#[test]
fn splitting_changes_nothing_where_only_the_quantity_counts() {
    let mut model =
        Permanent::new(PermanentParams { coefficient: 0.003, exponent: 1.0, half_spread: 0.0 }).unwrap();
    let whole = model.cost(&order(8_000.0, 100.0), &day()).money();
    let split: f64 = (0..8).map(|_| model.trade(&order(1_000.0, 5.0), &day()).money()).sum();
    assert!(near(whole, split, 1e-12));
    assert_eq!(model.permanent(), model.displacement_after(1e9));
}

#[test]
fn decay_is_monotone_and_complete() {
    for config in models() {
        let mut model = config.model().unwrap();
        model.trade(&order(5_000.0, 100.0), &day());
        let path: Vec<f64> =
            [0.0, 1.0, 10.0, 1e2, 1e3, 1e4, 1e14].map(|t| model.displacement_after(t)).to_vec();
        assert!(path.windows(2).all(|pair| pair[0] >= pair[1] - 1e-18), "{config:?}: {path:?}");
        assert!((path[6] - model.permanent()).abs() < 1e-6, "{config:?}: {path:?}");
        let mut waited = model.clone();
        waited.wait(60.0);
        waited.wait(40.0);
        assert!(near(waited.displacement(), path[3], 1e-9), "{config:?}");
        waited.reset();
        assert_eq!((waited.displacement(), &waited), (0.0, &config.model().unwrap()));
    }
}

#[test]
fn a_sweep_costs_what_the_book_says() {
    let mut book = crate::OrderBook::new(BookConfig::default()).unwrap();
    let mut events = Vec::new();
    for (side, price, lots) in [
        (Side::Buy, 99, 5),
        (Side::Buy, 96, 9),
        (Side::Sell, 101, 4),
        (Side::Sell, 102, 6),
        (Side::Sell, 105, 7),
    ] {
        book.submit(NewOrder::limit(Owner(1), side, Price(price), Quantity(lots)), &mut events).unwrap();
    }
    let conditions = Conditions::new(100.0, 0.01, 1.0).unwrap();
    let model = BookDepth::new(&DepthParams::of(&book, 10, None).unwrap()).unwrap();
    for (side, lots) in [(Side::Buy, 3), (Side::Buy, 10), (Side::Buy, 15), (Side::Sell, 5), (Side::Sell, 14)]
    {
        let sign = if side == Side::Buy { 1.0 } else { -1.0 };
        let cost = model.cost(&order(sign * lots as f64, 1.0), &conditions);
        let swept = book.sweep(side, Quantity(lots)).average_price().unwrap();
        assert!(
            near(conditions.ticks(cost.fraction()), sign * (swept - 100.0), 1e-12),
            "{side:?} {lots}: {cost:?}"
        );
    }
    let mut observed = BookDepth::new(&depth(None)).unwrap();
    observed.observe(&book, 10).unwrap();
    assert_eq!(observed, model);
}

#[test]
fn profits_from_round_trips_are_refused() {
    let power = |exponent, shift_seconds| Decay::PowerLaw { exponent, shift_seconds };
    let refused = |config: ImpactConfig| config.model().unwrap_err();
    let error = refused(ImpactConfig::Permanent(PermanentParams {
        coefficient: 1.0,
        exponent: 0.5,
        half_spread: 0.0,
    }));
    assert_eq!(error.key, "permanent.exponent");
    assert!(error.legal.contains("Huberman"), "{error}");
    for (exponent, decay) in
        [(0.5, Decay::Exponential { seconds: 10.0 }), (0.5, power(0.4, 0.0)), (0.5, power(0.9, 1.0))]
    {
        let error = refused(ImpactConfig::Transient(transient(1.0, exponent, decay)));
        assert_eq!(error.key, "transient.exponent");
        assert!(error.legal.contains("Gatheral"), "{error}");
    }
    ImpactConfig::Transient(transient(1.0, 0.5, power(0.5, 0.0))).validate().unwrap();
}

/// Buys at one rate and sells at another (Gatheral 2010, section 4): what it loses.
fn two_rates(params: TransientParams, slow: f64, buy_slowly: bool) -> f64 {
    let mut model = Transient::unchecked(params);
    let (one, other) = if buy_slowly { (slow, 1.0) } else { (1.0, slow) };
    let quantity = 1_000.0;
    model.trade(&order(quantity, 100.0 * one), &day()).money()
        + model.trade(&order(-quantity, 100.0 * other), &day()).money()
}

#[test]
fn the_refused_would_earn_money() {
    let exponential = transient(1.0, 0.5, Decay::Exponential { seconds: 1e4 });
    assert!(two_rates(exponential, 5.0, false).min(two_rates(exponential, 5.0, true)) < 0.0);
    let fast_forgetting = transient(1.0, 0.3, Decay::PowerLaw { exponent: 0.2, shift_seconds: 0.0 });
    assert!(two_rates(fast_forgetting, 50.0, false).min(two_rates(fast_forgetting, 50.0, true)) < 0.0);
    for (exponent, decay) in [(0.5, 0.5), (0.7, 0.5), (0.6, 0.4)] {
        for slow in [2.0, 5.0, 50.0] {
            let legal = transient(1.0, exponent, Decay::PowerLaw { exponent: decay, shift_seconds: 0.0 });
            assert!(
                two_rates(legal, slow, false) > 0.0 && two_rates(legal, slow, true) > 0.0,
                "{exponent} {decay} {slow}"
            );
        }
    }
}

#[test]
fn configurations_are_read_strictly_and_written_back() {
    for config in models() {
        let text = config.to_yaml().unwrap();
        let back: ImpactConfig = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(back, config, "{text}");
        let model = config.model().unwrap();
        let saved = postcard::to_stdvec(&model).unwrap();
        assert_eq!(postcard::from_bytes::<Impact>(&saved).unwrap(), model);
    }
    assert!(serde_saphyr::from_str::<ImpactConfig>("square_root: {y: 1, power: 2}").is_err());
    assert!(serde_saphyr::from_str::<ImpactConfig>("cubic: {y: 1}").is_err());
    let short: ImpactConfig = serde_saphyr::from_str("temporary: {coefficient: 2}").unwrap();
    assert_eq!(short.validate(), Ok(()));
    let bad: ImpactConfig = serde_saphyr::from_str("square_root: {y: -1}").unwrap();
    assert_eq!(bad.validate().unwrap_err().key, "square_root.y");
    assert_eq!(Conditions::new(0.0, 0.1, 1.0).unwrap_err().key, "price");
    assert_eq!(MetaOrder::new(1.0, 0.0).unwrap_err().key, "seconds");
}

/// Orders and pauses: quantity, seconds, pause.
fn trips() -> impl Strategy<Value = Vec<(f64, f64, f64)>> {
    prop::collection::vec((-5e4..5e4_f64, 0.1..2_000.0_f64, 0.0..3_000.0_f64), 1..12)
}

proptest! {
    #[test]
    fn no_round_trip_earns_money(trip in trips(), last in 1.0..500.0_f64) {
        for config in models() {
            let mut model = config.model().unwrap();
            let (mut paid, mut held, mut turned) = (0.0, 0.0, 0.0);
            for &(quantity, seconds, pause) in &trip {
                let cost = model.trade(&order(quantity, seconds), &day());
                paid += cost.money();
                turned += cost.notional;
                held += quantity;
                model.wait(pause);
            }
            paid += model.trade(&order(-held, last), &day()).money();
            prop_assert!(paid >= -1e-9 * turned, "{:?}: {}", config, paid);
        }
    }

    #[test]
    fn from_rest_buying_and_selling_cost_the_same_and_more_costs_more(
        quantity in 1.0..1e5_f64, seconds in 1.0..5e4_f64, more in 1.0..3.0_f64,
    ) {
        for config in models() {
            let model = config.model().unwrap();
            let [buy, sell, larger] = [quantity, -quantity, quantity * more]
                .map(|quantity| model.cost(&order(quantity, seconds), &day()));
            prop_assert!(buy == sell, "{:?}", config);
            prop_assert!(buy.money() >= 0.0 && larger.fraction() >= buy.fraction() * (1.0 - 1e-9), "{:?} {:?} {:?}", config, buy, larger);
            prop_assert_eq!(model.cost(&order(0.0, seconds), &day()), TradeCost::default());
            let [mut up, mut down] = [model.clone(), model.clone()];
            up.trade(&order(quantity, seconds), &day());
            down.trade(&order(-quantity, seconds), &day());
            prop_assert!(up.displacement_after(7.0) == -down.displacement_after(7.0));
        }
    }
}

#[cfg(feature = "yaml")]
#[test]
fn a_file_stands_for_the_model_in_it() {
    use std::path::Path;

    let directory = std::env::temp_dir().join(format!("lobgym-impact-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let model =
        ImpactConfig::SquareRoot(SquareRootParams { y: 0.5, memory_seconds: Some(45.0), half_spread: 0.0 });
    std::fs::write(directory.join("model.yaml"), model.to_yaml().unwrap()).unwrap();
    let file: ImpactConfig = serde_saphyr::from_str("file: model.yaml").unwrap();
    assert_eq!(file.resolve(&directory).unwrap(), model);
    assert_eq!(model.resolve(Path::new("/nowhere")).unwrap(), model);
    // Nobody gets a model of a file that was not read, or a chain of files.
    assert!(file.model().unwrap_err().to_string().contains("model.yaml"));
    std::fs::write(directory.join("chain.yaml"), "file: model.yaml").unwrap();
    let chain = ImpactConfig::File("chain.yaml".into()).resolve(&directory).unwrap_err().to_string();
    assert!(chain.contains("chain.yaml: file is model.yaml"), "{chain}");
    let missing = ImpactConfig::File("missing.yaml".into()).resolve(&directory).unwrap_err().to_string();
    assert!(missing.contains("missing.yaml"), "{missing}");
    let bad = ImpactConfig::SquareRoot(SquareRootParams { y: -1.0, memory_seconds: None, half_spread: 0.0 });
    assert!(bad.resolve(&directory).unwrap_err().to_string().contains("square_root.y is -1"));
    std::fs::remove_dir_all(&directory).unwrap();
}
