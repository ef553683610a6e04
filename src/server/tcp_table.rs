//! tcp_table(5): one table a port, since the protocol has no names.
//!
//! A line that is no lookup gets a 400, after which Postfix defers mail: it never reads "not found" out of a mistake.

use crate::{
    server::{
        Event, SharedView, Table,
        stream::{Session, Step},
    },
    wire::{
        Decoded,
        tcp_table::{Reply, Request},
    },
};

/// Lookups of one connection.
pub(super) struct Lookups {
    view: SharedView,
    table: Table,
}

impl Lookups {
    pub(super) fn new(view: SharedView, table: Table) -> Self {
        Self { view, table }
    }

    fn answer(&self, request: Option<Request>) -> (Reply, Event) {
        let Some(request) = request else {
            return (
                Reply::Trouble("malformed request".to_owned()),
                Event::Malformed,
            );
        };
        match self.table.lookup(&self.view.load(), &request.key) {
            Some(action) => (Reply::Found(action), Event::Hit),
            None => (Reply::NotFound("not found".to_owned()), Event::Clear),
        }
    }
}

impl Session for Lookups {
    fn step(&mut self, input: &[u8]) -> Step {
        match Request::decode(input) {
            Ok(Decoded::Needs(_)) => Step::Needs,
            Ok(Decoded::Whole { value, used }) => {
                let (reply, event) = self.answer(value);
                Step::Took {
                    used,
                    reply: reply.encode(),
                    event,
                }
            }
            Err(_malformed) => Step::Close {
                reply: Reply::Trouble("malformed request".to_owned()).encode(),
                event: Event::Malformed,
            },
        }
    }
}
