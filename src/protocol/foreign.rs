//! Recognises what is no chat client: programs that took the port for something else. A user would
//! have to try hard to begin with any of this.

/// A TLS record of a handshake, of any version: it need not have a line end.
const TLS: [u8; 2] = [0x16, 0x03];

/// The protocol that somebody speaks who begins with these bytes, if it is a foreign one that does
/// not need a whole line to be known.
pub fn protocol_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    bytes.starts_with(&TLS).then_some("TLS")
}

/// The protocol that somebody speaks whose first line this is, if it is a foreign one.
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
    fn what_is_no_chat_client_is_known() {
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
    fn what_people_are_called_is_not_foreign() {
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
