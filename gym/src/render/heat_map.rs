//! The book over time: depth as colour, the participant's quotes and trades on top.

use embedded_graphics::mono_font::MonoFont;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use embedded_graphics::text::Alignment;
use lob::Side;

use super::axis::Scale;
use super::canvas::{Canvas, colour, font_for};
use super::{best_of_others, mid, number, others};
use crate::scene::{Scene, SceneLevel};

const PAPER: Rgb888 = colour(0xffffff);
const INK: Rgb888 = colour(0x222222);
const GREY: Rgb888 = colour(0x9a9a9a);
const GRID: Rgb888 = colour(0xe4e4e4);
/// Depth from little to much. Blue and orange of even lightness (after ColorBrewer's Blues and Oranges) are told apart by all people, and
/// end in a middle tone on which lines can still be seen.
const BID_RAMP: [Rgb888; 4] = [colour(0xeef5fc), colour(0xc6dbef), colour(0x85bcdc), colour(0x4a98c9)];
const ASK_RAMP: [Rgb888; 4] = [colour(0xfff2e6), colour(0xfdd5ac), colour(0xfdae6b), colour(0xf0832f)];
const BEST_BID: Rgb888 = colour(0x08519c);
const BEST_ASK: Rgb888 = colour(0xa63603);
const OWN: Rgb888 = colour(0x111111);
const BOUGHT: Rgb888 = colour(0x2c7fff);
const SOLD: Rgb888 = colour(0xff6a00);
/// Ticks beyond the mid's range that are always shown where there is a book, and at most for far quotes.
const MARGIN: f64 = 6.0;
const FAR: f64 = 15.0;

/// What is drawn in one column of pixels: the last scene that fell into it.
#[derive(Clone, Debug)]
struct Column {
    mid: Option<f64>,
    best: [Option<f64>; 2],
    /// Price and others' lots.
    depth: [Vec<(f64, f64)>; 2],
    own: [Vec<f64>; 2],
    figures: [Option<f64>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    time: f64,
    side: Side,
    price: f64,
}

/// A picture of an episode that grows with each [`push`](Self::push).
///
/// Time runs to the right, over the whole episode from the start, price upward around the range of the mid. The colour's intensity is the
/// depth of the *others* (blue bids, orange asks; the square root of the lots, full at the 95th percentile of what is shown). Thin lines
/// are the best prices, black ones the participant's quotes, triangles its trades: upward bought, downward sold. A strip below for each of
/// the scene's first two figures: `inventory` (or `remaining`) and `profit`.
///
/// It keeps one scene a column of pixels, however many are pushed, and all trades. The same scenes give the same bytes on every machine.
#[derive(Clone, Debug)]
pub struct HeatMap {
    canvas: Canvas,
    layout: Layout,
    columns: Vec<Option<Column>>,
    marks: Vec<Mark>,
    title: String,
    names: [Option<(&'static str, &'static str)>; 2],
    /// Of the last scene, s.
    time: Option<f64>,
    horizon: f64,
    is_drawn: bool,
}

impl HeatMap {
    /// The least width and height.
    pub const MIN_SIZE: usize = 64;
    /// The greatest width and height.
    pub const MAX_SIZE: usize = 8_192;

    /// An empty picture, in pixels. Sizes outside [`MIN_SIZE`](Self::MIN_SIZE) to [`MAX_SIZE`](Self::MAX_SIZE) are brought into it:
    /// [`width`](Self::width) and [`height`](Self::height) tell. Labels need about 320 x 240; smaller pictures leave them out.
    pub fn new(width: usize, height: usize) -> Self {
        let width = width.clamp(Self::MIN_SIZE, Self::MAX_SIZE);
        let height = height.clamp(Self::MIN_SIZE, Self::MAX_SIZE);
        let layout = Layout::new(width, height);
        let columns = vec![None; layout.plot.size.width as usize];
        Self {
            canvas: Canvas::new(width, height),
            layout,
            columns,
            marks: Vec::new(),
            title: String::new(),
            names: [None; 2],
            time: None,
            horizon: 0.0,
            is_drawn: false,
        }
    }

