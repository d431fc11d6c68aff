//! The sandbox: a practice site and an AdsPower Local API emulator in one development program.
//!
//! It exists so that Regatta can be played, tested and shown without any third party: the site is
//! an invented company that behaves like the web and keeps a ledger of everything it accepted, the
//! obstacle course puts one hazard on each of its pages, and the emulator starts real Chromium behind
//! the calls of AdsPower's Local API.

mod adspower;
mod args;
mod course;
mod data_folder;
mod shutdown;
mod site;
mod switches;
mod verdict;

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use serde_json::json;
use tokio::net::TcpListener;

use crate::args::SandboxArgs;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == "verdict").is_some() {
        let name = std::ffi::OsString::from("sandbox verdict");
        return runtime.block_on(verdict::print(verdict::VerdictArgs::parse_from(
            std::iter::once(name).chain(arguments),
        )));
    }
    runtime.block_on(serve(SandboxArgs::parse()))
}

/// Serves until a signal (or the end of stdin) asks for the end, then stops every browser.
async fn serve(args: SandboxArgs) -> Result<(), Box<dyn Error>> {
    // Locked first: two sandboxes on one folder would write one journal and share browsers.
    let folder = data_folder::open(&args.data)?;
    // Listened to before the ready line, so that no signal after it can end us the hard way.
    let asked_to_stop = shutdown::asked(args.exit_with_stdin)?;

    let site_url = match args.site {
        Some(address) => Some(serve_site(&args, address, folder.path()).await?),
        None => None,
    };
    let (adspower_url, emulator) = match args.adspower {
        Some(address) => {
            let (url, emulator) = serve_adspower(&args, address, folder.path()).await?;
            (Some(url), Some(emulator))
        }
        None => (None, None),
    };
    println!("{}", json!({ "site": site_url, "adspower": adspower_url }));

    asked_to_stop.await;
    if let Some(emulator) = emulator {
        emulator.shut_down().await;
    }
    Ok(())
}

async fn serve_site(
    args: &SandboxArgs,
    address: SocketAddr,
    folder: &Path,
) -> Result<String, Box<dyn Error>> {
    let site = site::PracticeSite::open(folder, args.switches()?, args.verbose)?;
    let listener = TcpListener::bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    // A dropped handle detaches the task: it serves until the process ends.
    drop(tokio::spawn(async move { axum::serve(listener, site::router(Arc::new(site))).await }));
    Ok(url)
}

async fn serve_adspower(
    args: &SandboxArgs,
    address: SocketAddr,
    folder: &Path,
) -> Result<(String, Arc<adspower::AdsPowerEmulator>), Box<dyn Error>> {
    let emulator = Arc::new(adspower::AdsPowerEmulator::open(args, folder).await?);
    let listener = TcpListener::bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let served = Arc::clone(&emulator);
    drop(tokio::spawn(async move {
        if let Err(error) = adspower::serve(served, listener).await {
            eprintln!("sandbox: the AdsPower emulator has stopped: {error}");
        }
    }));
    Ok((url, emulator))
}
