//! Counts the rows that a prompt and a draft take on a terminal, and cuts text to a row. It counts
//! as rustyline does, so that what rustyline leaves behind can be removed.

use rustyline::GraphemeClusterMode;
use unicode_segmentation::UnicodeSegmentation;

/// Measures text as this terminal draws it.
#[derive(Debug, Clone, Copy)]
pub struct Ruler(pub GraphemeClusterMode);

impl Ruler {
    /// Returns how many rows `text` takes on a terminal of `n_columns`, counting the row that the cursor
    /// has moved to when the last one is full.
    pub fn count(self, text: &str, n_columns: usize) -> usize {
        let (n_rows, column) = self.end(text, n_columns);
        n_rows + usize::from(column == n_columns)
    }

    /// Returns the row, from 1, and the column in which `text` ends.
    fn end(self, text: &str, n_columns: usize) -> (usize, usize) {
        let (mut n_rows, mut column) = (1, 0);
        for cluster in text.graphemes(true) {
            let width = usize::from(self.0.width(cluster));
            column += width;
            if column > n_columns {
                n_rows += 1;
                column = width;
            }
        }
        (n_rows, column)
    }

    /// Returns what to write before rustyline draws a draft again whose terminal has become `new`
    /// columns wide, and was `old` when the draft was drawn. The terminal has wrapped the draft anew,
    /// but rustyline goes up as many rows as the draft took before, and would erase messages or leave
    /// copies. `before` and `after` are the prompt and draft around the cursor.
    ///
    /// Returns nothing if it is one row before and after, since then rustyline draws nothing.
    pub fn rewrapped(self, before: &str, after: &str, old: usize, new: usize) -> String {
        let whole = [before, after].concat();
        let last = |text: &str, n_columns| self.count(text, n_columns) - 1;
        let (old_end, new_end) = (last(&whole, old), last(&whole, new));
        if old == new || old_end.max(new_end) == 0 {
            return String::new();
        }
        let mut row = last(before, new);
        // At the edge rustyline has written a newline, which the terminal keeps.
        if after.is_empty() && self.is_at_edge(before, old) && !self.is_at_edge(before, new) {
            row += 1;
        }
        let down = "\n".repeat(old_end);
        let up = |n_rows: usize| match n_rows {
            0 => String::new(),
            _ => format!("\x1b[{n_rows}A"),
        };
        [
            &up(row),
            "\r\x1b[J",
            &down,
            &up(old_end - last(before, old)),
        ]
        .concat()
    }

    /// Whether the last row of `text` is full.
    fn is_at_edge(self, text: &str, n_columns: usize) -> bool {
        self.end(text, n_columns).1 == n_columns
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
    fn a_draft_is_erased_as_the_terminal_has_wrapped_it() {
        let draft = "x".repeat(100);
        // Three rows become two. Then rustyline goes up from the second of three.
        assert_eq!(RULER.rewrapped(&draft, "", 40, 80), "\x1b[1A\r\x1b[J\n\n");
        assert_eq!(
            RULER.rewrapped(&draft[..60], &draft[60..], 40, 80),
            "\r\x1b[J\n\n\x1b[1A"
        );
        assert_eq!(RULER.rewrapped(&draft, "", 80, 40), "\x1b[2A\r\x1b[J\n");
        assert_eq!(RULER.rewrapped("xx", "", 80, 40), "");
        assert_eq!(RULER.rewrapped(&draft, "", 80, 80), "");
        // The row below a full one stays.
        assert_eq!(
            RULER.rewrapped(&draft[..80], "", 40, 100),
            "\x1b[1A\r\x1b[J\n\n"
        );
    }

    #[test]
    fn a_text_is_cut_to_less_than_a_row() {
        assert_eq!(RULER.cut("abcdef", 4), "abc");
        assert_eq!(RULER.cut("明明明", 4), "明");
        assert_eq!(RULER.cut("abc", 4), "abc");
    }
}
