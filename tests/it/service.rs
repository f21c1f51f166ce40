//! The systemd unit: systemd itself finds no fault with it, and little that it exposes.

use crate::support::{
    Client, TestServer, WATCHDOG, ask, project_folder, readme_block, status_path, trio_chat,
};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Maximum exposure of the service, in tenths, as `systemd-analyze security` counts it.
const EXPOSURE: &str = "20";

/// Number of units that were looked at, so that each has a folder of its own.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Runs `systemd-analyze` on the unit, as it is where the program is installed, with `more` at its
/// end.
fn analyze(arguments: &[&str], more: &str) -> (bool, String) {
    let unit = project_folder().join("scripts/trio-chat.service");
    let unit = fs::read_to_string(unit).unwrap();
    let installed = "\nExecStart=/usr/local/bin/trio-chat ";
    assert!(unit.contains(installed), "{unit}");
    let program = env!("CARGO_BIN_EXE_trio-chat");
    let unit = format!("{unit}\n{more}\n").replace(installed, &format!("\nExecStart={program} "));
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    let name = format!("trio-chat-unit-{}-{number}", std::process::id());
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
fn systemd_understands_the_unit_and_the_readmes_changes_to_it() {
    for more in ["", &readme_block("[Service]")] {
        let verified = analyze(&["verify", "--man=no"], more);
        assert_eq!(verified, (true, String::new()), "{more}");
    }
}

#[test]
fn the_unit_exposes_little() {
    let threshold = format!("--threshold={EXPOSURE}");
    let (is_safe, report) = analyze(&["security", "--offline=yes", "--no-pager", &threshold], "");
    assert!(is_safe, "{report}");
    assert!(report.contains("Overall exposure level for trio-chat.service: "));
}

#[test]
fn systemd_is_told_when_people_can_join() {
    let path = std::env::temp_dir().join(format!("trio-chat-notify-{}", std::process::id()));
    let _ = fs::remove_file(&path);
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(WATCHDOG)).unwrap();
    let server = TestServer::spawn(
        trio_chat()
            .args(["serve", "127.0.0.1:0"])
            .env("NOTIFY_SOCKET", &path),
    );
    let mut told = [0; 64];
    let n_bytes = manager.recv(&mut told).unwrap();
    assert_eq!(&told[..n_bytes], b"READY=1");
    assert!(ask(&status_path(&server), "room").contains("up_s\t"));
    Client::join(&server, "Ada");
    fs::remove_file(path).unwrap();
}
