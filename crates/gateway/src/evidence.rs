//! Pictures that people hand in: decoded and written anew, so that nothing but pixels is kept.
//!
//! What a file carries besides its picture (places, names, programs, a second file behind it) ends here. Both decoders
//! are in safe Rust; what they may take is bounded by the head of the file before anything is decoded, and few are
//! decoded at once. A picture is made smaller where it is larger than a page needs to be read.

use std::io::Cursor;

use tokio::sync::Semaphore;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// The largest file that is taken, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The largest PNG that is kept, in bytes.
const MAX_KEPT: usize = 1 << 20;
/// How many pixels a picture may have: 20 megapixels take 60 MB once decoded, and twice as much meanwhile.
const MAX_PIXELS: u64 = 20_000_000;
/// The longer side of what is kept, in pixels: a photographed page can be read.
const MAX_SIDE: usize = 1600;
/// How many are decoded at once.
const AT_ONCE: usize = 2;

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// Samples of eight bits, row by row.
struct Pixels {
    width: usize,
    height: usize,
    /// 1 for grey, 3 for colour.
    channels: usize,
    samples: Vec<u8>,
}

/// The picture of a PNG or JPEG file as a PNG that holds nothing else; `None` where it is no such file, too large, or
/// broken. Takes its turn, and a thread of its own.
pub async fn clean(file: bytes::Bytes) -> Option<Vec<u8>> {
    let _place = PLACES.acquire().await.ok()?;
    tokio::task::spawn_blocking(move || to_png(&file)).await.ok()?
}

fn to_png(file: &[u8]) -> Option<Vec<u8>> {
    if file.len() > MAX_BYTES {
        return None;
    }
    let mut pixels = match file {
        _ if file.starts_with(b"\x89PNG\r\n\x1a\n") => read_png(file)?,
        _ if file.starts_with(b"\xff\xd8\xff") => read_jpeg(file)?,
        _ => return None,
    };
    let longer = pixels.width.max(pixels.height);
    pixels = pixels.smaller(longer.div_ceil(MAX_SIDE));
    loop {
        let png = pixels.to_png()?;
        if png.len() <= MAX_KEPT {
            return Some(png);
        }
        // Each turn leaves a quarter of the pixels, and one pixel fits.
        pixels = pixels.smaller(2);
    }
}

fn is_bounded(width: usize, height: usize) -> bool {
    let pixels = (width as u64).saturating_mul(height as u64);
    (1..=MAX_PIXELS).contains(&pixels)
}

fn read_png(file: &[u8]) -> Option<Pixels> {
    // 16 bits and four channels are 160 MB at most, of which a decoder keeps a few rows.
    let limits = png::Limits { bytes: 64 << 20 };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().ok()?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if !is_bounded(width, height) {
        return None;
    }
    let mut samples = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut samples).ok()?;
    samples.truncate(info.buffer_size());
    let (channels, samples) = match info.color_type {
        png::ColorType::Grayscale => (1, samples),
        png::ColorType::Rgb => (3, samples),
        png::ColorType::GrayscaleAlpha => (1, on_white::<2>(&samples)),
        png::ColorType::Rgba => (3, on_white::<4>(&samples)),
        png::ColorType::Indexed => return None,
    };
    Pixels::new(width, height, channels, samples)
}

/// Takes away the last of `N` channels, which says how much of a pixel shows.
fn on_white<const N: usize>(samples: &[u8]) -> Vec<u8> {
    let mut opaque = Vec::with_capacity(samples.len() / N * (N - 1));
    for pixel in samples.chunks_exact(N) {
        let shows = u32::from(pixel[N - 1]);
        let mixed = |sample: &u8| (u32::from(*sample) * shows + 255 * (255 - shows)) / 255;
        opaque.extend(
            pixel[..N - 1]
                .iter()
                .map(|s| u8::try_from(mixed(s)).unwrap_or(255)),
        );
    }
    opaque
}

