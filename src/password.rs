//! Reads the password of a room from a file, and compares it with what somebody typed. It is never
//! shown. Asking for it is left to the server's handshake and to `join`.

use crate::protocol::{MAX_LINE, text};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;

/// Permissions of a file that let everyone on this host read or write it.
const EVERYONE: u32 = 0o006;

/// A password. Two are compared in a time that does not depend on where they differ.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Returns the password in a line that somebody typed, in the form that does not depend on the
    /// client: cleaned, trimmed and normalized. An empty line has none.
    pub fn of_line(line: &str) -> Option<Self> {
        let cleaned = text::clean(line);
        let password: String = cleaned.trim().nfc().collect();
        (!password.is_empty()).then_some(Self(password))
    }

    /// Loads the password in the first line of the file at `path`.
    ///
    /// # Errors
    /// One sentence, without the password, if there is none that can be kept secret.
    pub fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let cannot = |error| format!("Cannot read the password from {shown}: {error}.");
        // To open a pipe would wait for its other end.
        if !fs::metadata(path).map_err(cannot)?.is_file() {
            return Err(cannot(io::Error::other("it is not a file")));
        }
        let file = File::open(path).map_err(cannot)?;
        if file.metadata().map_err(cannot)?.permissions().mode() & EVERYONE != 0 {
            return Err(format!(
                "Everyone on this host can read or change the password in {shown}: run \
                 \"chmod o-rw\" on it, and choose another password."
            ));
        }
        let mut bytes = Vec::new();
        let most = MAX_LINE as u64 + 1;
        file.take(most).read_to_end(&mut bytes).map_err(cannot)?;
        let line = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next();
        let line = line.unwrap_or_default();
        if line.len() > MAX_LINE {
            return Err(format!(
                "The password in {shown} has more than {MAX_LINE} bytes."
            ));
        }
        let line = std::str::from_utf8(line)
            .map_err(|_| format!("The password in {shown} is not UTF-8 text."))?;
        Self::of_line(line).ok_or_else(|| format!("The first line of {shown} has no password."))
    }

    /// Whether this is what somebody typed.
    pub fn is(&self, line: &str) -> bool {
        Self::of_line(line).is_some_and(|given| given == *self)
    }

    /// Returns the line that tells it to a server.
    pub fn line(&self) -> String {
        format!("{}\n", self.0)
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    #[test]
    fn a_password_is_the_same_from_every_client_and_never_shown() {
        let password = Password::of_line("Café 71\r").unwrap();
        for typed in ["Café 71", " Cafe\u{301}\t71 ", "Café\u{200b} 71"] {
            assert!(password.is(typed), "{typed:?}");
        }
        for typed in ["", "café 71", "Café 7", "Café 711"] {
            assert!(!password.is(typed), "{typed:?}");
        }
        assert_eq!(password.line(), "Café 71\n");
        assert_eq!(format!("{password:?}"), "Password");
        assert_eq!(Password::of_line(" \u{200b}"), None);
    }

    #[test]
    fn a_file_without_a_password_that_can_be_kept_is_refused_in_one_sentence() {
        let path = env::temp_dir().join(format!("trio-chat-password-{}", std::process::id()));
        let with = |bytes: &[u8], mode| {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Password::load(&path)
        };
        let long = "x".repeat(MAX_LINE + 1);
        for (bytes, mode, part) in [
            (&b""[..], 0o600, " has no password."),
            (b"\nsecret\n", 0o600, " has no password."),
            (b"secret\xff", 0o600, " is not UTF-8 text."),
            (long.as_bytes(), 0o600, " has more than 4096 bytes."),
            (b"secret", 0o604, "Everyone on this host can read or change"),
            (b"secret", 0o602, "Everyone on this host can read or change"),
        ] {
            let message = with(bytes, mode).unwrap_err();
            assert!(message.contains(part), "{message}");
            assert!(message.contains("trio-chat-password-"), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
        let longest = "x".repeat(MAX_LINE);
        assert!(with(longest.as_bytes(), 0o640).unwrap().is(&longest));
        assert!(with(b"secret\r\nmore\n", 0o600).unwrap().is("secret"));
        fs::remove_file(&path).unwrap();
        for (path, part) in [
            ("/nowhere/secret", ": No such file"),
            ("/dev/zero", ": it is not a file"),
        ] {
            let message = Password::load(Path::new(path)).unwrap_err();
            assert!(message.contains(&format!("from {path}{part}")), "{message}");
        }
    }
}
