//! Renders the embedded pages.
//!
//! In a template `~name` is an id, class name or test id: under the `rename` switch it becomes
//! another name. `~~name` is an id that is different at every load. Values are minijinja.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use minijinja::{Environment, Value, context};

const LAYOUT: &str = include_str!("../html/layout.html");

/// How one load of a page names its elements.
#[derive(Debug, Clone)]
pub struct Look {
    pub rename: bool,
    /// Templates multiply what they wait with `late`: then it is 0, else 1.
    pub brisk: bool,
    /// Different at every load.
    pub suffix: String,
}

impl Look {
    /// `area` is the part of the site whose navigation is shown.
    pub fn page(&self, area: &str, title: &str, template: &str, values: Value) -> Response {
        match self.try_page(area, title, template, values) {
            Ok(html) => Html(html).into_response(),
            // A template of our own does not render: a defect of the sandbox, not of its user.
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
        }
    }

    fn try_page(
        &self,
        area: &str,
        title: &str,
        template: &str,
        values: Value,
    ) -> Result<String, minijinja::Error> {
        let body = self.render(template, values)?;
        self.render(LAYOUT, context! { area, title, body => Value::from_safe_string(body) })
    }

    fn render(&self, template: &str, values: Value) -> Result<String, minijinja::Error> {
        // The name's ending is what makes minijinja escape values for HTML.
        let mut environment = Environment::new();
        environment.add_global("late", i64::from(!self.brisk));
        environment.render_named_str("page.html", &self.name_elements(template), values)
    }

    /// Before the values come in, so that no value can be taken for a name.
    fn name_elements(&self, template: &str) -> String {
        let mut pieces = template.split('~');
        let mut named = pieces.next().unwrap_or_default().to_owned();
        let mut changing = false;
        for piece in pieces {
            let end = piece.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(piece.len());
            let (name, rest) = piece.split_at(end);
            if name.is_empty() {
                changing = true;
                named.push_str(rest);
                continue;
            }
            if self.rename {
                named.push_str(&renamed(name));
            } else {
                named.push_str(name);
            }
            if changing {
                named.push('-');
                named.push_str(&self.suffix);
                changing = false;
            }
            named.push_str(rest);
        }
        named
    }
}

/// The page of a site that is closed for a moment, given instead of the one asked for.
#[derive(Debug)]
pub struct Unavailable;

impl IntoResponse for Unavailable {
    fn into_response(self) -> Response {
        let page = include_str!("../html/service_unavailable.html");
        (StatusCode::SERVICE_UNAVAILABLE, Html(page)).into_response()
    }
}

/// Always the same for a name (FNV-1a), and without any trace of it.
fn renamed(name: &str) -> String {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("x{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_look() {
        let template = r##"<i id="~~box" class="~card ~wide">#~~box a.~b</i>"##;
        let look = |rename| Look { rename, brisk: false, suffix: "7f".to_owned() };
        assert_eq!(
            look(false).name_elements(template),
            r##"<i id="box-7f" class="card wide">#box-7f a.b</i>"##
        );
        let renamed = look(true).name_elements(template);
        assert!(!renamed.contains("box") && !renamed.contains("card"));
        assert_eq!(renamed.matches("-7f").count(), 2);
    }
}
