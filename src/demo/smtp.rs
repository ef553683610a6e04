//! The server half of SMTP (RFC 5321) for the remote sides, and the loop that listens.
//!
//! A session asks its owner at three points ([`Step`]) what to answer. Lines longer than 4 KiB and messages over 8 MiB
//! end the session; whatever else is not understood gets a 500 and harms nobody.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use crate::demo::{Error, wait::Stop};

/// Longest command or text line.
const LINE_LIMIT: usize = 4096;
/// Largest message.
const MESSAGE_LIMIT: usize = 8 << 20;
/// How long a silent peer is kept.
const PATIENCE: Duration = Duration::from_secs(300);

/// A listening socket and its thread; connections are served in threads of their own, which end with their peer.
#[derive(Debug)]
pub(super) struct Listener {
    address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Serves each connection of `listener` with `serve`.
    pub(super) fn spawn(
        listener: TcpListener,
        serve: impl Fn(TcpStream) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let address = listener
            .local_addr()
            .map_err(Error::io("reading the port of a listener"))?;
        let stop = Stop::new();
        let serve = Arc::new(serve);
        let over = stop.clone();
        let accept = move || {
            for stream in listener.incoming().flatten() {
                if over.requested() {
                    return;
                }
                drop(stream.set_nodelay(true));
                drop(stream.set_read_timeout(Some(PATIENCE)));
                let serve = Arc::clone(&serve);
                // A peer that gets no thread sees its connection closed, as from any overloaded server.
                drop(std::thread::Builder::new().spawn(move || serve(stream)));
            }
        };
        let thread = std::thread::Builder::new()
            .spawn(accept)
            .map_err(Error::io("starting a listener"))?;
        Ok(Self {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.request();
        // Wakes the accepting thread, which then sees that it is over.
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            drop(thread.join());
        }
    }
}

/// The envelope so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Envelope {
    /// Envelope sender, without brackets.
    pub(super) sender: String,
    /// Recipients that were accepted.
    pub(super) recipients: Vec<String>,
}

/// A point where the owner of a session decides.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A client has connected.
    Connect,
    /// `RCPT TO:<...>` of the envelope.
    Recipient(&'a Envelope, &'a str),
    /// The message is complete.
    Content(&'a Envelope, &'a [u8]),
}

/// What the owner answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The usual positive answer.
    Yes,
    /// This reply.
    Reply(String),
    /// This reply, then the connection is closed (421).
    Close(String),
    /// The connection is closed without a word.
    HangUp,
}

/// Serves one connection until its end.
pub(super) fn session(
    stream: &TcpStream,
    host: &str,
    decide: &mut dyn FnMut(Step<'_>) -> Answer,
) -> std::io::Result<()> {
    let mut talk = Talk {
        reader: BufReader::new(stream),
        out: stream,
        host,
        envelope: Envelope::default(),
    };
    if !talk.answer(&decide(Step::Connect), &format!("220 {host} ESMTP"))? {
        return Ok(());
    }
    while let Some(line) = talk.line()? {
        let text = String::from_utf8_lossy(&line).into_owned();
        if !talk.command(text.trim_end(), decide)? {
            break;
        }
    }
    Ok(())
}

struct Talk<'a> {
    reader: BufReader<&'a TcpStream>,
    out: &'a TcpStream,
    host: &'a str,
    envelope: Envelope,
}

