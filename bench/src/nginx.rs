//! An nginx of our own: its folder, its end.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cli::failure::{Failure, OrUnusable};
use rustix::process::{Pid, Signal, kill_process};

use crate::bed::Bed;
use crate::cpu;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running nginx with one worker; ended when dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    master: Child,
}

impl Nginx {
    /// Starts nginx with these directives in its `http` block, and waits until it listens at `address`.
    pub(crate) fn start(bed: &Bed, name: &str, http: &str, address: SocketAddr) -> Result<Self, Failure> {
        let folder = bed.path(name);
        fs::create_dir_all(&folder).or_unusable(|| format!("make {}", folder.display()))?;
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration(&folder, http)).or_unusable(|| format!("write {}", file.display()))?;
        let log = folder.join("error.log");
        let master = Command::new(program())
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .or_unusable(|| "start nginx (Debian package nginx)".into())?;
        let mut nginx = Self { master };
        nginx.wait_until_it_listens(address, &log)?;
        Ok(nginx)
    }

    fn wait_until_it_listens(&mut self, address: SocketAddr, log: &Path) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            let ended = self.master.try_wait().ok().flatten().is_some();
            if ended || Instant::now() > deadline {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(Failure::unusable(format!(
                    "nginx does not listen at {address}:\n{said}"
                )));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Master and worker.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let master = self.master.id();
        let mut all = cpu::children(master);
        all.push(master);
        all
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let id = i32::try_from(self.master.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            // It may have ended already.
            let _ = kill_process(id, Signal::TERM);
        }
        let _ = self.master.wait();
    }
}

fn program() -> PathBuf {
    // Not on the PATH of users other than root.
    let usual = PathBuf::from("/usr/sbin/nginx");
    if usual.is_file() { usual } else { "nginx".into() }
}

fn configuration(folder: &Path, http: &str) -> String {
    let folder = folder.display();
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        "daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
events {{ worker_connections 20480; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    client_body_buffer_size 128k;
    proxy_buffers 16 16k;
    sendfile on;
    tcp_nopush on;
{http}
}}
"
    )
}
