//! The policy service: what to do with a message that is coming in, by login, sender or client.
//!
//! Shipped in `smtpd_data_restrictions` and `smtpd_end_of_data_restrictions`: one question a message, with the queue ID, inside
//! open connections too. A request that cannot be read gets no answer but the end of the connection, and Postfix does
//! what `default_action` says (SMTPD_POLICY_README).

use std::{net::IpAddr, sync::Arc};

use crate::{
    engine::turnstile::Asked,
    server::{
        Event, Intake, SharedView,
        stream::{Session, Step},
    },
    wire::{
        Decoded,
        policy::{Request, encode_action},
    },
};

/// Questions of one connection.
pub(super) struct Questions {
    view: SharedView,
    intake: Arc<Intake>,
}

impl Questions {
    pub(super) const fn new(view: SharedView, intake: Arc<Intake>) -> Self {
        Self { view, intake }
    }

    /// The action for one question, if there is one. Before MAIL there is no message to judge.
    fn action(&self, request: &Request<'_>) -> Option<String> {
        let state = request.get("protocol_state");
        let is_ours = request.get("request") == "smtpd_access_policy" && STATES.contains(&state);
        if !is_ours {
            return None;
        }
        let client = request
            .get("client_address")
            .parse()
            .ok()
            .map(|address: IpAddr| address.to_canonical());
        let (login, sender) = (request.get("sasl_username"), request.get("sender"));
        let view = self.view.load();
        let action = view.intake(login, sender, client).or_else(|| {
            let pass = view.slowed(login, sender, client)?;
            // The same for all questions about one message (SMTPD_POLICY_README).
            let message = request.get("instance");
            self.intake.action(pass, message, asked(state, request)?)
        });
        if let Some(action) = &action {
            tracing::debug!(
                queue_id = request.get("queue_id"),
                action,
                "message of a convicted or slowed sender"
            );
        }
        action
    }
}

/// How much a question is about; `None` before there are recipients.
fn asked(state: &str, request: &Request<'_>) -> Option<Asked> {
    match state {
        "MAIL" => None,
        "RCPT" => Some(Asked::Recipient),
        _ => Some(Asked::Message(
            request.get("recipient_count").parse().unwrap_or(1),
        )),
    }
}

impl Session for Questions {
    fn step(&mut self, input: &[u8]) -> Step {
        match Request::decode(input) {
            Ok(Decoded::Needs(_)) => Step::Needs,
            Ok(Decoded::Whole { value, used }) => {
                let action = self.action(&value);
                Step::Took {
                    used,
                    reply: encode_action(action.as_deref().unwrap_or("DUNNO")),
                    event: action.map_or(Event::Clear, |_action| Event::Hit),
                }
            }
            Err(_malformed) => Step::Close {
                reply: Vec::new(),
                event: Event::Malformed,
            },
        }
    }
}

const STATES: [&str; 5] = ["MAIL", "RCPT", "DATA", "BDAT", "END-OF-MESSAGE"];
