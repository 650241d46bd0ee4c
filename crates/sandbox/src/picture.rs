//! Drawn pictures: a portrait for each persona and an evidence image for each handle, as small PNG files that are
//! always the same. No picture of anybody is in the sandbox.

use crypto::Suite;

use crate::{persona::Persona, png};

const WIDTH: usize = 96;
const HEIGHT: usize = 120;
/// Side of the squares into which the blurred portrait is cut.
const BLOCK: usize = 8;

/// The portrait that the played population register holds of a persona, a PNG of 96 × 120 pixels.
#[must_use]
pub fn portrait_of(persona: &Persona) -> Vec<u8> {
    let face = Face::of(&persona.id);
    face.png(|x, y| (x, y))
}

/// The same portrait in coarse squares: to be recognised, but below the threshold of 85 %.
#[must_use]
pub fn blurred_portrait_of(persona: &Persona) -> Vec<u8> {
    let face = Face::of(&persona.id);
    face.png(|x, y| (x / BLOCK * BLOCK + BLOCK / 2, y / BLOCK * BLOCK + BLOCK / 2))
}

/// How similar the register finds a picture to a persona's portrait, in percent: 97 the portrait itself, 80 the
/// blurred one, 31 any other picture; nothing for what is no PNG and no JPEG.
#[must_use]
pub fn similarity(persona: &Persona, picture: &[u8]) -> Option<u32> {
    let is_picture = picture.starts_with(png::SIGNATURE) || picture.starts_with(&[0xff, 0xd8, 0xff]);
    if !is_picture {
        return None;
    }
    Some(match picture {
        same if same == portrait_of(persona) => 97,
        blurred if blurred == blurred_portrait_of(persona) => 80,
        _ => 31,
    })
}

/// The evidence image behind a handle: a drawn street with a car, nobody in it.
#[must_use]
pub(crate) fn evidence(handle: &str) -> Vec<u8> {
    let seed = Suite::Intl.hash(&[b"evidence", handle.as_bytes()]);
    let palette = [
        [120, 150, 180],
        [70, 70, 75],
        [235, 235, 235],
        [seed[0], seed[1], seed[2]],
        [20, 20, 20],
    ];
    let (left, lane) = (usize::from(seed[3] % 40) + 8, 40 + usize::from(seed[4] % 20));
    png::indexed(WIDTH, HEIGHT, &palette, |x, y| match () {
        () if y < lane => 0,
        () if (left..left + 44).contains(&x) && (lane + 20..lane + 42).contains(&y) => 3,
        () if (left + 4..left + 40).contains(&x) && (lane + 42..lane + 50).contains(&y) => 4,
        () if x % 24 < 12 && (lane + 8..lane + 11).contains(&y) => 2,
        () => 1,
    })
}

/// SHA-256 of a picture in hexadecimal, as records carry it.
#[must_use]
pub(crate) fn digest(picture: &[u8]) -> String {
    Suite::Intl
        .hash(&[picture])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What a drawn face is made of; all of it follows from the slug.
struct Face {
    palette: [[u8; 3]; 5],
    head: usize,
    hair: usize,
    mouth: usize,
}

impl Face {
    fn of(id: &str) -> Self {
        // Two slugs draw the same face only if all of these fall together; the background alone has 2²⁴ shades.
        let seed = Suite::Intl.hash(&[b"portrait", id.as_bytes()]);
        let skin = [200 + seed[3] % 40, 165 + seed[3] % 40, 135 + seed[3] % 40];
        let grey = seed[4] % 90;
        Face {
            palette: [
                [seed[0], seed[1], seed[2]],
                skin,
                [grey, grey, grey],
                [seed[5] / 2, seed[6] / 2, seed[7] / 2 + 60],
                [150, 60, 60],
            ],
            head: 22 + usize::from(seed[8] % 6),
            hair: 6 + usize::from(seed[9] % 10),
            mouth: 5 + usize::from(seed[10] % 6),
        }
    }

    fn png(&self, sample: impl Fn(usize, usize) -> (usize, usize)) -> Vec<u8> {
        png::indexed(WIDTH, HEIGHT, &self.palette, |x, y| {
            let (x, y) = sample(x, y);
            self.colour_at(x.min(WIDTH - 1), y.min(HEIGHT - 1))
        })
    }

    fn colour_at(&self, x: usize, y: usize) -> u8 {
        let inside = |cx: usize, cy: usize, rx: usize, ry: usize| {
            let (dx, dy) = (x.abs_diff(cx), y.abs_diff(cy));
            dx * dx * ry * ry + dy * dy * rx * rx <= rx * rx * ry * ry
        };
        let middle = WIDTH / 2;
        match () {
            () if inside(middle - 9, 52, 3, 2) || inside(middle + 9, 52, 3, 2) => 2,
            () if inside(middle, 68, self.mouth, 2) => 4,
            () if inside(middle, 54, self.head, 30) && y > 26 + self.hair => 1,
            () if inside(middle, 52, self.head + 3, 32) && y < 60 => 2,
            () if inside(middle, HEIGHT, 42, 32) => 3,
            () => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::personas;

    #[test]
    fn everybody_has_a_face_of_their_own() {
        let all: BTreeSet<Vec<u8>> = personas()
            .iter()
            .flat_map(|p| [portrait_of(p), blurred_portrait_of(p)])
            .collect();
        assert_eq!(all.len(), personas().len() * 2);
        assert!(all.iter().all(|picture| picture.starts_with(png::SIGNATURE)));
    }

    #[test]
    fn similarity_is_fixed() {
        let [one, other] = [&personas()[0], &personas()[1]];
        assert_eq!(similarity(one, &portrait_of(one)), Some(97));
        assert_eq!(similarity(one, &blurred_portrait_of(one)), Some(80));
        assert_eq!(similarity(one, &portrait_of(other)), Some(31));
        assert_eq!(similarity(one, b"\xff\xd8\xff\xe0 some photo"), Some(31));
        assert_eq!(similarity(one, b"GIF89a"), None);
        assert_eq!(similarity(one, b""), None);
    }

    #[test]
    fn digests_are_of_the_picture() {
        assert_eq!(
            digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_ne!(evidence("SBX-ZJ-000101"), evidence("SBX-ZJ-000102"));
    }
}
