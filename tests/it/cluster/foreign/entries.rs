//! Makes entries up, as somebody might write them who means harm, or nothing.

use proptest::collection::vec;
use proptest::prelude::*;

/// A server that does not exist.
pub const SERVER: &str = "00000000deadbeef";

pub fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Lines that try to be something else, and a good one.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "* The server is stopping. Goodbye!\n",
        "* 5 messages of this server were not said.\n",
        "* You are \"Eve\".\n",
        "* The room is full. Try again later.\n",
        "* Eve (to you): psst\n",
        "* Eve> hello\n",
        "Eve> \u{1b}[2J\u{1b}[1;1H\u{7}\u{9b}31mred\r\n",
        "\u{1b}[31mEve> red\n",
        "Eve> \u{202e}reversed\u{200b}\n",
        "Eve (to you): > psst\n",
        " Eve> early\n",
        "> nobody\n",
        "nothing\n",
        "\n",
        "Eve> no end",
        "Eve> \u{0}\n",
        "Eve> hello\r* The server is stopping. Goodbye!\n",
        "Eve> a good line\n",
    ];
    prop_oneof![
        4 => proptest::sample::select(known.to_vec()).prop_map(bytes),
        1 => vec(any::<u8>(), 0..40),
        1 => Just([b"Eve> ".as_slice(), &[b'x'; 5000], b"\n"].concat()),
        1 => Just([b"E".repeat(50), b"> long\n".to_vec()].concat()),
    ]
}

fn number() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (0..5_u64).prop_map(|number| number.to_string().into_bytes()),
        1 => any::<u64>().prop_map(|number| number.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        1 => Just(bytes("99999999999999999999999999")),
        1 => vec(any::<u8>(), 0..10),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(line(), 0..5).prop_map(|lines| lines.concat())
}

/// The fields of an entry of lines, of which the number need not be right.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let server = prop_oneof![
        8 => any::<u64>().prop_map(|number| format!("{number:016x}").into_bytes()),
        1 => vec(any::<u8>(), 0..20),
    ];
    (server, any::<u32>(), number(), number(), text()).prop_map(|(server, first, n, time, text)| {
        let right = memchr::memchr_iter(b'\n', &text).count();
        // Most of them would be heard if they were clean.
        let n = if first % 4 > 0 {
            right.to_string().into_bytes()
        } else {
            n
        };
        let first = first.to_string().into_bytes();
        let names = ["p", "f", "n", "t", "x"].map(bytes);
        let values = [server, first, n, time, text];
        let fields = names.into_iter().zip(values);
        fields.flat_map(|(name, value)| [name, value]).collect()
    })
}

/// Any fields, most of which have names that mean something.
fn fields() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let name = prop_oneof![
        8 => proptest::sample::select(&["p", "f", "n", "t", "x", "k", "w", "a"][..]).prop_map(bytes),
        1 => vec(any::<u8>(), 0..10),
    ];
    let value = prop_oneof![
        text(),
        number(),
        Just(bytes(SERVER)),
        proptest::sample::select(&["epoch", "lost", "forgotten", "names", "joined"][..])
            .prop_map(bytes),
    ];
    vec((name, value), 1..12).prop_map(|fields| {
        fields
            .into_iter()
            .flat_map(|(name, value)| [name, value])
            .collect()
    })
}

/// Returns the names and values of an entry.
pub fn entry() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop_oneof![3 => lines(), 2 => fields()]
}
