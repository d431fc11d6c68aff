pub mod chrome;
pub mod program;
pub mod sandbox;
