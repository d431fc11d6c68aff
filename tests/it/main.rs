mod cli;
mod crash;
mod flows;
mod page;
mod support;
