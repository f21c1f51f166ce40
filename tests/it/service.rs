//! The systemd unit: systemd itself finds no fault with it, and little that it exposes.

use crate::support::project_folder;
use std::fs;
use std::process::Command;

/// Maximum exposure of the service, in tenths, as `systemd-analyze security` counts it.
const EXPOSURE: &str = "20";

/// Runs `systemd-analyze` on the unit, as it is where the program is installed.
fn analyze(arguments: &[&str]) -> (bool, String) {
    let unit = project_folder().join("scripts/trio-chat.service");
    let unit = fs::read_to_string(unit).unwrap();
    let installed = "\nExecStart=/usr/local/bin/trio-chat ";
    assert!(unit.contains(installed), "{unit}");
    let program = env!("CARGO_BIN_EXE_trio-chat");
    let unit = unit.replace(installed, &format!("\nExecStart={program} "));
    let name = format!("trio-chat-unit-{}-{}", arguments[0], std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("trio-chat.service");
    fs::write(&path, unit).unwrap();
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(&path)
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

#[test]
fn the_unit_is_one_that_systemd_understands() {
    assert_eq!(analyze(&["verify", "--man=no"]), (true, String::new()));
}

#[test]
fn the_unit_exposes_little() {
    let threshold = format!("--threshold={EXPOSURE}");
    let (is_safe, report) = analyze(&["security", "--offline=yes", "--no-pager", &threshold]);
    assert!(is_safe, "{report}");
    assert!(report.contains("Overall exposure level for trio-chat.service: "));
}
