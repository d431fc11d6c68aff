//! Handles a locator whose selectors match another element than before, or none.
//!
//! Every element that an action succeeded on leaves its fingerprint. A selector that leads to another
//! element is skipped: the flow's own selectors name that element otherwise, or its fingerprint differs from
//! the remembered one ([`regatta_core::fingerprint`]). Where the time of the written selectors has run out, the
//! page is searched once for the element that is clearly most similar. The error names it, or the step acts on
//! it where the workflow allows that. Waits and conditions are never healed: they may be about absence.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::attempt::StepAttempt;
use crate::error::{ActionError, ActionErrorKind, Remedy, WaitError};
use crate::healing::memory::LocatorKey;
use crate::healing::state::{HealingEvent, HealingKind};
use crate::locating::query::{self, ElementQuery, LocateError, SearchPurpose, WrongMatch, chain, name_of};
use crate::page::Page;
use crate::script::methods::{AgreesReply, FindReply, LikesReply, MeansReply, Method};
use regatta_core::fingerprint::{
    AuthoredNames, ElementComparison, Fingerprint, Likeness, MismatchReason, RoleMatch, Verdict, is_by_name,
};
use regatta_core::flow::Locator;
use regatta_core::workflow::Heal;

/// Where the selectors of a step match nothing, the last fifth of its time, and no more than this, is for a
/// search by likeness.
const RESERVE: Duration = Duration::from_secs(2);

/// A page with no request under way for this long shows nothing more.
const QUIET: Duration = Duration::from_millis(300);

impl Page {
    /// Remembers the selectors found by likeness, when the step has reached its end.
    pub fn keep_healed(&mut self) {
        for (key, likeness) in std::mem::take(&mut self.healing.staged) {
            self.memory.keep(&key, likeness);
        }
    }
}

