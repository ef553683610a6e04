//! Words of Internet mail: addresses, replies, status codes.

pub mod address;
pub mod reply;
pub mod status_code;
