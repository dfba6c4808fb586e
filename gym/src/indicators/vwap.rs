//! Volume-weighted average price.

use lob::parameter::Validity;

use super::Indicator;
use super::inputs::{Trade, amount, number};
use super::window::{CompensatedSum, Window};

/// Money traded over units traded, since the session began or over the last `window` ticks: Berkowitz, Logue and Noser (1988), "The Total
/// Cost of Transactions on the NYSE", Journal of Finance 43(1). TA-Lib has none.
///
/// Since the session began: first value at index 0. Over a window, which does not end with a session: at index `window - 1`. While
/// nothing has been traded in the window or session, the last value stays; before there is one, the value is NaN.
#[derive(Clone, Debug)]
pub struct Vwap {
    span: Span,
    last: f64,
}

#[derive(Clone, Debug)]
enum Span {
    Session { session: Option<f64>, money: CompensatedSum, volume: CompensatedSum },
    Window(Window<[f64; 2]>),
}

impl Span {
    const NEW_SESSION: Self =
        Self::Session { session: None, money: CompensatedSum::ZERO, volume: CompensatedSum::ZERO };
}

impl Vwap {
    pub(super) fn new(window: Option<usize>) -> Self {
        Self {
            span: window.map_or(Span::NEW_SESSION, |period| Span::Window(Window::new(period))),
            last: f64::NAN,
        }
    }
}

impl Indicator for Vwap {
    type Input = Trade;
    type Output = f64;

    fn check(&self, trade: Trade) -> Validity {
        number("price", trade.price)?;
        amount("volume", trade.volume)?;
        number("session", trade.session)
    }

    fn advance(&mut self, trade: Trade) -> f64 {
        let traded = [trade.price * trade.volume, trade.volume];
        let sums = match &mut self.span {
            Span::Session { session, money, volume } => {
                if *session != Some(trade.session) {
                    *session = Some(trade.session);
                    (*money, *volume) = (CompensatedSum::ZERO, CompensatedSum::ZERO);
                }
                money.add(traded[0]);
                volume.add(traded[1]);
                Some([money.value(), volume.value()])
            }
            Span::Window(window) => window.push(traded),
        };
        if let Some([money, volume]) = sums
            && volume > 0.0
        {
            self.last = money / volume;
        }
        self.last
    }

    fn reset(&mut self) {
        match &mut self.span {
            Span::Window(window) => window.reset(),
            session => *session = Span::NEW_SESSION,
        }
        self.last = f64::NAN;
    }

    fn warm_up(&self) -> usize {
        match &self.span {
            Span::Session { .. } => 0,
            Span::Window(window) => window.period() - 1,
        }
    }
}
