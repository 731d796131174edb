//! The command `local down`: removes what `local` created in an AWS emulator, and the local data.

use std::path::Path;
use std::time::Duration;

use super::{CommandError, Context, Exit, confirm, down, output};
use crate::cli::{DownArgs, LocalDownArgs};
use crate::local::database::DataFolder;
use crate::local::options::data_folder;
use crate::local::{LocalError, endpoint};
use peersync_config::Span;

/// How long to wait for a `local` that is deploying, or whose lease has not ended although it was killed.
const PATIENCE: Span = Span(Duration::from_secs(60));

/// Runs the command.
///
/// # Errors
/// Fails if the emulator refuses, the data is in use, or the user does not confirm.
pub async fn run(context: &Context, args: &LocalDownArgs) -> Result<Exit, CommandError> {
    let mut exit = Exit::Done;
    if let Some(endpoint) = endpoint::find(context.named_endpoint()?.as_deref()).await? {
        // The accounts in an emulator are made up, so no backup is needed.
        let args = DownArgs { yes: args.yes, no_backup: true, wait: Some(PATIENCE) };
        exit = down::run(&context.at_emulator(endpoint), &args).await?;
    }
    let folder = data_folder(args.data.as_deref());
    if folder.is_dir() {
        remove(&folder, args.yes, context).await?;
        output::note(&format!("Removed {}.", folder.display()));
    }
    Ok(exit)
}

async fn remove(folder: &Path, agreed: bool, context: &Context) -> Result<(), CommandError> {
    if !agreed {
        let run = super::run::Run::new(context);
        confirm::confirm(&run, &format!("delete the local data in {}", folder.display())).await?;
    }
    // Taking the lock protects the data of a running `local`.
    let lock = DataFolder::open(folder)?;
    for name in lock.files() {
        match std::fs::remove_file(&name) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(LocalError::Folder { folder: folder.to_owned(), source }.into());
            }
            _ => {}
        }
    }
    drop(lock);
    // Fails if other files are in the folder: they are not ours, so the folder stays.
    let _ = std::fs::remove_dir(folder);
    Ok(())
}
