//! `sandbox verdict`: what the ledger and the emulator say of a finished demo, in one line each.

use std::collections::BTreeMap;
use std::error::Error;

use clap::Parser;
use serde::Deserialize;

#[derive(Debug, Parser)]
#[command(name = "sandbox verdict")]
pub struct VerdictArgs {
    /// Address of the practice site whose ledger is read
    #[arg(long)]
    site: Option<String>,
    /// Submissions the ledger must hold
    #[arg(long, requires = "site")]
    expect: Option<u64>,
    /// Address of the AdsPower emulator whose refusals are read
    #[arg(long)]
    adspower: Option<String>,
}

#[derive(Deserialize)]
struct Ledger {
    total: u64,
    profiles: BTreeMap<String, serde_json::Value>,
    twice: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Stats {
    calls: u64,
    throttled: u64,
    open: Vec<String>,
}

/// An error where something was done twice, is missing, was refused or was left open.
pub async fn print(args: VerdictArgs) -> Result<(), Box<dyn Error>> {
    if let Some(site) = args.site {
        let ledger: Ledger = asked(format!("{site}/ledger")).await?;
        let profiles = ledger.profiles.len();
        let each = if ledger.twice.is_empty() { "each once" } else { "SOME TWICE" };
        println!("ledger: {} submissions of {profiles} profiles, {each}", ledger.total);
        if !ledger.twice.is_empty() {
            return Err(format!("done twice: {}", serde_json::to_string(&ledger.twice)?).into());
        }
        if let Some(expected) = args.expect.filter(|expected| *expected != ledger.total) {
            return Err(format!("the ledger should hold {expected} submissions").into());
        }
    }
    if let Some(adspower) = args.adspower {
        let stats: Stats = asked(format!("{adspower}/emulator/stats")).await?;
        println!(
            "adspower: {} calls, {} throttled, {} browsers open",
            stats.calls,
            stats.throttled,
            stats.open.len()
        );
        if stats.throttled > 0 || !stats.open.is_empty() {
            return Err("calls were throttled or browsers left open".into());
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the sandbox shares nothing with what it judges")]
async fn asked<T: serde::de::DeserializeOwned>(url: String) -> Result<T, Box<dyn Error>> {
    // A client wants its ciphers even where it encrypts nothing.
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    Ok(client.get(url).send().await?.json().await?)
}
