//! Draws single cells: bars, figures, and text cut to a width.

use crate::protocol::text;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Eighths of a character, from one on.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Returns a bar for `value` of `full`, in `width` columns. A bar of something is never empty.
pub fn bar(value: u64, full: u64, width: usize, ascii: bool) -> String {
    let parts = if ascii { 1 } else { EIGHTHS.len() };
    let most = (width * parts) as u64;
    let n_parts = value.saturating_mul(most).div_ceil(full.max(1)).min(most);
    let n_parts = usize::try_from(n_parts).unwrap_or(0);
    let mut bar = if ascii { "#" } else { "█" }.repeat(n_parts / parts);
    if n_parts % parts > 0 {
        bar.push(EIGHTHS[n_parts % parts - 1]);
    }
    bar
}

/// Returns a number in at most four characters: `999`, `3.5K`, `22K`, `1.2M`.
pub fn figure(value: u64) -> String {
    let mut unit = String::new();
    let mut rest = value;
    let mut tenths = 0;
    for next in ["K", "M", "G", "T"] {
        if rest < 1000 {
            break;
        }
        tenths = rest % 1000 / 100;
        rest /= 1000;
        next.clone_into(&mut unit);
    }
    match (unit.as_str(), rest) {
        ("", _) => rest.to_string(),
        (_, 0..10) => format!("{rest}.{tenths}{unit}"),
        _ => format!("{}{unit}", rest.min(999)),
    }
}

/// Returns a number with commas, or as a [`figure`] if it is longer than `width`.
pub fn count(value: u64, width: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if text.len() > width {
        figure(value)
    } else {
        text
    }
}

/// Returns `given` cleaned, and cut or filled to `width` columns.
pub fn fit(given: &str, width: usize, ascii: bool) -> String {
    if width == 0 {
        return String::new();
    }
    let cleaned = text::clean(given);
    let plain = if ascii {
        let plain = |it: char| if it.is_ascii() { it } else { '?' };
        cleaned.chars().map(plain).collect()
    } else {
        cleaned.into_owned()
    };
    let mut fitted = String::new();
    let is_long = n_columns_of(&plain) > width;
    let mark = if ascii { "~" } else { "…" };
    let room = width - usize::from(is_long);
    let mut n_columns = 0;
    for cluster in plain.graphemes(true) {
        if n_columns + cluster.width() > room {
            break;
        }
        n_columns += cluster.width();
        fitted += cluster;
    }
    if is_long {
        fitted += mark;
        n_columns += 1;
    }
    fitted + &" ".repeat(width - n_columns)
}

/// Returns how many columns `text` takes, character by character.
fn n_columns_of(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bar_is_as_long_as_its_value_and_never_empty_for_something() {
        for (value, expected, in_ascii) in [
            (0, "", ""),
            (1, "▏", "#"),
            (50, "██", "##"),
            (51, "██▏", "###"),
            (100, "████", "####"),
            (u64::MAX, "████", "####"),
        ] {
            assert_eq!(bar(value, 100, 4, false), expected);
            assert_eq!(bar(value, 100, 4, true), in_ascii);
        }
        assert_eq!(bar(5, 0, 2, true), "##");
    }

    #[test]
    fn figures_have_at_most_four_characters() {
        for (value, expected) in [
            (0, "0"),
            (999, "999"),
            (3_560, "3.5K"),
            (44_000, "44K"),
            (999_999, "999K"),
            (1_234_567, "1.2M"),
            (u64::MAX, "999T"),
        ] {
            assert_eq!(figure(value), expected);
        }
        assert_eq!(count(1_203, 7), "1,203");
        assert_eq!(count(12_345_678, 7), "12M");
    }

    proptest! {
        #[test]
        fn text_is_cut_or_filled_to_its_width(given: String, width in 0_usize..40, ascii: bool) {
            let fitted = fit(&given, width, ascii);
            prop_assert_eq!(n_columns_of(&fitted), width);
            prop_assert!(!fitted.chars().any(char::is_control));
            prop_assert!(!ascii || fitted.is_ascii());
        }
    }
}
