//! How a command ends: what failed, what to do, and the exit status of sysexits(3).

/// How a verb ended; the number is the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Something that was asked for is not so (`lookup` found nothing, `demo` missed a figure).
    Failed = 1,
    /// Wrong words on the command line.
    Usage = 64,
    /// Data that cannot be read.
    Data = 65,
    /// A service or file that is needed is not there.
    Unavailable = 69,
    /// Try again later.
    Retry = 75,
    /// Wrong configuration.
    Config = 78,
}

/// A failure of a verb: what failed, what to do, and the exit status.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What failed, with its causes.
    pub message: String,
    /// The command to run, or what to look at.
    pub hint: Option<String>,
    /// The exit status.
    pub exit: Exit,
}

impl Failure {
    /// A failure with its exit status.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            exit,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<std::io::Error> for Failure {
    /// A reader that went away (`| head`) is no failure; all else is "unavailable".
    fn from(error: std::io::Error) -> Self {
        let exit = if error.kind() == std::io::ErrorKind::BrokenPipe {
            Exit::Ok
        } else {
            Exit::Unavailable
        };
        Self::new(exit, error.to_string())
    }
}

impl From<crate::store::Error> for Failure {
    fn from(error: crate::store::Error) -> Self {
        use crate::store::Error;
        let exit = match error {
            Error::Busy { .. } => Exit::Retry,
            Error::Corrupt { .. } => Exit::Data,
            _ => Exit::Unavailable,
        };
        Self::new(exit, chain(&error))
    }
}

/// An error and its causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
