//! A QR code as an SVG path: no style, no script, crisp in print.

use std::fmt::Write;

use qrcode::{Color, QrCode};

/// The quiet zone around it, in modules (ISO/IEC 18004).
const QUIET: usize = 4;

/// An image of the text; `None` where it is longer than a QR code holds.
#[must_use]
pub(super) fn svg(text: &str) -> Option<String> {
    let code = QrCode::new(text.as_bytes()).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (i, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            write!(path, "M{} {}h1v1h-1z", i % width + QUIET, i / width + QUIET).ok()?;
        }
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" aria-hidden=\"true\" focusable=\"false\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{path}\" fill=\"#000\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_code_is_square_and_too_much_is_none() {
        let svg = super::svg("https://records.example/look-ups/0190").unwrap();
        assert!(
            svg.starts_with("<svg viewBox=\"0 0 37 37\"")
                || svg.starts_with("<svg viewBox=\"0 0 33 33\"")
                || svg.starts_with("<svg viewBox=\"0 0 41 41\""),
            "{}",
            &svg[..40]
        );
        assert!(super::svg(&"x".repeat(4000)).is_none());
    }
}
