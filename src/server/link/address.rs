//! Names the place of a room: an engine, and the room there. It keeps the engine's password out of
//! everything that is shown. Connecting is left to `engine`.

use std::fmt;

/// Maximum length of a room's name, in bytes.
const MAX_ROOM: usize = 32;

const TCP: &str = "redis://";
const UNIX: &str = "redis+unix://";

/// The address of an engine, as a URL that may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: String,
}

/// The room that several servers share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where its engine is.
    pub address: Address,
    /// Which room there.
    pub room: String,
}

impl Address {
    /// Checks the form of `url`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(url: &str) -> Result<Self, String> {
        if !cfg!(feature = "redis") {
            return Err(
                "this program was built without it; build it with: cargo build --release --features redis".to_owned(),
            );
        }
        if url.starts_with("rediss://") {
            return Err("TLS is not built in; let stunnel or WireGuard carry redis://".to_owned());
        }
        let is_redis = url.starts_with(TCP) || url.starts_with(UNIX);
        if !is_redis || url.contains(char::is_whitespace) {
            return Err("write redis://HOST:PORT or redis+unix:///PATH".to_owned());
        }
        Ok(Self {
            url: url.to_owned(),
        })
    }

    /// Returns the whole URL, with its password.
    pub fn secret_url(&self) -> &str {
        &self.url
    }

    /// Whether the URL holds a password.
    pub fn has_password(&self) -> bool {
        let user = self.url.rsplit_once('@').map_or("", |(user, _)| user);
        user.matches(':').count() > 1 || self.url.contains("pass=")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A password may hold characters that its owner has not escaped.
        let host = match self.url.strip_prefix(TCP) {
            Some(rest) => rest.rsplit_once('@').map_or(rest, |(_, host)| host),
            None => &self.url[UNIX.len()..],
        };
        let scheme = if self.url.starts_with(TCP) { TCP } else { UNIX };
        let shown = host.split(['?', '#']).next().unwrap_or_default();
        write!(out, "{scheme}{shown}")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// Returns the name of a room, if it is one.
///
/// # Errors
/// What a name may be.
pub fn room(name: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > MAX_ROOM || !name.bytes().all(fits) {
        return Err(format!("use a-z, 0-9 and -, {MAX_ROOM} at most"));
    }
    Ok(name.to_owned())
}

#[cfg(all(test, feature = "redis"))]
mod tests {
    use super::*;

    #[test]
    fn c13_a_password_is_never_shown() {
        for (url, shown, has_password) in [
            ("redis://h:1", "redis://h:1", false),
            ("redis://h", "redis://h", false),
            ("redis://user:s3cret@h:1/2", "redis://h:1/2", true),
            ("redis://:s3cret@[::1]:1", "redis://[::1]:1", true),
            ("redis://user:s3@cret@h", "redis://h", true),
            ("redis://user:s3/c?r#et@h/1", "redis://h/1", true),
            (
                "redis+unix:///run/r.sock",
                "redis+unix:///run/r.sock",
                false,
            ),
            (
                "redis+unix:///run/r.sock?pass=s3cret",
                "redis+unix:///run/r.sock",
                true,
            ),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), shown);
            assert_eq!(address.has_password(), has_password, "{url}");
            assert_eq!(address.secret_url(), url);
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused() {
        for (url, part) in [
            ("rediss://h", "stunnel"),
            ("http://h", "redis://HOST"),
            ("h:6379", "redis://HOST"),
            ("redis://a b", "redis://HOST"),
        ] {
            assert!(Address::parse(url).unwrap_err().contains(part), "{url}");
        }
    }

    #[test]
    fn rooms_have_plain_names() {
        assert!(room("main-2").is_ok());
        for name in ["", "Main", "a}b", "a:b", &"x".repeat(33)] {
            assert!(room(name).is_err(), "{name}");
        }
    }
}
