//! socketmap_table(5): every table under its name.
//!
//! A map that is not ours gets `PERM`; a request that cannot be read gets `PERM` too, and if where the next one begins is not known,
//! that is the end of the connection.

use crate::{
    server::{
        Event, SharedView, Table,
        stream::{Session, Step},
    },
    wire::{
        Decoded,
        socketmap::{Reply, Request},
    },
};

/// Lookups of one connection.
pub(super) struct Lookups {
    view: SharedView,
}

impl Lookups {
    pub(super) fn new(view: SharedView) -> Self {
        Self { view }
    }

    fn answer(&self, request: Option<&Request<'_>>) -> (Reply, Event) {
        let Some(request) = request else {
            return (
                Reply::Perm("malformed request".to_owned()),
                Event::Malformed,
            );
        };
        let table = str::from_utf8(request.map)
            .ok()
            .and_then(|name| name.parse::<Table>().ok());
        let Some(table) = table else {
            return (Reply::Perm("unknown map".to_owned()), Event::Passed);
        };
        match table.lookup(&self.view.load(), request.key) {
            Some(action) => (Reply::Ok(action), Event::Hit),
            None => (Reply::NotFound, Event::Clear),
        }
    }
}

impl Session for Lookups {
    fn step(&mut self, input: &[u8]) -> Step {
        match Request::decode(input) {
            Ok(Decoded::Needs(_)) => Step::Needs,
            Ok(Decoded::Whole { value, used }) => {
                let (reply, event) = self.answer(value.as_ref());
                Step::Took {
                    used,
                    reply: reply.encode(),
                    event,
                }
            }
            Err(_malformed) => Step::Close {
                reply: Reply::Perm("malformed request".to_owned()).encode(),
                event: Event::Malformed,
            },
        }
    }
}
