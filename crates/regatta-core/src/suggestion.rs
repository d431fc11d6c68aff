//! Finds the name that a misspelt one most likely means, for the hint of an error.

/// Returns the candidate nearest to `given`, ignoring case; `None` where each differs in more than a third of
/// its letters.
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = given.to_lowercase();
    let length = lower.chars().count();
    let most = (length / 3).max(1).min(length.saturating_sub(1));
    let distance = |candidate: &'a str| {
        // The length alone rules out most candidates of a large folder.
        let other = candidate.chars().count();
        let near = length.abs_diff(other) <= most;
        near.then(|| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
    };
    let near = candidates.into_iter().filter_map(distance).filter(|(distance, _)| *distance <= most);
    near.min().map(|(_, candidate)| candidate)
}

/// Returns the hint of an error about a name: the nearest one, then all of them where they are few.
pub fn did_you_mean(given: &str, kind: &str, names: &[&str]) -> String {
    const LISTED: usize = 20;
    let list = match names {
        [] => format!("{kind}: none"),
        names if names.len() > LISTED => {
            format!("{kind}: {} and {} more", names[..LISTED].join(", "), names.len() - LISTED)
        }
        names => format!("{kind}: {}", names.join(", ")),
    };
    match nearest(given, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? {list}"),
        None => list,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_and_another_word_is_not() {
        let names = ["site", "shop", "password_rotated"];
        let found = |given| nearest(given, names);
        assert_eq!(found("sit"), Some("site"));
        assert_eq!(found("SITE"), Some("site"));
        assert_eq!(found("iste"), Some("site"));
        assert_eq!(found("passwort_rotatet"), Some("password_rotated"));
        assert_eq!(found("nosuch"), None);
        assert_eq!(found("x"), None, "one letter says nothing");
        assert_eq!(found(""), None);
    }

    #[test]
    fn a_hint_names_the_nearest_and_the_rest() {
        assert_eq!(
            did_you_mean("shp", "variables", &["site", "shop"]),
            "did you mean `shop`? variables: site, shop"
        );
        assert_eq!(did_you_mean("x", "variables", &[]), "variables: none");
        let many: Vec<_> = (0..25).map(|n| format!("step{n:02}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(did_you_mean("nothing", "steps", &many).ends_with("step19 and 5 more"));
    }
}
