//! TLS for streams, behind the feature `tls`: [`Tls`].

mod stranger;

use crate::connector::{Connector, Opening, Stream};
use p2p_core::{IoError, Security};
use std::fmt;
use std::sync::Arc;
use stranger::Anybody;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// TCP secured with TLS by rustls, with the configurations given: what has none cannot be secured in that role.
#[derive(Clone, Default)]
pub struct Tls {
    client: Option<Arc<ClientConfig>>,
    server: Option<Arc<ServerConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("client", &self.client.is_some())
            .field("server", &self.server.is_some())
            .finish()
    }
}

impl Tls {
    /// In neither role yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Able to secure as the client, with these roots of trust.
    #[must_use]
    pub fn with_client(mut self, config: Arc<ClientConfig>) -> Self {
        self.client = Some(config);
        self
    }

    /// Able to secure as the client of anybody, whatever certificate he shows, if it is his: for networks of strangers,
    /// where nobody is known by a certificate. It keeps out who listens, not who stands between.
    ///
    /// # Errors
    /// [`IoError::Unsupported`] if no version of TLS can be spoken.
    pub fn with_any_server(self) -> Result<Self, IoError> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| IoError::Unsupported)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            .with_no_client_auth();
        Ok(self.with_client(Arc::new(config)))
    }

    /// Able to secure as the server, with this certificate.
    #[must_use]
    pub fn with_server(mut self, config: Arc<ServerConfig>) -> Self {
        self.server = Some(config);
        self
    }
}

impl Connector for Tls {
    fn secure(&self, stream: Stream, security: Security) -> Opening<Stream> {
        let (client, server) = (self.client.clone(), self.server.clone());
        Box::pin(async move {
            match security {
                Security::None => Ok(stream),
                Security::Client(name) => {
                    let config = client.ok_or(IoError::Unsupported)?;
                    let name = ServerName::try_from(name).map_err(|_| IoError::Insecure)?;
                    let secured = TlsConnector::from(config).connect(name, stream).await;
                    secured.map(Stream::new).map_err(|_| IoError::Insecure)
                }
                Security::Server => {
                    let config = server.ok_or(IoError::Unsupported)?;
                    let secured = TlsAcceptor::from(config).accept(stream).await;
                    secured.map(Stream::new).map_err(|_| IoError::Insecure)
                }
            }
        })
    }
}
