//! User names and passwords of devices: one pair from properties, or a file as `mosquitto_passwd` writes it.
//!
//! Only derived keys are kept (PBKDF2 over HMAC-SHA-512), and comparing them takes the same time wherever they differ. A
//! name that does not exist costs as much as a wrong password. The file is looked at again when it changed, so that a
//! device can be added while others are connected.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hashbrown::HashMap;
use parking_lot::Mutex;
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA512};
use ring::rand::{SecureRandom, SystemRandom};

use super::tls::NamedFile;
use crate::error::{Error, Result};

/// How often the file is looked at, at most.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Rounds for a password from a property, which nobody can steal from a file.
const OWN_ROUNDS: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");
/// The most rounds that are accepted: about a second of work.
const MAX_ROUNDS: u32 = 2_000_000;

/// Where the users of a listener come from.
#[derive(Clone, PartialEq, Eq)]
pub enum UserSource {
    /// One pair.
    Pair {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A file with a line `name:$7$rounds$salt$key` for each user.
    File(NamedFile),
}

impl std::fmt::Debug for UserSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UserSource::Pair { user, .. } => write!(f, "Pair({user}, ********)"),
            UserSource::File(file) => write!(f, "File({})", file.path.display()),
        }
    }
}

/// A password that can be recognized and not be read.
#[derive(Clone)]
struct Derived {
    rounds: NonZeroU32,
    salt: Box<[u8]>,
    key: Box<[u8]>,
}

impl Derived {
    fn of(password: &[u8]) -> Result<Derived> {
        let mut salt = vec![0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| Error::internal("the system gives no random numbers"))?;
        let mut key = vec![0; 64];
        pbkdf2::derive(PBKDF2_HMAC_SHA512, OWN_ROUNDS, &salt, password, &mut key);
        Ok(Derived { rounds: OWN_ROUNDS, salt: salt.into(), key: key.into() })
    }

    /// Reads `$7$rounds$salt$key`.
    fn parse(text: &str) -> Result<Derived, &'static str> {
        let wrong = "a password is `$7$rounds$salt$key`, as mosquitto_passwd of version 2 writes it";
        let mut fields = text.strip_prefix("$7$").ok_or(wrong)?.split('$');
        let (Some(rounds), Some(salt), Some(key), None) = (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(wrong);
        };
        let rounds = rounds.parse::<NonZeroU32>().map_err(|_| wrong)?;
        if rounds.get() > MAX_ROUNDS {
            return Err("more than 2,000,000 rounds would hold up every connection");
        }
        let salt = STANDARD.decode(salt).map_err(|_| wrong)?;
        let key = STANDARD.decode(key).map_err(|_| wrong)?;
        if key.len() < 16 {
            return Err("its key is shorter than 16 bytes");
        }
        Ok(Derived { rounds, salt: salt.into(), key: key.into() })
    }

    fn is(&self, password: &[u8]) -> bool {
        pbkdf2::verify(PBKDF2_HMAC_SHA512, self.rounds, &self.salt, password, &self.key).is_ok()
    }
}

struct Table {
    users: HashMap<String, Derived>,
    /// Compared with when a name is unknown: nobody has this password.
    nobody: Derived,
}

impl Table {
    fn new(users: HashMap<String, Derived>) -> Result<Table> {
        let mut random = [0; 32];
        SystemRandom::new().fill(&mut random).map_err(|_| Error::internal("the system gives no random numbers"))?;
        let mut nobody = Derived::of(&random)?;
        nobody.rounds = users.values().map(|derived| derived.rounds).max().unwrap_or(OWN_ROUNDS);
        Ok(Table { users, nobody })
    }

    fn read(file: &NamedFile) -> Result<Table> {
        let text = std::fs::read_to_string(&file.path).map_err(|error| file.cannot_read(&error))?;
        let mut users = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |reason: &str| {
                Error::external(format!("line {} of {} is not a user", index + 1, file.path.display()))
                    .detail(reason.to_string())
                    .hint(format!("Write it with: mosquitto_passwd {} NAME", file.path.display()))
            };
            let (name, password) = line.split_once(':').ok_or_else(|| at("it has no colon"))?;
            let derived = Derived::parse(password).map_err(at)?;
            if users.insert(name.to_string(), derived).is_some() {
                return Err(at("the name stands there twice"));
            }
        }
        Table::new(users)
    }
}

/// What tells that a file has changed.
type Mark = Option<(SystemTime, u64)>;

