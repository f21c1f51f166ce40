//! Asks a client of a server on this host to leave, through the server's status socket, or lets an
//! address come back. Whoever may use that may do it, so there is no other password.

use crate::arguments::{one_address, own_addresses, value};
use crate::net::status_socket::place::find;
use crate::net::status_socket::request::ask;
use crate::protocol::text;
use pico_args::Arguments;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Help of `trio-chat kick`.
pub const HELP: &str = "\
Usage:
  trio-chat kick NAME|#NUMBER [ADDR] [OPTION]...   ask somebody to leave

The client is told, gets what waits for it for a second at most, and is then
disconnected. Numbers are those of the server's log; trio-chat watch shows the
numbers of those that have no name. A name with spaces needs quotes. ADDR is
the server's address [127.0.0.1:1234]. Whoever may use its status socket may do
this.

Options:
  --for TIME              let nobody of that address come back for 90s, 10m, 2h
  --why TEXT              what to tell the client
  --forgive ADDRESS       instead of all that, let a barred address come back
  --socket PATH           status socket of the server, instead of ADDR
";

/// What to ask of which server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What to ask: a line for its status socket.
    pub request: String,
    /// All meanings of the server's address.
    pub server: Vec<SocketAddr>,
    /// What could be wrong if there is no such server.
    hint: &'static str,
    /// Its status socket, if it is not where it is by default.
    pub socket: Option<PathBuf>,
}

/// Maximum length of a name, in bytes, so that the whole request fits.
const MAX_WHOM: usize = 192;

/// What could be wrong if the word after the name is no address.
const QUOTES: &str = " (A name with spaces needs quotes.)";

/// Maximum length of a reason, in characters. The server keeps no longer one.
const MAX_WHY: usize = 200;

impl Options {
    /// Parses the words after the command.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(mut arguments: Arguments) -> Result<Self, String> {
        let forgiven = value(&mut arguments, "--forgive", address)?;
        let bar = value(&mut arguments, "--for", time)?;
        let why = value(&mut arguments, "--why", |text| Ok(text.to_owned()))?;
        let socket = value(&mut arguments, "--socket", |text| Ok(PathBuf::from(text)))?;
        let request = match forgiven {
            Some(_) if bar.is_some() || why.is_some() => {
                return Err("--forgive goes without --for and --why".to_owned());
            }
            Some(address) => format!("forgive {address}"),
            None => {
                let whom: Result<String, _> = arguments.free_from_str();
                let whom = whom.ok().filter(|whom| !whom.trim().is_empty());
                let whom = whom.ok_or("whom? Write a name, or a number after #")?;
                if whom.len() > MAX_WHOM {
                    return Err("no name is so long".to_owned());
                }
                let seconds = bar.map_or_else(String::new, |bar| bar.as_secs().to_string());
                let why: String = why.unwrap_or_default().chars().take(MAX_WHY).collect();
                format!("kick {}\t{seconds}\t{}", plain(&whom), plain(&why))
            }
        };
        if socket.is_some() && !arguments.clone().finish().is_empty() {
            return Err(format!("--socket goes without ADDR{QUOTES}"));
        }
        let is_named = !arguments.clone().finish().is_empty() && request.starts_with("kick");
        let hint = if is_named { QUOTES } else { "" };
        let address = one_address(arguments).map_err(|error| error + hint)?;
        Ok(Self {
            request,
            server: own_addresses(&address)?,
            hint,
            socket,
        })
    }
}

/// Asks the server, and returns what it says.
///
/// # Errors
/// One sentence that says why it does not do so.
pub fn run(options: &Options) -> Result<String, String> {
    let path = match &options.socket {
        Some(path) => path.clone(),
        None => find(&options.server).map_err(|error| error + options.hint)?,
    };
    let answer = ask(&path, &options.request)?;
    match answer.split_once('\t') {
        Some(("yes", sentence)) => Ok(text::clean(sentence.trim_end()).into_owned() + "\n"),
        Some(("no", sentence)) => Err(text::clean(sentence.trim_end()).into_owned()),
        _ => Err("The server does not understand this; is it of an earlier version?".to_owned()),
    }
}

fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| "write an address such as 192.0.2.7".to_owned())
}

/// Parses a time such as `90s`, `10m` or `2h`, up to a year.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || "write a time such as 90s, 10m or 2h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let total = number
        .checked_mul(seconds)
        .filter(|it| (1..=31_536_000).contains(it));
    total.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::arguments;

    #[test]
    fn somebody_is_named_and_the_rest_may_be_left_out() {
        for (line, request, port) in [
            ("Rick", "kick Rick\t\t", 1234),
            ("--for 10m #7 4321 --why spam", "kick #7\t600\tspam", 4321),
            ("--forgive 192.0.2.7", "forgive 192.0.2.7", 1234),
            ("4321 --forgive 2001:db8::1", "forgive 2001:db8::1", 4321),
        ] {
            let options = Options::parse(arguments(line)).unwrap();
            let found = (options.request.as_str(), options.server[0].port());
            assert_eq!(found, (request, port));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "Rick --for 10",
            "Rick --for m",
            "Rick --for 0s",
            "Rick --for 999d",
            "Rick 1 2",
            "--forgive",
            "--forgive Rick",
            "--forgive 192.0.2.7 --for 10m",
            "Rick 1234 --forgive 192.0.2.7",
            "SpamBot 5000 --socket /x",
        ] {
            assert!(Options::parse(arguments(line)).is_err(), "{line}");
        }
        assert_eq!(time("2h"), Ok(Duration::from_hours(2)));
        assert!(time("10é").is_err());
    }
}
