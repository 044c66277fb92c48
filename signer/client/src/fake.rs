//! A client that is answered by a closure: for tests of what uses the signer.

use reply::Reply;

use crate::{Client, Outcome, Request, client::QUEUE_CAPACITY, link::Submission};

/// A client whose requests are answered by `answer`, one after the other, on a thread of its own. The thread ends
/// with the last clone of the client.
pub fn client(mut answer: impl FnMut(Request) -> Outcome + Send + 'static) -> Client {
    deferring(move |request, reply| reply.send(answer(request)))
}

/// As [`client`], whose requests `take` may answer later, in any order.
pub fn deferring(mut take: impl FnMut(Request, Reply<Outcome>) + Send + 'static) -> Client {
    let (queue, submissions) = flume::bounded::<Submission>(QUEUE_CAPACITY);
    std::thread::spawn(move || {
        for Submission { request, reply } in submissions {
            take(request, reply);
        }
    });
    Client::from_queue(queue)
}

#[cfg(test)]
mod tests {
    use crate::{Response, SignerError};

    #[test]
    fn the_closure_answers() {
        let mut asked = 0;
        let client = super::client(move |_| {
            asked += 1;
            if asked == 1 {
                Ok(Response::Done)
            } else {
                Err(SignerError::Busy)
            }
        });
        client.login("0", crate::Pin::new("1")).unwrap();
        assert_eq!(client.logout("0"), Err(SignerError::Busy));
        assert!(client.is_connected());
    }
}
