//! Recognises programs that are not chat clients but took the port for something else. Nobody types
//! any of this as a first line by accident.

/// First bytes of a TLS handshake, in any version, and of an RDP packet. Neither needs a line end.
const TLS: [u8; 2] = [0x16, 0x03];
const RDP: [u8; 3] = [0x03, 0x00, 0x00];

/// First words of HTTP requests, in lowercase; their case does not matter.
const REQUESTS: [&str; 6] = ["get /", "head /", "post /", "put /", "delete /", "patch /"];

/// First words of mail clients, in lowercase; the name of a host follows.
const SMTP: [&str; 3] = ["ehlo ", "helo ", "lhlo "];

/// Returns the foreign protocol that begins with `bytes`, if it can be told without a line end.
pub fn protocol_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(&TLS) {
        Some("TLS")
    } else if bytes.starts_with(&RDP) {
        Some("RDP")
    } else {
        None
    }
}

/// Returns the foreign protocol whose first line is `line`, if there is one. `behind` is what came
/// with that line: people take their time.
pub fn protocol_of_line(line: &str, behind: &[u8]) -> Option<&'static str> {
    let line = line.trim_end();
    let lowercase = line.to_ascii_lowercase();
    let begins_with = |beginnings: &[&str]| beginnings.iter().any(|it| lowercase.starts_with(it));
    let last_word = lowercase.rsplit(' ').next().unwrap_or_default();
    let n_words = line.split(' ').count();
    let has_version = |protocol| {
        let version = last_word.strip_prefix(protocol).unwrap_or_default();
        n_words == 3 && version.starts_with(|digit: char| digit.is_ascii_digit())
    };
    if line.starts_with("SSH-1.") || line.starts_with("SSH-2.") {
        Some("SSH")
    } else if begins_with(&REQUESTS) || has_version("http/") {
        Some("HTTP")
    } else if has_version("rtsp/") {
        Some("RTSP")
    } else if has_version("sip/") {
        Some("SIP")
    } else if begins_with(&SMTP) && (last_word.contains(['.', '[']) || last_word == "localhost") {
        Some("SMTP")
    } else if is_irc(line, behind) {
        Some("IRC")
    } else if line.starts_with("PROXY TCP") {
        Some("PROXY")
    } else if is_redis(line) {
        Some("Redis")
    } else {
        None
    }
}

/// Whether the line logs an IRC client in. `NICK x` could be a person with caps lock, if nothing else
/// came with it.
fn is_irc(line: &str, behind: &[u8]) -> bool {
    let n_words = line.split(' ').count();
    let is_login = ["NICK ", "USER ", "PASS "]
        .iter()
        .any(|it| line.starts_with(it));
    let behind = behind.trim_ascii_start();
    let more = [&b"NICK "[..], b"USER "]
        .iter()
        .any(|it| behind.starts_with(it));
    line.starts_with("CAP LS")
        || line.starts_with("CAP REQ")
        || (line.starts_with("PASS ") && n_words == 2)
        || (line.starts_with("USER ") && line.contains(" :"))
        || (is_login && more)
}

/// Whether the line announces the length of a Redis command. It could not be a name anyway.
fn is_redis(line: &str) -> bool {
    let length = line.strip_prefix('*').unwrap_or_default();
    !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_protocols_are_recognised() {
        for (line, protocol) in [
            ("GET / HTTP/1.1", "HTTP"),
            ("POST /login?a=b HTTP/1.0\r", "HTTP"),
            ("OPTIONS * HTTP/1.1", "HTTP"),
            ("PRI * HTTP/2.0", "HTTP"),
            ("GET /", "HTTP"),
            ("CONNECT example.org:443 HTTP/1.1", "HTTP"),
            ("SSH-2.0-OpenSSH_9.2p1", "SSH"),
            ("SSH-1.99-x", "SSH"),
            ("get / http/1.1", "HTTP"),
            ("Get /index.html", "HTTP"),
            ("OPTIONS rtsp://host/x RTSP/1.0", "RTSP"),
            ("INVITE sip:ada@example.org SIP/2.0", "SIP"),
            ("EHLO mail.example.org", "SMTP"),
            ("helo localhost", "SMTP"),
            ("EHLO [192.0.2.1]", "SMTP"),
            ("DELETE /x", "HTTP"),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2", "PROXY"),
            ("*1", "Redis"),
            ("PASS secret", "IRC"),
            ("CAP LS 302", "IRC"),
            ("USER ada 0 * :Ada Lovelace", "IRC"),
        ] {
            assert_eq!(protocol_of_line(line, b""), Some(protocol), "{line}");
        }
        for behind in [&b"\nUSER ada 0 * :Ada\r\n"[..], b"USER ada"] {
            assert_eq!(protocol_of_line("NICK ada", behind), Some("IRC"));
        }
        assert_eq!(protocol_of_bytes(b"\x16\x03\x01\x02\x00\x01"), Some("TLS"));
        assert_eq!(protocol_of_bytes(b"\x03\x00\x00\x13\x0e\xe0"), Some("RDP"));
    }

    #[test]
    fn names_are_not_foreign() {
        for line in [
            "Ada",
            "",
            "GET",
            "HTTP/1.1",
            "ssh",
            "SSH",
            "Get lost",
            "Miss HTTP",
            "Nick Cave",
            "NICK CAVE",
            "PASS IT ON",
            "HELO KITTY",
            "SSH-fan",
            "$",
            "$100",
            "drinks sip/tea",
            "Dr HTTP/2",
            "*a",
            "USER 1",
            "pass the salt",
            "Helo",
            "Sip",
        ] {
            assert_eq!(protocol_of_line(line, b"hello"), None, "{line}");
        }
        for bytes in [&b""[..], b"A", b"\x16", b"\x16A", b"\x03\x00"] {
            assert_eq!(protocol_of_bytes(bytes), None);
        }
    }
}
