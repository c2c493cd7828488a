//! What was typed, kept in the user's data folder.
//!
//! Every entry is appended at once, under a lock of the file: shells side by side do not destroy each other's, and one
//! that is killed has lost nothing. Only the user may read the file, and secrets do not get into it.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use reedline::{
    CommandLineSearch, FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, Result,
    SearchDirection, SearchQuery,
};

use super::secrets;

/// How many entries are kept.
const ENTRIES_MAX: usize = 10_000;

/// The history file in the user's data folder (XDG base directories); `None` when there is no home.
fn path() -> Option<PathBuf> {
    let absolute = |path: PathBuf| Some(path).filter(|path| path.is_absolute());
    let data = std::env::var_os("XDG_DATA_HOME").and_then(|path| absolute(path.into()));
    let home = || absolute(std::env::var_os("HOME")?.into());
    Some(data.or_else(|| Some(home()?.join(".local/share")))?.join("alcedo").join("history"))
}

/// What was typed. Clones share it.
#[derive(Clone)]
pub struct ShellHistory(Arc<Mutex<FileBackedHistory>>);

impl ShellHistory {
    /// The user's history; the text says why it will be gone at the end, if it will.
    pub fn open() -> (ShellHistory, Option<String>) {
        let opened = match path() {
            Some(path) => {
                ShellHistory::at(&path).map_err(|error| format!("history {} cannot be kept: {error}", path.display()))
            }
            None => Err("there is no home folder to keep the history in".to_string()),
        };
        match opened {
            Ok(history) => (history, None),
            Err(why) => {
                // A history in memory cannot fail at this size.
                let memory = FileBackedHistory::new(ENTRIES_MAX).unwrap_or_default();
                (ShellHistory(Arc::new(Mutex::new(memory))), Some(why))
            }
        }
    }

    /// The history in a file, which is made when it is missing.
    fn at(path: &Path) -> io::Result<ShellHistory> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        let history = FileBackedHistory::with_file(ENTRIES_MAX, path.to_path_buf())
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(ShellHistory(Arc::new(Mutex::new(history))))
    }

    /// Adds what did not come through the line editor.
    pub fn add(&mut self, text: &str) {
        // A history that cannot be written is no reason to refuse the statement.
        let _ = self.save(HistoryItem::from_command_line(text));
    }

    /// All entries, the oldest first.
    pub fn entries(&self) -> Vec<String> {
        let all = self.search(SearchQuery::everything(SearchDirection::Forward, None)).unwrap_or_default();
        all.into_iter().map(|item| item.command_line).collect()
    }
}

impl History for ShellHistory {
    fn save(&mut self, mut item: HistoryItem) -> Result<HistoryItem> {
        item.command_line = secrets::hidden(item.command_line.trim_end());
        let mut history = self.0.lock();
        let saved = history.save(item)?;
        // The entry is kept in memory when the disk is full.
        let _ = history.sync();
        Ok(saved)
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.0.lock().load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.0.lock().count(query)
    }

    /// What is searched for is found in any case; what begins like the line must begin so to the letter.
    fn search(&self, mut query: SearchQuery) -> Result<Vec<HistoryItem>> {
        let Some(CommandLineSearch::Substring(part)) = &query.filter.command_line else {
            return self.0.lock().search(query);
        };
        let part = part.to_lowercase();
        let limit = query.limit.take().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        query.filter.command_line = None;
        let mut found = self.0.lock().search(query)?;
        found.retain(|item| item.command_line.to_lowercase().contains(&part));
        found.truncate(limit);
        Ok(found)
    }

    fn update(&mut self, id: HistoryItemId, updater: &dyn Fn(HistoryItem) -> HistoryItem) -> Result<()> {
        self.0.lock().update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.0.lock().clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.0.lock().delete(id)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.lock().sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.0.lock().session()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_side_by_side_keep_each_others_entries_and_only_the_user_reads_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data/history");
        let mut first = ShellHistory::at(&path).expect("the first");
        let mut second = ShellHistory::at(&path).expect("the second");
        first.add("SHOW STREAMS;");
        second.add("SHOW TOPICS;");
        first.add("SELECT 1\nFROM s;");
        second.add("SET 'ssl.key.password'='hunter2';");
        let expected =
            ["SHOW STREAMS;", "SHOW TOPICS;", "SELECT 1\nFROM s;", "SET 'ssl.key.password'='${ssl_key_password}';"];
        // Neither has ended, as after `kill -9`.
        assert_eq!(ShellHistory::at(&path).expect("a third").entries(), expected);
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("it is ours");
        let _ = ShellHistory::at(&path).expect("a fourth");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn the_last_entry_is_the_one_typed_last_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history");
        let mut first = ShellHistory::at(&path).expect("the first");
        let mut second = ShellHistory::at(&path).expect("the second");
        first.add("a;");
        second.add("b;");
        first.add("c;");
        assert_eq!(first.entries(), ["a;", "b;", "c;"]);
    }

    #[test]
    fn a_search_does_not_look_at_the_case() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = ShellHistory::at(&folder.path().join("history")).expect("it can be made");
        ["INSERT INTO s VALUES (1);", "SHOW STREAMS;"].iter().for_each(|entry| history.add(entry));
        let found = |query: SearchQuery| history.search(query).expect("in memory").len();
        assert_eq!(found(SearchQuery::all_that_contain_rev("insert".into())), 1);
        assert_eq!(found(SearchQuery::all_that_contain_rev("S".into())), 2);
        assert_eq!(found(SearchQuery::last_with_prefix("insert".into(), None)), 0);
    }
}
