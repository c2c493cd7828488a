//! Where the shell remembers what was typed.

use std::path::PathBuf;

/// The history file in the user's data folder (XDG base directories); `None` when there is no home.
pub fn path() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let data = data.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")))?;
    let folder = data.join("alcedo");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}
