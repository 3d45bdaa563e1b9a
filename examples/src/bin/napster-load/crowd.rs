//! Many users at once.

use crate::client::Client;
use p2p_examples::Failure;
use std::future::Future;
use std::net::SocketAddrV4;
use std::ops::Range;
use tokio::task::JoinSet;

/// How many do something at the same time.
const AT_ONCE: usize = 256;

/// Does something as each of these users, some at a time; what came of it, by user.
pub(crate) async fn each<F>(
    users: Range<u64>,
    mut start: impl FnMut(u64) -> F,
) -> Result<Vec<F::Output>, Failure>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let mut under_way = JoinSet::new();
    let mut done: Vec<(u64, F::Output)> = Vec::new();
    for user in users {
        if under_way.len() >= AT_ONCE {
            done.extend(under_way.join_next().await.transpose().map_err(Failure::new)?);
        }
        let task = start(user);
        under_way.spawn(async move { (user, task.await) });
    }
    while let Some(one) = under_way.join_next().await {
        done.push(one.map_err(Failure::new)?);
    }
    done.sort_by_key(|(user, _)| *user);
    Ok(done.into_iter().map(|(_, output)| output).collect())
}

/// Logs them in.
pub(crate) async fn login(server: SocketAddrV4, users: Range<u64>) -> Result<Vec<Client>, Failure> {
    each(users, |user| Client::login(server, user)).await?.into_iter().collect()
}
