//! `lobgym paper --metrics PORT`: figures for Prometheus, on this machine alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::broker::{Broker, Step};

/// Upper bounds of the histogram of decisions, seconds.
const BOUNDS: [f64; 8] = [1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 1e-1];

/// How long a client may take to ask or to listen: one at a time is served.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is shown, in Prometheus' text format; a thread answers `GET /metrics` with it until the process ends.
#[derive(Debug)]
pub(super) struct Metrics {
    page: Arc<Mutex<String>>,
    address: SocketAddr,
    steps: u64,
    fills: u64,
    rejections: BTreeMap<&'static str, u64>,
    /// Decisions at most as long as each bound.
    within: [u64; BOUNDS.len()],
    decisions: u64,
    seconds: f64,
}

impl Metrics {
    /// Listens on 127.0.0.1; port 0 takes one that is free.
    ///
    /// # Errors
    /// The port cannot be had.
    pub(super) fn listen(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let page = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&page);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is not the broker's trouble.
                let _ = answer(stream, &shown);
            }
        });
        Ok(Self {
            page,
            address,
            steps: 0,
            fills: 0,
            rejections: BTreeMap::new(),
            within: [0; BOUNDS.len()],
            decisions: 0,
            seconds: 0.0,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Counts a step and shows the account after it.
    pub(super) fn show(&mut self, step: &Step, broker: &Broker) {
        self.steps += 1;
        self.fills += step.fills as u64;
        for refused in &step.refused {
            *self.rejections.entry(refused.refusal.rule.name()).or_default() += 1;
        }
        // A step that a restart found decided took no decision.
        if !step.decision.is_zero() {
            let seconds = step.decision.as_secs_f64();
            self.decisions += 1;
            self.seconds += seconds;
            for (within, bound) in self.within.iter_mut().zip(BOUNDS) {
                *within += u64::from(seconds <= bound);
            }
        }
        let page = self.render(step, broker.holdings().capital, broker.is_killed());
        *self.page.lock().unwrap_or_else(PoisonError::into_inner) = page;
    }

    fn render(&self, step: &Step, capital: i64, killed: bool) -> String {
        let mut page = String::new();
        let money = |cents: i64| cents as f64 / 100.0;
        // Writing to a String cannot fail, here and below.
        let mut one = |name: &str, kind: &str, help: &str, value: f64| {
            let _ = writeln!(
                page,
                "# HELP lobgym_paper_{name} {help}\n# TYPE lobgym_paper_{name} {kind}\nlobgym_paper_{name} {value}"
            );
        };
        one("nav", "gauge", "Net asset value, money.", money(step.nav));
        one("profit", "gauge", "Net asset value less the capital, money.", money(step.nav - capital));
        one("cash", "gauge", "Money that is not invested.", money(step.cash));
        let exposure = (step.nav - step.cash) as f64 / step.nav as f64;
        one("exposure", "gauge", "Positions' value, share of the net asset value.", exposure);
        one("step", "gauge", "Last step that is closed.", step.step as f64);
        one("killed", "gauge", "1 while the kill switch is on.", f64::from(u8::from(killed)));
        one("steps_total", "counter", "Steps since the process began.", self.steps as f64);
        one("fills_total", "counter", "Fills since the process began.", self.fills as f64);
        let name = "lobgym_paper_rejections_total";
        let _ = writeln!(page, "# HELP {name} Refusals since the process began.\n# TYPE {name} counter");
        for (rule, count) in &self.rejections {
            let _ = writeln!(page, "{name}{{rule=\"{rule}\"}} {count}");
        }
        let name = "lobgym_paper_decision_seconds";
        let _ = writeln!(page, "# HELP {name} Prices, features, policy and risk.\n# TYPE {name} histogram");
        for (within, bound) in self.within.iter().zip(BOUNDS) {
            let _ = writeln!(page, "{name}_bucket{{le=\"{bound}\"}} {within}");
        }
        let (count, sum) = (self.decisions, self.seconds);
        let _ =
            writeln!(page, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}");
        page
    }
}

fn answer(mut stream: TcpStream, page: &Mutex<String>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut request, mut piece) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 16_384 {
        match stream.read(&mut piece)? {
            0 => break,
            count => request.extend_from_slice(&piece[..count]),
        }
    }
    let found = request.starts_with(b"GET /metrics ") || request.starts_with(b"GET /metrics?");
    let (status, body) = if found {
        ("200 OK", page.lock().unwrap_or_else(PoisonError::into_inner).clone())
    } else {
        ("404 Not Found", "metrics are at /metrics\n".to_owned())
    };
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
