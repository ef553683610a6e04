use super::*;

fn read_text(text: &str) -> Result<Config, String> {
    let document = Document::parse(text);
    let (config, _) = read::config(&document);
    let mut diagnostics = Diagnostics::default();
    diagnostics.add("postwarden.toml", text, document.problems());
    diagnostics
        .into_result(config)
        .map_err(|found| found.to_string())
}

#[test]
fn an_empty_file_observes_with_safe_defaults() {
    let config = read_text("").unwrap();
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.config_directory, Path::new("/etc/postfix"));
    assert_eq!(config.sources, [Source::File("/var/log/mail.log".into())]);
    assert_eq!(config.holder, Some("/run/postwarden/holder".into()));
    assert_eq!(config.alert.to, Vec::<String>::new());
    assert!(config.listen.policy.is_empty());
}

#[test]
fn the_words_of_the_contract_are_read() {
    let config = read_text(
        r#"
        mode = "enforce"
        [postfix]
        config_directory = "/etc/postfix-out"
        [log]
        sources = ["journal", "/var/log/maillog"]
        [queue]
        poll = "10s"
        [holder]
        socket = ""
        [alert]
        to = ["abuse@example.org"]
        from = "Abuse Desk <postwarden@relay1.example.org>"
        smtp = "smtp://127.0.0.1:2525"
        [listen]
        socketmap = ["unix:/run/x", "inet:127.0.0.1:1"]
        tcp_table = ["inet:127.0.0.1:2", "line=inet:127.0.0.1:3"]
        pyzor = ["udp:127.0.0.1:24441"]
        "#,
    )
    .unwrap();
    assert_eq!(config.mode, Mode::Enforce);
    assert_eq!(config.sources[0], Source::Journal);
    assert_eq!(config.holder, None);
    let maps: Vec<&str> = config
        .listen
        .tcp_table
        .iter()
        .map(|table| table.map.as_str())
        .collect();
    assert_eq!(maps, ["abused", "line"]);
    assert_eq!(config.listen.socketmap.len(), 2);
}

#[test]
fn every_mistake_is_shown_at_once_with_line_caret_and_hint() {
    let shown = read_text("mode = \"enforced\"\n[alert]\nto = [\"nobody\"]\n[queue]\npol = \"1s\"\n[listen]\nmilter = [\"tcp:1\"]\n").unwrap_err();
    for part in [
        "postwarden.toml:1:8",
        "did you mean `enforce`?",
        "postwarden.toml:3:7",
        "unknown key `pol` in [queue]",
        "did you mean `poll`?",
        "`tcp:1` is no place to listen",
        "^",
        "4 mistakes",
    ] {
        assert!(shown.contains(part), "{part} missing in:\n{shown}");
    }
}

#[test]
fn the_shipped_file_says_nothing_but_the_defaults() {
    let shipped = read_text(include_str!("../../policies/postwarden.toml")).unwrap();
    assert_eq!(shipped, read_text("").unwrap());
}
