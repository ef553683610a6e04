//! The relay's password check: as much of the Dovecot auth protocol (version 1.2) as Postfix speaks, for AUTH PLAIN and
//! AUTH LOGIN.
//!
//! Every login is good if its password is [`PASSWORD`]: the world is about what happens after the thief has it.
//! Anything that is not understood fails that login and nothing else.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
};

use crate::demo::{
    Error,
    smtp::{Listener, base64},
};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse";

/// Longest line that is read; Postfix sends a few hundred bytes.
const LINE_LIMIT: u64 = 8192;

/// A running password check.
#[derive(Debug)]
pub struct Sasl(Listener);

impl Sasl {
    /// Starts it on a free loopback port.
    ///
    /// # Errors
    /// [`Error::Io`] when there is no port.
    pub fn start() -> Result<Self, Error> {
        let listener =
            TcpListener::bind("127.0.0.1:0").map_err(Error::io("listening for logins"))?;
        Listener::spawn(listener, |stream| drop(serve(&stream))).map(Self)
    }

    /// Where it listens; Postfix takes it as `smtpd_sasl_path = inet:ADDRESS`.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.0.address()
    }
}

fn serve(stream: &TcpStream) -> std::io::Result<()> {
    let mut out = stream;
    let greeting = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n\
                    SPID\t1\nCUID\t1\nCOOKIE\t00000000000000000000000000000000\nDONE\n";
    out.write_all(greeting.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut open: Vec<(String, Exchange)> = Vec::new();
    loop {
        let mut line = String::new();
        if reader.by_ref().take(LINE_LIMIT).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let fields: Vec<&str> = line.trim_end().split('\t').collect();
        let (id, exchange, response) = match fields.as_slice() {
            ["AUTH", id, "PLAIN", rest @ ..] => (*id, Exchange::Plain, response(rest)),
            ["AUTH", id, "LOGIN", rest @ ..] => (*id, Exchange::Name, response(rest)),
            ["CONT", id, answer, ..] => {
                let Some(at) = open.iter().position(|(known, _)| known == id) else {
                    continue;
                };
                (*id, open.swap_remove(at).1, Some((*answer).to_owned()))
            }
            _ => continue,
        };
        let (say, next) = exchange.step(id, response.as_deref());
        open.extend(next.map(|exchange| (id.to_owned(), exchange)));
        out.write_all(say.as_bytes())?;
    }
}

/// What is asked next in one authentication.
enum Exchange {
    /// PLAIN: everything at once.
    Plain,
    /// LOGIN: the name.
    Name,
    /// LOGIN: the password of this name.
    Password(String),
}

impl Exchange {
    /// One answer of the client; what to say, and how it goes on.
    fn step(self, id: &str, response: Option<&str>) -> (String, Option<Self>) {
        let Some(response) = response else {
            let prompt = match self {
                Self::Name => base64::encode(b"Username:"),
                Self::Plain | Self::Password(_) => String::new(),
            };
            return (format!("CONT\t{id}\t{prompt}\n"), Some(self));
        };
        let text = base64::decode(response)
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default();
        match self {
            Self::Plain => {
                let mut parts = text.split('\0').skip(1);
                let (name, password) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
                (judge(id, name, password), None)
            }
            Self::Name => {
                let prompt = base64::encode(b"Password:");
                (
                    format!("CONT\t{id}\t{prompt}\n"),
                    Some(Self::Password(text)),
                )
            }
            Self::Password(name) => (judge(id, &name, &text), None),
        }
    }
}

fn judge(id: &str, name: &str, password: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    if password == PASSWORD && !name.is_empty() {
        format!("OK\t{id}\tuser={name}\n")
    } else {
        format!("FAIL\t{id}\tuser={name}\n")
    }
}

fn response(fields: &[&str]) -> Option<String> {
    fields
        .iter()
        .find_map(|field| field.strip_prefix("resp="))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_password_gives_the_login_and_a_wrong_one_does_not() {
        let good = base64::encode(format!("\0anna@example.org\0{PASSWORD}").as_bytes());
        let bad = base64::encode(b"\0anna@example.org\0guess");
        assert_eq!(
            Exchange::Plain.step("7", Some(&good)).0,
            "OK\t7\tuser=anna@example.org\n"
        );
        assert_eq!(
            Exchange::Plain.step("7", Some(&bad)).0,
            "FAIL\t7\tuser=anna@example.org\n"
        );
        assert_eq!(Exchange::Plain.step("7", Some("%%%")).0, "FAIL\t7\tuser=\n");
    }

    #[test]
    fn login_asks_for_name_and_password_in_turn() {
        let (say, next) = Exchange::Name.step("1", None);
        assert_eq!(say, "CONT\t1\tVXNlcm5hbWU6\n");
        let (say, next) = next.unwrap().step("1", Some(&base64::encode(b"anna")));
        assert_eq!(say, "CONT\t1\tUGFzc3dvcmQ6\n");
        let answer = base64::encode(PASSWORD.as_bytes());
        assert_eq!(
            next.unwrap().step("1", Some(&answer)).0,
            "OK\t1\tuser=anna\n"
        );
    }
}
