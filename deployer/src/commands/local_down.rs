//! `local down`: removes what `local` has put into an emulator, and the local data.

use std::path::Path;

use super::local::data_folder;
use super::{CommandError, Context, Exit, confirm, down, output};
use crate::cli::{DownArgs, LocalDownArgs};
use crate::local::database::DataFolder;
use crate::local::{LocalError, endpoint};

/// Runs the command.
///
/// # Errors
/// The emulator refuses; the data is in use; no confirmation.
pub async fn run(context: &Context, args: &LocalDownArgs) -> Result<Exit, CommandError> {
    let mut exit = Exit::Done;
    if let Some(endpoint) = endpoint::find(context.named_endpoint().as_deref()).await? {
        // People on an emulator are made up: nothing is kept.
        let args = DownArgs { yes: args.yes, no_backup: true };
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
    // The lock: a running `local` keeps its data.
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
    // Whatever else is in the folder is not ours, and keeps it.
    let _ = std::fs::remove_dir(folder);
    Ok(())
}