fn read_jpeg(file: &[u8]) -> Option<Pixels> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    if !is_bounded(width, height) {
        return None;
    }
    Pixels::new(width, height, 3, decoder.decode().ok()?)
}

impl Pixels {
    fn new(width: usize, height: usize, channels: usize, samples: Vec<u8>) -> Option<Self> {
        (samples.len() == width * height * channels).then_some(Pixels {
            width,
            height,
            channels,
            samples,
        })
    }

    /// The picture with squares of `by` pixels made one, which has their mean.
    fn smaller(self, by: usize) -> Self {
        if by <= 1 {
            return self;
        }
        let (width, height) = (self.width.div_ceil(by), self.height.div_ceil(by));
        let mut samples = Vec::with_capacity(width * height * self.channels);
        for y in 0..height {
            let rows = y * by..self.height.min((y + 1) * by);
            for x in 0..width {
                let columns = x * by..self.width.min((x + 1) * by);
                let count = rows.len() * columns.len();
                for channel in 0..self.channels {
                    let row = |y: usize| columns.clone().map(move |x| (y * self.width + x) * self.channels);
                    let places = rows.clone().flat_map(row);
                    let sum: usize = places.map(|at| usize::from(self.samples[at + channel])).sum();
                    // A mean of bytes is a byte.
                    samples.push(u8::try_from(sum / count).unwrap_or(255));
                }
            }
        }
        Pixels {
            width,
            height,
            samples,
            ..self
        }
    }

    fn to_png(&self) -> Option<Vec<u8>> {
        let mut file = vec![];
        let (width, height) = (u32::try_from(self.width).ok()?, u32::try_from(self.height).ok()?);
        let mut encoder = png::Encoder::new(&mut file, width, height);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_color(match self.channels {
            1 => png::ColorType::Grayscale,
            _ => png::ColorType::Rgb,
        });
        let mut writer = encoder.write_header().ok()?;
        writer.write_image_data(&self.samples).ok()?;
        writer.finish().ok()?;
        Some(file)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pixels(width: usize, height: usize, channels: usize, of: impl Fn(usize) -> u8) -> Pixels {
        let samples = (0..width * height * channels).map(of).collect();
        Pixels::new(width, height, channels, samples).unwrap()
    }

    fn noise(at: usize) -> u8 {
        (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]
    }

    /// A JPEG of 8 × 8 grey pixels, as small as one can be (ITU-T T.81): one table of each sort, one code in each,
    /// and one block without a difference.
    fn jpeg() -> Vec<u8> {
        let mut file = b"\xff\xd8\xff\xdb\0\x43\0".to_vec();
        file.extend([1; 64]);
        file.extend(b"\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0");
        for class in [0x00, 0x10] {
            file.extend(b"\xff\xc4\0\x14");
            file.push(class);
            file.push(1);
            file.extend([0; 16]);
        }
        file.extend(b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\x3f\xff\xd9");
        file
    }

    fn with_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
        // After the header, which ends at 33; the sum is not checked for what is ignored, so that any does.
        let mut file = png[..33].to_vec();
        file.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        file.extend(name);
        file.extend(data);
        file.extend(crc(name, data).to_be_bytes());
        file.extend(&png[33..]);
        file
    }

    fn crc(name: &[u8], data: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in name.iter().chain(data) {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 {
                    (crc >> 1) ^ 0xedb8_8320
                } else {
                    crc >> 1
                };
            }
        }
        !crc
    }

