//! What the tasks of one thread have to ask, sent together.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Where the tasks of one thread put what they ask of another. Clones are the same outbox.
///
/// It is emptied by a task of that thread ([`Posting::run`]), which comes after the tasks that could run when the first
/// letter was put: so the other thread is woken once for all of them, and finds them together.
#[derive(Debug)]
pub struct Outbox<T>(Rc<RefCell<Letters<T>>>);

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Letters<T> {
    waiting: Vec<T>,
    /// Of the posting task, while it waits for the first letter.
    waker: Option<Waker>,
    /// Whether the last outbox is gone.
    is_closed: bool,
}

/// Sends what an outbox holds.
#[derive(Debug)]
pub struct Posting<T>(Rc<RefCell<Letters<T>>>);

impl<T> Outbox<T> {
    /// An empty outbox, and what must run for it to be emptied.
    #[must_use]
    pub fn new() -> (Self, Posting<T>) {
        let letters = Rc::new(RefCell::new(Letters {
            waiting: Vec::new(),
            waker: None,
            is_closed: false,
        }));
        (Self(Rc::clone(&letters)), Posting(letters))
    }

    /// Puts something to be sent.
    pub fn put(&self, letter: T) {
        let waker = {
            let mut letters = self.0.borrow_mut();
            letters.waiting.push(letter);
            letters.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        // The posting holds the other one.
        if Rc::strong_count(&self.0) > 2 {
            return;
        }
        let waker = {
            let mut letters = self.0.borrow_mut();
            letters.is_closed = true;
            letters.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Posting<T> {
    /// Hands over what gathers, until the outbox is gone and empty.
    pub async fn run(self, mut send: impl FnMut(Vec<T>)) {
        while let Some(letters) = self.gathered().await {
            send(letters);
        }
    }

    async fn gathered(&self) -> Option<Vec<T>> {
        poll_fn(|context| {
            let mut letters = self.0.borrow_mut();
            if !letters.waiting.is_empty() {
                return Poll::Ready(Some(std::mem::take(&mut letters.waiting)));
            }
            if letters.is_closed {
                return Poll::Ready(None);
            }
            letters.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Context;

    use super::*;

    fn poll(run: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
        run.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn letters_are_sent_together_and_in_order() {
        let (outbox, posting) = Outbox::new();
        let sent = RefCell::new(Vec::new());
        let mut run = Box::pin(posting.run(|letters| sent.borrow_mut().push(letters)));
        assert!(poll(run.as_mut()).is_pending());
        outbox.put(1);
        outbox.put(2);
        assert!(poll(run.as_mut()).is_pending());
        outbox.put(3);
        assert!(poll(run.as_mut()).is_pending());
        assert_eq!(*sent.borrow(), [vec![1, 2], vec![3]]);
    }

    #[test]
    fn what_was_put_before_the_outbox_went_is_sent() {
        let (outbox, posting) = Outbox::new();
        let sent = RefCell::new(Vec::new());
        let mut run = Box::pin(posting.run(|letters| sent.borrow_mut().push(letters)));
        assert!(poll(run.as_mut()).is_pending());
        outbox.put(1);
        drop(outbox);
        assert!(poll(run.as_mut()).is_ready());
        assert_eq!(*sent.borrow(), [vec![1]]);
    }
}
