//! Measures whether the time of refusing a record tells what is wrong with it: `cargo run --release -p proxy-tls-cbc --example
//! time_classes [ROUNDS]`.
//!
//! Each round takes one record of each class in an order of chance, all of the same length on the wire. `t` is Welch's t
//! of a class against "wrong MAC", of the times under the 95th percentile of both: an attacker who sees a difference
//! has an absolute t that grows with the rounds; under 4.5 there is nothing to see.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::panic,
    reason = "a measuring program"
)]

#[path = "../tests/forger/mod.rs"]
mod forger;

use std::time::Instant;

use forger::{BLOCK, Forgery, Keys, Place};
use proxy_tls_cbc::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384;
use rustls::crypto::cipher::{AeadKey, InboundOpaqueMessage, MessageDecrypter};
use rustls::{ContentType, ProtocolVersion, SupportedCipherSuite};

const PLACE: Place = Place { seq: 1, typ: 23 };
const IV: [u8; BLOCK] = [0x5A; BLOCK];
const DEFAULT_ROUNDS: usize = 20_000;
/// Lengths of the texts: both sides of a block of the hash, a small message, the largest record.
const LENGTHS: [usize; 4] = [12, 124, 1020, 16_380];

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .map_or(DEFAULT_ROUNDS, |rounds| rounds.parse().unwrap());
    println!("{rounds} rounds; nanoseconds");
    for length in LENGTHS {
        measure(length, rounds);
    }
}

fn keys() -> Keys {
    Keys {
        mac: vec![3; 48],
        aes: vec![4; 32],
    }
}

/// Records of one length on the wire, by what is wrong with them.
fn classes(length: usize) -> Vec<(&'static str, Vec<u8>)> {
    let text: Vec<u8> = (0..=250).cycle().take(length + 2 * BLOCK).collect();
    let seal = |length: usize, forgery| keys().seal(PLACE, IV, &text[..length], forgery);
    let whole = seal(length, Forgery::None);
    let mut truncated = seal(length + BLOCK, Forgery::None);
    truncated.truncate(whole.len());
    let classes = vec![
        ("wrong MAC", seal(length, Forgery::Mac)),
        ("wrong MAC again", seal(length, Forgery::Mac)),
        ("wrong padding", seal(length, Forgery::PaddingByte)),
        ("padding too long", seal(length, Forgery::PaddingTooLong)),
        ("wrong MAC and padding", seal(length, Forgery::MacAndPadding)),
        ("truncated by a block", truncated),
        ("nothing wrong", whole),
    ];
    assert!(
        classes
            .iter()
            .all(|(_, record)| record.len() == classes[0].1.len())
    );
    classes
}

fn measure(length: usize, rounds: usize) {
    let classes = classes(length);
    let SupportedCipherSuite::Tls12(suite) = &TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 else {
        panic!("a suite of TLS 1.2")
    };
    let key = AeadKey::from(<[u8; 32]>::try_from(&keys().aes[..]).unwrap());
    let mut decrypter = suite.aead_alg.decrypter(key, &keys().mac);
    let mut times = vec![Vec::with_capacity(rounds); classes.len()];
    let mut order: Vec<usize> = (0..classes.len()).collect();
    let mut buffer = classes[0].1.clone();
    for _ in 0..rounds {
        shuffle(&mut order);
        for &class in &order {
            buffer.copy_from_slice(&classes[class].1);
            times[class].push(time(&mut *decrypter, &mut buffer));
        }
    }
    println!("\ntext of {length} bytes, record of {}", buffer.len() + 5);
    println!("{:<24}{:>10}{:>10}{:>10}{:>8}", "", "10 %", "median", "90 %", "t");
    let cut = percentile(&times.concat(), 95);
    let reference: Vec<u64> = times[0].iter().copied().filter(|time| *time <= cut).collect();
    for ((name, _), times) in classes.iter().zip(&times) {
        let kept: Vec<u64> = times.iter().copied().filter(|time| *time <= cut).collect();
        println!(
            "{name:<24}{:>10}{:>10}{:>10}{:>8.1}",
            percentile(times, 10),
            percentile(times, 50),
            percentile(times, 90),
            welch(&kept, &reference)
        );
    }
}

fn time(decrypter: &mut dyn MessageDecrypter, payload: &mut [u8]) -> u64 {
    let message = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, payload);
    let began = Instant::now();
    let result = decrypter.decrypt(message, PLACE.seq).is_ok();
    let took = began.elapsed();
    std::hint::black_box(result);
    u64::try_from(took.as_nanos()).unwrap()
}

fn shuffle(order: &mut [usize]) {
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    for last in (1..order.len()).rev() {
        order.swap(last, usize::from(random[last]) % (last + 1));
    }
}

fn percentile(times: &[u64], percent: usize) -> u64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) * percent / 100]
}

fn welch(one: &[u64], other: &[u64]) -> f64 {
    let (mean_one, error_one) = mean_and_error(one);
    let (mean_other, error_other) = mean_and_error(other);
    (mean_one - mean_other) / (error_one + error_other).sqrt()
}

/// Mean, and the square of its standard error.
fn mean_and_error(times: &[u64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().sum::<u64>() as f64 / count;
    let squares: f64 = times.iter().map(|time| (*time as f64 - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}
