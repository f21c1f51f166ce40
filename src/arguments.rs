//! Parses what the command lines of all commands share: values, addresses and leftover words. Each
//! command's own options are left to its file.

use pico_args::Arguments;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

/// The port if none is given.
const DEFAULT_PORT: u16 = 1234;

/// Limits of rates, in lines per second, and of times, in seconds. A number beyond them is a typing
/// mistake.
const SLOWEST_RATE: f64 = 1.0 / 3600.0;
const FASTEST_RATE: f64 = 1e6;
const LONGEST_TIME: f64 = 31_536_000.0;

/// Removes `option`, if it is given, and returns its value.
///
/// # Errors
/// One sentence that names the option.
pub fn value<T>(
    arguments: &mut Arguments,
    option: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    arguments
        .opt_value_from_fn(option, parse)
        .map_err(|error| match error {
            pico_args::Error::Utf8ArgumentParsingFailed { value, cause } => {
                format!("{option} {value}: {cause}")
            }
            pico_args::Error::OptionWithoutAValue(_) => format!("{option} needs a value"),
            error => error.to_string(),
        })
}

/// Returns all remaining words as addresses, HOST:PORT each, or the default address if there are
/// none.
///
/// # Errors
/// One sentence about the first word that is not an address.
pub fn addresses(arguments: Arguments) -> Result<Vec<String>, String> {
    let words = words(arguments)?;
    if words.is_empty() {
        return Ok(vec![address(&DEFAULT_PORT.to_string())?]);
    }
    words.iter().map(|word| address(word)).collect()
}

/// Returns the only remaining word as an address, or the default address if there is none.
///
/// # Errors
/// One sentence about a word that is not an address, or about a second word.
pub fn one_address(arguments: Arguments) -> Result<String, String> {
    match words(arguments)?.as_slice() {
        [] => address(&DEFAULT_PORT.to_string()),
        [word] => address(word),
        [_, second, ..] => Err(format!(
            "this command takes one address, so what is \"{second}\"?"
        )),
    }
}

/// Returns all meanings of an address of this host, as [`one_address`] returns it.
///
/// # Errors
/// One sentence, if it is an address of another host.
pub fn own_addresses(address: &str) -> Result<Vec<SocketAddr>, String> {
    let resolved = address.to_socket_addrs();
    let resolved = resolved.map_err(|error| format!("cannot find {address}: {error}"))?;
    // Only a host's own addresses can be bound.
    let is_own = |it: &SocketAddr| it.ip().is_loopback() || UdpSocket::bind((it.ip(), 0)).is_ok();
    let own: Vec<_> = resolved.filter(is_own).collect();
    if own.is_empty() {
        Err(format!("{address} is not on this host; log in there"))
    } else {
        Ok(own)
    }
}

/// Parses a rate, in lines per second, and returns the time between two lines; zero means no limit.
///
/// # Errors
/// One sentence without the option's name.
pub fn interval(rate: &str) -> Result<Duration, String> {
    let rate = f64::from_str(rate).map_err(|_| "that is not a number".to_owned())?;
    if rate == 0.0 {
        Ok(Duration::ZERO)
    } else if (SLOWEST_RATE..=FASTEST_RATE).contains(&rate) {
        Ok(Duration::from_secs_f64(1.0 / rate))
    } else {
        Err("the rate goes from 1 an hour to 1,000,000 a second, or is 0 for no limit".to_owned())
    }
}

/// Parses a time in seconds.
///
/// # Errors
/// One sentence without the option's name.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = f64::from_str(text).map_err(|_| "that is not a number".to_owned())?;
    if seconds > 0.0 && seconds <= LONGEST_TIME {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("a time is more than 0 seconds and at most a year".to_owned())
    }
}

/// Parses a whole number from 1 to `most`.
///
/// # Errors
/// One sentence without the option's name.
pub fn whole(text: &str, most: usize) -> Result<usize, String> {
    match usize::from_str(text) {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ if most == usize::MAX => Err("that is not a whole number from 1 up".to_owned()),
        _ => Err(format!("that is not a whole number from 1 to {most}")),
    }
}

