//! How urgent the threads are that answer.

/// Makes the calling thread less urgent for the system by this nice value (0 to 19): where the processors are busy, the threads
/// that ask go first, and more requests gather meanwhile for whatever this thread does once for all of them (docs/adr/0012).
/// Threads that it starts from here on inherit it. A refusal is only logged: batches are smaller then, and nothing else.
pub fn yield_to_askers(nice: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        let thread = std::thread::current();
        tracing::warn!(%error, nice, thread = thread.name(), "the urgency of a thread cannot be changed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_is_less_urgent_and_so_are_those_it_starts_but_not_the_others() {
        let urgency = || rustix::process::getpriority_process(None).unwrap();
        let before = urgency();
        let less = (before + 3).min(19);
        let of_thread = std::thread::spawn(move || {
            yield_to_askers(less);
            (urgency(), std::thread::spawn(urgency).join().unwrap())
        });
        assert_eq!(of_thread.join().unwrap(), (less, less));
        assert_eq!(urgency(), before);
    }
}
