//! A node's secret key and the file that keeps it.
//!
//! The key is made at the first start and never replaced by a program: losing it means being another node. The file
//! holds the public key as well, so that damage shows. It comes into being whole or not at all, and when two programs
//! start at once in one directory, both end with the key of whoever was first.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use protocol::identity::{NodeId, SecretKey};
use tracing::warn;

/// Name of the key's file in the state directory.
pub const KEY_FILE: &str = "node.key";

/// First line of the file.
const HEADER: &str = "quorate node key 1: keep it secret, and never give one key to two machines";
/// A longer file is none of ours.
const FILE_BYTES_MAX: u64 = 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The state directory or the file cannot be used.
    #[error("cannot {action} {}: {source}; choose another place with --state-dir, or change its permissions", path.display())]
    Io {
        /// What failed.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there and holds no key.
    #[error(
        "the key file {} is damaged ({reason}); restore it from a copy, or move it away to become a new node", path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error("the operating system gives no random bytes for a new key: {0}")]
    Random(String),
}

/// The key in `state_dir`, made now if there is none. The directory is created where it is missing, for the owner
/// only. Blocks for a few disk accesses.
///
/// # Errors
/// [`IdentityError`]; a damaged file is left as it is.
pub fn load_or_create(state_dir: &Path) -> Result<SecretKey, IdentityError> {
    let path = state_dir.join(KEY_FILE);
    if let Some(key) = load(&path)? {
        return Ok(key);
    }
    create_directory(state_dir).map_err(|source| failed("create", state_dir, source))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| IdentityError::Random(error.to_string()))?;
    let key = SecretKey::from_seed(&seed);
    if create(state_dir, &path, &key)? {
        return Ok(key);
    }
    // Another program was first.
    load(&path)?.ok_or_else(|| failed("read", &path, io::ErrorKind::NotFound.into()))
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> IdentityError {
    IdentityError::Io { action, path: path.to_owned(), source }
}

/// The key in the file, or `None` where there is no file.
fn load(path: &Path) -> Result<Option<SecretKey>, IdentityError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("open", path, error)),
    };
    let mut bytes = Vec::new();
    (&file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| failed("read", path, error))?;
    let damaged = |reason: &str| IdentityError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(damaged("it is longer than a key file"));
    }
    let key = std::str::from_utf8(&bytes).map_err(|_| "it is not text").and_then(parse).map_err(damaged)?;
    warn_if_readable_by_others(path, &file);
    Ok(Some(key))
}

fn parse(text: &str) -> Result<SecretKey, &'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err("its first line is not that of a key file");
    }
    let secret =
        lines.next().and_then(|line| line.strip_prefix("secret ")).ok_or("its secret key is missing")?;
    let public =
        lines.next().and_then(|line| line.strip_prefix("public ")).ok_or("its public key is missing")?;
    let seed = HEXLOWER.decode(secret.as_bytes()).ok().and_then(|seed| <[u8; 32]>::try_from(seed).ok());
    let key = SecretKey::from_seed(&seed.ok_or("its secret key is not 64 hexadecimal digits")?);
    if NodeId::from_hex(public) != Some(key.node_id()) {
        return Err("its public key does not belong to its secret key");
    }
    if lines.next().is_some() {
        return Err("lines follow the keys");
    }
    Ok(key)
}

/// Writes the file unless it exists by now; `false` in that case.
fn create(state_dir: &Path, path: &Path, key: &SecretKey) -> Result<bool, IdentityError> {
    let text = format!("{HEADER}\nsecret {}\npublic {}\n", HEXLOWER.encode(&key.seed()), key.node_id());
    let unique = getrandom::u64().map_err(|error| IdentityError::Random(error.to_string()))?;
    let temporary = state_dir.join(format!(".{KEY_FILE}.{unique:016x}"));
    write_new(&temporary, text.as_bytes()).map_err(|error| failed("write", &temporary, error))?;
    // A link, unlike a rename, fails where the name exists: nobody's key is ever replaced.
    let linked = fs::hard_link(&temporary, path);
    let created = match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // A file system without links: the name is claimed first. A crash in between leaves a file that is refused.
        Err(_) => match write_new(path, text.as_bytes()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed("write", path, error)),
        },
    };
    if let Err(error) = fs::remove_file(&temporary) {
        warn!(path = %temporary.display(), %error, "a temporary key file could not be removed");
    }
    if matches!(created, Ok(true)) {
        sync_directory(state_dir).map_err(|error| failed("write", state_dir, error))?;
    }
    created
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn warn_if_readable_by_others(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt;

    if let Ok(metadata) = file.metadata()
        && metadata.permissions().mode() & 0o077 != 0
    {
        let mode = format!("{:o}", metadata.permissions().mode() & 0o777);
        warn!(path = %path.display(), mode, "others on this machine can use the node's key; run `chmod 600` on it");
    }
}

#[cfg(not(unix))]
fn warn_if_readable_by_others(_path: &Path, _file: &File) {}
