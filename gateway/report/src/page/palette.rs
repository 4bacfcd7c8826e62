//! The colours of charts. plotters writes them into the drawing as they are on light paper; rules of the style sheet,
//! which find them there, put variables in their place, so that they follow the page into the dark.

use plotters::style::RGBColor;
use std::fmt::Write as _;

pub(super) const TEXT: RGBColor = RGBColor(0x51, 0x5B, 0x68);
pub(super) const GRID: RGBColor = RGBColor(0xE1, 0xE5, 0xEA);
pub(super) const FIRST: RGBColor = RGBColor(0x1F, 0x5F, 0xA8);
pub(super) const SECOND: RGBColor = RGBColor(0xB0, 0x4F, 0x0C);
pub(super) const THIRD: RGBColor = RGBColor(0x0B, 0x7F, 0x5F);
pub(super) const FOURTH: RGBColor = RGBColor(0x93, 0x43, 0xA0);
pub(super) const FIFTH: RGBColor = RGBColor(0x75, 0x6A, 0x0A);
pub(super) const STRONG: RGBColor = RGBColor(0x1B, 0x21, 0x29);

/// The variable of the style sheet that each colour stands for.
const VARIABLES: [(RGBColor, &str); 8] = [
    (TEXT, "--muted"),
    (GRID, "--line"),
    (FIRST, "--first"),
    (SECOND, "--second"),
    (THIRD, "--third"),
    (FOURTH, "--fourth"),
    (FIFTH, "--fifth"),
    (STRONG, "--ink"),
];

/// Rules that put the variables in the place of the colours.
pub(super) fn rules() -> String {
    let mut rules = String::new();
    for (RGBColor(red, green, blue), variable) in VARIABLES {
        for property in ["fill", "stroke"] {
            // Writing to a string cannot fail.
            let _ = writeln!(
                rules,
                "svg [{property}=\"#{red:02X}{green:02X}{blue:02X}\"] {{ {property}: var({variable}); }}"
            );
        }
    }
    rules
}
