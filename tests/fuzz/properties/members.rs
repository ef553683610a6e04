//! A record as a list of its members, under the names that `postwarden records` gives them.

use postwarden::postfix::record::{Action, Client, Delivery, Event, Record, Relay, Sasl};

/// Name and value.
pub type Member<'a> = (&'static str, std::borrow::Cow<'a, str>);

/// What happened, and all that the line says of it. `text` and `reply` are free by nature.
pub fn of<'a>(record: &Record<'a>) -> (&'static str, Vec<Member<'a>>) {
    let mut list = List(Vec::new());
    list.given("queue_id", record.queue_id);
    if record.repeat != 1 {
        list.shown("repeat", &record.repeat);
    }
    let kind = list.event(&record.event);
    (kind, list.0)
}

struct List<'a>(Vec<Member<'a>>);

impl<'a> List<'a> {
    fn given(&mut self, name: &'static str, value: Option<&'a str>) {
        if let Some(value) = value {
            self.0.push((name, value.into()));
        }
    }

    fn filled(&mut self, name: &'static str, value: &'a str) {
        self.given(name, Some(value).filter(|value| !value.is_empty()));
    }

    fn shown(&mut self, name: &'static str, value: &dyn ToString) {
        self.0.push((name, value.to_string().into()));
    }

    fn event(&mut self, event: &Event<'a>) -> &'static str {
        match event {
            Event::Client {
                client,
                sasl,
                orig_queue_id,
                orig_client,
            } => {
                self.client("client", *client);
                self.sasl(sasl);
                self.given("orig_queue_id", *orig_queue_id);
                if let Some(client) = orig_client {
                    self.client("orig_client", *client);
                }
                "client"
            }
            Event::Pickup {
                uid,
                sender,
                orig_id,
            } => {
                self.shown("uid", &uid);
                self.given("sender", Some(sender));
                self.given("orig_id", *orig_id);
                "pickup"
            }
            Event::MessageId { message_id } => {
                self.given("message_id", *message_id);
                "message_id"
            }
            Event::Queued {
                sender,
                size,
                nrcpt,
            } => {
                self.given("sender", Some(sender));
                self.shown("size", &size);
                self.shown("nrcpt", &nrcpt);
                "queued"
            }
            Event::Removed { action } => {
                self.given("action", *action);
                "removed"
            }
            Event::Expired { sender, status } => {
                self.given("sender", Some(sender));
                self.given("status", Some(status));
                "expired"
            }
            Event::Delivery(delivery) => self.delivery(delivery),
            Event::SoftFailure {
                said_by,
                reply,
                stage,
                text,
            } => {
                self.given("said_by", *said_by);
                self.given("reply", *reply);
                self.given("stage", *stage);
                self.filled("text", text);
                "soft_failure"
            }
            Event::ConnectFailure { relay, text } => {
                self.relay(*relay);
                self.filled("text", text);
                "connect_failure"
            }
            Event::Notification {
                action,
                notification_id,
            } => {
                self.given("action", Some(action));
                self.given("notification_id", Some(notification_id));
                "notification"
            }
            other => self.rest(other),
        }
    }

    fn rest(&mut self, event: &Event<'a>) -> &'static str {
        match event {
            Event::Hold(action) => self.action("hold", action),
            Event::Reject(action) => self.action("reject", action),
            Event::Warn(action) => self.action("warn", action),
            Event::Discard(action) => self.action("discard", action),
            Event::Filter(action) => self.action("filter", action),
            Event::Redirect(action) => self.action("redirect", action),
            Event::MilterReject(action) => self.action("milter_reject", action),
            Event::MilterHold(action) => self.action("milter_hold", action),
            Event::HeaderCheck(action) => self.action("header_check", action),
            Event::ProxyAccept { action, queued_as } => {
                self.given("queued_as", *queued_as);
                self.action("proxy_accept", action)
            }
            Event::Release => "release",
            Event::Requeue => "requeue",
            Event::Delete => "delete",
            Event::Connect(client) => {
                self.client("client", *client);
                "connect"
            }
            Event::Disconnect { client, text } => {
                self.client("client", *client);
                self.filled("text", text);
                "disconnect"
            }
            Event::SaslFailure { client, sasl, text } => {
                self.client("client", client.unwrap_or_default());
                self.sasl(sasl);
                self.filled("text", text);
                "sasl_failure"
            }
            Event::Lost {
                client,
                stage,
                text,
            } => {
                self.client("client", client.unwrap_or_default());
                self.given("stage", *stage);
                self.filled("text", text);
                "lost"
            }
            Event::Reload { version, text } => {
                self.given("version", *version);
                self.filled("text", text);
                "reload"
            }
            Event::Other { text } => {
                self.filled("text", text);
                "other"
            }
            _ => "?",
        }
    }

    fn delivery(&mut self, delivery: &Delivery<'a>) -> &'static str {
        self.given("recipient", delivery.recipient);
        self.given("orig_to", delivery.orig_to);
        self.relay(delivery.relay);
        if let Some(uses) = delivery.conn_use {
            self.shown("conn_use", &uses);
        }
        if let Some(delay) = delivery.delay {
            self.shown("delay", &delay);
        }
        self.given("delays", delivery.delays);
        self.given("dsn", delivery.dsn);
        self.filled("status", delivery.status_text);
        self.given("said_by", delivery.said_by);
        self.given("stage", delivery.stage);
        self.given("reply", delivery.reply);
        self.filled("text", delivery.text);
        if delivery.suspended {
            self.shown("suspended", &true);
        }
        "delivery"
    }

    fn action(&mut self, kind: &'static str, action: &Action<'a>) -> &'static str {
        self.filled("action", action.action);
        self.given("stage", action.stage);
        self.client("client", action.client.unwrap_or_default());
        self.given("sender", action.sender);
        self.given("recipient", action.recipient);
        self.given("proto", action.proto);
        self.given("helo", action.helo);
        self.sasl(&action.sasl);
        self.filled("text", action.text);
        kind
    }

    fn sasl(&mut self, sasl: &Sasl<'a>) {
        self.given("sasl_method", sasl.method);
        self.given("sasl_username", sasl.username);
        self.given("sasl_sender", sasl.sender);
    }

    fn client(&mut self, name: &'static str, client: Client<'a>) {
        let [name, address, port] = match name {
            "client" => ["client_name", "client_address", "client_port"],
            _ => [
                "orig_client_name",
                "orig_client_address",
                "orig_client_port",
            ],
        };
        self.filled(name, client.name);
        if let Some(found) = client.address {
            self.shown(address, &found);
        }
        if let Some(found) = client.port {
            self.shown(port, &found);
        }
    }

    fn relay(&mut self, relay: Option<Relay<'a>>) {
        let relay = relay.unwrap_or_default();
        self.filled("relay_host", relay.host);
        self.filled("relay_address", relay.address);
        if let Some(port) = relay.port {
            self.shown("relay_port", &port);
        }
    }
}
