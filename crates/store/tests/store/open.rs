//! Look-ups that are open: the next entry of a chain follows their intents, whoever made those, and however many there are.

use std::sync::Arc;

use futures_util::future::join_all;
use store::{Outcome, StoreError};

use crate::{acts::*, world::*};

/// The numbers of these entries in their chain, in order.
fn numbers(made: impl IntoIterator<Item = Result<Outcome, StoreError>>) -> Vec<u64> {
    let mut numbers: Vec<_> = made.into_iter().map(|one| sealed(one).seq).collect();
    numbers.sort_unstable();
    numbers
}

/// One, a few, and more than the places that are kept (`KEPT` with debug assertions).
#[tokio::test(flavor = "multi_thread")]
async fn whoever_starts_again_follows_the_intents_of_before() {
    for open in [1, 3, 40] {
        each_world(|world| async move {
            let store = world.open().await;
            let who = prove(&store, 1).await;
            let another = prove(&store, 2).await;
            let (subject, by) = (who.subject, who.holder);
            let first = look_up(&store, subject, by).await.1.seq + 1;
            let new = || new_lookup(&store, by);
            let begun: Vec<_> = (0..open).map(|_| new()).collect();
            let ids: Vec<_> = begun.iter().map(|new| new.lookup).collect();
            join_all(begun.into_iter().map(|new| store.seal(begin(subject, new)))).await;
            // Nobody else's chain is taken for it.
            look_up(&store, another.subject, another.holder).await;
            close(store).await;

            let store = world.open().await;
            let (_, released) = look_up(&store, subject, by).await;
            assert_eq!(released.seq, first + open + 1);
            let ended = join_all(ids.iter().map(|id| store.seal(end(subject, by, *id, true)))).await;
            assert!(
                numbers(ended)
                    .into_iter()
                    .eq((released.seq + 1..).take(ids.len()))
            );
            // Each ends once.
            for id in ids {
                nothing(store.seal(end(subject, by, id, false)).await);
            }
            check(&store).await;
            close(store).await;
        })
        .await;
    }
}

/// A change of a chain follows its open intents too, and the look-up ends after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_follows_an_open_intent() {
    each_world(|world| async move {
        let store = world.open().await;
        let who = prove(&store, 1).await;
        let (subject, by) = (who.subject, who.holder);
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        let begun = sealed(store.seal(begin(subject, new)).await).seq;
        let changed = [(); 2].map(|()| store.seal(note(subject, "beside")));
        assert_eq!(numbers(join_all(changed).await), [begun + 1, begun + 2]);
        let both = tokio::join!(
            store.seal(note(subject, "at once")),
            store.seal(end(subject, by, lookup, true))
        );
        assert_eq!(numbers(<[_; 2]>::from(both)), [begun + 3, begun + 4]);
        check(&store).await;
    })
    .await;
}

/// On SQLite no other process should be there; one that is breaks no chain.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_has_begun_a_look_up() {
    each_world(|world| async move {
        let nodes = [
            world.open().await,
            world.open_node(1, Arc::clone(&world.clock)).await,
        ];
        let who = prove(&nodes[0], 1).await;
        let (subject, by) = (who.subject, who.holder);
        let mut last = look_up(&nodes[0], subject, by).await.1.seq;
        for n in 0..8 {
            let (one, other) = (&nodes[n % 2], &nodes[(n + 1) % 2]);
            let new = new_lookup(one, by);
            let lookup = new.lookup;
            assert_eq!(sealed(one.seal(begin(subject, new)).await).seq, last + 1);
            // At first it knows nothing, later what was before.
            assert_eq!(look_up(other, subject, by).await.1.seq, last + 3);
            // Either can end it, and the other one sees that it has ended.
            let (ends, late) = if n % 3 == 0 { (one, other) } else { (other, one) };
            assert_eq!(
                sealed(ends.seal(end(subject, by, lookup, true)).await).seq,
                last + 4
            );
            nothing(late.seal(end(subject, by, lookup, true)).await);
            last += 4;
        }
        check(&nodes[1]).await;
    })
    .await;
}
