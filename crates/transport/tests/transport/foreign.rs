//! Peers of another make: QUIC with raw public keys as ours, but another version, no key, or a key that is no key.

use std::sync::Arc;

use protocol::{
    identity::{NodeId, SecretKey},
    limits::ALPN,
};
use quinn::{ClientConfig, Connecting, Endpoint, ServerConfig};
use rustls::{
    DigitallySignedStruct, SignatureAlgorithm, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::ring,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::AlwaysResolvesServerRawPublicKeys,
    sign::{CertifiedKey, Signer, SigningKey},
};

use crate::support::loopback;

/// The ALPN of a version that does not exist yet.
pub(crate) const OTHER_ALPN: &[u8] = b"quorate/999";

fn spki(node: NodeId) -> CertificateDer<'static> {
    let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.extend_from_slice(&node.0);
    CertificateDer::from(der)
}

fn certified(key: &SecretKey) -> Arc<CertifiedKey> {
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend_from_slice(&key.seed());
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der)).expect("an Ed25519 key");
    Arc::new(CertifiedKey::new(vec![spki(key.node_id())], signer))
}

/// A server that shows `key` and speaks `alpn` only.
pub(crate) fn server(key: &SecretKey, alpn: &[u8]) -> Endpoint {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(key))));
    tls.alpn_protocols = vec![alpn.to_vec()];
    let tls = quinn::crypto::rustls::QuicServerConfig::try_from(tls).expect("a suite for QUIC");
    Endpoint::server(ServerConfig::with_crypto(Arc::new(tls)), loopback()).expect("loopback can be bound")
}

/// What a foreign client shows.
pub(crate) enum Shown<'a> {
    Nothing,
    Key(&'a SecretKey),
    /// The neutral point of the curve, for which everybody can sign.
    NeutralPoint,
}

/// An endpoint whose connections speak `alpn` and show `shown`; it believes every server.
pub(crate) fn client(alpn: &[u8], shown: &Shown<'_>) -> Endpoint {
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(BelievesAll));
    let mut tls = match shown {
        Shown::Nothing => builder.with_no_client_auth(),
        Shown::Key(key) => builder
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(key)))),
        Shown::NeutralPoint => {
            let key = CertifiedKey::new(vec![spki(NodeId(neutral_point()))], Arc::new(NeutralKey));
            builder.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(key))))
        }
    };
    tls.alpn_protocols = vec![alpn.to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).expect("a suite for QUIC");
    let mut endpoint = Endpoint::client(loopback()).expect("loopback can be bound");
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(tls)));
    endpoint
}

/// Our own protocol, with a good key: what a stalled or hostile peer would use.
pub(crate) fn same_protocol(key: &SecretKey) -> Endpoint {
    client(ALPN, &Shown::Key(key))
}

pub(crate) fn begin(endpoint: &Endpoint, address: std::net::SocketAddr) -> Connecting {
    endpoint.connect(address, "coordinator.quorate").expect("a connection begins")
}

fn neutral_point() -> [u8; 32] {
    let mut point = [0; 32];
    point[0] = 1;
    point
}

/// Signs for the neutral point: R = 0, s = 0 solves s*B = R + h*0 for every message.
#[derive(Debug)]
struct NeutralKey;

impl SigningKey for NeutralKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SignatureScheme::ED25519).then(|| Box::new(Self) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for NeutralKey {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let mut signature = neutral_point().to_vec();
        signature.resize(64, 0);
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

#[derive(Debug)]
struct BelievesAll;

impl ServerCertVerifier for BelievesAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
