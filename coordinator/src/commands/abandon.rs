//! `coordinator abandon`: stop a job that nobody wants any more.

use std::process::ExitCode;

use protocol::message::Request;

use super::session;
use crate::{
    arguments::Abandon,
    exit::{CommandError, DONE},
};

pub(super) async fn run(arguments: Abandon) -> Result<ExitCode, CommandError> {
    let client = session::client(&arguments.reach).await?;
    let job = session::find_job(&client, &arguments.job).await?;
    client.ask(Request::Abandon(job)).await?;
    client.close().await;
    println!("job {job} is abandoned");
    Ok(ExitCode::from(DONE))
}
