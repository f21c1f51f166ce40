//! Recognises programs that are not chat clients but took the port for something else. No user
//! begins with any of this by accident.

/// How a TLS handshake begins, in any version. It need not have a line end.
const TLS: [u8; 2] = [0x16, 0x03];

/// Returns the foreign protocol that begins with these bytes, if it can be told without a line end.
pub fn protocol_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    bytes.starts_with(&TLS).then_some("TLS")
}

/// Returns the foreign protocol that has this first line.
pub fn protocol_of_line(line: &str) -> Option<&'static str> {
    let last_word = line.trim_end().rsplit(' ').next().unwrap_or_default();
    let is_request = ["GET /", "HEAD /", "POST /", "PUT /"]
        .iter()
        .any(|it| line.starts_with(it));
    if line.starts_with("SSH-") {
        Some("SSH")
    } else if is_request || (last_word.len() < line.len() && last_word.starts_with("HTTP/")) {
        Some("HTTP")
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
        ] {
            assert_eq!(protocol_of_line(line), Some(protocol), "{line}");
        }
        assert_eq!(protocol_of_bytes(b"\x16\x03\x01\x02\x00\x01"), Some("TLS"));
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
        ] {
            assert_eq!(protocol_of_line(line), None, "{line}");
        }
        for bytes in [&b""[..], b"A", b"\x16", b"\x16A"] {
            assert_eq!(protocol_of_bytes(bytes), None);
        }
    }
}
