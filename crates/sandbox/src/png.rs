//! Writes small PNG files (RFC 2083) with a palette and without compression: no codec is worth its weight here.

/// The first eight bytes of every PNG file.
pub(crate) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Longest stored block of deflate (RFC 1951, 3.2.4).
const MAX_STORED: usize = 65_535;

/// A picture whose pixels are numbers of the palette.
pub(crate) fn indexed(
    width: usize,
    height: usize,
    palette: &[[u8; 3]],
    colour_at: impl Fn(usize, usize) -> u8,
) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((width + 1) * height);
    for y in 0..height {
        // Each line begins with the number of its filter: none.
        pixels.push(0);
        pixels.extend((0..width).map(|x| colour_at(x, y)));
    }
    let mut header = Vec::with_capacity(13);
    header.extend(be32(width));
    header.extend(be32(height));
    // Eight bits, palette, deflate, usual filters, not interlaced.
    header.extend([8, 3, 0, 0, 0]);
    let mut file = SIGNATURE.to_vec();
    chunk(&mut file, b"IHDR", &header);
    chunk(&mut file, b"PLTE", palette.as_flattened());
    chunk(&mut file, b"IDAT", &stored(&pixels));
    chunk(&mut file, b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    file.extend(be32(data.len()));
    let start = file.len();
    file.extend_from_slice(name);
    file.extend_from_slice(data);
    let sum = crc32(&file[start..]);
    file.extend(sum.to_be_bytes());
}

/// A zlib stream (RFC 1950) of stored blocks.
fn stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(MAX_STORED).peekable();
    while let Some(block) = blocks.next() {
        stream.push(u8::from(blocks.peek().is_none()));
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend(adler32(data).to_be_bytes());
    stream
}

fn be32(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |mut sum, byte| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
        sum
    })
}

fn adler32(data: &[u8]) -> u32 {
    let (a, b) = data.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn long_pictures_take_several_blocks() {
        let stream = stored(&vec![7; MAX_STORED + 1]);
        assert_eq!(&stream[..7], &[0x78, 0x01, 0, 0xff, 0xff, 0, 0]);
        assert_eq!(stream.len(), 2 + 5 + MAX_STORED + 5 + 1 + 4);
        assert_eq!(stream[2 + 5 + MAX_STORED], 1);
    }
}
