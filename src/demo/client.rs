//! The client half of SMTP: users, the thief and strangers hand in their mail with it.
//!
//! The network that a client comes from is played with Postfix's XCLIENT; the login is a real AUTH PLAIN. A transaction
//! is written in one piece (RFC 2920), so that one connection does hundreds a second.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::demo::{Error, sasl::PASSWORD, smtp::base64};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest reply line.
const LINE_LIMIT: u64 = 4096;

/// Where a client says that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Client address.
    pub address: IpAddr,
    /// Client port.
    pub port: u16,
}

/// A reply, its lines joined by a blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// All of it.
    pub text: String,
}

impl Reply {
    /// 2yz.
    #[must_use]
    pub const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a Postfix that allows XCLIENT from loopback, as a client at `origin`.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Smtp`] when the server refuses.
    pub fn connect(server: SocketAddr, origin: Origin) -> Result<Self, Error> {
        let failed = || Error::io(format!("connecting to {server}"));
        let stream = TcpStream::connect_timeout(&server, PATIENCE).map_err(failed())?;
        stream.set_nodelay(true).map_err(failed())?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed())?;
        let mut client = Self {
            reader: BufReader::new(stream),
        };
        client.expect("greeting")?;
        client.command("EHLO client.example", "EHLO")?;
        let (address, port) = (origin.address, origin.port);
        let address = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("IPV6:{address}"),
        };
        client.command(
            &format!("XCLIENT NAME=[UNAVAILABLE] ADDR={address} PORT={port}"),
            "XCLIENT",
        )?;
        client.command("EHLO client.example", "EHLO")?;
        Ok(client)
    }

    /// AUTH PLAIN with everybody's password.
    ///
    /// # Errors
    /// [`Error::Smtp`] when the login is refused; [`Error::Io`].
    pub fn login(&mut self, name: &str) -> Result<(), Error> {
        let response = base64::encode(format!("\0{name}\0{PASSWORD}").as_bytes());
        self.command(&format!("AUTH PLAIN {response}"), "AUTH")
            .map(drop)
    }

    /// Hands in one message; the reply is that to its end, or the first that was negative.
    ///
    /// # Errors
    /// [`Error::Io`] when the connection fails.
    pub fn send(
        &mut self,
        sender: &str,
        recipients: &[String],
        content: &[u8],
    ) -> Result<Reply, Error> {
        let mut envelope = format!("MAIL FROM:<{sender}>\r\n");
        for recipient in recipients {
            envelope.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        envelope.push_str("DATA\r\n");
        self.write(envelope.as_bytes())?;
        let mut first_negative = None;
        for _ in 0..=recipients.len() {
            let reply = self.reply()?;
            if !reply.is_positive() {
                first_negative.get_or_insert(reply);
            }
        }
        let go_on = self.reply()?;
        if go_on.code != 354 {
            self.command("RSET", "RSET")?;
            return Ok(first_negative.unwrap_or(go_on));
        }
        self.write(&stuffed(content))?;
        let end = self.reply()?;
        Ok(first_negative.unwrap_or(end))
    }

    /// Says goodbye; a server that is gone already is no trouble.
    pub fn quit(mut self) {
        drop(self.command("QUIT", "QUIT"));
    }

    fn command(&mut self, line: &str, what: &'static str) -> Result<Reply, Error> {
        self.write(format!("{line}\r\n").as_bytes())?;
        self.expect(what)
    }

    fn expect(&mut self, what: &'static str) -> Result<Reply, Error> {
        let reply = self.reply()?;
        if reply.is_positive() {
            Ok(reply)
        } else {
            Err(Error::Smtp {
                what,
                reply: reply.text,
            })
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut stream: &TcpStream = self.reader.get_ref();
        stream
            .write_all(bytes)
            .map_err(Error::io("writing to the mail server"))
    }

    fn reply(&mut self) -> Result<Reply, Error> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let read = self.reader.by_ref().take(LINE_LIMIT).read_line(&mut line);
            if read.map_err(Error::io("reading from the mail server"))? == 0 {
                let source = std::io::ErrorKind::UnexpectedEof.into();
                let what = "reading from the mail server".to_owned();
                return Err(Error::Io { what, source });
            }
            let line = line.trim_end();
            text = if text.is_empty() {
                line.to_owned()
            } else {
                format!("{text} {line}")
            };
            if line.as_bytes().get(3) != Some(&b'-') {
                let code = line
                    .get(..3)
                    .and_then(|digits| digits.parse().ok())
                    .unwrap_or(0);
                return Ok(Reply { code, text });
            }
        }
    }
}

/// The content as DATA wants it: CRLF line ends, dots doubled, the closing dot.
fn stuffed(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 64);
    let body = content.strip_suffix(b"\n").unwrap_or(content);
    for line in body.split(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_sent_as_smtp_wants_it() {
        assert_eq!(stuffed(b"a\n.b\r\n"), b"a\r\n..b\r\n.\r\n");
        assert_eq!(stuffed(b"a"), b"a\r\n.\r\n");
    }
}
