//! The information system that both the chain and the security servers ask: a third nginx, cheap and always the same.

use std::fs;
use std::net::SocketAddr;

use cli::failure::{Failure, OrUnusable};

use crate::bed::Bed;
use crate::nginx::Nginx;

/// Sizes of answers that there are.
pub(crate) const SIZES: [usize; 3] = [1024, 10 * 1024, 100 * 1024];

/// The running backend.
#[derive(Debug)]
pub(crate) struct Backend {
    _nginx: Nginx,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Backend {
    /// Starts it. `/rest/bytes/N` answers with N bytes; `/rest/take` swallows a body and answers with 1 KB.
    pub(crate) fn start(bed: &Bed) -> Result<Self, Failure> {
        let address = SocketAddr::new(Bed::chain_net().host(30), 8000);
        let files = bed.path("files");
        let bytes = files.join("rest/bytes");
        fs::create_dir_all(&bytes).or_unusable(|| format!("make {}", bytes.display()))?;
        for size in SIZES {
            fs::write(bytes.join(size.to_string()), "y".repeat(size))
                .or_unusable(|| format!("write into {}", bytes.display()))?;
        }
        let http = format!(
            "    open_file_cache max=16;
    default_type application/octet-stream;
    server {{
        listen {address};
        root {};
        location = /rest/take {{ return 200 \"{}\"; }}
    }}",
            files.display(),
            "y".repeat(1024)
        );
        Ok(Self {
            _nginx: Nginx::start(bed, "backend", &http, address)?,
            address,
        })
    }
}