/// Returns the remaining words, or one sentence about a word that looks like an option.
fn words(arguments: Arguments) -> Result<Vec<String>, String> {
    arguments
        .finish()
        .into_iter()
        .map(|word| match word.into_string() {
            Ok(word) if word.starts_with('-') => Err(format!(
                "there is no option {word} here, or it is given twice"
            )),
            Ok(word) => Ok(word),
            Err(word) => Err(format!("{} is not an address", word.display())),
        })
        .collect()
}

/// Returns HOST:PORT for any form in which people write an address.
fn address(word: &str) -> Result<String, String> {
    let wrong = || format!("\"{word}\" is not an address; write HOST:PORT or a port");
    let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port(word)?)).to_string());
    }
    if let Ok(ip) = IpAddr::from_str(word) {
        return Ok(SocketAddr::new(ip, DEFAULT_PORT).to_string());
    }
    match word.rsplit_once(':').ok_or_else(wrong)? {
        ("", number) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port(number)?)).to_string()),
        (host, number) if host.starts_with('[') => {
            let ip = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let ip: Ipv6Addr = ip.and_then(|ip| ip.parse().ok()).ok_or_else(wrong)?;
            Ok(SocketAddr::from((ip, port(number)?)).to_string())
        }
        (host, _) if host.contains(':') => Err(wrong()),
        (host, number) => Ok(format!("{host}:{}", port(number)?)),
    }
}

/// Returns the words after a command, for the tests of each command's options.
#[cfg(test)]
pub(crate) fn arguments(line: &str) -> Arguments {
    Arguments::from_vec(line.split_whitespace().map(Into::into).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_can_be_written_as_people_write_them() {
        for (line, meant) in [
            ("", &["127.0.0.1:1234"][..]),
            ("4321", &["127.0.0.1:4321"]),
            (":4321", &["127.0.0.1:4321"]),
            ("0", &["127.0.0.1:0"]),
            ("0.0.0.0:4321", &["0.0.0.0:4321"]),
            ("0.0.0.0", &["0.0.0.0:1234"]),
            ("[::]:4321", &["[::]:4321"]),
            ("::1", &["[::1]:1234"]),
            ("localhost:4321", &["localhost:4321"]),
            ("1 2", &["127.0.0.1:1", "127.0.0.1:2"]),
        ] {
            assert_eq!(addresses(arguments(line)).unwrap(), meant);
        }
        assert_eq!(one_address(arguments("")).unwrap(), "127.0.0.1:1234");
        assert!(one_address(arguments("1 2")).unwrap_err().contains("\"2\""));
    }

    #[test]
    fn what_is_no_address_is_refused_in_one_sentence() {
        for word in [
            "spma",
            "70000",
            "localhost:",
            "localhost:x",
            "[::1",
            "[x]:1",
            "a:b:1",
            "::x",
        ] {
            let message = addresses(arguments(word)).unwrap_err();
            assert!(
                message.starts_with(&format!("\"{word}\" is not an address")),
                "{message}"
            );
        }
        let message = addresses(arguments("--frobnicate")).unwrap_err();
        assert!(message.contains("no option --frobnicate"), "{message}");
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        for rate in ["-1", "fast", "nan", "inf", "1e-300", "2e6"] {
            assert!(interval(rate).is_err(), "{rate}");
        }
        assert_eq!(interval("0"), Ok(Duration::ZERO));
        assert_eq!(interval("0.5"), Ok(Duration::from_secs(2)));
        for time in ["0", "-1", "1e300", "nan", "soon"] {
            assert!(seconds(time).is_err(), "{time}");
        }
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2500)));
        assert_eq!((whole("8", 8), whole("8", usize::MAX)), (Ok(8), Ok(8)));
        for number in ["0", "9", "-1", "1.5", ""] {
            assert!(whole(number, 8).is_err(), "{number}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_value_names_the_option() {
        for (line, part) in [
            ("--rate", "--rate needs a value"),
            ("--rate fast", "--rate fast: that is not a number"),
        ] {
            let message = value(&mut arguments(line), "--rate", interval).unwrap_err();
            assert_eq!(message, part);
        }
        assert_eq!(value(&mut arguments(""), "--rate", interval), Ok(None));
    }
}
