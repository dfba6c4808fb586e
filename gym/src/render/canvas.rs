//! Pixels that `embedded-graphics` draws on.

use std::convert::Infallible;

use embedded_graphics::mono_font::{MonoFont, MonoTextStyle, ascii};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{
    Dimensions, DrawTarget, Drawable, OriginDimensions, Pixel, Point, Primitive, Size,
};
use embedded_graphics::primitives::{Line, PrimitiveStyle, PrimitiveStyleBuilder, Rectangle, Triangle};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};

/// A colour from 0xRRGGBB.
pub(super) const fn colour(hex: u32) -> Rgb888 {
    Rgb888::new((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// Red, green and blue, a byte each, row by row from the top left.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    clip: Rectangle,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let (width, height) = (width as u32, height as u32);
        let clip = Rectangle::new(Point::zero(), Size::new(width, height));
        Self { width, height, pixels: vec![255; width as usize * height as usize * 3], clip }
    }

    pub(super) fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    pub(super) fn fill(&mut self, colour: Rgb888) {
        for pixel in self.pixels.chunks_exact_mut(3) {
            pixel.copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
        }
    }

    /// Draws only inside this box until the next call; `None` is everywhere.
    pub(super) fn clip_to(&mut self, area: Option<Rectangle>) {
        self.clip = area.unwrap_or(self.bounding_box()).intersection(&self.bounding_box());
    }

    /// A horizontal run of one colour.
    pub(super) fn block(&mut self, left: i32, top: i32, right: i32, bottom: i32, colour: Rgb888) {
        let area = Rectangle::with_corners(Point::new(left, top), Point::new(right, bottom));
        self.draw(&area.into_styled(PrimitiveStyle::with_fill(colour)));
    }

    pub(super) fn line(&mut self, from: (i32, i32), to: (i32, i32), width: u32, colour: Rgb888) {
        let line = Line::new(Point::new(from.0, from.1), Point::new(to.0, to.1));
        self.draw(&line.into_styled(PrimitiveStyle::with_stroke(colour, width)));
    }

    pub(super) fn frame(&mut self, area: Rectangle, colour: Rgb888) {
        self.draw(&area.into_styled(PrimitiveStyle::with_stroke(colour, 1)));
    }

    /// A triangle whose tip, at `tip`, points up or down.
    pub(super) fn triangle(&mut self, tip: (i32, i32), size: i32, up: bool, fill: Rgb888, edge: Rgb888) {
        let base = if up { tip.1 + 2 * size } else { tip.1 - 2 * size };
        let corner = |x: i32, y: i32| Point::new(x, y);
        let shape =
            Triangle::new(corner(tip.0, tip.1), corner(tip.0 - size, base), corner(tip.0 + size, base));
        let style = PrimitiveStyleBuilder::new().fill_color(fill).stroke_color(edge).stroke_width(1).build();
        self.draw(&shape.into_styled(style));
    }

    /// Text whose corner (top left, top right, or middle of the top) is at `at`. What a font of ASCII has no sign for becomes `?`.
    pub(super) fn text(
        &mut self,
        text: &str,
        at: (i32, i32),
        font: &MonoFont<'_>,
        align: Alignment,
        colour: Rgb888,
    ) {
        let style = TextStyleBuilder::new().alignment(align).baseline(Baseline::Top).build();
        let point = Point::new(at.0, at.1);
        self.draw(&Text::with_text_style(text, point, MonoTextStyle::new(font, colour), style));
    }

    fn draw(&mut self, shape: &impl Drawable<Color = Rgb888>) {
        let Ok(_) = shape.draw(self);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(point, colour) in pixels {
            if self.clip.contains(point) {
                let first = (point.y as usize * self.width as usize + point.x as usize) * 3;
                self.pixels[first..first + 3].copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Rgb888) -> Result<(), Infallible> {
        let area = area.intersection(&self.clip);
        let Some(last) = area.bottom_right() else { return Ok(()) };
        for y in area.top_left.y..=last.y {
            let row = y as usize * self.width as usize;
            let run = (row + area.top_left.x as usize) * 3..(row + last.x as usize + 1) * 3;
            for pixel in self.pixels[run].chunks_exact_mut(3) {
                pixel.copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

/// The font for a picture of this width.
pub(super) fn font_for(width: usize) -> &'static MonoFont<'static> {
    match width {
        0..200 => &ascii::FONT_4X6,
        200..360 => &ascii::FONT_5X8,
        360..900 => &ascii::FONT_6X10,
        900..1_400 => &ascii::FONT_7X13,
        _ => &ascii::FONT_10X20,
    }
}
