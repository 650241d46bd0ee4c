//! All that the system can do, one file per verb. API, portal, jobs and commands are thin and call these.

pub mod accept_drops;
pub mod close_overdue;
pub mod decide;
pub mod erase_person;
pub mod guards;
pub mod look_up;
pub mod my_records;
pub mod open_review;
pub mod pause_sources;
pub mod prove_real_name;
pub mod pursue_reviews;
pub mod report;
pub mod seal_change;
pub mod search_history;
pub mod send_code;
pub mod sign_in;
pub mod sign_out;
pub mod strengthen;
pub mod take_change;
mod tell_news;
pub mod view_history;
pub mod view_image;
pub mod view_reviews;
pub mod watch_papers;
pub mod watch_sources;
