//! Root's five verbs, wherever they are: behind the holder's socket, or in this very process when it is root.

use std::{path::Path, time::Duration};

use crate::{
    action::hands::{Hands, HandsError, HolderSocket},
    config::Config,
    holder,
    wire::holder::{Reply, Request},
};

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// The hands that the configuration names.
#[must_use]
pub fn hands(config: &Config) -> Box<dyn Hands + Send> {
    match &config.holder {
        Some(socket) => Box::new(HolderSocket::new(socket, DEADLINE)),
        None => Box::new(Direct(settings(&config.config_directory))),
    }
}

fn settings(config_directory: &Path) -> holder::Settings {
    holder::Settings {
        config_directory: config_directory.to_owned(),
        ..holder::Settings::default()
    }
}

/// Only as root.
#[derive(Debug)]
struct Direct(holder::Settings);

impl Hands for Direct {
    fn call(&mut self, request: &Request) -> Result<Reply, HandsError> {
        let reply = holder::execute(&self.0, request);
        match (&reply.error, reply.outcomes.is_empty()) {
            (Some(error), true) => Err(HandsError::Refused(error.clone())),
            _ => Ok(reply),
        }
    }
}
