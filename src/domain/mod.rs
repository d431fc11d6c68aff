//! What Regatta means, without doing any of it.
//!
//! Pure: no files, processes, sockets, clock, environment, randomness or async runtime. Time and
//! chance enter as values, so every rule here can be tested as data.

pub mod block;
pub mod busy;
pub mod cause;
pub mod dialog;
pub mod duration;
pub mod event;
pub mod evidence;
pub mod fingerprint;
pub mod fleet;
pub mod fleet_event;
pub mod fleet_notice;
pub mod flow;
pub mod http_auth;
pub mod id;
pub mod keyboard;
pub mod last_word;
pub mod launch;
pub mod mask;
pub mod nearest;
pub mod outcome;
pub mod outcome_document;
pub mod overview;
pub mod pace;
pub mod plan;
pub mod playable;
pub mod profile_reference;
pub mod retry;
pub mod row;
pub mod session;
pub mod session_table;
pub mod solo;
pub mod source;
pub mod source_notice;
pub mod source_spec;
pub mod statement;
pub mod summary;
pub mod template;
pub mod text_file;
pub mod wildcard;
pub mod workflow;
