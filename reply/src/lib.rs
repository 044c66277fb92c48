//! Where the answer to a request between threads arrives.
//!
//! Who asks another thread hands it a [`Reply`], the right and the duty to answer once. A reply that is dropped tells so:
//! nobody waits for ever. What waits at the other end is either a [`Receiver`], for one answer, or an [`Inbox`], for the
//! tasks of one thread that ask often.
//!
//! An [`Outbox`] is its counterpart: what the tasks of a thread ask goes out together.
//!
//! The two are what makes batches cheap: the signer and the message log answer dozens of messages at a time, and
//! waking the thread of a proxy's worker costs a system call and, where it sleeps, some ten microseconds
//! (bench/README.md). The first answer of a batch wakes it, the others just join the queue; the thread then wakes its own
//! tasks, which costs next to nothing. Threads that answer are made a little less urgent than those that ask
//! ([`yield_to_askers`]), so that batches grow where the processors are busy.

mod inbox;
mod outbox;
mod urgency;

pub use inbox::{Answer, Delivery, Inbox};
pub use outbox::{Outbox, Posting};
pub use urgency::yield_to_askers;

/// What happens when an answer can't come any more: its [`Reply`] was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered;

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request was given up without an answer")
    }
}

impl std::error::Error for Unanswered {}

/// The one place of one answer.
pub type Receiver<T> = flume::Receiver<T>;

/// The right, and the duty, to answer once.
#[derive(Debug)]
pub struct Reply<T>(Option<To<T>>);

enum To<T> {
    Receiver(flume::Sender<T>),
    Inbox(flume::Sender<inbox::Delivered<T>>, usize),
    Continuation(Box<dyn FnOnce(Option<T>) + Send>),
}

impl<T> std::fmt::Debug for To<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Receiver(_) => "Receiver",
            Self::Inbox(..) => "Inbox",
            Self::Continuation(_) => "Continuation",
        })
    }
}

/// A reply and the place where its answer arrives.
#[must_use]
pub fn channel<T>() -> (Reply<T>, Receiver<T>) {
    let (sender, receiver) = flume::bounded(1);
    (Reply(Some(To::Receiver(sender))), receiver)
}

impl<T> Reply<T> {
    /// A reply that is dealt with where it is given, which must be quick; `None`: there will be none.
    #[must_use]
    pub fn then(continuation: impl FnOnce(Option<T>) + Send + 'static) -> Self {
        Self(Some(To::Continuation(Box::new(continuation))))
    }

    /// Answers. Who asked may have stopped waiting; that is no error.
    pub fn send(mut self, answer: T) {
        if let Some(to) = self.0.take() {
            to.send(Some(answer));
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(to) = self.0.take() {
            to.send(None);
        }
    }
}

impl<T> To<T> {
    fn send(self, answer: Option<T>) {
        match (self, answer) {
            (Self::Receiver(sender), Some(answer)) => drop(sender.try_send(answer)),
            // The receiver sees that its only sender is gone.
            (Self::Receiver(_), None) => {}
            (Self::Inbox(sender, place), answer) => drop(sender.send((place, answer))),
            (Self::Continuation(continuation), answer) => continuation(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_arrives_or_its_absence_is_told() {
        let (reply, receiver) = channel();
        reply.send(7);
        assert_eq!(receiver.recv(), Ok(7));
        let (reply, receiver) = channel::<i32>();
        drop(reply);
        assert!(receiver.recv().is_err());
    }

    #[test]
    fn a_continuation_is_told_either() {
        let (told, heard) = flume::unbounded();
        let continuation = |told: flume::Sender<_>| move |answer| told.send(answer).unwrap();
        Reply::then(continuation(told.clone())).send(7);
        drop(Reply::then(continuation(told)));
        assert_eq!(heard.iter().collect::<Vec<_>>(), [Some(7), None]);
    }

    #[test]
    fn nobody_need_wait() {
        let (reply, receiver) = channel();
        drop(receiver);
        reply.send(7);
    }
}
