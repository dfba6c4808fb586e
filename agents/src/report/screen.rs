//! A paper broker on a terminal: what `lobgym paper watch` shows.

use ratatui::Frame;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Borders, Chart, Dataset, GraphType, Paragraph, Row, Table, Wrap};

use super::number::grouped_money as money;
use crate::broker::{BrokerError, Glance, RecentRefusal};

const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red);
const WARNING: Style = Style::new().fg(Color::Yellow);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const ALARM: Style = Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD);

/// Columns that a label and its figure take.
const CELL: u16 = 26;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing that the screen does not do itself.
    Nothing,
    /// The end.
    Quit,
    /// The kill switch; it was asked about.
    Kill,
}

/// What is on the screen: a ledger at a glance, a question or a note.
#[derive(Clone, Debug)]
pub struct PaperScreen {
    glance: Glance,
    /// Why the ledger could not be read again.
    problem: Option<String>,
    asked: bool,
    note: Option<String>,
    /// Positions that are above the first that is shown.
    scroll: usize,
}

impl PaperScreen {
    /// Of this ledger.
    pub fn new(glance: Glance) -> Self {
        Self { glance, problem: None, asked: false, note: None, scroll: 0 }
    }

    /// Shows another look at the ledger; of one that failed the reason, with the figures of the last one.
    pub fn show(&mut self, glance: Result<Glance, BrokerError>) {
        match glance {
            Ok(glance) => (self.glance, self.problem) = (glance, None),
            Err(error) => self.problem = Some(error.to_string()),
        }
    }

    /// Says something in the last line, until a key is pressed.
    pub fn say(&mut self, text: String) {
        self.note = Some(text);
    }

