//! Recognises programs that are not chat clients but took the port for something else. Nobody types
//! any of this as a first line by accident.

/// First bytes of a TLS handshake, in any version, and of an RDP packet. Neither needs a line end.
const TLS: [u8; 2] = [0x16, 0x03];
const RDP: [u8; 3] = [0x03, 0x00, 0x00];

/// First words of HTTP requests, in lowercase; their case does not matter.
const REQUESTS: [&str; 4] = ["get /", "head /", "post /", "put /"];

/// First words of mail clients and of IRC clients. Their case matters: a person called Nick does
/// not write it in capitals.
const SMTP: [&str; 2] = ["EHLO ", "HELO "];
const IRC: [&str; 4] = ["PASS ", "CAP LS", "CAP REQ", "NICK "];

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

/// Returns the foreign protocol whose first line is `line`, if there is one.
pub fn protocol_of_line(line: &str) -> Option<&'static str> {
    let begins_with = |beginnings: &[&str]| beginnings.iter().any(|it| line.starts_with(it));
    let lowercase = line.to_ascii_lowercase();
    let last_word = lowercase.trim_end().rsplit(' ').next().unwrap_or_default();
    let has_version = |protocol| last_word.len() < line.len() && last_word.starts_with(protocol);
    let is_irc_user = line.starts_with("USER ") && line.contains(" :");
    if line.starts_with("SSH-") {
        Some("SSH")
    } else if REQUESTS.iter().any(|it| lowercase.starts_with(it)) || has_version("http/") {
        Some("HTTP")
    } else if has_version("rtsp/") {
        Some("RTSP")
    } else if has_version("sip/") {
        Some("SIP")
    } else if begins_with(&SMTP) {
        Some("SMTP")
    } else if begins_with(&IRC) || is_irc_user {
        Some("IRC")
    } else {
        None
    }
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
            ("HELO there", "SMTP"),
            ("PASS secret", "IRC"),
            ("CAP LS 302", "IRC"),
            ("NICK ada", "IRC"),
            ("USER ada 0 * :Ada Lovelace", "IRC"),
        ] {
            assert_eq!(protocol_of_line(line), Some(protocol), "{line}");
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
            "USER 1",
            "pass the salt",
            "Helo",
            "Sip",
        ] {
            assert_eq!(protocol_of_line(line), None, "{line}");
        }
        for bytes in [&b""[..], b"A", b"\x16", b"\x16A", b"\x03\x00"] {
            assert_eq!(protocol_of_bytes(bytes), None);
        }
    }
}
