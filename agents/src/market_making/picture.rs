//! An episode's picture as a file.

use gym::render::HeatMap;

/// The picture as a PNG: 8 bits a colour, no alpha.
///
/// # Errors
/// What the encoder says; none is expected of a picture that is in memory.
pub fn picture(map: &mut HeatMap) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, map.width() as u32, map.height() as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(map.rgb())?;
    writer.finish()?;
    Ok(bytes)
}
