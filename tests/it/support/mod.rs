//! What the tests share. Everything started here is ended here.

pub mod browser;
pub mod site;