    fn contains(file: &[u8], part: &[u8]) -> bool {
        file.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn only_pixels_are_kept() {
        let plain = pixels(40, 30, 3, noise).to_png().unwrap();
        let mut polyglot = with_chunk(&plain, b"tEXt", b"Author\0canary-in-text");
        polyglot = with_chunk(&polyglot, b"eXIf", b"MM\0*canary-in-exif");
        polyglot.extend(b"PK\x03\x04canary-behind<script>");
        let kept = to_png(&polyglot).unwrap();
        assert_eq!(kept, to_png(&plain).unwrap(), "the same pixels, and nothing else");
        assert!(!contains(&kept, b"canary") && !contains(&kept, b"script"));
        let again = read_png(&kept).unwrap();
        assert_eq!(again.samples, pixels(40, 30, 3, noise).samples);
        let plain = jpeg();
        let mut jpeg = plain[..2].to_vec();
        jpeg.extend(b"\xff\xfe\0\x10canary-comment");
        jpeg.extend(&plain[2..]);
        jpeg.extend(b"<html>canary");
        let kept = to_png(&jpeg).unwrap();
        assert_eq!(kept, to_png(&plain).unwrap());
        assert!(kept.starts_with(b"\x89PNG") && !contains(&kept, b"canary"));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let plain = pixels(40, 30, 3, noise).to_png().unwrap();
        let mut spoilt = plain.clone();
        spoilt[45] ^= 1;
        let cut = &plain[..plain.len() / 2];
        let head = |width: u32, height: u32| {
            let mut header = width.to_be_bytes().to_vec();
            header.extend(height.to_be_bytes());
            header.extend([8, 2, 0, 0, 0]);
            let mut file = plain[..8].to_vec();
            file.extend(13_u32.to_be_bytes());
            file.extend(b"IHDR");
            file.extend(&header);
            file.extend(crc(b"IHDR", &header).to_be_bytes());
            file.extend(&plain[33..]);
            file
        };
        for (case, file) in [
            ("nothing", &b""[..]),
            ("a page", b"<html><script>alert(1)</script>"),
            ("an SVG", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
            ("a GIF", b"GIF89a\x01\0\x01\0\x80\0\0"),
            ("a PDF", b"%PDF-1.7"),
            ("a head alone", b"\x89PNG\r\n\x1a\n"),
            ("a JPEG's head alone", b"\xff\xd8\xff\xe0"),
            ("spoilt", &spoilt),
            ("cut short", cut),
            ("a bomb", &head(50_000, 50_000)),
            ("one pixel too many", &head(20_000_001, 1)),
            ("no size", &head(0, 10)),
            ("another size than it has", &head(4000, 4000)),
            ("too long", &[plain.clone(), vec![0; MAX_BYTES]].concat()),
        ] {
            assert!(to_png(file).is_none(), "{case}");
        }
    }

    #[test]
    fn what_is_larger_than_needed_is_made_smaller() {
        let wide = to_png(&pixels(4000, 10, 1, |_| 7).to_png().unwrap()).unwrap();
        let wide = read_png(&wide).unwrap();
        assert_eq!((wide.width, wide.height), (1334, 4));
        assert!(wide.samples.iter().all(|s| *s == 7));
        // Noise does not compress: it is made smaller until it fits.
        let loud = pixels(900, 900, 1, noise).to_png().unwrap();
        let kept = to_png(&loud).unwrap();
        assert!(kept.len() <= MAX_KEPT);
        let quarter = pixels(4, 2, 1, |at| [0, 4, 100, 200, 4, 0, 200, 100][at]).smaller(2);
        assert_eq!(quarter.samples, [2, 150]);
    }

    #[test]
    fn what_does_not_show_is_white() {
        assert_eq!(on_white::<2>(&[0, 255, 0, 0, 100, 255]), [0, 255, 100]);
        assert_eq!(
            on_white::<4>(&[10, 20, 30, 255, 10, 20, 30, 0]),
            [10, 20, 30, 255, 255, 255]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(head in 0..2_usize, at in 0..300_usize, byte: u8, tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let png = pixels(8, 8, 3, noise).to_png().unwrap();
            let mut file = [png, jpeg()][head].clone();
            let at = at % file.len();
            file[at] = byte;
            to_png(&file);
            file.truncate(at.max(4));
            file.extend(tail);
            to_png(&file);
        }
    }
}
