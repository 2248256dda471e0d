//! The tour of a demo's console: sends made-up bad input to the node's own listener, as a laboratory would.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hl7v2::acknowledgment::Acknowledgment;
use mllp::{Client, ClientConfig};

use crate::clock;
use crate::config::Config;
use crate::generate::scene;

/// How long each message may wait for its acknowledgment.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// A laboratory at the node's own listener.
struct Scene {
    listener: SocketAddr,
}

/// The tour, for a node whose configuration says that it is a demo and that has a listener in clear.
pub fn of(config: &Config) -> Option<Arc<dyn console::Guide>> {
    let listener = config.mllp.iter().find(|mllp| mllp.tls.is_none()).map(|mllp| mllp.listen)?;
    config.demo.then(|| Arc::new(Scene { listener }) as Arc<dyn console::Guide>)
}

#[async_trait::async_trait]
impl console::Guide for Scene {
    async fn break_something(&self) -> Result<u32, console::GuideError> {
        let mut config = ClientConfig::new(self.listener.to_string());
        config.reply_timeout = REPLY_TIMEOUT;
        let mut client = Client::connect(config).await?;
        // A clock before 1970 gives round 0 for ever; its repetitions are answered and change nothing.
        let round = u64::try_from(clock::now_us()).unwrap_or(0);
        let mut sent = 0;
        for message in scene(round) {
            let answer = client.exchange(message.er7.as_bytes()).await?;
            Acknowledgment::read(&answer)?;
            sent += 1;
        }
        client.close().await?;
        Ok(sent)
    }
}