    /// What a key means: q (also Escape and Ctrl-C) quits, k asks about the kill switch and y says yes, arrows scroll the positions.
    pub fn press(&mut self, key: KeyEvent) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::Nothing;
        }
        self.note = None;
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Wish::Quit;
        }
        if std::mem::take(&mut self.asked) {
            return if matches!(key.code, KeyCode::Char('y' | 'Y')) { Wish::Kill } else { Wish::Nothing };
        }
        let last = self.glance.summary.positions.len().saturating_sub(1);
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
            KeyCode::Char('k') if self.glance.summary.killed => {
                self.note = Some("the kill switch is on already".to_owned());
            }
            KeyCode::Char('k') => self.asked = true,
            KeyCode::Down => self.scroll = (self.scroll + 1).min(last),
            KeyCode::PageDown => self.scroll = (self.scroll + 10).min(last),
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        Wish::Nothing
    }

    /// Draws all of it, as much as there is room for: figures first, then the history, positions, orders and refusals.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let cells = self.figures();
        let columns = (area.width / CELL).clamp(1, 4);
        let figures = (cells.len() as u16).div_ceil(columns);
        // Where there is no room for more, the last line still says which keys there are.
        let rest = area.height.saturating_sub(2 + figures);
        let wanted = (self.glance.summary.positions.len() as u16).saturating_add(2).max(10);
        let lower = if rest >= 10 { (rest - 5).min(rest * 3 / 5 + 3).min(wanted) } else { 0 };
        let [head, middle, history, below, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Max(figures),
            Constraint::Fill(1),
            Constraint::Length(lower),
            Constraint::Length(1),
        ])
        .areas(area);
        self.draw_head(frame, head);
        draw_cells(frame, middle, &cells, columns);
        if history.height >= 3 && history.width >= 30 {
            self.draw_history(frame, history);
        }
        if below.height > 0 {
            let wide = below.width >= 110;
            let left = if wide { 64 } else { 48 };
            if below.width >= 78 {
                let [left, _, right] = Layout::horizontal([
                    Constraint::Length(left),
                    Constraint::Length(1),
                    Constraint::Fill(1),
                ])
                .areas(below);
                self.draw_positions(frame, left, wide);
                let refused = (right.height / 2).clamp(4, 12).min(right.height);
                let [orders, refusals] =
                    Layout::vertical([Constraint::Fill(1), Constraint::Length(refused)]).areas(right);
                self.draw_orders(frame, orders);
                self.draw_refusals(frame, refusals);
            } else {
                self.draw_positions(frame, below, false);
            }
        }
        self.draw_foot(frame, foot);
    }

    fn draw_head(&self, frame: &mut Frame<'_>, area: Rect) {
        let summary = &self.glance.summary;
        let (state, style) = self.state();
        let mut right = vec![Span::styled(format!(" {state} "), style)];
        if !summary.reconciled {
            right.insert(0, Span::styled(" NOT RECONCILED ", ALARM));
        }
        let right = Line::from(right).alignment(Alignment::Right);
        let room = (right.width() as u16).min(area.width);
        let [left, corner] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(room)]).areas(area);
        let text = Line::from(vec![
            Span::styled(summary.ledger.clone(), BOLD),
            Span::raw(format!("  {}  seed {}", summary.policy, summary.seed)),
        ]);
        frame.render_widget(text, left);
        frame.render_widget(right, corner);
    }

    /// What the broker is doing, as far as its ledger tells.
    fn state(&self) -> (String, Style) {
        let summary = &self.glance.summary;
        if summary.killed {
            let flat = summary.positions.iter().all(|position| position.quantity == 0);
            return (format!("KILL SWITCH ON, {}", if flat { "all is sold" } else { "selling" }), ALARM);
        }
        match self.glance.pace {
            None => ("no step yet".to_owned(), WARNING),
            Some(pace) if pace.is_live() => ("running".to_owned(), GOOD),
            Some(pace) => (format!("no step for {}", time(pace.quiet.as_secs())), WARNING),
        }
    }

    /// Labels and figures, the most important first.
    fn figures(&self) -> Vec<(&'static str, String, Style)> {
        let Glance { summary, pace, .. } = &self.glance;
        let plain = Style::new();
        let percent = |share: f64| format!("{:.2}%", 100.0 * share);
        let growth = summary.profit as f64 / summary.capital as f64;
        let drawdown = self.glance.drawdown();
        let step = format!("{}{}", summary.step, if summary.open_step { ", next open" } else { "" });
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let us = |duration: std::time::Duration| format!("{:.1} us", duration.as_secs_f64() * 1e6);
        let rate = pace.and_then(|pace| pace.rate.filter(|_| pace.is_live()));
        let orders: u64 = summary.orders.values().sum();
        vec![
            ("NAV", money(summary.nav), BOLD),
            ("profit", money(summary.profit), sign(summary.profit)),
            ("return", format!("{:+.2}%", 100.0 * growth), sign(summary.profit)),
            ("drawdown", percent(drawdown), if drawdown > 0.1 { BAD } else { plain }),
            ("worst", percent(self.glance.max_drawdown), plain),
            ("exposure", percent(summary.exposure), plain),
            ("cash", money(summary.cash), plain),
            ("step", step, plain),
            ("speed", or_dash(rate.map(|rate| format!("{rate:.1} steps/s"))), plain),
            ("decision", or_dash(pace.map(|pace| us(pace.decision))), plain),
            ("p99", or_dash(pace.map(|pace| us(pace.decision_p99))), plain),
            ("traded", money(summary.turnover), plain),
            ("fees", money(summary.fees), plain),
            ("impact", money(summary.slippage), plain),
            ("fills", format!("{} of {orders}", summary.fills), plain),
        ]
    }

    fn draw_history(&self, frame: &mut Frame<'_>, area: Rect) {
        let history = &self.glance.history;
        let points: Vec<(f64, f64)> =
            history.iter().map(|&(step, nav)| (step as f64, nav as f64 / 100.0)).collect();
        let last = points.last().map_or(0.0, |point| point.0);
        let capital = self.glance.summary.capital as f64 / 100.0;
        let line = [(0.0, capital), (last.max(1.0), capital)];
        let (low, high) =
            points.iter().fold((capital, capital), |(low, high), &(_, nav)| (low.min(nav), high.max(nav)));
        let margin = 0.05 * (high - low).max(1e-3 * capital.abs());
        let (low, high) = (low - margin, high + margin);
        let label = |value: f64| Line::styled(money((value * 100.0).round() as i64), DIM);
        let labels = if area.height >= 8 {
            vec![label(low), label(0.5 * (low + high)), label(high)]
        } else {
            vec![label(low), label(high)]
        };
        let datasets = vec![
            Dataset::default().marker(Marker::Dot).graph_type(GraphType::Line).style(DIM).data(&line),
            Dataset::default()
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(Style::new().fg(Color::Cyan))
                .data(&points),
        ];
        let title = format!(" net asset value, steps 0 to {} ", self.glance.summary.step);
        let chart = Chart::new(datasets)
            .block(block(title))
            .legend_position(None)
            .x_axis(Axis::default().bounds([0.0, last.max(1.0)]))
            .y_axis(Axis::default().bounds([low, high]).labels(labels).labels_alignment(Alignment::Right));
        frame.render_widget(chart, area);
    }

    fn draw_positions(&self, frame: &mut Frame<'_>, area: Rect, wide: bool) {
        let positions = &self.glance.summary.positions;
        let room = usize::from(area.height.saturating_sub(2)).max(1);
        let first = self.scroll.min(positions.len().saturating_sub(room));
        let end = (first + room).min(positions.len());
        let title = if end - first < positions.len() {
            format!(" positions {} to {} of {} ", first + 1, end, positions.len())
        } else {
            " positions ".to_owned()
        };
        let rows = positions[first..end].iter().map(|position| {
            let mut cells = vec![
                right(position.asset.to_string()),
                right(position.quantity.to_string()),
                right(money(position.value)),
                right(format!("{:.2}%", 100.0 * position.weight)),
                right(money(position.profit)).style(sign(position.profit)),
            ];
            if wide {
                cells.insert(2, right(money(position.price)));
            }
            Row::new(cells)
        });
        let mut widths = vec![5, 9, 13, 7, 11];
        let mut names = vec!["asset", "shares", "value", "weight", "profit"];
        if wide {
            widths.insert(2, 12);
            names.insert(2, "price");
        }
        let header = Row::new(names.into_iter().map(|name| right(name.to_owned()))).style(DIM);
        let table = Table::new(rows, widths.into_iter().map(Constraint::Length).collect::<Vec<_>>())
            .header(header)
            .column_spacing(if wide { 1 } else { 0 })
            .block(block(title));
        frame.render_widget(table, area);
    }

    fn draw_orders(&self, frame: &mut Frame<'_>, area: Rect) {
        let room = usize::from(area.height.saturating_sub(1));
        let wide = area.width >= 50;
        let lines: Vec<Line<'_>> = self
            .glance
            .orders
            .iter()
            .take(room)
            .map(|order| {
                let style = match order.status.as_str() {
                    "filled" => Style::new(),
                    "pending" => WARNING,
                    _ => BAD,
                };
                let what = format!(
                    "{:>5} #{:<2}{:>+8} at {:>8}",
                    order.step,
                    order.asset,
                    order.quantity,
                    money(order.price)
                );
                let mut spans = vec![Span::styled(what, style)];
                if wide || order.status != "filled" {
                    spans.push(Span::styled(format!(" {}", order.status), style));
                }
                if wide && order.status == "filled" {
                    spans.push(Span::styled(format!(", cost {}", money(order.cost)), DIM));
                }
                Line::from(spans)
            })
            .collect();
        let lines = if lines.is_empty() { vec![Line::styled("none", DIM)] } else { lines };
        let title = if wide {
            " last orders: step, asset, shares, price, status "
        } else {
            " orders: step asset shares "
        };
        frame.render_widget(Paragraph::new(lines).block(block(title.to_owned())), area);
    }

    fn draw_refusals(&self, frame: &mut Frame<'_>, area: Rect) {
        let rejections = &self.glance.summary.rejections;
        let count: u64 = rejections.values().sum();
        let mut lines: Vec<Line<'_>> = self.glance.refusals.first().map(last_refusal).into_iter().collect();
        let mut rules: Vec<_> = rejections.iter().collect();
        rules.sort_by_key(|&(rule, count)| (std::cmp::Reverse(count), rule));
        lines.extend(rules.iter().map(|(rule, count)| Line::raw(format!("{count:>6} {rule}"))));
        if lines.is_empty() {
            lines.push(Line::styled("none", DIM));
        }
        let title = format!(" refused: {count} ");
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block(title)), area);
    }

    fn draw_foot(&self, frame: &mut Frame<'_>, area: Rect) {
        let line = if self.asked {
            Line::styled(" Kill switch: cancel, sell everything and end?  y: yes  any other key: no ", ALARM)
        } else if let Some(problem) = &self.problem {
            Line::styled(format!("not read: {problem}"), BAD)
        } else if let Some(note) = &self.note {
            Line::styled(note.clone(), WARNING)
        } else {
            Line::styled("q quit   k kill switch   up/down scroll the positions", DIM)
        };
        frame.render_widget(line, area);
    }
}

