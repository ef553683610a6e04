use std::collections::HashMap;

use arc_swap::ArcSwap;

use super::*;
use crate::engine::view::{Publication, View};

/// Stands in for the digests: the whole message.
fn whole(message: &[u8]) -> Vec<String> {
    vec![String::from_utf8_lossy(message).into_owned()]
}

fn publishing(message: &str) -> SharedView {
    let digests = HashMap::from([(message.to_owned(), Publication { incident: 42 })]);
    Arc::new(ArcSwap::from_pointee(View {
        digests,
        ..View::default()
    }))
}

struct Peer {
    conversation: Conversation,
    events: Vec<Event>,
}

impl Peer {
    fn new(view: &SharedView, budget: usize) -> Self {
        let conversation = Conversation::new(Arc::clone(view), whole, Budget::new(budget));
        let mut peer = Self {
            conversation,
            events: Vec::new(),
        };
        let offer = Options {
            version: 6,
            actions: 0x1ff,
            protocol: 0x1f_ffff,
        };
        assert!(matches!(
            peer.say(&[Command::Negotiate(offer)])[..],
            [Reply::Negotiate(_)]
        ));
        peer
    }

    fn say(&mut self, commands: &[Command<'_>]) -> Vec<Reply> {
        let mut replies = Vec::new();
        for command in commands {
            let packet = command.encode();
            let Step::Took { used, reply, event } = self.conversation.step(&packet) else {
                panic!("{command:?} was not taken")
            };
            assert_eq!(used, packet.len());
            self.events.push(event);
            if !reply.is_empty() {
                match Reply::decode(&reply).unwrap() {
                    Decoded::Whole { value, .. } => replies.push(value),
                    Decoded::Needs(_) => panic!("half a reply"),
                }
            }
        }
        replies
    }

    fn last(&self) -> Event {
        *self.events.last().unwrap()
    }
}

const MAIL: Command<'static> = Command::Mail(Vec::new());
const SUBJECT: Command<'static> = Command::Header {
    name: b"Subject",
    value: b" hello\n\tworld",
};

#[test]
fn the_message_is_put_together_as_it_was_and_refused_at_its_end() {
    let view = publishing("Subject: hello\n\tworld\n\none\ntwo\rthree\n");
    let mut peer = Peer::new(&view, 1000);
    let body = [Command::Body(b"one\r"), Command::Body(b"\ntwo\rthree\r\n")];
    let replies = peer.say(&[
        MAIL,
        SUBJECT,
        Command::EndOfHeaders,
        body[0].clone(),
        body[1].clone(),
    ]);
    assert_eq!(replies, [Reply::Continue, Reply::Continue]);
    let refusal = Reply::Refuse("550 5.7.1 content refused, incident 42".to_owned());
    assert_eq!(peer.say(&[Command::EndOfMessage(b"")]), [refusal]);
    assert_eq!(peer.last(), Event::Hit);
}

#[test]
fn other_content_on_the_same_connection_goes_through() {
    let view = publishing("\nbad\n");
    let mut peer = Peer::new(&view, 1000);
    for (body, event) in [
        ("bad\r\n", Event::Hit),
        ("good\r\n", Event::Clear),
        ("bad\r\n", Event::Hit),
    ] {
        peer.say(&[MAIL, Command::EndOfMessage(body.as_bytes())]);
        assert_eq!(peer.last(), event, "{body:?}");
    }
}

#[test]
fn who_has_logged_in_is_not_judged_here() {
    let view = publishing("\nbad\n");
    let mut peer = Peer::new(&view, 1000);
    let login = |login: &'static [u8]| Command::Macros {
        step: b'M',
        pairs: vec![(b"{auth_authen}", login)],
    };
    assert_eq!(peer.say(&[login(b"anna"), MAIL]), [Reply::Accept]);
    let next = Command::Macros {
        step: b'M',
        pairs: vec![(b"{mail_addr}", b"eve@example.com")],
    };
    assert_eq!(peer.say(&[next, MAIL]), [Reply::Continue]);
}

#[test]
fn while_nothing_is_published_the_content_is_not_even_asked_for() {
    let view = SharedView::default();
    let mut peer = Peer::new(&view, 1000);
    assert_eq!(peer.say(&[MAIL]), [Reply::Accept]);
}

#[test]
fn a_message_given_up_leaves_nothing_behind() {
    let view = publishing("\nbad\n");
    let mut peer = Peer::new(&view, 1000);
    peer.say(&[MAIL, SUBJECT, Command::Body(b"other"), Command::Abort]);
    peer.say(&[MAIL, Command::EndOfMessage(b"bad\r\n")]);
    assert_eq!(peer.last(), Event::Hit);
}

#[test]
fn a_message_for_which_there_is_no_memory_goes_through_and_the_next_one_is_judged() {
    let view = publishing("\nbad\n");
    let mut peer = Peer::new(&view, 100);
    peer.say(&[MAIL, Command::Body(&[b'a'; 60]), Command::Body(&[b'a'; 60])]);
    assert_eq!(peer.say(&[Command::EndOfMessage(b"")]), [Reply::Continue]);
    assert_eq!(peer.last(), Event::Oversized);
    peer.say(&[MAIL, Command::EndOfMessage(b"bad\r\n")]);
    assert_eq!(peer.last(), Event::Hit);
    let conversation = peer.conversation;
    assert_eq!(conversation.message.budget.taken.load(Ordering::Relaxed), 0);
}

#[test]
fn a_server_that_wants_every_answer_gets_every_answer() {
    let view = publishing("\nbad\n");
    let mut peer = Peer::new(&view, 1000);
    let bare = Options {
        version: 2,
        actions: 0x3f,
        protocol: 0,
    };
    let agreed = Options { actions: 0, ..bare };
    assert_eq!(
        peer.say(&[Command::Negotiate(bare)]),
        [Reply::Negotiate(agreed)]
    );
    let steps = [
        Command::Connect(b"client.example\x004\0\x19192.0.2.1\0"),
        Command::Helo(b"client.example"),
        MAIL,
        Command::Rcpt(vec![b"<a@example.com>"]),
        Command::Data,
        SUBJECT,
        Command::EndOfHeaders,
        Command::Body(b"good\r\n"),
        Command::EndOfMessage(b""),
    ];
    assert_eq!(peer.say(&steps), vec![Reply::Continue; 9]);
}

#[test]
fn garbage_ends_the_conversation_without_a_word() {
    let view = publishing("\nbad\n");
    let mut peer = Peer::new(&view, 1000);
    let end = peer.conversation.step(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(
        end,
        Step::Close {
            reply: Vec::new(),
            event: Event::Malformed
        }
    );
}
