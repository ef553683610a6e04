//! Old logs as they lie on disk: compressed, in any order.

use std::{io::Write, process::Command};

fn records(logs: &[&std::path::Path]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_postwarden"))
        .args(["records", "--tz", "UTC"])
        .args(logs)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn compressed_generations_in_any_order_give_the_records_of_the_whole_log() {
    let whole = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/logs/real-3.7-rsyslog-rfc3339.log");
    let text = std::fs::read(&whole).unwrap();
    let middle = text.len() / 2
        + text[text.len() / 2..]
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap()
        + 1;
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("mail.log.1.gz");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(&text[..middle]).unwrap();
    std::fs::write(&old, packer.finish().unwrap()).unwrap();
    let new = directory.path().join("mail.log");
    std::fs::write(&new, &text[middle..]).unwrap();
    assert_eq!(records(&[&new, &old]), records(&[&whole]));
}
