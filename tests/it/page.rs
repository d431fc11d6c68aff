//! The page engine on a real Chromium. Each check plays steps on a fixture and reports, line by line, what
//! came of them (`[gate]`: an input was about to be sent) and, indented, what the page saw.

mod actionability;
mod actions;
mod aftermath;
mod busy;
mod corpus;
mod course;
mod custom;
mod dialogs;
mod focus;
mod healing;
mod life;
mod meant;
mod navigation;
mod near;
mod network;
mod rig;
mod scenes;
mod selectors;
mod tabs;
mod targets;
mod trace;
mod understood;
mod visits;

pub use self::rig::serve;
