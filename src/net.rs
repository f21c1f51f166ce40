//! Wraps sockets: listens, sets them up, waits for them, cuts and closes them. Nothing here knows
//! the chat.

pub mod connection;
pub mod listener;
pub mod limits;
pub mod service_manager;
pub mod status_socket;
