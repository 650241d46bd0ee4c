//! The portal: pages for people. Every handler is thin: it reads a form, calls an action, fills a view.
//!
//! Pages work without JavaScript, say everything in Chinese and English from one catalogue of messages, and know no
//! record kind by name: what is shown of a kind comes from its folder.

pub(crate) mod access_log;
pub(crate) mod account;
mod answer;
mod cookies;
pub(crate) mod coverage;
mod dates;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod dress;
mod failed;
pub(crate) mod files;
mod form;
pub(crate) mod history;
pub(crate) mod home;
mod inputs;
mod kinds;
pub(crate) mod look_up;
pub(crate) mod messages;
pub(crate) mod mine;
mod notices;
mod page;
pub(crate) mod preferences;
pub(crate) mod prove;
mod provinces;
pub(crate) mod public;
mod qr;
pub(crate) mod receipt;
pub(crate) mod report;
pub(crate) mod reviews;
mod sentences;
pub(crate) mod sign_in;
pub(crate) mod strengthen;
#[cfg(test)]
mod tests;
pub(crate) mod turn;
mod values;
pub(crate) mod verify;
pub(crate) mod vin;

pub(crate) use dress::dress;

use failed::{Answer, Failed};
use form::Form;
use page::{Guest, Holder, Page, html};

/// The application as handlers get it.
type Shared = axum::extract::State<std::sync::Arc<crate::app::App>>;
