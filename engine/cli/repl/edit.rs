//! A text in the user's editor.

use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::cli::signals::Interrupts;
use crate::error::{Error, Result};

/// The editor when the environment names none.
const DEFAULT_EDITOR: &str = "vi";

/// Opens `text` in `$VISUAL` or `$EDITOR` and gives what was saved; `None` when nothing was.
///
/// # Errors
/// A folder for temporary files that cannot be written; an editor that cannot be started or fails.
pub fn edit(text: &str, interrupts: &Interrupts) -> Result<Option<String>> {
    let editor =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let editor = editor.unwrap_or_else(|| DEFAULT_EDITOR.to_string());
    let failed = |error: io::Error| Error::external("the statement cannot be edited").detail(error.to_string());
    let file = Scratch::new(text).map_err(failed)?;
    run(&editor, &file.path, interrupts)?;
    file.saved().map_err(failed)
}

/// Runs the editor, which may be several words, on a file.
fn run(editor: &str, file: &Path, interrupts: &Interrupts) -> Result<()> {
    let cannot = |error: io::Error| Error::external(format!("{editor} cannot be started")).detail(error.to_string());
    let script = format!("exec {editor} \"$1\"");
    let mut child = Command::new("sh").args(["-c", &script, "sh"]).arg(file).spawn().map_err(cannot)?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            break status;
        }
        // Ctrl-C in the editor is the editor's.
        if interrupts.wait(Duration::from_millis(20)) {
            interrupts.take();
        }
    };
    match status.success() {
        true => Ok(()),
        false => Err(Error::external(format!("{editor} failed"))
            .detail(status.to_string())
            .hint("$VISUAL and $EDITOR name the editor.")),
    }
}

/// A file of our own, removed at the end.
struct Scratch {
    path: PathBuf,
    /// Its time before anybody saved it.
    unsaved: SystemTime,
}

impl Scratch {
    /// A file that only the user can read, with the text in it; a statement may hold a password.
    fn new(text: &str) -> io::Result<Scratch> {
        let random = RandomState::new().hash_one(text);
        let path = std::env::temp_dir().join(format!("alcedo-{}-{random:016x}.sql", std::process::id()));
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        let mut scratch = Scratch { path, unsaved: SystemTime::UNIX_EPOCH };
        file.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        // In the past, so that any save is seen, whatever the clock of the file system.
        file.set_modified(SystemTime::now() - Duration::from_secs(60))?;
        scratch.unsaved = file.metadata()?.modified()?;
        Ok(scratch)
    }

    /// What is in it, if it was saved and is not empty.
    fn saved(&self) -> io::Result<Option<String>> {
        if fs::metadata(&self.path)?.modified()? == self.unsaved {
            return Ok(None);
        }
        let text = fs::read_to_string(&self.path)?;
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A temporary file that stays is no harm.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn edited(script: &str) -> Result<Option<String>> {
        let file = Scratch::new("SHOW TOPICS;").expect("it can be made");
        let mode = fs::metadata(&file.path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        run(script, &file.path, &Interrupts::default())?;
        file.saved().map_err(|error| Error::external(error.to_string()))
    }

    #[test]
    fn what_was_saved_is_taken_and_what_was_not_is_not() {
        assert_eq!(edited("sed -i s/TOPICS/STREAMS/").expect("sed runs").as_deref(), Some("SHOW STREAMS;\n"));
        assert_eq!(edited("true").expect("it runs"), None);
        // Saved as it was counts as saved.
        assert_eq!(edited("touch").expect("it runs").as_deref(), Some("SHOW TOPICS;\n"));
        assert!(edited("false").is_err());
        assert!(edited("no-such-editor-here").is_err());
    }
}
