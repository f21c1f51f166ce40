//! Sockets: how they are listened on, set up, waited for, cut and closed. Nothing here knows the
//! chat.

pub mod connection;
pub mod listener;
pub mod limits;
