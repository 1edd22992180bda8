//! A file as redb sees it, without a byte of it being written: what redb writes is kept in memory and forgotten.
//!
//! redb writes to a file as it opens it (that it is open; after a crash, the repair). So a file is looked at through
//! this first, and written to when nothing was found that speaks against it.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

const BLOCK: usize = 4096;

/// The file, and what was written over it.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: FileBackend,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    /// How long the file would be.
    length: u64,
    /// So much of the real file is still to be seen.
    seen: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl Overlay {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Overlay, redb::Error> {
        // Locks may need a file that is open for writing; a file that may only be read can be looked at all the same.
        let file = OpenOptions::new().read(true).write(true).open(path).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                OpenOptions::new().read(true).open(path)
            }
            _ => Err(error),
        });
        let file = FileBackend::new(file.map_err(redb::Error::Io)?)?;
        let length = file.len().map_err(redb::Error::Io)?;
        Ok(Overlay { file, written: Mutex::new(Written { length, seen: length, blocks: BTreeMap::new() }) })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads of the real file what is still to be seen of it; the rest is zero.
    fn read_file(&self, seen: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(seen.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (there, beyond) = out.split_at_mut(there);
        beyond.fill(0);
        if there.is_empty() { Ok(()) } else { self.file.read(offset, there) }
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_file(written.seen, offset, out)?;
        for (start, place, part) in parts(offset, out.len()) {
            if let Some(block) = written.blocks.get(&start) {
                out[part.clone()].copy_from_slice(&block[place..place + part.len()]);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut written = self.written();
        written.length = length;
        written.seen = written.seen.min(length);
        written.blocks.retain(|start, _| *start < length);
        if let Some((start, block)) = written.blocks.iter_mut().next_back() {
            let kept = usize::try_from(length - start).unwrap_or(usize::MAX).min(BLOCK);
            block[kept..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        for (start, place, part) in parts(offset, data.len()) {
            if !written.blocks.contains_key(&start) {
                let mut block = Box::new([0; BLOCK]);
                self.read_file(written.seen, start, &mut block[..])?;
                written.blocks.insert(start, block);
            }
            if let Some(block) = written.blocks.get_mut(&start) {
                block[place..place + part.len()].copy_from_slice(&data[part]);
            }
        }
        written.length = written.length.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    // A file that may only be read has no locks of a writer; redb then asks for simpler ones.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end).map_err(|_| BackendError::Unsupported)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

/// The blocks that a range lies in: where each starts, from where in it the range goes on, and which part of the range.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let place = usize::try_from(at % BLOCK as u64).unwrap_or_default();
        let part = done..length.min(done + BLOCK - place);
        done = part.end;
        Some((at - place as u64, place, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_file_stays() {
        let path = std::env::temp_dir().join(format!("steadfast-overlay-{}", std::process::id()));
        let bytes: Vec<u8> = (0..10_000_u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect();
        std::fs::write(&path, &bytes).unwrap();
        let overlay = Overlay::open(&path).unwrap();
        let mut expected = bytes.clone();
        let check = |expected: &[u8]| {
            assert_eq!(overlay.len().unwrap(), expected.len() as u64);
            let mut found = vec![7; expected.len()];
            overlay.read(0, &mut found).unwrap();
            assert!(found == expected);
            assert!(overlay.read(1, &mut found).is_err());
        };
        check(&expected);
        for (offset, length) in [(100, 5_000), (4_090, 10), (9_999, 1)] {
            overlay.write(offset, &vec![1; length]).unwrap();
            let offset = usize::try_from(offset).unwrap();
            expected[offset..offset + length].fill(1);
            check(&expected);
        }
        for length in [9_000, 12_000, 4_096, 100, 5_000] {
            overlay.set_len(length as u64).unwrap();
            expected.resize(length, 0);
            check(&expected);
        }
        assert!(std::fs::read(&path).unwrap() == bytes);
        std::fs::remove_file(&path).unwrap();
    }
}
