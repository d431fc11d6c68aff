mod page;
mod support;
