//! What Regatta means, without doing any of it.
//!
//! Pure: no files, processes, sockets, clock, environment, randomness or async runtime. Time and
//! chance enter as values, so every rule here can be tested as data.

pub mod diagnostic;
pub mod duration;
pub mod error_chain;
pub mod event;
pub mod evidence;
pub mod fingerprint;
pub mod fleet;
pub mod flow;
pub mod id;
pub mod mask;
pub mod origin;
pub mod outcome;
pub mod retry;
pub mod session;
pub mod site_busy;
pub mod source;
pub mod suggestion;
pub mod text_file;
pub mod view;
pub mod wildcard;
pub mod workflow;
