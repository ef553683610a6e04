//! Mail that goes through a content filter: what remote sides say of its second hop counts for whoever brought it in.

use super::*;

impl World {
    /// Phishing through a filter on this host; with XFORWARD the second hop names the first.
    fn filtered_attack(&mut self, login: &str, xforward: bool) {
        for n in 0..60_u64 {
            self.clock += 1;
            let first = format!("{:010X}", 0xC0_0000_0000_u64 + n);
            let second = format!("{:010X}", 0xD0_0000_0000_u64 + n);
            self.line(
                "submission/smtpd",
                &format!(
                    "{first}: client=c[203.0.113.9], sasl_method=PLAIN, sasl_username={login}"
                ),
            );
            self.line(
                "qmgr",
                &format!("{first}: from=<{login}>, size=900, nrcpt=1 (queue active)"),
            );
            let orig = if xforward {
                format!(", orig_queue_id={first}, orig_client=c[203.0.113.9]")
            } else {
                String::new()
            };
            self.line(
                "smtpd",
                &format!("{second}: client=localhost[127.0.0.1]{orig}"),
            );
            self.line(
                "qmgr",
                &format!("{second}: from=<{login}>, size=950, nrcpt=1 (queue active)"),
            );
            let to = format!("to=<r{n}@d{}.example>", n % 7);
            self.line(
                "smtp",
                &format!("{first}: {to}, relay=127.0.0.1[127.0.0.1]:10025, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {second})"),
            );
            self.line("qmgr", &format!("{first}: removed"));
            let verdict = PHISHING[usize::try_from(n % 4).unwrap()];
            self.line(
                "smtp",
                &format!("{second}: {to}, relay=mx.d{0}.example[198.51.100.{0}]:25, delay=1, delays=0/0/0/1, {verdict}", n % 7),
            );
            self.line("qmgr", &format!("{second}: removed"));
        }
    }
}

#[test]
fn a_thief_behind_a_content_filter_is_convicted_by_what_is_said_of_the_second_hop() {
    for xforward in [true, false] {
        let mut world = World::new(Mode::Enforce);
        world.filtered_attack("thief@example.org", xforward);
        let holds: Vec<SenderId> = world
            .verdicts()
            .into_iter()
            .filter(|change| change.verdict == Verdict::Hold)
            .map(|change| change.sender_id)
            .collect();
        assert_eq!(holds, [thief()], "XFORWARD: {xforward}");
    }
}

#[test]
fn mail_behind_a_filter_is_in_the_queue_once() {
    let mut world = World::new(Mode::Enforce);
    world.filtered_attack("anna@example.org", true);
    world.clock += 60;
    world.line("qmgr", "EEEEEEEEEE: removed");
    assert_eq!(world.engine.ledger().everyone().recipients.now(), 0);
    assert!(world.engine.ledger().in_queue().is_empty());
}
