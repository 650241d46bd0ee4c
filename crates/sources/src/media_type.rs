//! What the head of an image says: that it is PNG or JPEG, and how many pixels it has. Nothing is decoded here, and
//! nowhere else in this program.

use crate::report::Problem;

/// The first bytes of every PNG file (ISO/IEC 15948, 5.2).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The first chunk of every PNG file: thirteen bytes, which begin with width and height (11.2.2).
const IHDR: &[u8] = b"\x00\x00\x00\x0dIHDR";
/// The start of a JPEG file and the first byte of its next marker (ITU-T T.81, B.1.1).
const JPEG: &[u8] = b"\xff\xd8\xff";
/// How many pixels an image may have: one of 20 megapixels takes 80 MB where it is shown.
const MAX_PIXELS: u64 = 20_000_000;

/// What an image's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
}

impl MediaType {
    /// Its name in HTTP.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MediaType::Png => "image/png",
            MediaType::Jpeg => "image/jpeg",
        }
    }

    /// The usual end of a file's name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            MediaType::Png => "png",
            MediaType::Jpeg => "jpg",
        }
    }
}

/// Reads the head; refuses what is neither PNG nor JPEG, says no size, or has too many pixels.
pub(crate) fn read_head(bytes: &[u8]) -> Result<MediaType, Problem> {
    let (media_type, size) = match bytes {
        _ if bytes.starts_with(PNG) => (MediaType::Png, png_size(bytes)),
        _ if bytes.starts_with(JPEG) => (MediaType::Jpeg, jpeg_size(bytes)),
        _ => return Err(Problem::NotAnImage),
    };
    match size.map(|(width, height)| u64::from(width) * u64::from(height)) {
        None | Some(0) => Err(Problem::NotAnImage),
        Some(pixels) if pixels > MAX_PIXELS => Err(Problem::ImageTooLarge),
        Some(_) => Ok(media_type),
    }
}

fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(PNG)?.strip_prefix(IHDR)?;
    let (width, rest) = header.split_first_chunk()?;
    let (height, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// The size in the frame header, which stands somewhere before the first scan. A second one is refused: readers
/// would not agree on which of them counts.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.get(2..)?;
    let mut size = None;
    loop {
        let after = rest.strip_prefix(&[0xff])?;
        let fill = after.iter().take_while(|byte| **byte == 0xff).count();
        let (marker, after) = after[fill..].split_first()?;
        match marker {
            // The first scan begins.
            0xda => return size,
            // These have no length, and none of them stands before a scan.
            0x00 | 0x01 | 0xd0..=0xd9 => return None,
            _ => {}
        }
        let length = usize::from(number(after, 0)?);
        let segment = after.get(2..length)?;
        if is_frame(*marker) {
            let (height, width) = (number(segment, 1)?.into(), number(segment, 3)?.into());
            if size.replace((width, height)).is_some() {
                return None;
            }
        }
        rest = after.get(length..)?;
    }
}

/// Whether a marker begins a frame header (T.81, table B.1): C0 to CF without tables and what is reserved.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        [
            PNG,
            IHDR,
            &width.to_be_bytes(),
            &height.to_be_bytes(),
            &[8, 3, 0, 0, 0],
        ]
        .concat()
    }

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], content].concat()
    }

    fn frame(marker: u8, width: u16, height: u16) -> Vec<u8> {
        let size = [height.to_be_bytes(), width.to_be_bytes()].concat();
        segment(marker, &[&[8], &size[..], &[1, 1, 0x11, 0]].concat())
    }

    fn jpeg(segments: &[Vec<u8>]) -> Vec<u8> {
        let scan = segment(0xda, &[1, 1, 0, 0, 63, 0]);
        [b"\xff\xd8", &segments.concat()[..], &scan, b"\x12\x34\xff\xd9"].concat()
    }

    #[test]
    fn heads_are_read() {
        let exif = segment(0xe1, b"Exif\0\0\xff\xc0\x00\x11\x08\xff\xff\xff\xff");
        let (taken, large, not) = (
            |media| Ok(media),
            Err(Problem::ImageTooLarge),
            Err(Problem::NotAnImage),
        );
        let cases = [
            ("png", png(96, 120), taken(MediaType::Png)),
            ("just small enough", png(5000, 4000), taken(MediaType::Png)),
            ("one line too many", png(5000, 4001), large),
            ("a bomb", png(u32::MAX, u32::MAX), large),
            ("no width", png(0, 120), not),
            ("cut off", png(96, 120)[..22].to_vec(), not),
            (
                "another first chunk",
                [PNG, b"\x00\x00\x00\x0dgAMA"].concat(),
                not,
            ),
            ("baseline", jpeg(&[frame(0xc0, 640, 480)]), taken(MediaType::Jpeg)),
            (
                "progressive",
                jpeg(&[segment(0xc4, &[0]), frame(0xc2, 640, 480)]),
                taken(MediaType::Jpeg),
            ),
            (
                "a marker inside a comment",
                jpeg(&[exif, frame(0xc0, 640, 480)]),
                taken(MediaType::Jpeg),
            ),
            (
                "filled",
                jpeg(&[vec![0xff, 0xff], frame(0xc0, 640, 480)]),
                taken(MediaType::Jpeg),
            ),
            (
                "20 megapixels",
                jpeg(&[frame(0xc0, 5000, 4000)]),
                taken(MediaType::Jpeg),
            ),
            ("more", jpeg(&[frame(0xc0, 65_535, 65_535)]), large),
            ("the height comes later", jpeg(&[frame(0xc0, 640, 0)]), not),
            (
                "two sizes",
                jpeg(&[frame(0xc0, 640, 480), frame(0xc0, 65_535, 65_535)]),
                not,
            ),
            ("no size", jpeg(&[segment(0xdb, &[0; 65])]), not),
            (
                "a length of one",
                [&b"\xff\xd8\xff\xe0\x00\x01"[..], &frame(0xc0, 1, 1)].concat(),
                not,
            ),
            ("GIF", b"GIF89a\x01\x00\x01\x00".to_vec(), not),
            (
                "SVG",
                b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(),
                not,
            ),
            ("HTML after a space", b" \x89PNG<script>".to_vec(), not),
            ("nothing", Vec::new(), not),
        ];
        for (case, bytes, expected) in cases {
            assert_eq!(read_head(&bytes), expected, "{case}");
        }
    }

    #[test]
    fn a_head_cut_anywhere_is_refused_or_whole() {
        let whole = jpeg(&[segment(0xe0, b"JFIF\0"), frame(0xc0, 640, 480)]);
        let scan = whole.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
        for end in 0..whole.len() {
            assert_eq!(read_head(&whole[..end]).is_ok(), end >= scan + 2, "{end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), which in 0..3usize) {
            let start: &[u8] = [&[][..], PNG, JPEG][which];
            let read = read_head(&[start, &bytes].concat());
            prop_assert!(which > 0 || read.is_err() || bytes.starts_with(PNG) || bytes.starts_with(JPEG));
        }
    }
}