fn mark(path: &Path) -> Mark {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

struct Current {
    table: Arc<Table>,
    mark: Mark,
    looked: Instant,
}

/// The users of a listener.
pub(super) struct Users {
    file: Option<NamedFile>,
    current: Mutex<Current>,
}

impl Users {
    /// Reads them.
    ///
    /// # Errors
    /// Of kind external, for a file that cannot be read, with the line that is wrong.
    pub(super) fn load(source: &UserSource) -> Result<Users> {
        let (file, table, mark) = match source {
            UserSource::Pair { user, password } => {
                let users = HashMap::from([(user.clone(), Derived::of(password.as_bytes())?)]);
                (None, Table::new(users)?, None)
            }
            UserSource::File(file) => {
                let mark = mark(&file.path);
                (Some(file.clone()), Table::read(file)?, mark)
            }
        };
        let current = Current { table: Arc::new(table), mark, looked: Instant::now() };
        Ok(Users { file, current: Mutex::new(current) })
    }

    /// Whether this is a user with this password. Takes as long as the rounds take, so not for a thread that serves
    /// others meanwhile.
    ///
    /// # Errors
    /// When the file has changed and cannot be read any more; the answer is that of the file before.
    pub(super) fn check(&self, user: &str, password: &[u8]) -> (bool, Result<()>) {
        let (table, read) = self.table();
        let derived = table.users.get(user);
        let right = derived.unwrap_or(&table.nobody).is(password);
        (right && derived.is_some(), read)
    }

    fn table(&self) -> (Arc<Table>, Result<()>) {
        let mut current = self.current.lock();
        let mut read = Ok(());
        if let Some(file) = &self.file
            && current.looked.elapsed() >= LOOK_AGAIN
        {
            current.looked = Instant::now();
            let mark = mark(&file.path);
            if mark != current.mark {
                current.mark = mark;
                match Table::read(file) {
                    Ok(table) => current.table = Arc::new(table),
                    Err(error) => read = Err(error),
                }
            }
        }
        (current.table.clone(), read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by `mosquitto_passwd -b FILE car-7 secret`, version 2.0.11.
    const LINE: &str = "car-7:$7$101$b1g9eUb/4GAKntnn$ciq3+bCpuTj/RBrRgS0TYKIb+Wpez/WX1Z78d81R9qNJzVk8BIH/Qkf0+pAujACSBjXBa37GLLrMx8WK4csjWA==";

    fn file(text: &str) -> (tempfile::TempDir, NamedFile) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("users");
        std::fs::write(&path, text).expect("a file of the folder can be written");
        (folder, NamedFile::new("authentication.file", path))
    }

    fn right(users: &Users, user: &str, password: &str) -> bool {
        users.check(user, password.as_bytes()).0
    }

    #[test]
    fn a_pair_of_properties_is_one_user() {
        let source = UserSource::Pair { user: "car".into(), password: "secret".into() };
        let users = Users::load(&source).expect("they are right");
        assert!(right(&users, "car", "secret"));
        for (user, password) in [("car", "Secret"), ("car", ""), ("", "secret"), ("bus", "secret")] {
            assert!(!right(&users, user, password), "{user}");
        }
        assert_eq!(format!("{source:?}"), "Pair(car, ********)");
    }

    #[test]
    fn a_file_of_mosquitto_passwd_is_read() {
        let (_folder, file) = file(&format!("# devices\n\n{LINE}\n"));
        let users = Users::load(&UserSource::File(file)).expect("it is right");
        assert!(right(&users, "car-7", "secret"));
        assert!(!right(&users, "car-7", "secret "));
        assert!(!right(&users, "car-8", "secret"));
    }

    #[test]
    fn a_wrong_line_is_named_and_no_hash_is_shown() {
        for (line, reason) in [
            ("car", "it has no colon"),
            ("car:secret", "a password is `$7$rounds$salt$key`, as mosquitto_passwd of version 2 writes it"),
            ("car:$6$c2FsdA==$a2V5", "a password is `$7$rounds$salt$key`, as mosquitto_passwd of version 2 writes it"),
            ("car:$7$9000000$c2FsdA==$a2V5", "more than 2,000,000 rounds would hold up every connection"),
            ("car:$7$101$c2FsdA==$a2V5", "its key is shorter than 16 bytes"),
        ] {
            let (_folder, file) = file(&format!("{LINE}\n{line}\n"));
            let error = Users::load(&UserSource::File(file)).err().expect("it is wrong");
            assert!(error.message().starts_with("line 2 of "), "{error}");
            assert_eq!(error.detail_text(), Some(reason));
        }
    }

    #[test]
    fn a_file_that_changed_is_read_again_and_a_broken_one_leaves_the_users_as_they_were() {
        let (folder, file) = file(LINE);
        let path = folder.path().join("users");
        let users = Users::load(&UserSource::File(file)).expect("it is right");
        let look = || users.current.lock().looked = Instant::now() - LOOK_AGAIN;
        std::fs::write(&path, format!("{LINE}\nbroken\n")).expect("the file can be written");
        look();
        let (right, read) = users.check("car-7", b"secret");
        assert!(right && read.is_err());
        std::fs::write(&path, LINE.replace("car-7", "a-new-device")).expect("the file can be written");
        look();
        let (right, read) = users.check("a-new-device", b"secret");
        assert!(right && read.is_ok());
        assert!(!users.check("car-7", b"secret").0);
    }
}
