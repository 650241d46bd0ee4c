//! The demo's outbox: messages that were not sent anywhere, shown on a page that exists only there.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use domain::time::Timestamp;

/// How many messages it keeps.
const KEPT: usize = 200;

/// Messages that were not sent anywhere.
#[derive(Debug, Default)]
pub struct Outbox(Mutex<VecDeque<Message>>);

/// One message.
#[derive(Debug, Clone)]
pub struct Message {
    /// To whom, in full: everybody in the demo is invented.
    pub phone: String,
    /// What it says.
    pub text: String,
    /// The code alone, where it carries one.
    pub code: Option<String>,
    /// When.
    pub time: Timestamp,
}

impl Outbox {
    pub(super) fn put(&self, message: Message) {
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() == KEPT {
            messages.pop_front();
        }
        messages.push_back(message);
    }

    /// All messages, newest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().rev().cloned().collect()
    }
}
