//! A record as one JSON object on a line.

use std::{fmt::Write as _, net::IpAddr};

use crate::postfix::record::{Action, Client, Delivery, Event, Record, Relay, Sasl};

/// Writes objects into one buffer.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// The objects, each with its line end.
    pub(super) out: String,
}

impl Objects {
    /// Appends the object of a record; `line` counts from 1 over all input.
    pub(super) fn record(&mut self, line: u64, record: &Record<'_>) {
        self.out.push_str("{\"line\":");
        self.shown(line);
        self.out.push_str(",\"at\":\"");
        self.shown(record.at);
        self.out.push('"');
        self.given("host", record.host);
        self.given("service", record.service);
        self.given("daemon", record.daemon);
        self.number("pid", Some(record.pid).filter(|pid| *pid != 0));
        self.text("kind", kind(&record.event));
        self.member("queue_id", record.queue_id);
        self.number("repeat", Some(record.repeat).filter(|times| *times > 1));
        self.event(&record.event);
        self.out.push_str("}\n");
    }

    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Client { .. }
            | Event::Pickup { .. }
            | Event::MessageId { .. }
            | Event::Queued { .. }
            | Event::Removed { .. }
            | Event::Expired { .. }
            | Event::Notification { .. } => self.queue_event(event),
            Event::Delivery(delivery) => self.delivery(delivery),
            Event::SoftFailure {
                said_by,
                reply,
                stage,
                text,
            } => {
                self.member("said_by", *said_by);
                self.member("reply", *reply);
                self.member("stage", *stage);
                self.given("text", if reply.is_some() { "" } else { text });
            }
            Event::ConnectFailure { relay, text } => {
                self.relay(*relay);
                self.given("text", text);
            }
            Event::Hold(action)
            | Event::Reject(action)
            | Event::Warn(action)
            | Event::Discard(action)
            | Event::Filter(action)
            | Event::Redirect(action)
            | Event::MilterReject(action)
            | Event::MilterHold(action)
            | Event::HeaderCheck(action) => self.action(action),
            Event::ProxyAccept { action, queued_as } => {
                self.action(action);
                self.member("queued_as", *queued_as);
            }
            Event::Release | Event::Requeue | Event::Delete => {}
            Event::Connect(client) => self.client(*client),
            Event::Disconnect { client, text } => {
                self.client(*client);
                self.given("text", text);
            }
            Event::SaslFailure { client, sasl, text } => {
                self.client(client.unwrap_or_default());
                self.sasl(sasl);
                self.given("text", text);
            }
            Event::Lost {
                client,
                stage,
                text,
            } => {
                self.client(client.unwrap_or_default());
                self.member("stage", *stage);
                self.given("text", text);
            }
            Event::Reload { text, .. } | Event::Other { text } => self.given("text", text),
        }
    }

    fn queue_event(&mut self, event: &Event<'_>) {
        match event {
            Event::Client {
                client,
                sasl,
                orig_queue_id,
                orig_client,
            } => {
                self.client(*client);
                self.sasl(sasl);
                self.member("orig_queue_id", *orig_queue_id);
                if let Some(client) = orig_client {
                    self.text("orig_client", &printed(*client));
                }
            }
            Event::Pickup {
                uid,
                sender,
                orig_id,
            } => {
                self.number("uid", Some(*uid));
                self.text("sender", sender);
                self.member("orig_id", *orig_id);
            }
            Event::MessageId { message_id } => self.member("message_id", *message_id),
            Event::Queued {
                sender,
                size,
                nrcpt,
            } => {
                self.text("sender", sender);
                self.number("size", Some(*size));
                self.number("nrcpt", Some(*nrcpt));
            }
            Event::Removed { action } => self.member("action", *action),
            Event::Expired { sender, status } => {
                self.text("sender", sender);
                self.text("status", status);
            }
            Event::Notification {
                action,
                notification_id,
            } => {
                self.text("action", action);
                self.text("notification_id", notification_id);
            }
            _ => {}
        }
    }

    fn delivery(&mut self, delivery: &Delivery<'_>) {
        self.member("recipient", delivery.recipient);
        self.member("orig_to", delivery.orig_to);
        self.relay(delivery.relay);
        self.number("conn_use", delivery.conn_use);
        self.number("delay", delivery.delay);
        self.member("delays", delivery.delays);
        self.member("dsn", delivery.dsn);
        self.given("status", delivery.status_text);
        self.member("said_by", delivery.said_by);
        self.member("reply", delivery.reply);
        self.member("stage", delivery.stage);
        // A suspended delivery repeats an old reply: the text says so.
        if delivery.reply.is_none() || delivery.suspended {
            self.given("text", delivery.text);
        }
    }

    fn action(&mut self, action: &Action<'_>) {
        self.given("action", action.action);
        self.member("stage", action.stage);
        self.client(action.client.unwrap_or_default());
        self.member("sender", action.sender);
        self.member("recipient", action.recipient);
        self.sasl(&action.sasl);
        self.given("text", action.text);
    }

    fn client(&mut self, client: Client<'_>) {
        self.given("client_name", client.name);
        self.address("client_address", client.address);
        self.number("client_port", client.port);
    }

    fn sasl(&mut self, sasl: &Sasl<'_>) {
        self.member("sasl_method", sasl.method);
        self.member("sasl_username", sasl.username);
        self.member("sasl_sender", sasl.sender);
    }

    fn relay(&mut self, relay: Option<Relay<'_>>) {
        let relay = relay.unwrap_or_default();
        self.given("relay_host", relay.host);
        self.given("relay_address", relay.address);
        self.number("relay_port", relay.port);
    }

    fn address(&mut self, key: &str, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.key(key);
            self.out.push('"');
            self.shown(address);
            self.out.push('"');
        }
    }

    /// A member, if there is one.
    fn member(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// A member, unless it is empty.
    fn given(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.key(key);
            self.shown(value);
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push('"');
        escape(value, &mut self.out);
        self.out.push('"');
    }

    fn key(&mut self, key: &str) {
        self.out.push_str(",\"");
        self.out.push_str(key);
        self.out.push_str("\":");
    }

    fn shown(&mut self, value: impl std::fmt::Display) {
        // Writing into a String does not fail.
        write!(self.out, "{value}").unwrap_or_default();
    }
}

