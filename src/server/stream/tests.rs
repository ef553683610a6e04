use std::collections::HashMap;

use arc_swap::ArcSwap;
use proptest::prelude::*;

use super::*;
use crate::{
    engine::view::{Conviction, Publication, View},
    policy::Verdict,
    server::{Intake, SharedView, Table, milter, policy, socketmap, tcp_table},
    time::Timestamp,
    wire,
};

fn view() -> SharedView {
    let conviction = Conviction {
        incident: 7,
        verdict: Verdict::Hold,
    };
    Arc::new(ArcSwap::from_pointee(View {
        logins: HashMap::from([("anna".to_owned(), conviction)]),
        digests: HashMap::from([("bad\r\n".to_owned(), Publication { incident: 42 })]),
        ..View::default()
    }))
}

fn digester(message: &[u8]) -> Vec<String> {
    vec![String::from_utf8_lossy(message).into_owned()]
}

fn sessions() -> [Box<dyn Session>; 4] {
    [
        Box::new(socketmap::Lookups::new(view())),
        Box::new(tcp_table::Lookups::new(view(), Table::Abused)),
        Box::new(policy::Questions::new(
            view(),
            Arc::new(Intake::new(Arc::new(Timestamp::default))),
        )),
        Box::new(milter::Conversation::new(
            view(),
            digester,
            milter::Budget::new(10_000),
        )),
    ]
}

/// Everything a session says to `input`, which comes in pieces that end at `cuts`.
fn talk(session: &mut dyn Session, input: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut said = Vec::new();
    let mut buffer = Vec::new();
    let mut from = 0;
    for to in cuts
        .iter()
        .copied()
        .filter(|cut| *cut < input.len())
        .chain([input.len()])
    {
        buffer.extend_from_slice(&input[from.min(to)..to]);
        from = from.max(to);
        while !buffer.is_empty() {
            match session.step(&buffer) {
                Step::Needs => break,
                Step::Took { used, reply, .. } => {
                    assert!(used >= 1 && used <= buffer.len());
                    buffer.drain(..used);
                    said.extend(reply);
                }
                Step::Close { reply, .. } => {
                    said.extend(reply);
                    return said;
                }
            }
        }
    }
    said
}

/// Pieces of the four protocols, well-formed and not.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"11:abused anna,".to_vec()),
        Just(b"6:abused,".to_vec()),
        Just(b"get anna\n".to_vec()),
        Just(b"get %zz\n".to_vec()),
        Just(b"request=smtpd_access_policy\nprotocol_state=DATA\nsasl_username=anna\n\n".to_vec()),
        Just(wire::milter::Command::Mail(vec![b"<anna@example.org>"]).encode()),
        Just(wire::milter::Command::Body(b"bad\r\n").encode()),
        Just(wire::milter::Command::EndOfMessage(b"").encode()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_conversation_does_not_depend_on_how_its_bytes_arrive(
        input in pieces(), mut cuts in prop::collection::vec(0_usize..200, 0..12)
    ) {
        cuts.sort_unstable();
        for (mut whole, mut cut) in sessions().into_iter().zip(sessions()) {
            prop_assert_eq!(talk(&mut *whole, &input, &[]), talk(&mut *cut, &input, &cuts));
        }
    }
}
