//! Labels that must not be confused, even if all else agrees: `risky_words.txt`, which can only refuse, and
//! prefixes that invert a word.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::words::words;

struct RiskyMeaning {
    grave: bool,
    name: &'static str,
    words: Vec<Vec<&'static str>>,
}

struct RiskyWords {
    consequences: Vec<RiskyMeaning>,
    distinctions: Vec<RiskyMeaning>,
}

static LISTS: LazyLock<RiskyWords> = LazyLock::new(|| {
    let mut lists = RiskyWords { consequences: Vec::new(), distinctions: Vec::new() };
    let mut section = "";
    for line in include_str!("risky_words.txt").lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('[') {
            section = line;
        } else if let Some((name, words)) = line.split_once(':') {
            // `log*out` is two words, `delet*` one with any ending.
            let pattern = |word: &'static str| {
                let mut parts: Vec<&str> = word.split_inclusive('*').collect();
                let last = parts.len() - 1;
                for part in &mut parts[..last] {
                    *part = part.trim_end_matches('*');
                }
                parts
            };
            let words = words.split_whitespace().map(pattern).collect();
            let meaning = RiskyMeaning { grave: section == "[grave]", name, words };
            if section == "[distinction]" { &mut lists.distinctions } else { &mut lists.consequences }
                .push(meaning);
        }
    }
    lists
});

fn meanings(list: &'static [RiskyMeaning], text: &str) -> BTreeSet<&'static str> {
    let words = words(text);
    let fits = |word: &str, part: &str| match part.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == part,
    };
    let has = |pattern: &Vec<&str>| {
        let unspaced = pattern[0].chars().next().is_some_and(|c| c >= '\u{2e80}');
        if unspaced {
            return words.iter().any(|word| word.contains(pattern[0]));
        }
        words.windows(pattern.len()).any(|run| run.iter().zip(pattern).all(|(word, part)| fits(word, part)))
    };
    list.iter().filter(|meaning| meaning.words.iter().any(has)).map(|meaning| meaning.name).collect()
}

/// Whether an element labelled `seen` must not be taken for one labelled `known`: it has a consequence that
/// the other does not have, or is its opposite.
#[must_use]
pub fn is_risky(known: &str, seen: &str) -> bool {
    let lists = &*LISTS;
    let consequences = |text| meanings(&lists.consequences, text);
    let distinctions = |text| meanings(&lists.distinctions, text);
    !consequences(seen).is_subset(&consequences(known))
        || distinctions(seen) != distinctions(known)
        || are_opposite(&words(known), &words(seen))
}

/// Whether a label means something irreversible: then it must be equal.
#[must_use]
pub fn is_irreversible(label: &str) -> bool {
    let said = meanings(&LISTS.consequences, label);
    LISTS.consequences.iter().any(|meaning| meaning.grave && said.contains(meaning.name))
}

/// Prefixes that invert a word, or exclude each other before the same word.
const PREFIXES: [&str; 33] = [
    "", "un", "dis", "de", "dé", "des", "dés", "in", "im", "non", "an", "ab", "ein", "aus", "auf", "zu",
    "be", "ent", "er", "ver", "za", "wy", "od", "ob", "po", "out", "up", "down", "on", "off", "over",
    "under", "re",
];

/// `subscribe` and `unsubscribe`, `anmelden` and `abmelden`.
fn are_opposite(known: &[String], seen: &[String]) -> bool {
    let contrary = |a: &String, b: &String| {
        a != b
            && PREFIXES.iter().any(|before| {
                a.strip_prefix(before).is_some_and(|rest| {
                    rest.chars().count() >= 4
                        && PREFIXES.iter().any(|other| b.strip_prefix(other) == Some(rest))
                })
            })
    };
    let fresh = |word: &&String| !known.contains(*word);
    seen.iter().filter(fresh).any(|word| known.iter().any(|old| contrary(old, word)))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn words_of_consequence_and_opposites_are_risky() {
        let rows = [
            ("Save", "Save changes"),
            ("Save", "Speichern"),
            ("Delete", "Löschen"),
            ("Delete", "Remove"),
            ("Orders", "My purchases so far"),
            ("Close", "Close dialog"),
            ("E-mail", "E-mail address"),
            ("Log in", "Sign in"),
            ("Save", "Delete"),
            ("Keep", "Cancel subscription"),
            ("Continuar", "Pagar ahora"),
            ("Send", "Send later"),
            ("Save", "Save as draft"),
            ("Subscribe", "Unsubscribe"),
            ("Anmelden", "Abmelden"),
            ("Se connecter", "Se déconnecter"),
            ("Zaloguj się", "Wyloguj się"),
            ("Old password", "New password"),
            ("First name", "Last name"),
            ("First name", "Name"),
            ("Show details", "Hide details"),
            ("Log in", "Log out"),
            ("Yes", "No"),
            ("保存する", "削除する"),
            ("Enregistrer", "Supprimer"),
            ("Salva", "Elimina"),
        ];
        let seen: String = rows
            .iter()
            .map(|(a, b)| format!("{}: {a} | {b}\n", if is_risky(a, b) { "risky" } else { "fine" }))
            .collect();
        expect![[r#"
            fine: Save | Save changes
            fine: Save | Speichern
            fine: Delete | Löschen
            fine: Delete | Remove
            fine: Orders | My purchases so far
            fine: Close | Close dialog
            fine: E-mail | E-mail address
            fine: Log in | Sign in
            risky: Save | Delete
            risky: Keep | Cancel subscription
            risky: Continuar | Pagar ahora
            risky: Send | Send later
            risky: Save | Save as draft
            risky: Subscribe | Unsubscribe
            risky: Anmelden | Abmelden
            risky: Se connecter | Se déconnecter
            risky: Zaloguj się | Wyloguj się
            risky: Old password | New password
            risky: First name | Last name
            risky: First name | Name
            risky: Show details | Hide details
            risky: Log in | Log out
            risky: Yes | No
            risky: 保存する | 削除する
            risky: Enregistrer | Supprimer
            risky: Salva | Elimina
        "#]]
        .assert_eq(&seen);
    }

    #[test]
    fn every_line_of_the_list_is_read() {
        let lists = &*LISTS;
        assert!(lists.consequences.len() > 10 && lists.distinctions.len() > 10);
        assert!(
            is_irreversible("Delete draft")
                && is_irreversible("Konto löschen")
                && !is_irreversible("Export")
                && !is_irreversible("Save")
        );
        let all = lists.consequences.iter().chain(&lists.distinctions);
        for RiskyMeaning { name, words, .. } in all {
            assert!(words.len() >= 4, "{name}");
            for pattern in words {
                assert!(
                    pattern
                        .iter()
                        .all(|part| part.to_lowercase() == **part && !part.trim_end_matches('*').is_empty()),
                    "{name}: {pattern:?}"
                );
            }
        }
    }
}
