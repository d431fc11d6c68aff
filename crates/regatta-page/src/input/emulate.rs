//! Emulates the size of the window, a phone, and a slow network.

use chromiumoxide::cdp::browser_protocol::emulation::{
    ScreenOrientation, ScreenOrientationType, SetDeviceMetricsOverrideParams, SetTouchEmulationEnabledParams,
};
use chromiumoxide::cdp::browser_protocol::network;
use futures::future::try_join_all;

use crate::connection::{CdpError, CdpSession};
use crate::page::Page;
use regatta_core::flow::{NetworkConditions, Viewport};

/// The viewport of a mobile profile until its flow sets another.
pub const PHONE: Viewport = Viewport {
    width: 412,
    height: 915,
    device_scale_factor: 2.625,
    is_mobile: true,
    has_touch: true,
    is_landscape: false,
};

impl Page {
    /// Sets the viewport of the step's tab and of tabs that open later.
    pub(crate) fn apply_viewport(
        &self,
        wanted: &Viewport,
    ) -> impl Future<Output = Result<(), CdpError>> + use<> {
        self.state.send_modify(|state| state.settings.viewport = Some(wanted.clone()));
        viewport(&self.tab_session(), wanted)
    }

    /// Sets the network conditions of all tabs and frames, and of later ones.
    pub(crate) fn apply_conditions(
        &self,
        wanted: NetworkConditions,
    ) -> impl Future<Output = Result<(), CdpError>> + use<> {
        self.state.send_modify(|state| state.settings.conditions = Some(wanted));
        let sessions = self.state.borrow().sessions();
        let answers: Vec<_> = sessions.iter().map(|session| conditions(session, &wanted)).collect();
        async move { try_join_all(answers).await.map(|_| ()) }
    }
}

pub fn viewport(
    session: &CdpSession,
    viewport: &Viewport,
) -> impl Future<Output = Result<(), CdpError>> + use<> {
    let mut metrics = SetDeviceMetricsOverrideParams::new(
        viewport.width,
        viewport.height,
        viewport.device_scale_factor,
        viewport.is_mobile,
    );
    metrics.screen_orientation = Some(if viewport.is_landscape {
        ScreenOrientation::new(ScreenOrientationType::LandscapePrimary, 90)
    } else {
        ScreenOrientation::new(ScreenOrientationType::PortraitPrimary, 0)
    });
    // The page is notified of the new size, and by then it has to be a touch screen already.
    let touch = session.send(SetTouchEmulationEnabledParams::new(viewport.has_touch));
    let metrics = session.send(metrics);
    async move {
        touch.await?;
        metrics.await?;
        Ok(())
    }
}

/// As DevTools reads a recording: nothing at all is offline, a negative rate is no limit.
pub fn conditions(
    session: &CdpSession,
    conditions: &NetworkConditions,
) -> impl Future<Output = Result<(), CdpError>> + use<> {
    let NetworkConditions { download, upload, latency } = *conditions;
    let is_offline = download == 0.0 && upload == 0.0 && latency == 0.0;
    #[expect(deprecated, reason = "its successor is younger than browsers that AdsPower brings")]
    let emulate = network::EmulateNetworkConditionsParams::new(is_offline, latency, download, upload);
    let answer = session.send(emulate);
    async move { answer.await.map(|_| ()) }
}
