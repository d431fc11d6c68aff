//! What the site knows, as a fold over its journal, and the ledger of accepted submissions.
//!
//! A submission is one record: its count and its effect cannot come apart. The site accepts a
//! submission again and lets it overwrite, unlike a careful real one, so that a second
//! submission shows in the ledger.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub const SUBMISSIONS: [&str; 5] =
    ["mailbox_created", "store_signup", "dev_registration", "2fa_enabled", "password_rotated"];

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    Accepted {
        at_ms: i64,
        submission: Submission,
    },
    /// `area` is the part of the site; each has its own sign-in.
    SignedIn {
        area: String,
        token: String,
        address: String,
    },
    /// A shop sign-up waits for its code, which was mailed.
    CodeMailed {
        arrives_ms: i64,
        token: String,
        address: String,
        password: String,
        code: String,
    },
    /// The first page of the developer registration.
    DraftKept {
        token: String,
        draft: Draft,
    },
    /// A set-up key was shown. It takes the place of one that was shown before.
    SecretIssued {
        address: String,
        secret: String,
    },
    /// The two-factor code of a window, counted in periods of 30 s since 1970, is used up.
    CodeUsed {
        address: String,
        window: u64,
    },
    /// The password was right, and a code is asked for.
    PasswordGiven {
        token: String,
        address: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum Submission {
    #[serde(rename = "mailbox_created")]
    MailboxCreated { address: String, password: String },
    #[serde(rename = "store_signup")]
    StoreSignup { address: String, password: String },
    #[serde(rename = "dev_registration")]
    DevRegistration { address: String, application: String },
    #[serde(rename = "2fa_enabled")]
    TwoFactorEnabled { address: String },
    #[serde(rename = "password_rotated")]
    PasswordRotated { address: String, password: String },
}

impl Submission {
    pub fn name(&self) -> &'static str {
        let [mailbox, store, developer, two_factor, password] = SUBMISSIONS;
        match self {
            Submission::MailboxCreated { .. } => mailbox,
            Submission::StoreSignup { .. } => store,
            Submission::DevRegistration { .. } => developer,
            Submission::TwoFactorEnabled { .. } => two_factor,
            Submission::PasswordRotated { .. } => password,
        }
    }

    /// The local part of the address, which is the profile's id throughout.
    pub fn profile(&self) -> &str {
        let (Submission::MailboxCreated { address, .. }
        | Submission::StoreSignup { address, .. }
        | Submission::DevRegistration { address, .. }
        | Submission::TwoFactorEnabled { address }
        | Submission::PasswordRotated { address, .. }) = self;
        address.split('@').next().unwrap_or(address)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub address: String,
    pub kind: String,
    pub traffic: String,
    pub purpose: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    pub id: u64,
    pub sender: &'static str,
    /// `mail` or `shop`.
    pub from: &'static str,
    pub subject: String,
    pub text: String,
    pub code: Option<String>,
    pub arrives_ms: i64,
}

#[derive(Debug, Clone)]
pub struct PendingSignup {
    pub address: String,
    pub password: String,
}

#[derive(Debug, Default)]
pub struct LedgerState {
    mailboxes: HashMap<String, String>,
    messages: HashMap<String, Vec<Message>>,
    message_count: u64,
    store_accounts: HashMap<String, String>,
    pending: HashMap<String, PendingSignup>,
    codes: HashMap<String, Vec<String>>,
    drafts: HashMap<String, Draft>,
    registrations: HashMap<String, String>,
    /// Passwords that a mailbox had before.
    former_passwords: HashMap<String, Vec<String>>,
    secrets: HashMap<String, String>,
    two_factor: HashMap<String, bool>,
    /// The last window whose code was used.
    used_windows: HashMap<String, u64>,
    /// Sign-ins that wait for a code.
    half_signed_in: HashMap<String, String>,
    sessions: HashMap<(String, String), String>,
    accepted: BTreeMap<String, BTreeMap<&'static str, u64>>,
}

impl LedgerState {
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Accepted { at_ms, submission } => self.accept(at_ms, submission),
            Record::SignedIn { area, token, address } => {
                self.sessions.insert((area, token), address);
            }
            Record::CodeMailed { arrives_ms, token, address, password, code } => {
                self.deliver(&address, code_message(&code, arrives_ms));
                self.codes.entry(address.clone()).or_default().push(code);
                self.pending.insert(token, PendingSignup { address, password });
            }
            Record::DraftKept { token, draft } => {
                self.drafts.insert(token, draft);
            }
            Record::SecretIssued { address, secret } => {
                self.used_windows.remove(&address);
                self.secrets.insert(address, secret);
            }
            Record::CodeUsed { address, window } => {
                self.used_windows.insert(address, window);
            }
            Record::PasswordGiven { token, address } => {
                self.half_signed_in.insert(token, address);
            }
        }
    }

    fn accept(&mut self, at_ms: i64, submission: Submission) {
        let counts = self.accepted.entry(submission.profile().to_owned()).or_default();
        *counts.entry(submission.name()).or_default() += 1;
        match submission {
            Submission::MailboxCreated { address, password } => {
                if !self.mailboxes.contains_key(&address) {
                    self.deliver(&address, welcome_message(at_ms));
                }
                self.mailboxes.insert(address, password);
            }
            Submission::StoreSignup { address, password } => {
                self.store_accounts.insert(address, password);
            }
            Submission::DevRegistration { address, application } => {
                self.registrations.insert(address, application);
            }
            Submission::TwoFactorEnabled { address } => {
                self.two_factor.insert(address, true);
            }
            Submission::PasswordRotated { address, password } => {
                let former = self.mailboxes.insert(address.clone(), password);
                self.former_passwords.entry(address).or_default().extend(former);
            }
        }
    }

    fn deliver(&mut self, address: &str, mut message: Message) {
        self.message_count += 1;
        message.id = self.message_count;
        self.messages.entry(address.to_owned()).or_default().push(message);
    }

    pub fn mailbox_password(&self, address: &str) -> Option<&str> {
        self.mailboxes.get(address).map(String::as_str)
    }

    /// Whether the mailbox has the password, or had it: a password that is changed twice must be found
    /// in the ledger and not in a refusal.
    pub fn ever_had_password(&self, address: &str, password: &str) -> bool {
        let mut former = self.former_passwords.get(address).into_iter().flatten();
        self.mailbox_password(address) == Some(password) || former.any(|known| known == password)
    }

    pub fn store_password(&self, address: &str) -> Option<&str> {
        self.store_accounts.get(address).map(String::as_str)
    }

    /// Newest first, and only what has arrived.
    pub fn messages(&self, address: &str, now_ms: i64) -> Vec<&Message> {
        let mut messages: Vec<&Message> = self
            .messages
            .get(address)
            .into_iter()
            .flatten()
            .filter(|message| message.arrives_ms <= now_ms)
            .collect();
        messages.sort_by_key(|message| std::cmp::Reverse((message.arrives_ms, message.id)));
        messages
    }

    pub fn pending_signup(&self, token: &str) -> Option<&PendingSignup> {
        self.pending.get(token)
    }

    /// Every code ever mailed to the address stays good: two sign-ups in a row must not depend on
    /// which of two messages was opened.
    pub fn knows_code(&self, address: &str, code: &str) -> bool {
        self.codes.get(address).is_some_and(|codes| codes.iter().any(|known| known == code))
    }

    pub fn draft(&self, token: &str) -> Option<&Draft> {
        self.drafts.get(token)
    }

    pub fn registration(&self, address: &str) -> Option<&str> {
        self.registrations.get(address).map(String::as_str)
    }

    pub fn secret(&self, address: &str) -> Option<&str> {
        self.secrets.get(address).map(String::as_str)
    }

    pub fn two_factor_is_on(&self, address: &str) -> bool {
        self.two_factor.get(address).copied().unwrap_or(false)
    }

    pub fn last_used_window(&self, address: &str) -> Option<u64> {
        self.used_windows.get(address).copied()
    }

    pub fn half_signed_in(&self, token: &str) -> Option<&str> {
        self.half_signed_in.get(token).map(String::as_str)
    }

    /// Returns what the session of each profile must hold as well: the password of the mail account, and
    /// the two-factor key once it is on.
    pub fn holdings(&self) -> Value {
        let holding = |(address, password): (&String, &String)| {
            let profile = address.split('@').next().unwrap_or(address);
            let key = self.secret(address).filter(|_| self.two_factor_is_on(address));
            (profile.to_owned(), json!({ "password": password, "two_fa_secret": key }))
        };
        Value::Object(self.mailboxes.iter().map(holding).collect())
    }

    pub fn signed_in(&self, area: &str, token: &str) -> Option<&str> {
        self.sessions.get(&(area.to_owned(), token.to_owned())).map(String::as_str)
    }

    pub fn ledger(&self) -> Value {
        let total: u64 = self.accepted.values().flat_map(BTreeMap::values).sum();
        let twice: Vec<Value> = self
            .accepted
            .iter()
            .flat_map(|(profile, counts)| counts.iter().map(move |count| (profile, count)))
            .filter(|(_, (_, count))| **count > 1)
            .map(|(profile, (submission, count))| {
                json!({ "profile": profile, "submission": submission, "count": count })
            })
            .collect();
        let profiles: serde_json::Map<String, Value> = self
            .accepted
            .iter()
            .map(|(profile, counts)| {
                let counts = SUBMISSIONS
                    .into_iter()
                    .filter_map(|name| Some((name.to_owned(), json!(counts.get(name)?))))
                    .collect();
                (profile.clone(), Value::Object(counts))
            })
            .collect();
        json!({ "total": total, "profiles": profiles, "twice": twice })
    }
}

