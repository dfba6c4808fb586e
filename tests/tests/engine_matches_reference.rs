//! Random programs of requests, engine against reference after each; a failing program is shrunk to a short one.

use lob::{BookConfig, Price, SelfTradePrevention, Side};
use lobgym_tests::drive::{MODES, OWNERS};
use lobgym_tests::program::{Kind, Level, Life, Order, Pick, Runner, Size, Step};
use proptest::prelude::*;

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

fn mode() -> impl Strategy<Value = SelfTradePrevention> {
    (0..MODES.len()).prop_map(|index| MODES[index])
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![
        16 => (-8_i8..=8).prop_map(Level::Near),
        2 => (-200_i32..=200).prop_map(Level::Far),
        1 => (-3_000_000_i32..=3_000_000).prop_map(Level::Far),
        1 => (0_u8..8).prop_map(Level::Extreme),
    ]
}

/// A limit on the passive side more often than not.
fn limit(side: Side) -> impl Strategy<Value = Level> {
    let lean = if side == Side::Buy { -3 } else { 3 };
    level().prop_map(move |level| match level {
        Level::Near(ticks) => Level::Near(ticks + lean),
        other => other,
    })
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        60 => (1_u8..=20).prop_map(Size::Lots),
        1 => Just(Size::Lots(0)),
        1 => (0_u8..4).prop_map(Size::Huge),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![
        16 => any::<u8>().prop_map(Pick::Live),
        2 => any::<u8>().prop_map(Pick::Past),
        1 => (0_u32..4, 0_u32..8).prop_map(|(generation, slot)| Pick::Bogus(generation, slot)),
    ]
}

fn owner() -> impl Strategy<Value = u8> {
    prop_oneof![30 => 0..OWNERS as u8, 1 => Just(OWNERS as u8)]
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![
        10 => Just(Life::Gtc),
        2 => Just(Life::Ioc),
        2 => Just(Life::Fok),
        3 => (0_u8..12).prop_map(Life::Gtd),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    let kind = side().prop_flat_map(|side| {
        let kind = prop_oneof![
            10 => limit(side).prop_map(Kind::Limit),
            2 => Just(Kind::Market),
            2 => level().prop_map(Kind::Stop),
            2 => (level(), level()).prop_map(|(stop, price)| Kind::StopLimit(stop, price)),
        ];
        (Just(side), kind)
    });
    let display = proptest::option::weighted(0.25, (0_u8..8).prop_map(Size::Lots));
    (owner(), kind, size(), life(), prop::bool::weighted(0.12), display).prop_map(
        |(owner, (side, kind), quantity, life, post_only, display)| {
            // Contradictions are refused; most orders should not be.
            let may_rest = matches!(kind, Kind::Limit(_) | Kind::StopLimit(..))
                && matches!(life, Life::Gtc | Life::Gtd(_));
            let keep = may_rest || matches!(quantity, Size::Lots(7));
            let display = display.filter(|_| keep);
            Order { owner, side, kind, quantity, life, post_only: post_only && keep, display }
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let amendment = (
        proptest::option::of(size()),
        proptest::option::of(level()),
        proptest::option::weighted(0.2, level()),
    );
    prop_oneof![
        60 => order().prop_map(Step::Submit),
        10 => pick().prop_map(Step::Cancel),
        3 => (pick(), proptest::option::weighted(0.1, owner()), size())
            .prop_map(|(of, owner, quantity)| Step::CancelQuantity { of, owner, quantity }),
        1 => (owner(), proptest::option::of(side())).prop_map(|(owner, side)| Step::MassCancel { owner, side }),
        10 => (pick(), amendment)
            .prop_map(|(order, (quantity, price, stop))| Step::Amend { order, quantity, price, stop }),
        4 => (-1_i8..8).prop_map(Step::Expire),
        2 => (owner(), mode()).prop_map(|(owner, mode)| Step::SetMode { owner, mode }),
        3 => (-40_i16..=40).prop_map(Step::Drift),
        1 => (-2_000_i16..=2_000).prop_map(Step::Drift),
        1 => Just(Step::Fork),
        1 => Just(Step::Restore),
    ]
}

/// A configuration and a centre of prices that suits it.
fn market() -> impl Strategy<Value = (BookConfig, i64)> {
    let limit = 1_i64 << 62;
    let prices = prop_oneof![
        Just((-limit, limit, 10_000)),
        Just((-limit, limit, limit - 7)),
        Just((-limit, limit, 7 - limit)),
        Just((-24, 24, 0)),
        Just((5, 5, 5)),
    ];
    let window = prop_oneof![Just(64_usize), Just(128), Just(1024)];
    (prices, window, mode(), 0_usize..40).prop_map(|(prices, window_levels, mode, order_capacity)| {
        let (min, max, centre) = prices;
        let config = BookConfig {
            min_price: Price(min),
            max_price: Price(max),
            max_owners: OWNERS,
            self_trade_prevention: mode,
            window_levels,
            order_capacity,
        };
        (config, centre)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn engine_and_reference_agree_on_every_event_and_view(
        (config, centre) in market(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut runner = Runner::new(config, centre, 1);
        for step in &steps {
            runner.step(step);
        }
        runner.finish();
    }
}
