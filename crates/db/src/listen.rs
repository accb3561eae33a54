//! LISTEN: being told instead of asking.

use futures::StreamExt;
use mintmark_fault::{Chain, Fault, Result};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client};

use crate::connect::Connector;
use crate::fault::unavailable;
use crate::{DbConfig, raw_fault};

/// Notifications that may wait; a slow reader loses the rest and must poll anyway.
const BUFFER: usize = 256;

/// One NOTIFY.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The channel.
    pub channel: String,
    /// The payload, at most 8,000 bytes.
    pub payload: String,
}

/// A connection that listens. It does not reconnect: after `None` its owner looks once at the tables and listens anew.
pub struct Listener {
    received: mpsc::Receiver<Notification>,
    /// The connection ends when its client is dropped.
    _client: Client,
}

impl Listener {
    /// Connects on `home` and listens on `channel`.
    ///
    /// # Errors
    /// 503 when the database is away; 500 when the URL cannot be used or the channel is no lower-case identifier.
    pub async fn connect(config: &DbConfig, home: &Handle, channel: &str) -> Result<Self> {
        if channel.is_empty() || !channel.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return Err(Fault::internal(format!("{channel:?} is not a channel name")));
        }
        let connector = Connector::new(config).map_err(Fault::internal)?;
        let (sender, received) = mpsc::channel(BUFFER);
        let opened = home.spawn(async move {
            let (client, mut driver) = connector.open().await?;
            tokio::spawn(async move {
                let mut messages = futures::stream::poll_fn(move |cx| driver.poll_message(cx));
                while let Some(message) = messages.next().await {
                    match message {
                        Ok(AsyncMessage::Notification(n)) => {
                            let told =
                                Notification { channel: n.channel().into(), payload: n.payload().into() };
                            // Full or closed: the reader polls.
                            let _ = sender.try_send(told);
                        }
                        Ok(_) => {}
                        Err(error) => {
                            tracing::warn!(error = %Chain(&error), "the listening database connection ended");
                            break;
                        }
                    }
                }
            });
            Ok::<_, tokio_postgres::Error>(client)
        });
        let client = match opened.await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(unavailable().caused_by(error)),
            Err(gone) => return Err(unavailable().caused_by(gone)),
        };
        client.batch_execute(&format!("LISTEN {channel}")).await.map_err(raw_fault)?;
        Ok(Self { received, _client: client })
    }

    /// The next notification; `None` when the connection is lost.
    pub async fn next(&mut self) -> Option<Notification> {
        self.received.recv().await
    }
}