impl Talk<'_> {
    /// One command; false when the session is over.
    fn command(
        &mut self,
        line: &str,
        decide: &mut dyn FnMut(Step<'_>) -> Answer,
    ) -> std::io::Result<bool> {
        let verb: String = line.chars().take(4).collect::<String>().to_uppercase();
        match verb.as_str() {
            "EHLO" | "LHLO" => {
                let capabilities = format!(
                    "250-{}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8",
                    self.host
                );
                self.say(&capabilities)
            }
            "HELO" | "NOOP" => self.say("250 OK"),
            "RSET" => {
                self.envelope = Envelope::default();
                self.say("250 2.0.0 OK")
            }
            "MAIL" => {
                self.envelope = Envelope {
                    sender: address(line),
                    recipients: Vec::new(),
                };
                self.say("250 2.1.0 OK")
            }
            "RCPT" => {
                let recipient = address(line);
                let answer = decide(Step::Recipient(&self.envelope, &recipient));
                if answer == Answer::Yes {
                    self.envelope.recipients.push(recipient);
                }
                self.answer(&answer, "250 2.1.5 OK")
            }
            "DATA" if self.envelope.recipients.is_empty() => {
                self.say("554 5.5.1 No valid recipients")
            }
            "DATA" => {
                self.say("354 Go on")?;
                let Some(content) = self.content()? else {
                    return Ok(false);
                };
                let answer = decide(Step::Content(&self.envelope, &content));
                self.envelope = Envelope::default();
                self.answer(&answer, "250 2.0.0 OK, taken")
            }
            "QUIT" => self.say("221 2.0.0 Bye").map(|_| false),
            _ => self.say("500 5.5.2 What?"),
        }
    }

    /// The content with dot-stuffing removed; `None` if the peer went away or sent too much.
    fn content(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        while let Some(line) = self.line()? {
            if line == b".\r\n" || line == b".\n" {
                return Ok(Some(content));
            }
            let unstuffed = line.strip_prefix(b".").unwrap_or(&line);
            content.extend_from_slice(unstuffed);
            if content.len() > MESSAGE_LIMIT {
                break;
            }
        }
        Ok(None)
    }

    fn line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let limit = u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX);
        self.reader
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)?;
        Ok(line.ends_with(b"\n").then_some(line))
    }

    /// Says the owner's answer; false when the session is over.
    fn answer(&mut self, answer: &Answer, yes: &str) -> std::io::Result<bool> {
        match answer {
            Answer::Yes => self.say(yes),
            Answer::Reply(reply) => self.say(reply),
            Answer::Close(reply) => self.say(reply).map(|_| false),
            Answer::HangUp => Ok(false),
        }
    }

    fn say(&mut self, reply: &str) -> std::io::Result<bool> {
        self.out.write_all(format!("{reply}\r\n").as_bytes())?;
        Ok(true)
    }
}

/// What stands between the first `<` and the last `>` before any parameters.
fn address(line: &str) -> String {
    let after = line.split_once('<').map_or("", |(_, rest)| rest);
    after
        .split_once('>')
        .map_or(after, |(path, _)| path)
        .to_owned()
}

/// Base64 (RFC 4648 4) as AUTH needs it.
pub(super) mod base64 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    /// Encodes with padding.
    pub(in crate::demo) fn encode(bytes: &[u8]) -> String {
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let group = (0..3).fold(0_u32, |group, i| {
                group << 8 | u32::from(chunk.get(i).copied().unwrap_or(0))
            });
            for i in 0..4 {
                let index = usize::try_from(group >> (18 - 6 * i) & 63).unwrap_or(0);
                let letter = ALPHABET.get(index).copied().unwrap_or(b'=');
                text.push(char::from(if i > chunk.len() { b'=' } else { letter }));
            }
        }
        text
    }

    /// Decodes; `None` for what is not base64.
    pub(in crate::demo) fn decode(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let (mut group, mut bits) = (0_u32, 0);
        for letter in text.trim_end_matches('=').bytes() {
            let value = ALPHABET.iter().position(|known| *known == letter)?;
            group = group << 6 | u32::try_from(value).ok()?;
            bits += 6;
            if bits >= 8 {
                bits -= 8;
                bytes.push(u8::try_from(group >> bits & 0xff).ok()?);
            }
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_there_and_back() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
        ] {
            assert_eq!(base64::encode(bytes), text);
            assert_eq!(base64::decode(text).as_deref(), Some(bytes));
        }
        assert_eq!(base64::decode("?"), None);
    }

    #[test]
    fn a_session_asks_at_each_point_and_takes_the_stuffing_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(to).unwrap();
            let said = "EHLO x\r\nMAIL FROM:<a@example.org> SIZE=1\r\nRCPT TO:<no@example.net>\r\n\
                        RCPT TO:<yes@example.net>\r\nDATA\r\n..dot\r\n.\r\nBOGUS\r\nQUIT\r\n";
            stream.write_all(said.as_bytes()).unwrap();
            let mut heard = String::new();
            stream.read_to_string(&mut heard).unwrap();
            heard
        });
        let (stream, _) = listener.accept().unwrap();
        let mut content = Vec::new();
        session(&stream, "mx.example.net", &mut |step| match step {
            Step::Recipient(_, "no@example.net") => Answer::Reply("550 5.1.1 no".to_owned()),
            Step::Content(envelope, bytes) => {
                assert_eq!(envelope.sender, "a@example.org");
                assert_eq!(envelope.recipients, ["yes@example.net"]);
                content = bytes.to_vec();
                Answer::Yes
            }
            _ => Answer::Yes,
        })
        .unwrap();
        drop(stream);
        let heard = client.join().unwrap();
        let codes: Vec<&str> = heard.lines().filter_map(|line| line.get(..4)).collect();
        assert_eq!(content, b".dot\r\n");
        assert_eq!(
            codes,
            [
                "220 ", "250-", "250-", "250-", "250 ", "250 ", "550 ", "250 ", "354 ", "250 ",
                "500 ", "221 "
            ]
        );
    }
}
