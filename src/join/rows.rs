//! Lays out a prompt and a draft on the rows of a terminal, and cuts text to a row. It counts as
//! rustyline does, and draws so that the count holds whatever the terminal thinks of a character.

use rustyline::GraphemeClusterMode;
use std::fmt::Write;
use unicode_segmentation::UnicodeSegmentation;

/// Measures text as this terminal draws it.
#[derive(Debug, Clone, Copy)]
pub struct Ruler(pub GraphemeClusterMode);

impl Ruler {
    /// Returns how many rows `text` takes on a terminal of `n_columns`, counting the row that the cursor
    /// has moved to when the last one is full.
    pub fn count(self, text: &str, n_columns: usize) -> usize {
        self.rows(text, n_columns).len()
    }

    /// Returns the width of each row that `text` takes. The last one is empty if the one before it
    /// is full.
    fn rows(self, text: &str, n_columns: usize) -> Vec<usize> {
        let mut rows = vec![0];
        for cluster in text.graphemes(true) {
            let width = usize::from(self.0.width(cluster));
            match rows.last_mut() {
                Some(row) if *row + width <= n_columns => *row += width,
                _ => rows.push(width),
            }
        }
        if rows.last() == Some(&n_columns) {
            rows.push(0);
        }
        rows
    }

    /// Returns `text` as it is to be written behind `before` on a terminal of `n_columns`.
    ///
    /// Each row ends in a newline, so that a terminal that becomes wider joins no rows, and one that
    /// becomes narrower splits each for itself.
    pub fn drawn(self, before: &str, text: &str, n_columns: usize) -> String {
        let mut drawn = String::with_capacity(text.len());
        let mut column = self.rows(before, n_columns).pop().unwrap_or_default();
        for cluster in text.graphemes(true) {
            let width = usize::from(self.0.width(cluster));
            column += width;
            if column > n_columns {
                drawn.push('\n');
                column = width;
            }
            if is_certain(cluster) {
                drawn += cluster;
            } else {
                // Nothing wraps here, and the next character goes where rustyline expects it.
                // Writing to a string can't fail.
                let _ = write!(drawn, "\x1b[?7l{cluster}\x1b[?7h\x1b[{}G", column + 1);
            }
        }
        drawn
    }

    /// Returns what to write before rustyline draws a draft again that was drawn on a terminal of
    /// `old` columns, which has become `new` columns wide. `before` and `after` are the prompt and
    /// draft around the cursor.
    ///
    /// A narrower terminal has split rows, but rustyline goes up as many as it has drawn, and would
    /// leave copies. Returns nothing if none is split.
    pub fn rewrapped(self, before: &str, after: &str, old: usize, new: usize) -> String {
        let rows = self.rows(&[before, after].concat(), old);
        if rows.iter().all(|width| *width <= new) {
            return String::new();
        }
        let mut above = self.rows(before, old);
        let column = above.pop().unwrap_or_default();
        let split = |width: usize| width.div_ceil(new).max(1);
        // Behind a row's last character, the cursor stays on the row of that character.
        let within = if rows.get(above.len()).is_some_and(|width| column < *width) {
            column / new
        } else {
            split(column) - 1
        };
        let n_up = above.iter().copied().map(split).sum::<usize>() + within;
        let last = rows.len() - 1;
        let up = |n_rows: usize| match n_rows {
            0 => String::new(),
            _ => format!("\x1b[{n_rows}A"),
        };
        [
            &up(n_up),
            "\r\x1b[J",
            &"\n".repeat(last),
            &up(last.saturating_sub(above.len())),
        ]
        .concat()
    }

    /// Returns the longest beginning of `text` that is narrower than `n_columns`.
    pub fn cut(self, text: &str, n_columns: usize) -> &str {
        let mut column = 0;
        for (at, cluster) in text.grapheme_indices(true) {
            column += usize::from(self.0.width(cluster));
            if column >= n_columns {
                return &text[..at];
            }
        }
        text
    }
}

/// Whether all terminals that are up to date give `cluster` the same width. They differ in what they
/// make of characters that belong together.
fn is_certain(cluster: &str) -> bool {
    GraphemeClusterMode::Unicode.width(cluster) == GraphemeClusterMode::WcWidth.width(cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULER: Ruler = Ruler(GraphemeClusterMode::Unicode);

    #[test]
    fn rows_are_counted_at_the_edge_too() {
        for (n_characters, n_rows) in [(0, 1), (39, 1), (40, 2), (41, 2), (79, 2), (80, 3)] {
            assert_eq!(
                RULER.count(&"x".repeat(n_characters), 40),
                n_rows,
                "{n_characters}"
            );
        }
        // A wide character does not fit the last column.
        assert_eq!(RULER.count(&format!("{}明", "x".repeat(39)), 40), 2);
    }

    #[test]
    fn each_row_ends_in_a_newline_and_a_doubtful_character_where_it_is_counted_to() {
        assert_eq!(RULER.drawn("> ", "abcd", 4), "ab\ncd");
        assert_eq!(RULER.drawn("> ", "a明b", 4), "a\n明b");
        assert_eq!(
            RULER.drawn("> ", "☁\u{fe0f}a", 4),
            "\x1b[?7l☁\u{fe0f}\x1b[?7h\x1b[5G\na"
        );
    }

    #[test]
    fn a_draft_is_erased_as_the_terminal_has_split_it() {
        let draft = "x".repeat(100);
        let at = |cursor: usize, old, new| {
            let (before, after) = draft.split_at(cursor);
            RULER.rewrapped(before, after, old, new)
        };
        // Rows of 40, 40 and 20 become 2, 2 and 1. Then rustyline goes up from the third.
        assert_eq!(at(100, 40, 30), "\x1b[4A\r\x1b[J\n\n");
        assert_eq!(at(60, 40, 30), "\x1b[2A\r\x1b[J\n\n\x1b[1A");
        // The cursor is on the first character of a row, or behind the last.
        assert_eq!(at(50, 100, 50), "\x1b[1A\r\x1b[J\n\x1b[1A");
        assert_eq!(RULER.rewrapped(&draft, "", 101, 50), "\x1b[1A\r\x1b[J");
        // No row is split.
        assert_eq!(at(100, 40, 80), "");
        assert_eq!(RULER.rewrapped("xx", "", 80, 40), "");
    }

    #[test]
    fn a_text_is_cut_to_less_than_a_row() {
        assert_eq!(RULER.cut("abcdef", 4), "abc");
        assert_eq!(RULER.cut("明明明", 4), "明");
        assert_eq!(RULER.cut("abc", 4), "abc");
    }
}