    /// Pixels from left to right.
    pub fn width(&self) -> usize {
        self.layout.width
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> usize {
        self.layout.height
    }

    /// Forgets everything that was pushed.
    pub fn clear(&mut self) {
        self.columns.fill(None);
        self.marks.clear();
        self.title.clear();
        self.names = [None; 2];
        (self.time, self.horizon, self.is_drawn) = (None, 0.0, false);
    }

    /// Adds a moment. One that is earlier than the last, or of an episode of another length, begins a new picture. A time that is no
    /// number is ignored.
    pub fn push(&mut self, scene: &Scene) {
        if !scene.time.is_finite() {
            return;
        }
        if self.time.is_some_and(|last| scene.time < last || scene.horizon != self.horizon) {
            self.clear();
        }
        (self.time, self.horizon, self.is_drawn) = (Some(scene.time), scene.horizon, false);
        self.title.clone_from(&scene.title);
        for (index, name) in self.names.iter_mut().enumerate() {
            *name = scene.figures.get(index).map(|(name, _, unit)| (*name, *unit));
        }
        let depth = |levels: &[SceneLevel]| {
            let some = levels.iter().filter(|level| level.price.is_finite() && others(level) > 0.0);
            some.map(|level| (level.price, others(level))).collect::<Vec<_>>()
        };
        let own = |levels: &[SceneLevel]| {
            let some = levels.iter().filter(|level| level.price.is_finite() && level.own > 0.0);
            some.map(|level| level.price).collect::<Vec<_>>()
        };
        let figure =
            |index: usize| scene.figures.get(index).map(|figure| figure.1).filter(|value| value.is_finite());
        let last = self.columns.len() - 1;
        let index = (self.share(scene.time) * last as f64).round() as usize;
        self.columns[index.min(last)] = Some(Column {
            mid: mid(scene),
            best: [best_of_others(&scene.bids), best_of_others(&scene.asks)],
            depth: [depth(&scene.bids), depth(&scene.asks)],
            own: [own(&scene.bids), own(&scene.asks)],
            figures: [figure(0), figure(1)],
        });
        let fills = scene.fills.iter().filter(|fill| fill.price.is_finite() && fill.time.is_finite());
        self.marks.extend(fills.map(|fill| Mark { time: fill.time, side: fill.side, price: fill.price }));
    }

    /// The picture: `u8[height, width, 3]`, red, green, blue, row by row from the top. Draws what was pushed since the last call.
    pub fn rgb(&mut self) -> &[u8] {
        if !self.is_drawn {
            self.draw();
            self.is_drawn = true;
        }
        self.canvas.pixels()
    }

    /// Where a time lies in the episode, from 0 to 1.
    fn share(&self, time: f64) -> f64 {
        if self.horizon.is_finite() && self.horizon > 0.0 {
            (time / self.horizon).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// Each column of pixels up to now with what it shows: what fell into it, or the last before it.
    fn held(&self) -> impl Iterator<Item = (usize, &Column)> {
        let now = self.columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let mut last = None;
        self.columns[..now].iter().enumerate().filter_map(move |(index, column)| {
            last = column.as_ref().or(last);
            last.map(|column| (index, column))
        })
    }

    fn draw(&mut self) {
        let mut canvas = std::mem::replace(&mut self.canvas, Canvas::new(0, 0));
        canvas.fill(PAPER);
        let prices = self.price_scale();
        self.draw_axes(&mut canvas, &prices);
        canvas.clip_to(Some(self.layout.plot));
        let fullest = self.draw_depth(&mut canvas, &prices);
        self.draw_lines(&mut canvas, &prices);
        self.draw_marks(&mut canvas, &prices);
        canvas.clip_to(None);
        canvas.frame(self.layout.plot, GREY);
        self.draw_heading(&mut canvas, fullest);
        for index in 0..self.layout.strips.len() {
            self.draw_strip(&mut canvas, index);
        }
        self.canvas = canvas;
    }

    /// The mid's range with room for the book and for the participant's quotes.
    fn price_scale(&self) -> Scale {
        let (mut low, mut high, mut margin) = (f64::INFINITY, f64::NEG_INFINITY, 1.0_f64);
        for column in self.columns.iter().flatten() {
            let Some(mid) = column.mid else { continue };
            (low, high) = (low.min(mid), high.max(mid));
            if column.depth.iter().any(|depth| !depth.is_empty()) {
                margin = margin.max(MARGIN);
            }
            let quotes = column.own.iter().flatten().map(|price| (price - mid).abs() + 1.0);
            margin = quotes.filter(|&far| far <= FAR).fold(margin, f64::max);
        }
        let plot = &self.layout.plot;
        Scale::new(low - margin, high + margin, bottom(plot), plot.top_left.y)
    }

    /// Colours of the depth; the lots of the fullest colour.
    fn draw_depth(&self, canvas: &mut Canvas, prices: &Scale) -> Option<f64> {
        let levels = self.columns.iter().flatten().flat_map(|column| column.depth.iter().flatten());
        let mut lots: Vec<f64> =
            levels.filter(|level| prices.contains(level.0)).map(|level| level.1).collect();
        if lots.is_empty() {
            return None;
        }
        let place = (lots.len() - 1) * 95 / 100;
        let fullest = *lots.select_nth_unstable_by(place, f64::total_cmp).1;
        for (index, column) in self.held() {
            let x = self.layout.plot.top_left.x + index as i32;
            for (depth, ramp) in column.depth.iter().zip([&BID_RAMP, &ASK_RAMP]) {
                for &(price, lots) in depth {
                    if prices.contains(price) {
                        let (top, low) = (prices.pixel(price + 0.5), prices.pixel(price - 0.5));
                        canvas.block(x, top.min(low - 1), x, low - 1, blend(ramp, (lots / fullest).sqrt()));
                    }
                }
            }
        }
        Some(fullest)
    }

    /// Best prices, the mid where there is no book, and quotes.
    fn draw_lines(&self, canvas: &mut Canvas, prices: &Scale) {
        let left = self.layout.plot.top_left.x;
        let stroke = self.layout.stroke;
        let mut last: Option<&Column> = None;
        for (index, column) in self.held() {
            let x = left + index as i32;
            let has_book = column.best.iter().any(Option::is_some);
            let mut steps: Vec<(Option<f64>, Option<f64>, Rgb888, u32)> = Vec::new();
            let before = |get: fn(&Column) -> Option<f64>| last.and_then(get);
            if has_book {
                steps.push((before(|column| column.best[0]), column.best[0], BEST_BID, 1));
                steps.push((before(|column| column.best[1]), column.best[1], BEST_ASK, 1));
            } else {
                steps.push((before(|column| column.mid), column.mid, GREY, stroke));
            }
            for (from, to, colour, width) in steps {
                let Some(to) = to else { continue };
                let from = from.unwrap_or(to);
                let (from, to) = (prices.pixel(from), prices.pixel(to));
                canvas.block(x, from.min(to), x, from.max(to) + width as i32 - 1, colour);
            }
            for (own, shade) in
                column.own.iter().zip(if has_book { [OWN, OWN] } else { [BEST_BID, BEST_ASK] })
            {
                for &price in own {
                    let y = prices.pixel(price);
                    canvas.block(x, y, x, y + stroke as i32 - 1, shade);
                }
            }
            last = Some(column);
        }
    }

    fn draw_marks(&self, canvas: &mut Canvas, prices: &Scale) {
        let span = self.columns.len() as f64 - 1.0;
        for mark in &self.marks {
            let x = self.layout.plot.top_left.x + (self.share(mark.time) * span).round() as i32;
            let tip = (x, prices.pixel(mark.price));
            let (up, fill) = if mark.side == Side::Buy { (true, BOUGHT) } else { (false, SOLD) };
            canvas.triangle(tip, self.layout.mark, up, fill, INK);
        }
    }

    fn draw_axes(&self, canvas: &mut Canvas, prices: &Scale) {
        let Layout { plot, font, labelled, .. } = &self.layout;
        let (wide, tall) = glyph(font);
        let times = Scale::new(0.0, self.horizon, plot.top_left.x, right(plot));
        let lowest = self.layout.strips.last().unwrap_or(plot);
        for (time, label) in times.ticks(f64::from(wide) * 9.0) {
            let x = times.pixel(time);
            for area in std::iter::once(plot).chain(&self.layout.strips) {
                canvas.line((x, area.top_left.y), (x, bottom(area)), 1, GRID);
            }
            if *labelled {
                canvas.line((x, bottom(lowest)), (x, bottom(lowest) + 3), 1, GREY);
                canvas.text(&label, (x, bottom(lowest) + 5), font, Alignment::Center, INK);
            }
        }
        for (price, label) in prices.ticks(f64::from(tall) * 2.5) {
            let y = prices.pixel(price);
            canvas.line((plot.top_left.x, y), (right(plot), y), 1, GRID);
            if *labelled {
                canvas.line((plot.top_left.x - 3, y), (plot.top_left.x, y), 1, GREY);
                canvas.text(&label, (plot.top_left.x - 5, y - tall / 2), font, Alignment::Right, INK);
            }
        }
        if *labelled {
            let y = self.layout.height as i32 - tall - 2;
            canvas.text("time, s", ((plot.top_left.x + right(plot)) / 2, y), font, Alignment::Center, INK);
        }
    }

    /// Title, and what the colours and marks mean.
    fn draw_heading(&self, canvas: &mut Canvas, fullest: Option<f64>) {
        let Layout { plot, font, labelled, .. } = &self.layout;
        if !labelled {
            return;
        }
        let (wide, tall) = glyph(font);
        let room = ((self.layout.width as i32 - plot.top_left.x) / wide).max(0) as usize;
        let title: String = self.title.chars().take(room).collect();
        canvas.text(&title, (plot.top_left.x, 3), font, Alignment::Left, INK);
        let y = tall + 8;
        canvas.text("price, ticks", (2, y), font, Alignment::Left, INK);
        let mut x = plot.top_left.x.max(2 + 14 * wide);
        // Whatever does not fit any more is left out, from the right.
        let mut place = |columns: i32| {
            let start = x;
            x += columns * wide;
            (x <= right(plot) + wide).then_some(start)
        };
        if let Some(x) = place(9) {
            canvas.triangle((x + wide / 2, y), tall / 2 - 1, true, BOUGHT, INK);
            canvas.text("bought", (x + 2 * wide, y), font, Alignment::Left, INK);
        }
        if let Some(x) = place(7) {
            canvas.triangle((x + wide / 2, y + tall - 2), tall / 2 - 1, false, SOLD, INK);
            canvas.text("sold", (x + 2 * wide, y), font, Alignment::Left, INK);
        }
        let mut key = |canvas: &mut Canvas, text: &str, colours: [Rgb888; 2]| {
            let Some(x) = place(text.len() as i32 + 5) else { return };
            for (row, colour) in colours.into_iter().enumerate() {
                let y = y + tall / 2 - 2 + 3 * row as i32;
                canvas.block(x, y, x + 2 * wide, y + 1, colour);
            }
            canvas.text(text, (x + 3 * wide, y), font, Alignment::Left, INK);
        };
        let Some(fullest) = fullest else {
            key(canvas, "own bid, ask", [BEST_BID, BEST_ASK]);
            key(canvas, "mid", [GREY, GREY]);
            return;
        };
        key(canvas, "own", [OWN, OWN]);
        key(canvas, "best bid, ask", [BEST_BID, BEST_ASK]);
        let text = format!("{} lots", number(fullest));
        if let Some(x) = place(text.len() as i32 + 10) {
            canvas.text("0", (x, y), font, Alignment::Left, INK);
            let length = 6 * wide;
            for pixel in 0..length {
                let share = f64::from(pixel) / f64::from(length);
                let x = x + 2 * wide + pixel;
                canvas.block(x, y, x, y + tall / 2 - 1, blend(&ASK_RAMP, share.sqrt()));
                canvas.block(x, y + tall / 2, x, y + tall - 1, blend(&BID_RAMP, share.sqrt()));
            }
            canvas.text(&text, (x + 9 * wide, y), font, Alignment::Left, INK);
        }
    }

    /// One figure over time.
    fn draw_strip(&self, canvas: &mut Canvas, index: usize) {
        let area = self.layout.strips[index];
        let font = self.layout.font;
        let (_, tall) = glyph(font);
        let values = || self.columns.iter().flatten().filter_map(|column| column.figures[index]);
        let (low, high) =
            values().fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let room = (high - low) * 0.06;
        let scale = Scale::new(low - room, high + room, bottom(&area), area.top_left.y);
        let zero = scale.pixel(0.0);
        canvas.clip_to(Some(area));
        let mut last = None;
        for (offset, column) in self.held() {
            let Some(value) = column.figures[index] else { continue };
            let (x, y) = (area.top_left.x + offset as i32, scale.pixel(value));
            let fill = if value >= 0.0 { BID_RAMP[1] } else { ASK_RAMP[1] };
            canvas.block(x, y.min(zero), x, y.max(zero), fill);
            let from = last.unwrap_or(y);
            canvas.block(x, y.min(from), x, y.max(from), INK);
            last = Some(y);
        }
        canvas.line((area.top_left.x, zero), (right(&area), zero), 1, GREY);
        canvas.clip_to(None);
        canvas.frame(area, GREY);
        if !self.layout.labelled {
            return;
        }
        for (value, label) in scale.ticks(f64::from(tall) * 1.8) {
            let y = scale.pixel(value);
            canvas.line((area.top_left.x - 3, y), (area.top_left.x, y), 1, GREY);
            canvas.text(&label, (area.top_left.x - 5, y - tall / 2), font, Alignment::Right, INK);
        }
        if let Some((name, unit)) = self.names[index] {
            let now = self.held().last().and_then(|(_, column)| column.figures[index]);
            let now = now.map(|value| format!(": {}", number(value))).unwrap_or_default();
            let text = format!("{name}, {unit}{now}");
            canvas.text(&text, (area.top_left.x, area.top_left.y - tall - 2), font, Alignment::Left, INK);
        }
    }
}

/// Where everything lies.
#[derive(Clone, Debug)]
struct Layout {
    width: usize,
    height: usize,
    font: &'static MonoFont<'static>,
    /// Whether there is room for text.
    labelled: bool,
    plot: Rectangle,
    strips: Vec<Rectangle>,
    /// Width of the participant's lines, pixels.
    stroke: u32,
    /// Half the width of a triangle, pixels.
    mark: i32,
}

impl Layout {
    fn new(width: usize, height: usize) -> Self {
        let font = font_for(width);
        let (wide, tall) = glyph(font);
        let (w, h) = (width as i32, height as i32);
        let labelled = w >= 200 && h >= 160;
        let (left, right) = if labelled { (8 * wide + 6, 3 * wide) } else { (1, 1) };
        let (top, foot) = if labelled { (2 * tall + 12, 2 * tall + 10) } else { (1, 1) };
        let strip = if h >= 120 { h * 13 / 100 } else { 0 };
        let gap = if labelled { tall + 8 } else { 2 };
        let count = match h {
            0..120 => 0,
            120..220 => 1,
            _ => 2,
        };
        let area = |top: i32, height: i32| {
            Rectangle::new(Point::new(left, top), Size::new((w - left - right) as u32, height as u32))
        };
        let plot_height = h - top - foot - count * (strip + gap);
        let first = top + plot_height + gap;
        let strips = (0..count).map(|index| area(first + index * (strip + gap), strip)).collect();
        let stroke = if w >= 1_200 {
            3
        } else if w >= 360 {
            2
        } else {
            1
        };
        let mark = (w / 110).clamp(3, 9);
        Self { width, height, font, labelled, plot: area(top, plot_height), strips, stroke, mark }
    }
}

/// Width and height of a sign, pixels.
fn glyph(font: &MonoFont<'_>) -> (i32, i32) {
    (font.character_size.width as i32, font.character_size.height as i32)
}

/// The last row of pixels in a box.
fn bottom(area: &Rectangle) -> i32 {
    area.top_left.y + area.size.height as i32 - 1
}

/// The last column of pixels in a box.
fn right(area: &Rectangle) -> i32 {
    area.top_left.x + area.size.width as i32 - 1
}

/// A colour along a ramp, `share` from 0 to 1.
fn blend(ramp: &[Rgb888; 4], share: f64) -> Rgb888 {
    let place = share.clamp(0.0, 1.0) * 3.0;
    let index = (place as usize).min(2);
    let part = place - index as f64;
    let mix = |from: u8, to: u8| (f64::from(from) + part * (f64::from(to) - f64::from(from))).round() as u8;
    let (from, to) = (ramp[index], ramp[index + 1]);
    Rgb888::new(mix(from.r(), to.r()), mix(from.g(), to.g()), mix(from.b(), to.b()))
}
