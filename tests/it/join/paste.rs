//! What is pasted comes into the row at once, and line by line into the room.

use super::room;

#[test]
fn a_short_paste_waits_in_the_row_and_a_long_one_goes_out_whole() {
    let (_server, mut bob, terminal) = room(80, &[]);
    terminal.paste("only a word");
    terminal.wait_for_row("Ada> only a word");
    terminal.paste("\nsecond\nthird\x04\x1b[A\n");
    bob.hear_until("Ada> only a word");
    bob.expect("Ada> second");
    bob.expect("Ada> third");
}

#[test]
fn a_paste_that_is_too_long_is_cut_and_drawn_once() {
    let (_server, mut bob, terminal) = room(80, &[]);
    terminal.types("<>");
    terminal.keys(&["Left"]);
    terminal.paste(&"雨".repeat(100_000));
    terminal.wait_for("* A line has at most 4096 bytes; what is beyond was cut off.");
    let lines = terminal.wait_until("the end of the row", |lines| {
        lines.last().is_some_and(|line| line.ends_with("雨>"))
    });
    // A row that is higher than the screen leaves a copy each time it is drawn.
    let n_copies = lines.iter().filter(|line| line.contains("> <雨")).count();
    assert!(n_copies <= 2, "{n_copies}");
    terminal.keys(&["Enter"]);
    bob.hear_until(&format!("Ada> <{}>", "雨".repeat((4096 - 2) / 3)));
    terminal.wait_for_row("Ada>");
}

#[test]
fn what_does_not_fit_into_the_row_is_not_taken_from_keys_either() {
    let (_server, mut bob, terminal) = room(80, &[]);
    let most = "x".repeat(4096);
    terminal.paste(&most);
    terminal.types("yz");
    terminal.wait_for("* A line has at most 4096 bytes; what is beyond was cut off.");
    terminal.keys(&["Enter"]);
    bob.hear_until(&format!("Ada> {most}"));
    terminal.says("over");
    bob.expect("Ada> over");
}

#[test]
fn what_is_put_back_does_not_make_the_row_too_long() {
    let (_server, mut bob, terminal) = room(80, &[]);
    let half = "x".repeat(3000);
    terminal.paste(&half);
    terminal.keys(&["C-u", "C-y", "C-y"]);
    terminal.wait_for("* A line has at most 4096 bytes; what is beyond was cut off.");
    terminal.keys(&["Enter"]);
    bob.hear_until(&format!("Ada> {}", "x".repeat(4096)));
    terminal.says("over");
    bob.expect("Ada> over");
}

#[test]
fn ctrl_c_ends_a_paste_whose_end_never_comes() {
    let (_server, mut bob, terminal) = room(80, &[]);
    terminal.types("a draft\x1b[200~stuck\x04");
    terminal.keys(&["C-c"]);
    terminal.types(" is kept");
    terminal.wait_for_row("Ada> a draft is kept");
    terminal.keys(&["Enter"]);
    bob.hear_until("Ada> a draft is kept");
    terminal.types("\x1b[200~stuck");
    terminal.keys(&["C-c", "C-d"]);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn lines_of_a_paste_are_text_and_what_it_leaves_in_the_row_is_as_if_typed() {
    let (_server, mut bob, terminal) = room(80, &[]);
    terminal.paste("before\n/nick Rob\n// after\n/quit\nlast words\n");
    bob.hear_until("Ada> before");
    for line in ["/nick Rob", "// after", "/quit", "last words"] {
        bob.expect(&format!("Ada> {line}"));
    }
    // What was begun by hand, or is ended by hand, is a command.
    terminal.types("/me ");
    terminal.paste("waves\n/who");
    terminal.wait_for_row("Ada> /who");
    terminal.keys(&["Enter"]);
    terminal.wait_for("* - Bob, Ada");
    bob.expect("Ada> *waves*");
}
