//! Whom a program trusts that secures its streams (feature `tls`): whom the system trusts and whom its user does, or
//! anybody.

use crate::Failure;
use p2p_transport_tokio::Tls;
use std::path::PathBuf;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};

/// What secures streams as their client, trusting the certificates in these files (PEM), too.
///
/// # Errors
/// If one of the files cannot be read, or has no certificate.
pub fn connector(files: &[PathBuf]) -> Result<Tls, Failure> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read makes a connection fail that needs it, with a reason, and no other.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for file in files {
        let during = || Failure::during::<tokio_rustls::rustls::pki_types::pem::Error>(file.display());
        let mut any = false;
        for certificate in CertificateDer::pem_file_iter(file).map_err(during())? {
            let added = roots.add(certificate.map_err(during())?);
            added.map_err(Failure::during(file.display()))?;
            any = true;
        }
        if !any {
            return Err(Failure::new(format_args!("{} has no certificate", file.display())));
        }
    }
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(Failure::during("TLS"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Tls::new().with_client(config.into()))
}

/// What secures streams among strangers, in both roles: nobody is known by his certificate, and our own is made anew.
///
/// # Errors
/// If no certificate can be made.
pub fn among_strangers() -> Result<Tls, Failure> {
    let during = "making a certificate";
    let own = rcgen::generate_simple_self_signed(Vec::new()).map_err(Failure::during(during))?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(Failure::during(during))?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .map_err(Failure::during(during))?;
    Tls::new().with_server(config.into()).with_any_server().map_err(Failure::during(during))
}
