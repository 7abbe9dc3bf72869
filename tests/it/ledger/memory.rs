//! A disk in memory that can lose what was not synced, stop at any write, fill up and deny a sync.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard},
};

use lifeboat::store::ledger::Disk;

/// What happens at the n-th call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed in its middle: `tenths` of the bytes are written. What was written stays.
    Kill { tenths: usize },
    /// The power goes, also in its middle: what was not synced may be gone or may stay, as `coin` falls.
    Power { tenths: usize, coin: u64 },
    /// The sync is denied; the process lives.
    Sync,
    /// There is no room for all the bytes; the process lives.
    Full,
}

#[derive(Debug, Clone, Default)]
struct File {
    now: Vec<u8>,
    /// As the disk has it for certain.
    synced: Vec<u8>,
}

#[derive(Debug, Clone, Default)]
struct Inside {
    /// Names as the process sees them, to files.
    now: BTreeMap<String, u64>,
    /// Names as the disk has them for certain.
    synced: BTreeMap<String, u64>,
    files: BTreeMap<u64, File>,
    next: u64,
    calls: u64,
    fault: Option<(u64, Fault)>,
    dead: bool,
}

/// The disk. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Inside>>);

fn killed() -> io::Error {
    io::Error::other("the process is gone")
}

impl Inside {
    fn file(&mut self, path: &str) -> u64 {
        if let Some(id) = self.now.get(path) {
            return *id;
        }
        self.next += 1;
        self.now.insert(path.to_owned(), self.next);
        self.files.insert(self.next, File::default());
        self.next
    }

    /// The next call: `None`: all is well.
    fn meets(&mut self) -> io::Result<Option<Fault>> {
        if self.dead {
            return Err(killed());
        }
        self.calls += 1;
        Ok(self.fault.filter(|(at, _)| *at == self.calls).map(|(_, fault)| fault))
    }

    fn dies(&mut self, fault: Fault) -> io::Error {
        match fault {
            Fault::Kill { .. } => self.dead = true,
            Fault::Power { coin, .. } => {
                self.dead = true;
                self.loses(coin);
            }
            Fault::Sync => return io::Error::from_raw_os_error(5),
            Fault::Full => return io::Error::from_raw_os_error(28),
        }
        killed()
    }

    /// The power is gone: each file keeps what was synced, and with luck what was not.
    fn loses(&mut self, mut coin: u64) {
        let mut lucky = || {
            coin = coin.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            coin >> 63 == 1
        };
        if !lucky() {
            self.now = self.synced.clone();
        }
        for file in self.files.values_mut() {
            if !lucky() {
                file.now = file.synced.clone();
            }
        }
    }
}

/// How many of these bytes a call that is cut off writes.
fn part(fault: Fault, bytes: &[u8]) -> usize {
    match fault {
        Fault::Kill { tenths } | Fault::Power { tenths, .. } => bytes.len() * tenths / 10,
        Fault::Sync => bytes.len(),
        Fault::Full => bytes.len() / 2,
    }
}

impl Memory {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    /// Another disk with the same content, as a process that starts after the crash finds it.
    pub(crate) fn again(&self) -> Self {
        let inside = self.inside().clone();
        Self(Arc::new(Mutex::new(Inside { calls: 0, fault: None, dead: false, ..inside })))
    }

    /// This happens at the n-th change from now, counting from 1.
    pub(crate) fn meets(&self, n: u64, fault: Fault) {
        let mut inside = self.inside();
        inside.fault = Some((inside.calls + n, fault));
    }

    pub(crate) fn calls(&self) -> u64 {
        self.inside().calls
    }

    pub(crate) fn content(&self, path: &str) -> Vec<u8> {
        self.read(path).unwrap().unwrap()
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let mut inside = self.inside();
        let id = inside.file(path);
        inside.files.insert(id, File { now: bytes.to_vec(), synced: bytes.to_vec() });
    }

    pub(crate) fn take(&self, path: &str) {
        self.inside().now.remove(path);
    }

    /// Everything in it.
    pub(crate) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let inside = self.inside();
        inside.now.iter().map(|(path, id)| (path.clone(), inside.files[id].now.clone())).collect()
    }
}

impl Disk for Memory {
    fn place(&self) -> String {
        "/memory/ledger".into()
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let inside = self.inside();
        if inside.dead {
            return Err(killed());
        }
        Ok(inside.now.get(path).map(|id| inside.files[id].now.clone()))
    }

    fn length(&self, path: &str) -> io::Result<Option<u64>> {
        let inside = self.inside();
        if inside.dead {
            return Err(killed());
        }
        Ok(inside.now.get(path).map(|id| inside.files[id].now.len() as u64))
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        Ok(self.all().into_iter().map(|(path, bytes)| (path, bytes.len() as u64)).collect())
    }

    fn create(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut inside = self.inside();
        let fault = inside.meets()?;
        // A file of its own under the name, as after truncation: the synced one is what it was.
        let id = inside.file(path);
        let file = inside.files.get_mut(&id).unwrap();
        match fault {
            None => {
                *file = File { now: bytes.to_vec(), synced: bytes.to_vec() };
                Ok(())
            }
            Some(fault) => {
                file.now = bytes[..part(fault, bytes)].to_vec();
                Err(inside.dies(fault))
            }
        }
    }

    fn append(&self, path: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inside = self.inside();
        let fault = inside.meets()?;
        let id = inside.file(path);
        let file = inside.files.get_mut(&id).unwrap();
        assert!(at <= file.now.len() as u64, "a hole is written into {path}");
        let wrote = fault.map_or(bytes.len(), |fault| part(fault, bytes));
        let at = usize::try_from(at).unwrap();
        let end = file.now.len().max(at + wrote);
        file.now.resize(end, 0);
        file.now[at..at + wrote].copy_from_slice(&bytes[..wrote]);
        match fault {
            None => {
                file.synced = file.now.clone();
                Ok(())
            }
            Some(fault) => Err(inside.dies(fault)),
        }
    }

    fn cut(&self, path: &str, length: u64) -> io::Result<()> {
        let mut inside = self.inside();
        let fault = inside.meets()?;
        let id = inside.file(path);
        let file = inside.files.get_mut(&id).unwrap();
        if fault.is_none_or(|fault| part(fault, &[0; 10]) > 4) {
            file.now.truncate(usize::try_from(length).unwrap());
        }
        match fault {
            None => {
                file.synced = file.now.clone();
                Ok(())
            }
            Some(fault) => Err(inside.dies(fault)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut inside = self.inside();
        let fault = inside.meets()?;
        if fault.is_none_or(|fault| part(fault, &[0; 10]) > 4) {
            let id = inside.now.remove(from).ok_or(io::ErrorKind::NotFound)?;
            inside.now.insert(to.to_owned(), id);
        }
        fault.map_or(Ok(()), |fault| Err(inside.dies(fault)))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut inside = self.inside();
        let fault = inside.meets()?;
        if fault.is_none_or(|fault| part(fault, &[0; 10]) > 4) {
            inside.now.remove(path).ok_or(io::ErrorKind::NotFound)?;
        }
        fault.map_or(Ok(()), |fault| Err(inside.dies(fault)))
    }

    fn sync_names(&self, _: &str) -> io::Result<()> {
        let mut inside = self.inside();
        match inside.meets()? {
            None => {
                inside.synced = inside.now.clone();
                Ok(())
            }
            Some(fault) => Err(inside.dies(fault)),
        }
    }

    fn lock(&self, _: bool) -> io::Result<Option<Box<dyn Send>>> {
        if self.inside().dead { Err(killed()) } else { Ok(Some(Box::new(()))) }
    }
}
