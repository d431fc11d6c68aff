//! Small workflows, spelt with one letter a step: `v` is verified when in doubt, `V` captures a code as well,
//! `r` is repeated, `R` captures as well, `a` asks a person. Two steps have a verify flow that captures
//! nothing: `K` captures a key that the site shows once, before its input makes the key count, and then
//! waits; `L` captures a code after its input.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use regatta_core::flow;
use regatta_core::id::Flag;
use regatta_core::workflow;
use regatta_core::workflow::plan::Plan;

/// How long the site may be at work on a submission; the workflow's `settle`.
pub const SETTLE_MS: u64 = 2000;

#[derive(Debug)]
pub struct Spelt {
    pub letters: Vec<char>,
    pub plan: Plan,
    pub flags: Vec<Flag>,
    /// The identity field of each step's code.
    pub fields: Vec<String>,
}

impl Spelt {
    pub fn captures(&self, step: usize) -> bool {
        self.letters[step].is_uppercase()
    }

    /// Whether the step must not happen twice.
    pub fn once(&self, step: usize) -> bool {
        matches!(self.letters[step], 'v' | 'V' | 'a' | 'K' | 'L')
    }

    /// Whether the site shows a key once, and the input makes the last one count.
    pub fn has_key(&self, step: usize) -> bool {
        self.letters[step] == 'K'
    }

    pub fn asks(&self, step: usize) -> bool {
        self.letters[step] == 'a'
    }
}

/// Parsed once a process.
pub fn spelt(letters: &str) -> &'static Spelt {
    static KNOWN: Mutex<BTreeMap<String, &'static Spelt>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(letters.to_owned()).or_insert_with(|| Box::leak(Box::new(parse(letters))))
}

fn parse(letters: &str) -> Spelt {
    let mut text = "name = \"sim\"\nallowed_origins = [\"http://site.test\"]\n".to_owned();
    for (step, letter) in letters.chars().enumerate() {
        write!(text, "[[step]]\nflag = \"s{step}\"\nflow = \"act/{step}\"\nsettle = \"{SETTLE_MS}ms\"\n")
            .unwrap();
        if step == 0 {
            text.push_str("prepare = { password = { generate = \"password\", length = 12 } }\n");
        }
        match letter {
            'v' | 'V' | 'K' | 'L' => writeln!(text, "verify = \"verify/{step}\"").unwrap(),
            'r' | 'R' => text.push_str("in_doubt = \"repeat\"\n"),
            'a' => text.push_str("in_doubt = \"ask\"\n"),
            other => panic!("no step is spelt {other}"),
        }
    }
    let parsed = workflow::parse("workflow.toml", &text).unwrap();
    let plan = Plan::assemble("workflow.toml", &text, parsed, &serde_json::Map::new(), |name| {
        let (kind, step) = name.value.split_once('/').unwrap();
        let letter = letters.chars().nth(step.parse().unwrap()).unwrap();
        flow::parse(&name.value, &flow_of(kind == "verify", step, letter))
    })
    .unwrap();
    Spelt {
        letters: letters.chars().collect(),
        flags: plan.flags().cloned().collect(),
        fields: (0..letters.len()).map(|step| format!("code{step}")).collect(),
        plan,
    }
}

fn flow_of(verify: bool, step: &str, letter: char) -> String {
    let wait = r#"{"type":"waitForElement","selectors":["done"]}"#.to_owned();
    let click = r#"{"type":"click","selectors":["button"],"offsetX":1,"offsetY":1}"#.to_owned();
    let capture = format!(
        r#"{{"type":"customStep","name":"regatta.capture","parameters":{{"selectors":["code"],"from":"text","into":"identity.code{step}"}}}}"#
    );
    let steps = match (verify, letter) {
        (true, 'V') => vec![wait, capture],
        (true, _) => vec![wait],
        (false, 'K') => vec![capture, click, wait],
        (false, 'V' | 'R' | 'L') => vec![click, capture],
        (false, _) => vec![click],
    };
    format!(r#"{{"title":"t","steps":[{}]}}"#, steps.join(","))
}
