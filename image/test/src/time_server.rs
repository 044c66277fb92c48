//! A time server for the appliance: this machine's time over SNTP (RFC 5905, mode 4), and the means to be silent, because
//! an appliance that does not know the time must not exchange anything.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::{Failure, OrUnusable};

/// Port of NTP.
const PORT: u16 = 123;
/// Length of a packet without extensions, in bytes.
const PACKET: usize = 48;
/// Seconds from 1900, where NTP begins to count, to 1970 (RFC 5905, section 6).
const FROM_1900_TO_1970: u64 = 2_208_988_800;

/// The time server; it answers until the process ends.
#[derive(Debug)]
pub struct TimeServer {
    silent: Arc<AtomicBool>,
}

impl TimeServer {
    /// Starts answering at `address`.
    ///
    /// # Errors
    /// When it cannot be listened at.
    pub fn start(address: IpAddr) -> Result<Self, Failure> {
        let address = SocketAddr::new(address, PORT);
        let socket = UdpSocket::bind(address).or_unusable(|| format!("listen at {address}/udp"))?;
        let silent = Arc::new(AtomicBool::new(false));
        let is_silent = Arc::clone(&silent);
        std::thread::spawn(move || serve(&socket, &is_silent));
        Ok(Self { silent })
    }

    /// From now on, answers or does not.
    pub fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }
}

fn serve(socket: &UdpSocket, is_silent: &AtomicBool) {
    let mut packet = [0_u8; 512];
    // A packet that can't be received or sent is asked for again by the client.
    while let Ok((length, from)) = socket.recv_from(&mut packet) {
        let request = packet.get(..length).unwrap_or_default();
        if is_silent.load(Ordering::Relaxed) {
            continue;
        }
        if let Some(reply) = reply(request, now()) {
            let _ = socket.send_to(&reply, from);
        }
    }
}

/// The time in NTP's format: seconds since 1900 in the upper half, fractions in the lower.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    ((now.as_secs() + FROM_1900_TO_1970) << 32) | fraction
}

/// The answer to a client's packet (RFC 5905, figure 8 and section 14); none to what is not one.
fn reply(request: &[u8], time: u64) -> Option<[u8; PACKET]> {
    let &first = request.first()?;
    let transmitted = request.get(40..PACKET)?;
    let (version, mode) = ((first >> 3) & 7, first & 7);
    if mode != 3 || !(3..=4).contains(&version) {
        return None;
    }
    let time = time.to_be_bytes();
    let head = [
        (version << 3) | 4, // no leap second, its version, mode 4: server
        1,                  // stratum: as good as a clock of its own
        *request.get(2)?,   // its poll interval
        236,                // precision: 2^-20 s
    ];
    let delay_and_dispersion = [0, 0, 0, 0, 0, 0, 0, 1];
    let parts: [&[u8]; 7] = [
        &head,
        &delay_and_dispersion,
        b"LOCL",
        &time, // when the clock was set
        transmitted,
        &time, // when the request came
        &time, // when the answer goes
    ];
    parts.concat().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        packet[0] = 0x23;
        packet[2] = 6;
        packet[40..].copy_from_slice(b"transmit");
        packet
    }

    #[test]
    fn a_client_gets_its_own_time_stamp_back_and_the_time() {
        let reply = reply(&request(), 0x0102_0304_0506_0708).unwrap();
        assert_eq!(reply[0], 0x24);
        assert_eq!(&reply[24..32], b"transmit");
        assert_eq!(reply[40..], [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn what_is_no_client_packet_gets_nothing() {
        assert!(reply(&request()[..47], 0).is_none());
        let mut server = request();
        server[0] = 0x24;
        assert!(reply(&server, 0).is_none());
    }

    #[test]
    fn time_counts_from_1900() {
        assert!(now() >> 32 > FROM_1900_TO_1970 + 1_700_000_000);
    }
}
