//! Names of files and folders.

use std::path::Path;

/// More are not offered: a folder of thousands is no list to choose from.
const FILES_MAX: usize = 200;

/// Paths that begin like what was typed, in alphabetical order; folders end in a slash. Hidden ones only when asked for.
pub fn matching(typed: &str) -> Vec<String> {
    let (folder, begin) = typed.rfind('/').map_or(("", typed), |n| typed.split_at(n + 1));
    let listed = std::fs::read_dir(if folder.is_empty() { Path::new(".") } else { Path::new(folder) });
    let mut paths: Vec<String> = listed
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let wanted = name.starts_with(begin) && (begin.starts_with('.') || !name.starts_with('.'));
            let slash = if wanted && entry.path().is_dir() { "/" } else { "" };
            wanted.then(|| format!("{folder}{name}{slash}"))
        })
        .collect();
    paths.sort_unstable();
    paths.truncate(FILES_MAX);
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_of_a_folder_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.sql", "a.sql", ".hidden"] {
            std::fs::write(folder.path().join(name), "").expect("it can be written");
        }
        std::fs::create_dir(folder.path().join("apart")).expect("it can be made");
        let base = format!("{}/", folder.path().display());
        let found = |typed: &str| -> Vec<String> {
            let paths = matching(&format!("{base}{typed}"));
            paths.into_iter().map(|path| path.strip_prefix(&base).expect("in the folder").to_string()).collect()
        };
        assert_eq!(found(""), ["a.sql", "apart/", "b.sql"]);
        assert_eq!(found("a"), ["a.sql", "apart/"]);
        assert_eq!(found(".h"), [".hidden"]);
        assert!(matching("/no/such/folder/x").is_empty());
    }
}
