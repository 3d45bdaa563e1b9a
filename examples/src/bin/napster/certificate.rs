//! The certificate of `napster serve` (feature `tls`), which can be changed while it runs.

use crate::config::Tls;
use p2p_examples::Failure;
use p2p_transport_tokio::rustls::ServerConfig;
use p2p_transport_tokio::rustls::crypto::ring;
use p2p_transport_tokio::rustls::pki_types::pem::PemObject;
use p2p_transport_tokio::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use p2p_transport_tokio::rustls::server::{ClientHello, ResolvesServerCert};
use p2p_transport_tokio::rustls::sign::CertifiedKey;
use std::sync::{Arc, PoisonError, RwLock};

/// The certificate that new connections get.
#[derive(Debug)]
pub(crate) struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    pub(crate) fn read(tls: &Tls) -> Result<Self, Failure> {
        Ok(Self(RwLock::new(Arc::new(read(tls)?))))
    }

    /// Reads the files again. What is wrong with them changes nothing.
    pub(crate) fn read_again(&self, tls: &Tls) -> Result<(), Failure> {
        let new = Arc::new(read(tls)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What secures streams with it.
pub(crate) fn connector(current: &Arc<Current>) -> Result<p2p_transport_tokio::Tls, Failure> {
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(Failure::during("TLS"))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::<Current>::clone(current));
    Ok(p2p_transport_tokio::Tls::new().with_server(config.into()))
}

fn read(tls: &Tls) -> Result<CertifiedKey, Failure> {
    let (certificate, key) = (&tls.certificate, &tls.key);
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(Failure::during(certificate.display()))?;
    if chain.is_empty() {
        return Err(Failure::new(format_args!("{} has no certificate", certificate.display())));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(Failure::during(key.display()))?;
    CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(Failure::during(format_args!(
        "{} and {}",
        certificate.display(),
        key.display()
    )))
}
