//! What stands before the replicas of an HTTP edge in a cluster: requests go to each in turn, and to none that is going.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::{Client, RequestBuilder, Response};

use crate::eventually;

pub struct Front {
    pub client: Client,
    places: Vec<Place>,
    turn: AtomicUsize,
}

struct Place {
    base: String,
    open: AtomicBool,
    under_way: AtomicUsize,
}

/// A request that was sent to a place, until it was answered.
struct UnderWay<'a>(&'a Place);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Front {
    pub fn of(bases: [String; 2]) -> Self {
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let place = |base| Place { base, open: AtomicBool::new(true), under_way: AtomicUsize::new(0) };
        Self { client, places: bases.into_iter().map(place).collect(), turn: AtomicUsize::new(0) }
    }

    /// Sends a request to the next place. Nothing is tried twice: what fails here has failed.
    pub async fn send(
        &self,
        make: impl FnOnce(&Client, &str) -> RequestBuilder,
    ) -> Result<(u16, Vec<u8>), reqwest::Error> {
        let (place, _under_way) = self.next();
        let answer: Response = make(&self.client, &place.base).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.bytes().await?.to_vec()))
    }

    fn next(&self) -> (&Place, UnderWay<'_>) {
        loop {
            let place = &self.places[self.turn.fetch_add(1, Ordering::SeqCst) % self.places.len()];
            place.under_way.fetch_add(1, Ordering::SeqCst);
            let under_way = UnderWay(place);
            // Looked at after it was counted: whoever closes a place and then sees nothing under way has seen all.
            if place.open.load(Ordering::SeqCst) {
                return (place, under_way);
            }
        }
    }

    /// Sends nothing more to a place, and returns when everybody has heard of it: what `preStop` waits for in a cluster.
    pub async fn close(&self, which: usize) {
        let place = &self.places[which];
        place.open.store(false, Ordering::SeqCst);
        eventually("the last request to a place is answered", async || {
            (place.under_way.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
    }

    /// Sends to a place again.
    pub fn open(&self, which: usize) {
        self.places[which].open.store(true, Ordering::SeqCst);
    }
}