fn draw_cells(frame: &mut Frame<'_>, area: Rect, cells: &[(&str, String, Style)], columns: u16) {
    let rows = area.height;
    let width = area.width / columns.max(1);
    for (index, (label, value, style)) in cells.iter().enumerate() {
        let (column, row) = (index as u16 % columns, index as u16 / columns);
        if row >= rows {
            break;
        }
        let place = Rect { x: area.x + column * width, y: area.y + row, width, height: 1 };
        let line =
            Line::from(vec![Span::styled(format!("{label:<9}"), DIM), Span::styled(value.clone(), *style)]);
        frame.render_widget(line, place);
    }
}

fn block(title: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).border_style(DIM).title(title)
}

fn right(text: String) -> ratatui::widgets::Cell<'static> {
    ratatui::widgets::Cell::from(Line::from(text).alignment(Alignment::Right))
}

fn sign(cents: i64) -> Style {
    match cents.signum() {
        1 => GOOD,
        -1 => BAD,
        _ => Style::new(),
    }
}

fn last_refusal(refusal: &RecentRefusal) -> Line<'static> {
    let asset = refusal.asset.map_or_else(|| "targets".to_owned(), |asset| format!("#{asset}"));
    let RecentRefusal { step, rule, found, legal, .. } = refusal;
    // These are kept in cents.
    let amounts = ["order_notional", "max_position", "daily_turnover", "buying_power"];
    let per = if amounts.contains(&rule.as_str()) { 100.0 } else { 1.0 };
    Line::styled(
        format!("last: step {step} {asset} {rule} {}, legal {}", short(found / per), short(legal / per)),
        BAD,
    )
}

/// Few digits, as many as tell two numbers of a limit apart.
fn short(number: f64) -> String {
    if number.abs() >= 1e5 && number.is_finite() {
        format!("{number:.0}")
    } else {
        format!("{}", (number * 1e4).round() / 1e4)
    }
}

/// Whole seconds, minutes, hours or days.
fn time(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
