//! The size of the page's window, and whether it is a phone's.

use chromiumoxide::cdp::browser_protocol::emulation::{
    ScreenOrientation, ScreenOrientationType, SetDeviceMetricsOverrideParams, SetTouchEmulationEnabledParams,
};

use super::Page;
use crate::browser::cdp::CdpError;
use crate::domain::flow::Viewport;

/// What a mobile profile has until its flow sets another.
pub const PHONE: Viewport = Viewport {
    width: 412,
    height: 915,
    device_scale_factor: 2.625,
    is_mobile: true,
    has_touch: true,
    is_landscape: false,
};

impl Page {
    pub(super) fn apply_viewport(
        &self,
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
        // The page hears of the new size: by then it has to be a touch screen already.
        let touch = self.session.send(SetTouchEmulationEnabledParams::new(viewport.has_touch));
        let metrics = self.session.send(metrics);
        async move {
            touch.await?;
            metrics.await?;
            Ok(())
        }
    }
}
