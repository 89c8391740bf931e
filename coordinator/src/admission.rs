//! Who is let in: a node with a token that this coordinator issued, or with the coordinator's own key, and never one
//! whose key was revoked.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::{
    identity::{NodeId, SecretKey},
    limits::{NAME_BYTES_MAX, PROTOCOL_VERSION, RESUMES_MAX},
    message::{Hello, Introduction},
    token::{Role, TokenError},
};

/// Name of the file with revoked keys in the state directory, one in hexadecimal a line.
const REVOKED_FILE: &str = "revoked";

/// Decides who is let in.
#[derive(Debug)]
pub struct Admission {
    key: SecretKey,
    revoked_path: PathBuf,
    revoked: RwLock<BTreeSet<NodeId>>,
}

/// Why a node is not let in, in words for its user.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AdmissionError {
    /// Another version of the protocol.
    #[error(
        "this coordinator speaks version {PROTOCOL_VERSION} of the protocol and you speak version {0}; install the \
         same version of quorate on both sides"
    )]
    Version(u32),
    /// No token.
    #[error("a join token is needed; ask the coordinator's operator to run `coordinator token`")]
    NoCredential,
    /// A token that does not count.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its key was revoked.
    #[error("the key {0} is revoked; ask the coordinator's operator")]
    Revoked(NodeId),
    /// It says something of itself that cannot be.
    #[error("the introduction is not acceptable: {0}")]
    Introduction(&'static str),
}

impl Admission {
    /// Admission to the coordinator with `key`, whose revoked keys are in `state_dir`.
    ///
    /// # Errors
    /// When the file with revoked keys is there and cannot be read or understood.
    pub fn open(key: SecretKey, state_dir: &Path) -> io::Result<Self> {
        let revoked_path = state_dir.join(REVOKED_FILE);
        let text = match fs::read_to_string(&revoked_path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let parse = |line: &str| {
            NodeId::from_hex(line).ok_or_else(|| {
                let message =
                    format!("{}: `{line}` is not a key of 64 hexadecimal digits", revoked_path.display());
                io::Error::new(io::ErrorKind::InvalidData, message)
            })
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let revoked = lines.map(parse).collect::<io::Result<_>>()?;
        Ok(Self { key, revoked_path, revoked: RwLock::new(revoked) })
    }

    /// Checks a hello from `peer`; returns the operator under which it is known.
    ///
    /// # Errors
    /// [`AdmissionError`], whose text is for the peer's user.
    pub fn check(&self, peer: NodeId, hello: &Hello) -> Result<String, AdmissionError> {
        if hello.protocol_version != PROTOCOL_VERSION {
            return Err(AdmissionError::Version(hello.protocol_version));
        }
        if self.revoked.read().unwrap_or_else(PoisonError::into_inner).contains(&peer) {
            return Err(AdmissionError::Revoked(peer));
        }
        let role = match &hello.introduction {
            Introduction::Client => Role::Client,
            Introduction::Worker(worker) => {
                let names = [&worker.name, &worker.build];
                let devices = worker.engines.iter().map(|engine| &engine.device);
                if !names.into_iter().chain(devices).all(|name| fits_on_a_line(name)) {
                    return Err(AdmissionError::Introduction(
                        "a name has more than 64 bytes, or a control character",
                    ));
                }
                if worker.engines.is_empty() || worker.engines.len() > 64 {
                    return Err(AdmissionError::Introduction("a worker needs from 1 to 64 engines"));
                }
                if worker.resumes.len() > RESUMES_MAX {
                    return Err(AdmissionError::Introduction("it resumes more replicas than the limit"));
                }
                Role::Worker
            }
        };
        let Some(credential) = &hello.credential else {
            // Whoever holds the coordinator's own key is its operator.
            let owner = peer == self.key.node_id() && role == Role::Client;
            return if owner { Ok("owner".to_owned()) } else { Err(AdmissionError::NoCredential) };
        };
        credential.check(&self.key, role, unix_now_s())?;
        Ok(credential.grant.operator.clone())
    }

    /// The coordinator's own key.
    pub(crate) fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Whether this is the coordinator's own key, which only its operator has.
    pub fn is_owner(&self, node: NodeId) -> bool {
        node == self.key.node_id()
    }

    /// Never lets this key in again, from now on and after a restart.
    ///
    /// # Errors
    /// When it cannot be written down; then nothing has changed.
    pub fn revoke(&self, node: NodeId) -> io::Result<()> {
        let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = revoked.clone();
        next.insert(node);
        let lines: Vec<String> = next.iter().map(NodeId::to_string).collect();
        let folder = self.revoked_path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, lines.join("\n").as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.revoked_path).map_err(|error| error.error)?;
        *revoked = next;
        Ok(())
    }
}

/// Whether a name that a peer gave may be kept and shown: it is printed in logs, tables and reports.
pub(crate) fn fits_on_a_line(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

/// The time, in seconds since the Unix epoch.
pub fn unix_now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use protocol::{
        domain::Engine,
        message::{EngineIntroduction, WorkerIntroduction},
        token::{Credential, Grant, Token},
    };

    use super::*;

    fn key(number: u8) -> SecretKey {
        SecretKey::from_seed(&[number; 32])
    }

    fn client(credential: Option<Credential>) -> Hello {
        Hello { protocol_version: PROTOCOL_VERSION, credential, introduction: Introduction::Client }
    }

    fn token(issuer: &SecretKey, role: Role, expires_unix_s: u64) -> Credential {
        let grant = Grant { role, operator: "alice".to_owned(), expires_unix_s };
        Credential::from(&Token::issue("127.0.0.1:1".to_owned(), issuer, grant))
    }

    #[test]
    fn each_reason_for_a_refusal_is_said_in_words() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let admission = Admission::open(key(1), folder.path()).expect("an empty folder");
        let stranger = key(2).node_id();
        let refusal = |hello: &Hello| admission.check(stranger, hello).expect_err("refused").to_string();
        let later = unix_now_s() + 60;
        assert!(refusal(&client(None)).contains("a join token is needed"));
        assert!(
            refusal(&client(Some(token(&key(3), Role::Client, later))))
                .contains("not issued by this coordinator")
        );
        assert!(refusal(&client(Some(token(&key(1), Role::Worker, later)))).contains("is for a worker"));
        assert!(refusal(&client(Some(token(&key(1), Role::Client, 5)))).contains("expired"));
        let other_version = Hello { protocol_version: 9, ..client(None) };
        assert!(refusal(&other_version).contains("version 9"));
        let good = client(Some(token(&key(1), Role::Client, later)));
        assert_eq!(admission.check(stranger, &good), Ok("alice".to_owned()));
    }

