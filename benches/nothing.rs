//! The orchestrator over a program that does nothing: what it costs alone. Called by benches/fleet.py,
//! beside `xargs` and GNU parallel over the same program.
//!
//!     nothing FOLDER SLOTS PROGRAM < profiles.txt

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use regatta::orchestrate::source::FileSource;
use regatta::orchestrate::{Intake, OrchestrateOptions, orchestrate};
use regatta::providers::{Endpoint, ListedProfile, OpenBrowser, Provider, ProviderError, StartOptions};
use regatta::store::Layout;
use regatta_core::id::ProfileId;
use regatta_core::session::Platform;
use regatta_core::source::row::DeclaredVariables;
use regatta_core::source::spec::Format;

/// No run of the benchmark asks for a browser.
struct NoProvider;

impl Provider for NoProvider {
    fn name(&self) -> &'static str {
        "none"
    }

    fn start<'a>(
        &'a self,
        _: &'a ProfileId,
        _: &'a StartOptions,
    ) -> BoxFuture<'a, Result<Endpoint, ProviderError>> {
        Box::pin(async { unreachable!("an orchestrator starts no browser") })
    }

    fn stop<'a>(&'a self, _: &'a ProfileId) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn active<'a>(&'a self, _: &'a ProfileId) -> BoxFuture<'a, Result<Option<Endpoint>, ProviderError>> {
        Box::pin(async { Ok(None) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ListedProfile>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn left_open<'a>(&'a self, _: &'a [ProfileId]) -> BoxFuture<'a, Result<Vec<OpenBrowser>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    // `cargo bench` without arguments measures nothing.
    let [_, folder, slots, program] = &arguments[..] else { return ExitCode::SUCCESS };
    let list = FileSource::of_input("-", std::io::stdin(), Format::List, DeclaredVariables::default());
    let list = list.unwrap_or_else(|error| panic!("{error}"));
    let profiles = Intake::new(Box::new(list), Platform::Desktop);
    let flag = "mailbox_created".parse().expect("a flag");
    let mut options = OrchestrateOptions::new(Layout::new(folder), program.into(), Vec::new(), vec![flag]);
    options.max = slots.parse().expect("a number of slots");
    options.stagger = Duration::ZERO;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut ignore = |_| ();
    let fleet = orchestrate(options, profiles, Arc::new(NoProvider), &mut ignore);
    let report = runtime.block_on(fleet).unwrap_or_else(|error| panic!("{error}"));
    println!("{}", serde_json::to_string(&report).expect("a report is JSON"));
    ExitCode::from(report.exit_code)
}
