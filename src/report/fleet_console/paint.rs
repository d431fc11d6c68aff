//! Colours, where they are wanted.

#[derive(Debug, Clone, Copy)]
pub struct Paint {
    pub color: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emphasis {
    Plain,
    Good,
    Warning,
    Bad,
    Dim,
}

impl Paint {
    pub fn whole(self, tone: Emphasis, text: &str) -> String {
        let code = match tone {
            Emphasis::Plain => return text.to_owned(),
            Emphasis::Good => 32,
            Emphasis::Warning => 33,
            Emphasis::Bad => 31,
            Emphasis::Dim => 2,
        };
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