    #[test]
    fn a_token_cannot_be_changed_into_one_for_another_operator() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let admission = Admission::open(key(1), folder.path()).expect("an empty folder");
        let mut credential = token(&key(1), Role::Client, unix_now_s() + 60);
        credential.grant.operator = "bob".to_owned();
        assert_eq!(
            admission.check(key(2).node_id(), &client(Some(credential))),
            Err(AdmissionError::Token(TokenError::Foreign))
        );
    }

    #[test]
    fn a_worker_whose_names_would_garble_a_log_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let admission = Admission::open(key(1), folder.path()).expect("an empty folder");
        let worker = |name: &str, device: &str, build: &str| Hello {
            introduction: Introduction::Worker(WorkerIntroduction {
                name: name.to_owned(),
                engines: vec![EngineIntroduction { engine: Engine::Cpu, device: device.to_owned() }],
                build: build.to_owned(),
                slots: 1,
                resumes: Vec::new(),
            }),
            ..client(Some(token(&key(1), Role::Worker, unix_now_s() + 60)))
        };
        let check = |hello: &Hello| admission.check(key(2).node_id(), hello);
        assert_eq!(check(&worker("Ada's", "a CPU", "1.0")), Ok("alice".to_owned()));
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for bad in ["a\nWARN forged", "\u{1b}[2J", long.as_str()] {
            for hello in
                [worker(bad, "a CPU", "1.0"), worker("Ada's", bad, "1.0"), worker("Ada's", "a CPU", bad)]
            {
                assert!(matches!(check(&hello), Err(AdmissionError::Introduction(_))), "{hello:?}");
            }
        }
    }

    #[test]
    fn the_coordinators_own_key_is_a_client_without_a_token() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let admission = Admission::open(key(1), folder.path()).expect("an empty folder");
        assert_eq!(admission.check(key(1).node_id(), &client(None)), Ok("owner".to_owned()));
    }

    #[test]
    fn a_revoked_key_stays_revoked_after_a_restart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let node = key(2).node_id();
        let good = client(Some(token(&key(1), Role::Client, unix_now_s() + 60)));
        Admission::open(key(1), folder.path()).expect("an empty folder").revoke(node).expect("writable");
        let admission = Admission::open(key(1), folder.path()).expect("the same folder");
        assert_eq!(admission.check(node, &good), Err(AdmissionError::Revoked(node)));
        assert!(admission.check(key(3).node_id(), &good).is_ok());
    }
}
