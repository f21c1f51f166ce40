//! Looking in: what the status socket says is what happens, and nobody in the room waits for it.

mod removal;
mod socket;
mod view;
