//! The answers to the tasks of one thread.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::{Reply, To, Unanswered};

/// An answer, or that there will be none, and the place it goes to.
pub(crate) type Delivered<T> = (usize, Option<T>);

/// Where answers to the tasks of one thread arrive. Clones are the same inbox.
#[derive(Debug)]
pub struct Inbox<T> {
    sender: flume::Sender<Delivered<T>>,
    places: Rc<RefCell<Slab<Place<T>>>>,
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            places: Rc::clone(&self.places),
        }
    }
}

/// What is known of one answer. A place is free for another only when its reply was sent or dropped, so that no answer
/// can go astray.
#[derive(Debug)]
enum Place<T> {
    /// It is waited for.
    Awaited(Option<Waker>),
    /// Nobody waits for it any more.
    Abandoned,
    /// It is here.
    Arrived(Option<T>),
}

/// Hands out what arrives: run [`Delivery::run`] as a task of the inbox's thread.
#[derive(Debug)]
pub struct Delivery<T> {
    receiver: flume::Receiver<Delivered<T>>,
    places: Rc<RefCell<Slab<Place<T>>>>,
}

/// One answer that will arrive.
#[derive(Debug)]
pub struct Answer<T> {
    places: Rc<RefCell<Slab<Place<T>>>>,
    place: usize,
    taken: bool,
}

impl<T> Inbox<T> {
    /// An empty inbox, and what must run for answers to come out of it.
    #[must_use]
    pub fn new() -> (Self, Delivery<T>) {
        // Bounded by the answers that are awaited, and these by who asks.
        let (sender, receiver) = flume::unbounded();
        let places = Rc::default();
        let delivery = Delivery {
            receiver,
            places: Rc::clone(&places),
        };
        (Self { sender, places }, delivery)
    }

    /// A reply for another thread, and its answer.
    #[must_use]
    pub fn expect(&self) -> (Reply<T>, Answer<T>) {
        let place = self.places.borrow_mut().insert(Place::Awaited(None));
        let answer = Answer {
            places: Rc::clone(&self.places),
            place,
            taken: false,
        };
        (Reply(Some(To::Inbox(self.sender.clone(), place))), answer)
    }
}

impl<T> Delivery<T> {
    /// Runs until the inbox and all its replies are gone.
    pub async fn run(self) {
        while let Ok(first) = self.receiver.recv_async().await {
            self.deliver(first);
            for next in self.receiver.try_iter() {
                self.deliver(next);
            }
        }
    }

    fn deliver(&self, (place, answer): Delivered<T>) {
        let waker = {
            let mut places = self.places.borrow_mut();
            match places.get_mut(place) {
                Some(Place::Awaited(waker)) => {
                    let waker = waker.take();
                    if let Some(place) = places.get_mut(place) {
                        *place = Place::Arrived(answer);
                    }
                    waker
                }
                Some(_) => {
                    places.remove(place);
                    None
                }
                None => None,
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, Unanswered>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = {
            let mut places = self.places.borrow_mut();
            match places.get_mut(self.place) {
                Some(Place::Awaited(waker)) => {
                    match waker {
                        Some(waker) => waker.clone_from(context.waker()),
                        None => *waker = Some(context.waker().clone()),
                    }
                    return Poll::Pending;
                }
                Some(Place::Arrived(answer)) => {
                    let answer = answer.take();
                    places.remove(self.place);
                    answer
                }
                // Only a future that is polled after its end comes here.
                Some(Place::Abandoned) | None => None,
            }
        };
        self.taken = true;
        Poll::Ready(answer.ok_or(Unanswered))
    }
}

impl<T> Unpin for Answer<T> {}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        let mut places = self.places.borrow_mut();
        match places.get_mut(self.place) {
            Some(place @ Place::Awaited(_)) => *place = Place::Abandoned,
            Some(Place::Arrived(_)) => drop(places.remove(self.place)),
            Some(Place::Abandoned) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll<F: Future>(future: Pin<&mut F>, wakes: &Arc<Wakes>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(wakes))))
    }

    #[test]
    fn a_batch_of_answers_wakes_the_thread_once_and_each_task_once() {
        let (inbox, delivery) = Inbox::new();
        let mut run = Box::pin(delivery.run());
        let (thread, task) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
        assert!(poll(run.as_mut(), &thread).is_pending());
        let (replies, mut answers): (Vec<_>, Vec<_>) = (0..50).map(|_| inbox.expect()).unzip();
        for answer in &mut answers {
            assert!(poll(Pin::new(answer), &task).is_pending());
        }
        std::thread::spawn(move || {
            replies
                .into_iter()
                .enumerate()
                .for_each(|(number, reply)| reply.send(number))
        })
        .join()
        .unwrap();
        assert_eq!(thread.0.load(Ordering::Relaxed), 1);
        assert!(poll(run.as_mut(), &thread).is_pending());
        assert_eq!(task.0.load(Ordering::Relaxed), 50);
        for (number, answer) in answers.iter_mut().enumerate() {
            assert_eq!(poll(Pin::new(answer), &task), Poll::Ready(Ok(number)));
        }
        drop(answers);
        assert!(inbox.places.borrow().is_empty());
    }

    #[test]
    fn a_reply_that_is_dropped_tells_so() {
        let (inbox, delivery) = Inbox::<i32>::new();
        let mut run = Box::pin(delivery.run());
        let wakes = Arc::new(Wakes::default());
        let (reply, mut answer) = inbox.expect();
        drop(reply);
        assert!(poll(run.as_mut(), &wakes).is_pending());
        assert_eq!(poll(Pin::new(&mut answer), &wakes), Poll::Ready(Err(Unanswered)));
    }

    #[test]
    fn an_answer_that_nobody_awaits_any_more_takes_nobody_elses_place() {
        let (inbox, delivery) = Inbox::new();
        let mut run = Box::pin(delivery.run());
        let wakes = Arc::new(Wakes::default());
        let (late, abandoned) = inbox.expect();
        drop(abandoned);
        let (reply, mut answer) = inbox.expect();
        late.send("late");
        reply.send("mine");
        assert!(poll(run.as_mut(), &wakes).is_pending());
        assert_eq!(poll(Pin::new(&mut answer), &wakes), Poll::Ready(Ok("mine")));
        let (reply, arrived_and_dropped) = inbox.expect();
        reply.send("unread");
        assert!(poll(run.as_mut(), &wakes).is_pending());
        drop(arrived_and_dropped);
        assert!(inbox.places.borrow().is_empty());
    }

    #[test]
    fn delivery_ends_with_the_inbox_and_its_replies() {
        let (inbox, delivery) = Inbox::<i32>::new();
        let mut run = Box::pin(delivery.run());
        let wakes = Arc::new(Wakes::default());
        let (reply, answer) = inbox.expect();
        drop((inbox, answer));
        assert!(poll(run.as_mut(), &wakes).is_pending());
        drop(reply);
        assert!(poll(run.as_mut(), &wakes).is_ready());
    }
}
