//! The shape of a log line, `12:07:54 [INFO] text`, which the server and the bots share.

/// Whether `line` has a time, a level and a text.
pub fn has_log_shape(line: &str) -> bool {
    let Some((time, rest)) = line.split_once(' ') else {
        return false;
    };
    time.len() == 8
        && time
            .split(':')
            .all(|part| part.len() == 2 && part.parse::<u8>().is_ok())
        && ["[ERROR] ", "[WARN] ", "[INFO] ", "[DEBUG] "]
            .iter()
            .any(|level| {
                rest.strip_prefix(level)
                    .is_some_and(|text| !text.is_empty())
            })
}

/// Returns the text of a log line, without time and level.
pub fn log_text(line: &str) -> &str {
    line.splitn(3, ' ').nth(2).unwrap_or_default()
}
