//! TLS 1.3 with raw public keys (RFC 7250): a node's Ed25519 key is its certificate, there is no chain and no name.
//!
//! The client knows the key that the coordinator must show and refuses every other inside the handshake. The server
//! asks every client for a key, takes any sound one, and learns from it who the peer is. Sessions are never resumed,
//! so that each connection proves both keys anew.

use std::sync::{Arc, OnceLock};

use protocol::{
    identity::{NodeId, SecretKey},
    limits::ALPN,
};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, PeerIncompatible, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

/// What precedes the seed in the PKCS#8 form of an Ed25519 key (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What precedes the key in the `SubjectPublicKeyInfo` of an Ed25519 key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The name that clients ask for. Keys identify nodes, so it says nothing and is not sent.
pub(crate) const SERVER_NAME: &str = "coordinator.quorate";

/// TLS alert: the two sides share no application protocol (RFC 7301).
pub(crate) const ALERT_NO_APPLICATION_PROTOCOL: u8 = 120;

/// The TLS library refused the configuration; a defect of this build, not of the user's input.
#[derive(Debug, Clone, thiserror::Error)]
#[error("TLS cannot be set up in this build: {0}")]
pub struct TlsError(String);

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<quinn::crypto::rustls::NoInitialCipherSuite> for TlsError {
    fn from(error: quinn::crypto::rustls::NoInitialCipherSuite) -> Self {
        Self(error.to_string())
    }
}

/// Where the client's verifier leaves the key that the server showed, for the error message.
pub(crate) type ShownKey = Arc<OnceLock<NodeId>>;

/// The server's side: any node may come, and must prove its key.
pub(crate) fn server_config(key: &SecretKey) -> Result<quinn::crypto::rustls::QuicServerConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let resolver = AlwaysResolvesServerRawPublicKeys::new(certified_key(key)?);
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyNode { provider }))
        .with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config.try_into()?)
}

/// The client's side: only `expected` will do.
pub(crate) fn client_config(
    key: &SecretKey,
    expected: NodeId,
) -> Result<(quinn::crypto::rustls::QuicClientConfig, ShownKey), TlsError> {
    let provider = Arc::new(ring::default_provider());
    let shown = ShownKey::default();
    let verifier = ThisNode { expected, shown: Arc::clone(&shown), provider: Arc::clone(&provider) };
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified_key(key)?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::disabled();
    Ok((config.try_into()?, shown))
}

/// The node that a finished handshake proved.
pub(crate) fn peer_of(connection: &quinn::Connection) -> Option<NodeId> {
    let identity = connection.peer_identity()?;
    let keys = identity.downcast_ref::<Vec<CertificateDer<'static>>>()?;
    node_of(keys.first()?)
}

fn certified_key(key: &SecretKey) -> Result<Arc<CertifiedKey>, TlsError> {
    let mut pkcs8 = PKCS8_PREFIX.to_vec();
    pkcs8.extend_from_slice(&key.seed());
    let signing_key = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8))?;
    let mut spki = SPKI_PREFIX.to_vec();
    spki.extend_from_slice(&key.node_id().0);
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], signing_key)))
}

fn node_of(certificate: &CertificateDer<'_>) -> Option<NodeId> {
    let key = certificate.strip_prefix(&SPKI_PREFIX)?;
    Some(NodeId(key.try_into().ok()?))
}

/// The node behind a shown key. A key of small order is refused: everybody can sign for it.
fn sound_node_of(certificate: &CertificateDer<'_>) -> Result<NodeId, rustls::Error> {
    node_of(certificate).filter(NodeId::is_sound).ok_or_else(|| CertificateError::BadEncoding.into())
}

fn verify_signature(
    provider: &CryptoProvider,
    message: &[u8],
    key: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let key = SubjectPublicKeyInfoDer::from(key.as_ref());
    verify_tls13_signature_with_raw_key(message, &key, signature, &provider.signature_verification_algorithms)
}

fn tls12_refused() -> rustls::Error {
    PeerIncompatible::Tls12NotOffered.into()
}

/// Accepts one server only.
#[derive(Debug)]
struct ThisNode {
    expected: NodeId,
    shown: ShownKey,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ThisNode {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let node = sound_node_of(end_entity)?;
        let shown = *self.shown.get_or_init(|| node);
        if shown == self.expected {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(tls12_refused())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_signature(&self.provider, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// Accepts every client that proves a sound key.
#[derive(Debug)]
struct AnyNode {
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for AnyNode {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        sound_node_of(end_entity).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(tls12_refused())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_signature(&self.provider, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
