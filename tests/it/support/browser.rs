//! A Chromium of a test's own, by the program's own provider; gone when the test is over.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regatta::browser::chromium::{Chromium, ChromiumSettings};
use regatta::browser::page::memory::{SelectorKey, SelectorMemory};
use regatta::browser::page::{ActionError, BrowserConnection, Gate, Page, PageOptions};
use regatta::browser::provider::{Provider, StartOptions};
use regatta::domain::flow::{self, Flow};
use regatta::domain::id::ProfileId;
use regatta::domain::session::Platform;
use regatta::store::Layout;

pub fn chromium(layout: Layout) -> Chromium {
    Chromium::new(
        layout,
        ChromiumSettings {
            executable: std::env::var_os("CHROME").filter(|value| !value.is_empty()).map(Into::into),
            search_path: std::env::var_os("PATH"),
            arguments: Vec::new(),
            start_timeout: Duration::from_secs(60),
        },
    )
}

/// One tab, and what a test asks of it.
pub struct Stage {
    pub page: Page,
    pub connection: BrowserConnection,
    pub memory: SharedMemory,
    pub touches: u32,
}

/// Runs `test` with a tab that may visit `origins`, and ends the browser whatever happens.
pub fn with_page<F: AsyncFnOnce(&mut Stage)>(origins: &[&str], test: F) {
    let folder = tempfile::tempdir().unwrap();
    let provider = chromium(Layout::new(folder.path()));
    let profile: ProfileId = "p".parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(async {
        let options = StartOptions { headless: true, platform: Platform::Desktop };
        let endpoint = provider.start(&profile, &options).await.unwrap();
        let connection = BrowserConnection::connect(&endpoint.ws).await.unwrap();
        let memory = SharedMemory::default();
        let page = connection
            .open_page(PageOptions {
                allowed_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
                platform: Platform::Desktop,
                memory: Box::new(memory.clone()),
            })
            .await
            .unwrap();
        let mut stage = Stage { page, connection, memory, touches: 0 };
        let test = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(test(&mut stage)));
        let result = test.await;
        provider.stop(&profile).await.unwrap();
        result
    });
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

impl Stage {
    /// Plays steps, given as the JSON of a flow's list. The last capture, or the first error.
    pub async fn play(&mut self, steps: &str) -> Result<Option<String>, ActionError> {
        let flow = flow(steps);
        let mut captured = None;
        for step in &flow.steps {
            let timeout = step.timeout.unwrap_or(Duration::from_secs(3));
            let mut gate = CountingGate(&mut self.touches);
            if let Some(text) = self.page.perform(&flow.file, step, timeout, &mut gate).await? {
                captured = Some(text);
            }
        }
        Ok(captured)
    }

    /// Plays steps that must fail: kind, message and hint in one text.
    pub async fn fail(&mut self, steps: &str) -> String {
        match self.play(steps).await {
            Ok(_) => "passed".to_owned(),
            Err(error) => {
                let hint = error.hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                format!("{:?}: {}{hint}", error.kind, error.message)
            }
        }
    }

    /// The text of an element.
    pub async fn text(&mut self, selector: &str) -> String {
        let steps = format!(
            r#"{{"type":"customStep","name":"regatta.capture","parameters":{{"selectors":["{selector}"],"from":"text","into":"identity.x"}}}}"#
        );
        self.play(&steps).await.unwrap().unwrap()
    }
}

pub fn flow(steps: &str) -> Flow {
    flow::parse("f.json", &format!("{{\"title\":\"t\",\"steps\":[\n{steps}\n]}}")).unwrap()
}

struct CountingGate<'a>(&'a mut u32);

impl Gate for CountingGate<'_> {
    fn before_touch(&mut self) -> Result<(), String> {
        *self.0 += 1;
        Ok(())
    }
}

#[derive(Clone, Default)]
pub struct SharedMemory(pub Arc<Mutex<HashMap<SelectorKey, usize>>>);

impl SelectorMemory for SharedMemory {
    fn recall(&mut self, key: &SelectorKey) -> Option<usize> {
        self.0.lock().unwrap().get(key).copied()
    }

    fn remember(&mut self, key: &SelectorKey, alternative: usize) {
        self.0.lock().unwrap().insert(key.clone(), alternative);
    }
}
