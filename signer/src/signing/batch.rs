//! Which messages share a signature, and which job each of them belongs to.

use protocol_signature::hash_chain::PartDigest;
use signer_client::{SignedBatch, SignedMessages, SignerError};

use super::job::MessagesJob;

/// What one job gets.
pub(super) type Answer = Result<SignedMessages, SignerError>;

/// Messages that share a signature.
#[derive(Debug, Default)]
pub(super) struct Batch {
    messages: Vec<Vec<PartDigest>>,
    /// Which job each message belongs to; the messages of a job stand together.
    jobs: Vec<usize>,
}

/// The messages of all jobs, in their order, in batches of at most `max`.
pub(super) fn batches(jobs: &mut [MessagesJob], max: usize) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut batch = Batch::default();
    for (number, job) in jobs.iter_mut().enumerate() {
        for message in std::mem::take(&mut job.messages) {
            if batch.len() >= max.max(1) {
                batches.push(std::mem::take(&mut batch));
            }
            batch.messages.push(message);
            batch.jobs.push(number);
        }
    }
    if batch.len() > 0 {
        batches.push(batch);
    }
    batches
}

impl Batch {
    pub(super) const fn len(&self) -> usize {
        self.messages.len()
    }

    /// The digests of each message, to be signed once.
    pub(super) fn take_messages(&mut self) -> Vec<Vec<PartDigest>> {
        std::mem::take(&mut self.messages)
    }

    /// Gives each job its share of the signature, or the failure.
    pub(super) fn divide(self, signed: Result<SignedBatch, SignerError>, answers: &mut [Answer]) {
        match signed {
            Err(error) => {
                for number in self.jobs {
                    if let Some(answer) = answers.get_mut(number) {
                        *answer = Err(error.clone());
                    }
                }
            }
            Ok(SignedBatch::Plain { signature_xml }) => {
                for number in self.jobs {
                    let signature_xml = signature_xml.clone();
                    give(answers, number, SignedBatch::Plain { signature_xml });
                }
            }
            Ok(SignedBatch::Chained {
                signature_xml,
                hash_chain_result,
                hash_chains,
            }) => {
                let mut of_messages = self.jobs.into_iter().zip(hash_chains).peekable();
                while let Some((number, hash_chain)) = of_messages.next() {
                    let mut hash_chains = vec![hash_chain];
                    while let Some((_, next)) = of_messages.next_if(|(next, _)| *next == number) {
                        hash_chains.push(next);
                    }
                    let share = SignedBatch::Chained {
                        signature_xml: signature_xml.clone(),
                        hash_chain_result: hash_chain_result.clone(),
                        hash_chains,
                    };
                    give(answers, number, share);
                }
            }
        }
    }
}

/// Adds to what a job gets, unless another batch of it failed.
fn give(answers: &mut [Answer], number: usize, share: SignedBatch) {
    if let Some(Ok(SignedMessages(batches))) = answers.get_mut(number) {
        batches.push(share);
    }
}
