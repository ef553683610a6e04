//! Sending: SMTP (lettre) or a sendmail program. Blocking; for a worker of its own.

use std::{error::Error, path::PathBuf, time::Duration};

use lettre::{
    Address, SendmailTransport, SmtpTransport, Transport,
    address::Envelope,
    transport::smtp::{
        client::{Tls, TlsParameters},
        extension::ClientId,
    },
};

use crate::telemetry::Fault;

/// How mail leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To a mail server.
    Smtp {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
        /// Whether the connection is secured.
        security: Security,
    },
    /// Through a program that takes sendmail's options.
    Sendmail(PathBuf),
}

/// Whether an SMTP connection is secured. Certificates are checked against the system's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all; for the local host.
    None,
    /// STARTTLS, or no mail.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// Why a text is no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Not one of the three schemes.
    #[error("must begin with smtp://, smtp+starttls:// or smtps://")]
    Scheme,
    /// Something is there that is not read here.
    #[error("must be a host and a port: smtp://127.0.0.1:25")]
    Shape,
    /// Not a port.
    #[error("the port must be from 1 to 65535")]
    Port,
}

impl Route {
    /// Reads `smtp://host[:25]`, `smtp+starttls://host[:587]`, `smtps://host[:465]`; IPv6 addresses in brackets.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, RouteError> {
        let (scheme, rest) = text.split_once("://").ok_or(RouteError::Scheme)?;
        let (security, standard) = match scheme {
            "smtp" => (Security::None, 25),
            "smtp+starttls" => (Security::StartTls, 587),
            "smtps" => (Security::Tls, 465),
            _ => return Err(RouteError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or(RouteError::Shape)?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_parse| RouteError::Shape)?;
            match port {
                "" => (host, None),
                _ => (host, Some(port.strip_prefix(':').ok_or(RouteError::Shape)?)),
            }
        } else {
            match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_name) {
            return Err(RouteError::Shape);
        }
        let port = match port {
            None => standard,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or(RouteError::Port)?,
        };
        Ok(Self::Smtp {
            host: host.to_owned(),
            port,
            security,
        })
    }
}

/// Why a mail did not go out.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It will never go out like this: refused with 5yz, or no valid address.
    #[error("mail refused for good")]
    Permanent(#[source] Box<dyn Error + Send + Sync>),
    /// Later, perhaps.
    #[error("mail not sent")]
    Temporary(#[source] Box<dyn Error + Send + Sync>),
}

impl SendError {
    /// Who must act.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Permanent(_) => Fault::Operator,
            Self::Temporary(_) => Fault::Environment,
        }
    }

    /// The whole chain in one line, for the record.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.to_string();
        let mut source = self.source();
        while let Some(error) = source {
            line.push_str(": ");
            line.push_str(&error.to_string());
            source = error.source();
        }
        crate::action::sheet::printable(&line, 1000)
    }
}

/// Sends one mail; every step of the conversation may take `deadline`. `hello` is the name we go by.
///
/// # Errors
/// See [`SendError`].
pub fn send(
    route: &Route,
    hello: &str,
    deadline: Duration,
    (from, to): (&str, &[String]),
    message: &[u8],
) -> Result<(), SendError> {
    let permanent = |error: lettre::address::AddressError| SendError::Permanent(Box::new(error));
    let from = match from {
        "" => None,
        from => Some(from.parse::<Address>().map_err(permanent)?),
    };
    let to = to
        .iter()
        .map(|to| to.parse::<Address>().map_err(permanent))
        .collect::<Result<Vec<_>, _>>()?;
    let envelope =
        Envelope::new(from, to).map_err(|error| SendError::Permanent(Box::new(error)))?;
    match route {
        Route::Smtp {
            host,
            port,
            security,
        } => smtp((host, *port, *security), hello, deadline)
            .and_then(|transport| transport.send_raw(&envelope, message))
            .map(|_response| ())
            .map_err(|error| {
                if error.is_permanent() {
                    SendError::Permanent(Box::new(error))
                } else {
                    SendError::Temporary(Box::new(error))
                }
            }),
        // Its exit status does not tell for good from for now (EX_UNAVAILABLE is both).
        Route::Sendmail(program) => SendmailTransport::new_with_command(program)
            .send_raw(&envelope, message)
            .map_err(|error| SendError::Temporary(Box::new(error))),
    }
}

fn smtp(
    (host, port, security): (&str, u16, Security),
    hello: &str,
    deadline: Duration,
) -> Result<SmtpTransport, lettre::transport::smtp::Error> {
    let tls = match security {
        Security::None => Tls::None,
        Security::StartTls => Tls::Required(TlsParameters::new(host.to_owned())?),
        Security::Tls => Tls::Wrapper(TlsParameters::new(host.to_owned())?),
    };
    Ok(SmtpTransport::builder_dangerous(host)
        .port(port)
        .tls(tls)
        .timeout(Some(deadline))
        .hello_name(ClientId::Domain(hello.to_owned()))
        .build())
}
