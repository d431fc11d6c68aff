pub mod chrome;
