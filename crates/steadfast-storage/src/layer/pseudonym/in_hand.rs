//! Users who are being carried over or erased, one call at a time: a user who is erased while another call carries them
//! over would come back.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use blake3::Hash;
use tokio::sync::Notify;

/// The users somebody has in hand, by their pseudonyms.
#[derive(Debug, Default)]
pub(super) struct InHand {
    users: Mutex<HashSet<Hash>>,
    threads: Condvar,
    tasks: Notify,
}

/// Has a user in hand until it is dropped.
#[derive(Debug)]
pub(super) struct Hand<'h> {
    of: &'h InHand,
    user: Hash,
}

impl InHand {
    /// Takes a user in hand, once nobody else has. Whoever has makes calls of the storage, and no others.
    pub(super) fn take(&self, user: Hash) -> Hand<'_> {
        let mut users = self.users();
        while !users.insert(user) {
            users = self.threads.wait(users).unwrap_or_else(PoisonError::into_inner);
        }
        Hand { of: self, user }
    }

    /// The same where a task stands.
    pub(super) async fn take_later(&self, user: Hash) -> Hand<'_> {
        loop {
            // Before it is tried: what is told from here on is heard.
            let told = self.tasks.notified();
            if self.users().insert(user) {
                return Hand { of: self, user };
            }
            told.await;
        }
    }

    fn users(&self) -> MutexGuard<'_, HashSet<Hash>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.of.users().remove(&self.user);
        self.of.threads.notify_all();
        self.of.tasks.notify_waiters();
    }
}
