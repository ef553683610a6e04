//! What Postfix writes: log lines, the queue listing, queue files.
//!
//! `log_line` takes a line of any framing apart into stamp, host, tag and text; `log_record` reads the text into a
//! [`record::Record`]; `calendar` gives stamps without a year their time. All parsers borrow, none of them panics.

pub mod calendar;
pub mod log_line;
pub mod log_record;
pub mod queue_file;
pub mod queue_id;
pub mod queue_list;
pub mod record;
mod run;