impl StepAttempt<'_> {
    pub(crate) fn element_query(&mut self, locator: &Locator, method: Method, query: &Value) -> ElementQuery {
        let bare = method == Method::Read;
        let written = locator.alternatives.len();
        let mut locator = locator.clone();
        // These may be about absence: only the written selectors count.
        if matches!(method, Method::Wait | Method::Count) {
            let (authored, acts) = Default::default();
            return ElementQuery {
                locator,
                written,
                bare,
                remembered: None,
                known: None,
                authored,
                acts,
                wrong_match: None,
            };
        }
        let needs = &query["needs"];
        let acts = ["hit", "editable", "files"]
            .iter()
            .any(|need| !matches!(needs[need], Value::Null | Value::Bool(false)));
        let authored = if acts { self.authored(&locator) } else { AuthoredNames::default() };
        let url = self.page.with_view(|view| view.frame.document.url.clone()).unwrap_or_default();
        let key = self.memory_key(&locator, &url);
        let recalled = self.page.memory.recall(&key);
        let healed = match &self.healed {
            Some(healed) => Some(healed.selector.clone()),
            None => recalled.healed.filter(|_| self.page.healing.mode == Heal::Auto),
        };
        locator.alternatives.extend(healed.map(|selector| chain(&selector)));
        let remembered = recalled.alternative.filter(|index| written > 1 && *index < written);
        // A memory that contradicts the flow is of an element that was taken for this one.
        let known = recalled.element.filter(|known| authored.permits(known));
        ElementQuery { locator, written, bare, remembered, known, authored, acts, wrong_match: None }
    }

    /// The names that the written alternatives give their element.
    pub(crate) fn authored(&self, locator: &Locator) -> AuthoredNames {
        AuthoredNames::from_locator(locator, name_of, self.page.healing.mask())
    }

    /// Judges whether an alternative has led to the element that is meant. Reads the page's other elements only
    /// where the verdict depends on them.
    pub(crate) async fn judge(
        &self,
        query: &ElementQuery,
        reply: &FindReply,
    ) -> Result<Verdict, LocateError> {
        let Some(seen) = &reply.element else { return Ok(Verdict::Same) };
        if !query.acts {
            let same = query.known.as_ref().is_none_or(|known| known.matches_for_reading(seen));
            return Ok(if same { Verdict::Same } else { Verdict::Another(MismatchReason::Place) });
        }
        let chain = query.locator.alternatives.get(reply.alternative);
        let by_name =
            reply.alternative < query.written && chain.is_some_and(|chain| is_by_name(chain, name_of));
        let question =
            ElementComparison { authored: &query.authored, by_name, known: query.known.as_ref(), seen };
        Ok(match (question.judge(None), &query.known) {
            (Verdict::Ask, Some(known)) => {
                let others = self.others(known, query.bare).await?;
                question.judge(Some(&others.unwrap_or_default()))
            }
            (judged, _) => judged,
        })
    }

    pub(crate) fn wrong_match(
        &self,
        query: &ElementQuery,
        reply: &FindReply,
        because: MismatchReason,
    ) -> WrongMatch {
        let chain = query.locator.alternatives.get(reply.alternative);
        WrongMatch {
            selector: chain.map(ToString::to_string).unwrap_or_default(),
            seen: reply.element.clone().unwrap_or_default(),
            because,
        }
    }

    /// Reports, once an attempt, that the element about to be acted on has changed.
    pub(crate) fn report_change(&mut self, query: &ElementQuery, reply: &FindReply) {
        let (Some(known), Some(seen)) = (&query.known, &reply.element) else { return };
        if std::mem::replace(&mut self.change_reported, true) {
            return;
        }
        let chain = query.locator.alternatives.get(reply.alternative);
        let selector = chain.map(ToString::to_string).unwrap_or_default();
        let (known, found) = (known.to_string(), seen.to_string());
        let line = format!("{:?}: `{selector}` leads to {found}, was {known}", HealingKind::Changed);
        self.page.state.send_modify(|state| state.note(line));
        self.page.healing.events.push(HealingEvent { how: HealingKind::Changed, selector, known, found });
    }

    /// The time that is kept for a search by likeness.
    pub(crate) fn reserve(&self) -> Duration {
        RESERVE.min(self.timeout / 5)
    }

    /// Whether the page is at rest. While it changes, the element that the selectors mean may still appear.
    pub(crate) fn is_at_rest(&self) -> bool {
        let allowed = self.page.allowed_error.as_deref();
        self.page.with_view(|view| view.is_sound(allowed) && view.is_quiet(QUIET)) == Some(true)
    }

    /// Searches for the element that is clearly most similar, with a selector that means it alone. May exceed the
    /// step's deadline for a moment: the error needs it.
    pub(crate) async fn find_like(
        &mut self,
        query: &ElementQuery,
        purpose: SearchPurpose,
    ) -> Result<Option<Likeness>, LocateError> {
        let late = (Instant::now() + RESERVE).saturating_duration_since(self.deadline());
        self.extend(late);
        let found = self.search_like(query, purpose).await;
        self.shorten(late);
        match found {
            Err(LocateError::Wait(WaitError::Deadline)) => Ok(None),
            found => found,
        }
    }

    async fn search_like(
        &self,
        query: &ElementQuery,
        purpose: SearchPurpose,
    ) -> Result<Option<Likeness>, LocateError> {
        let Some(known) = &query.known else { return Ok(None) };
        let Some((others, _)) = self.alike(known, query.bare).await? else { return Ok(None) };
        let best = known.best_match(&others, &query.authored).or_else(|| match purpose {
            SearchPurpose::Suggest => known.most_similar(&others, &query.authored),
            SearchPurpose::Act => None,
        });
        let Some(best) = best else { return Ok(None) };
        let world = self.page.world(self.deadline()).await?;
        let means =
            self.page.call::<MeansReply>(&world, &json!({ "of": best }), &[], self.deadline()).await?;
        for selector in means.map(|reply| reply.selectors).unwrap_or_default() {
            let whole = chain(&selector);
            // A selector that quotes a profile's value fits no other profile.
            let written = whole.to_string();
            if self.page.healing.mask.apply(&written) != written {
                continue;
            }
            let by_tree = query::asks_tree(&whole);
            if by_tree && self.stash(&world, 0, &whole).await?.is_none() {
                return Ok(None);
            }
            let query = json!({ "alternative": query::alternative_of(0, &whole, by_tree), "of": best });
            let agrees = self.page.call::<AgreesReply>(&world, &query, &[], self.deadline()).await?;
            if agrees.is_some_and(|reply| reply.ok) {
                return Ok(Some(Likeness { selector, element: others[best].clone() }));
            }
        }
        Ok(None)
    }

    /// The page's elements of the same kind, without the one that was found.
    async fn others(&self, known: &Fingerprint, bare: bool) -> Result<Option<Vec<Fingerprint>>, LocateError> {
        let Some((mut alike, own)) = self.alike(known, bare).await? else { return Ok(None) };
        if let Some(own) = own.filter(|own| *own < alike.len()) {
            alike.remove(own);
        }
        Ok(Some(alike))
    }

    /// The page's visible elements of the same kind, those that have most in common first, and which of them
    /// was found. `None` where the document went away.
    async fn alike(
        &self,
        known: &Fingerprint,
        bare: bool,
    ) -> Result<Option<(Vec<Fingerprint>, Option<usize>)>, LocateError> {
        let world = self.page.world(self.deadline()).await?;
        let (roles, which) = known.roles();
        let query =
            json!({ "known": known, "roles": roles, "none": which == RoleMatch::NoneOf, "bare": bare });
        let reply = self.page.call::<LikesReply>(&world, &query, &[], self.deadline()).await?;
        let masked = |seen: Fingerprint| seen.masked(&self.page.healing.mask);
        Ok(reply.map(|reply| (reply.elements.into_iter().map(masked).collect(), reply.own)))
    }

    pub(crate) fn report_healing(&mut self, how: HealingKind, likeness: &Likeness, known: &Fingerprint) {
        let selector = chain(&likeness.selector).to_string();
        let (known, found) = (known.to_string(), likeness.element.to_string());
        let line = format!("{how:?} by likeness: {found}, `{selector}`, for {known}");
        self.page.state.send_modify(|state| state.note(line));
        self.page.healing.events.push(HealingEvent { how, selector, known, found });
    }

    /// Stages a selector, to be remembered when the step has reached its end.
    pub(crate) fn stage(&mut self, key: LocatorKey, likeness: Likeness) {
        self.page.healing.staged.push((key, likeness));
    }

    /// The error of a locator that no longer matches the element that is meant.
    pub(crate) fn changed(
        &self,
        query: &ElementQuery,
        suggestion: Option<&Likeness>,
        missing: &str,
    ) -> ActionError {
        let (flow, step) = (self.flow.to_owned(), self.step_number.to_owned());
        let known = query.known.as_ref();
        let message = match (&query.wrong_match, known) {
            (Some(WrongMatch { selector, seen, because: MismatchReason::Name }), _) => {
                let said = query.authored.selector().unwrap_or_default();
                format!("`{selector}` matches {seen}, which is not what `{said}` of the same step calls for")
            }
            (Some(WrongMatch { selector, seen, .. }), Some(known)) => {
                format!("`{selector}` now matches {seen}, which is not the {known} it matched before")
            }
            _ => missing.to_owned(),
        };
        let mut error = ActionError::new(ActionErrorKind::Changed, message);
        if let Some(found) = suggestion {
            let selector = chain(&found.selector);
            let like = known.map(|known| format!(" like the {known} of before")).unwrap_or_default();
            error = error.hint(format!("{} is{like}: `{selector}` would match it", found.element));
            error.remedies.push(Remedy::AcceptSuggestion { flow: flow.clone(), step: step.clone() });
        }
        match &query.wrong_match {
            Some(WrongMatch { because: MismatchReason::Name, .. }) => {
                error.remedies.push(Remedy::CorrectSelectors { flow, step });
            }
            Some(_) => error.remedies.push(Remedy::ForgetElement { flow, step }),
            None => {}
        }
        error
    }
}