/// `name[address]:port` as it is printed in a log.
fn printed(client: Client<'_>) -> String {
    let address = client
        .address
        .map_or_else(|| "unknown".to_owned(), |a| a.to_string());
    let port = client
        .port
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{}[{address}]{port}", client.name)
}

/// JSON's escapes (RFC 8259 7).
fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest
        .bytes()
        .position(|c| c < 0x20 || c == b'"' || c == b'\\' || c == 0x7f)
    {
        let Some((before, after)) = rest.split_at_checked(at) else {
            return;
        };
        out.push_str(before);
        let mut characters = after.chars();
        match characters.next() {
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some(c) => write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default(),
            None => return,
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

/// The name of an event.
const fn kind(event: &Event<'_>) -> &'static str {
    match event {
        Event::Client { .. } => "client",
        Event::Pickup { .. } => "pickup",
        Event::MessageId { .. } => "message_id",
        Event::Queued { .. } => "queued",
        Event::Removed { .. } => "removed",
        Event::Expired { .. } => "expired",
        Event::Delivery(_) => "delivery",
        Event::SoftFailure { .. } => "soft_failure",
        Event::ConnectFailure { .. } => "connect_failure",
        Event::Notification { .. } => "notification",
        Event::Hold(_) => "hold",
        Event::Release => "release",
        Event::Requeue => "requeue",
        Event::Delete => "delete",
        Event::Reject(_) => "reject",
        Event::Warn(_) => "warn",
        Event::Discard(_) => "discard",
        Event::Filter(_) => "filter",
        Event::Redirect(_) => "redirect",
        Event::MilterReject(_) => "milter_reject",
        Event::MilterHold(_) => "milter_hold",
        Event::ProxyAccept { .. } => "proxy_accept",
        Event::Connect(_) => "connect",
        Event::Disconnect { .. } => "disconnect",
        Event::SaslFailure { .. } => "sasl_failure",
        Event::Lost { .. } => "lost",
        Event::HeaderCheck(_) => "header_check",
        Event::Reload { .. } => "reload",
        Event::Other { .. } => "other",
    }
}
