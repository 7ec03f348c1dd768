//! How many connections there are at once, and how many of them one peer has.

use crate::key::Key;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places for connections.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    peers: Arc<Peers>,
}

/// A place that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Free {
    place: Option<OwnedSemaphorePermit>,
    peers: Arc<Peers>,
}

/// A place that is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _place: Option<OwnedSemaphorePermit>,
    peers: Arc<Peers>,
    peer: Option<Key>,
}

#[derive(Debug)]
struct Peers {
    most: usize,
    /// Who has places, and how many; locked twice for a connection, never for a request.
    taken: Mutex<HashMap<Key, usize>>,
}

impl Places {
    pub(super) fn new(all: usize, of_peer: usize) -> Self {
        let peers = Peers { most: of_peer, taken: Mutex::default() };
        Self { all: Arc::new(Semaphore::new(all)), peers: Arc::new(peers) }
    }

    /// Waits until there is a place.
    pub(super) async fn free(&self) -> Free {
        let place = Arc::clone(&self.all).acquire_owned().await.ok();
        Free { place, peers: Arc::clone(&self.peers) }
    }
}

impl Free {
    /// Takes the place for a peer; `None` if it has as many as one may have. A proxy has no key: its
    /// connections are of many.
    pub(super) fn of(self, peer: Option<Key>) -> Option<Place> {
        let Self { place, peers } = self;
        if let Some(peer) = peer {
            let mut taken = peers.taken();
            let count = taken.entry(peer).or_default();
            if *count >= peers.most {
                return None;
            }
            *count += 1;
        }
        Some(Place { _place: place, peers, peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut taken = self.peers.taken();
        if let Some(count) = taken.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&peer);
            }
        }
    }
}

impl Peers {
    fn taken(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Clients, Forwarding};

    #[tokio::test]
    async fn one_peer_has_its_share_and_a_proxy_has_all() {
        let clients = Clients::behind(["10.0.0.0/8"], Forwarding::Forwarded).unwrap();
        let of = |peer: &str| clients.of_connection(peer.parse().unwrap());
        let places = Places::new(6, 2);
        let one = places.free().await.of(of("192.0.2.1")).unwrap();
        let _same = places.free().await.of(of("::ffff:192.0.2.1")).unwrap();
        assert!(places.free().await.of(of("192.0.2.1")).is_none());
        let _other = places.free().await.of(of("192.0.2.2")).unwrap();
        drop(one);
        let _again = places.free().await.of(of("192.0.2.1")).unwrap();
        let proxied: Vec<_> =
            [places.free().await, places.free().await, places.free().await].into();
        let proxied: Vec<_> = proxied.into_iter().map(|free| free.of(of("10.0.0.1"))).collect();
        assert!(proxied.iter().all(Option::is_some));
        assert_eq!(places.all.available_permits(), 0, "a refused one gives its place back");
    }

    #[tokio::test]
    async fn who_has_left_is_forgotten() {
        let places = Places::new(1, 1);
        for last in 0..3 {
            let key = Clients::direct().of_connection([192, 0, 2, last].into());
            drop(places.free().await.of(key).unwrap());
        }
        assert!(places.peers.taken().is_empty());
    }
}
