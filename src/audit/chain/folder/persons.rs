//! The keys of persons: records of one length, so that one can be overwritten where it stands.

use super::tail;
use crate::audit::chain::{LedgerError, Owner, Person, owned::options};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};
use zeroize::Zeroizing;

/// The keys of one file of rows.
pub(in crate::audit::chain) struct Table {
    file: File,
    size: u64,
    by_owner: HashMap<Owner, (u64, Person)>,
    changed: bool,
}

const ID: usize = 22;
const KEY: usize = 43;
/// Name, owner, key, two spaces and the end of the line.
const RECORD: usize = ID + 1 + ID + 1 + KEY + 1;
const OWNER: usize = ID + 1;

impl Table {
    /// Opens a file, and makes it if it is not there. A record that is not whole is cut off: no row can have used it.
    pub(in crate::audit::chain) fn open(path: &Path) -> io::Result<Self> {
        let mut file = options().create(true).truncate(false).open(path)?;
        let text = whole(&mut file)?;
        let size = text.len() - text.len() % RECORD;
        file.set_len(size as u64)?;
        let mut by_owner = HashMap::new();
        for (at, record) in text.chunks_exact(RECORD).enumerate() {
            if let Some((owner, person)) = read(record) {
                by_owner.insert(owner, ((at * RECORD) as u64, person));
            }
        }
        Ok(Self { file, size: size as u64, by_owner, changed: false })
    }

    /// The keys of a file by the names of persons, to read with.
    pub(in crate::audit::chain) fn by_name(
        folder: &Path,
        first: u64,
    ) -> io::Result<HashMap<String, Person>> {
        let text = match File::open(folder.join(tail::persons_name(first))) {
            Ok(mut file) => whole(&mut file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
            Err(error) => return Err(error),
        };
        let persons = text.chunks_exact(RECORD).filter_map(read);
        Ok(persons.map(|(_, person)| (URL_SAFE_NO_PAD.encode(person.id), person)).collect())
    }

    pub(super) fn of(&self, owner: Owner) -> Option<Person> {
        self.by_owner.get(&owner).map(|(_, person)| person.clone())
    }

    /// Sees to it that there is a key. What stands in the file counts: somebody may have erased it.
    pub(super) fn make(&mut self, owner: Owner) -> Result<(), LedgerError> {
        if let Some((at, person)) = self.by_owner.get(&owner) {
            let mut record = Zeroizing::new([0; RECORD]);
            let found = self.file.seek(SeekFrom::Start(*at));
            found.and_then(|_| self.file.read_exact(&mut *record)).map_err(LedgerError::new)?;
            if read(&*record).is_some_and(|(_, found)| found.id == person.id) {
                return Ok(());
            }
            self.by_owner.remove(&owner);
        }
        let person = Person::random()?;
        let record = Zeroizing::new(format!(
            "{} {} {}\n",
            URL_SAFE_NO_PAD.encode(person.id),
            URL_SAFE_NO_PAD.encode(owner.0),
            *Zeroizing::new(URL_SAFE_NO_PAD.encode(*person.key))
        ));
        let at = self.file.seek(SeekFrom::Start(self.size));
        at.and_then(|_| self.file.write_all(record.as_bytes())).map_err(LedgerError::new)?;
        self.by_owner.insert(owner, (self.size, person));
        self.size += RECORD as u64;
        self.changed = true;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.changed {
            self.file.sync_data()?;
            self.changed = false;
        }
        Ok(())
    }
}

/// Overwrites the keys of an owner in all files of a folder, and says how many there were.
pub(in crate::audit::chain) fn erase(folder: &Path, owner: Owner) -> io::Result<usize> {
    let mut erased = 0;
    for first in tail::firsts(folder)? {
        let mut file = match options().open(folder.join(tail::persons_name(first))) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let text = whole(&mut file)?;
        for (at, record) in text.chunks_exact(RECORD).enumerate() {
            if read(record).is_some_and(|(found, _)| found == owner) {
                file.seek(SeekFrom::Start((at * RECORD + OWNER) as u64))?;
                file.write_all(format!("{} {}", "-".repeat(ID), "-".repeat(KEY)).as_bytes())?;
                erased += 1;
            }
        }
        file.sync_all()?;
    }
    Ok(erased)
}

fn whole(file: &mut File) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::new());
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// `None` for one that was erased, or is none.
fn read(record: &[u8]) -> Option<(Owner, Person)> {
    let decode = |text: &[u8], into: &mut [u8]| {
        let length = into.len();
        (URL_SAFE_NO_PAD.decode_slice(text, into).ok()? == length).then_some(())
    };
    let (mut id, mut owner, mut key) = ([0; 16], [0; 16], Zeroizing::new([0; 32]));
    decode(&record[..ID], &mut id)?;
    decode(&record[OWNER..OWNER + ID], &mut owner)?;
    decode(&record[RECORD - 1 - KEY..RECORD - 1], &mut key[..])?;
    Some((Owner(owner), Person { id, key }))
}
