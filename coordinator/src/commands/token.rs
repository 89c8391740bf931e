//! `coordinator token` and `revoke`: who may come in, and who no longer.

use std::process::ExitCode;

use protocol::{
    message::Request,
    token::{Grant, Role, Token},
};
use transport::identity;

use super::session;
use crate::{
    admission::unix_now_s,
    arguments::{Revoke, TokenFor},
    exit::{CommandError, DONE},
    state,
};

/// Prints a token. It is made from the coordinator's key, so the coordinator need not run.
pub(super) fn issue(arguments: TokenFor) -> Result<ExitCode, CommandError> {
    let state_dir = state::coordinator_dir(arguments.state.state_dir.as_deref());
    let Some(address) = arguments.address.or_else(|| state::read_address(&state_dir)) else {
        return Err(CommandError::Input(format!(
            "it is not known where the coordinator listens: none has run with the state directory {}; start it with \
             `coordinator serve`, or give --address HOST:PORT",
            state_dir.display()
        )));
    };
    let key = identity::load_or_create(&state_dir)?;
    let role = if arguments.client { Role::Client } else { Role::Worker };
    let grant = Grant {
        role,
        operator: arguments.operator,
        expires_unix_s: unix_now_s().saturating_add(arguments.expires.as_secs()),
    };
    println!("{}", Token::issue(address, &key, grant).to_text());
    Ok(ExitCode::from(DONE))
}

pub(super) async fn revoke(arguments: Revoke) -> Result<ExitCode, CommandError> {
    let client = session::client(&arguments.reach).await?;
    client.ask(Request::Revoke(arguments.key)).await?;
    client.close().await;
    println!("the key {} is revoked", arguments.key);
    Ok(ExitCode::from(DONE))
}