fn welcome_message(arrives_ms: i64) -> Message {
    Message {
        id: 0,
        sender: "Harbour & Pine Mail",
        from: "mail",
        subject: "Welcome aboard".to_owned(),
        text: "Your mailbox is ready. Everything the harbour sends you arrives here.".to_owned(),
        code: None,
        arrives_ms,
    }
}

fn code_message(code: &str, arrives_ms: i64) -> Message {
    Message {
        id: 0,
        sender: "Harbour & Pine Shop",
        from: "shop",
        subject: "Your confirmation code".to_owned(),
        text: "Type this code on the page where you signed up:".to_owned(),
        code: Some(code.to_owned()),
        arrives_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signup(profile: &str) -> Record {
        Record::Accepted {
            at_ms: 0,
            submission: Submission::StoreSignup {
                address: format!("{profile}@practice.test"),
                password: "pwd".to_owned(),
            },
        }
    }

    #[test]
    fn the_ledger_shows_doubles() {
        let mut state = LedgerState::default();
        for profile in ["p1", "p2", "p1"] {
            state.apply(signup(profile));
        }
        assert_eq!(
            state.ledger(),
            json!({
                "total": 3,
                "profiles": { "p1": { "store_signup": 2 }, "p2": { "store_signup": 1 } },
                "twice": [{ "profile": "p1", "submission": "store_signup", "count": 2 }],
            })
        );
    }

    #[test]
    fn a_message_is_not_there_before_it_arrives() {
        let mut state = LedgerState::default();
        state.apply(Record::CodeMailed {
            arrives_ms: 1000,
            token: "t".to_owned(),
            address: "p1@practice.test".to_owned(),
            password: "pwd".to_owned(),
            code: "123456".to_owned(),
        });
        assert_eq!(state.messages("p1@practice.test", 999).len(), 0);
        assert_eq!(state.messages("p1@practice.test", 1000).len(), 1);
    }
}
