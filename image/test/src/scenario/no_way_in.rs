//! `no-way-in`: nothing in the root to run that is not needed, nothing that listens but what is documented, no login.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::appliance::PORTS;
use crate::failure::{Failure, OrUnusable, expect};
use crate::room::APPLIANCE;
use crate::state::Firmware;
use crate::story::Story;
use crate::tool;
use crate::world::World;

/// Names of programs that run what they are given, or let somebody in. A version number at the end changes nothing.
const NOT_IN_ROOT: &[&str] = &[
    "sh",
    "ash",
    "bash",
    "dash",
    "zsh",
    "ksh",
    "fish",
    "csh",
    "tcsh",
    "busybox",
    "toybox",
    "python",
    "perl",
    "lua",
    "awk",
    "gawk",
    "mawk",
    "ruby",
    "php",
    "node",
    "tclsh",
    "guile",
    "expect",
    "m4",
    "sed",
    "vi",
    "vim",
    "ed",
    "login",
    "agetty",
    "getty",
    "su",
    "sudo",
    "pkexec",
    "sulogin",
    "sshd",
    "dropbear",
    "telnetd",
    "debug-shell",
    "gdb",
    "gdbserver",
    "apt",
    "dpkg",
    "rpm",
    "curl",
    "wget",
    "nc",
    "socat",
    "dbus-daemon",
];
/// Bits that give whoever runs a file the rights of its owner or group.
const SET_ID: u32 = 0o6000;
/// How many ports are tried at a time.
const AT_A_TIME: u32 = 64;
/// How long a port may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is typed at the console: somebody who wants to log in.
const TYPED: &str = "\n\nroot\nroot\n\x03\x04\n";
/// What a console shows that lets somebody in.
const INVITATIONS: &[&str] = &["login:", "Password:", "password:", "# ", "$ "];

/// Looks through the root, at all ports, and at the console.
///
/// # Errors
/// What was found.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let tree = world.new_folder("root")?;
    let extract = format!("--extract={}", tree.display());
    let root = world.image.file("root.erofs").display().to_string();
    tool::run(
        "fsck.erofs",
        &[&extract, "--overwrite", "--preserve-perms", &root],
    )?;
    let found = look_through(&tree)?;
    expect(found.is_empty(), || format!("in the root: {}", found.join("; ")))?;
    story.tell("the root has no shell, no interpreter, no script, no setuid file, no login");

    let provisioned = world.provisioned(story, Firmware::None, "no-way-in")?;
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    world.exchange(story, &mut machine, &provisioned.identity)?;
    // What is less urgent than exchanges is there a little later.
    for port in PORTS {
        machine.until(&format!("waiting for port {port}"), || accepts(port))?;
    }
    let open = open_ports();
    let mut documented = PORTS.to_vec();
    documented.sort_unstable();
    story.tell(format!("open TCP ports: {open:?}"));
    expect(open == documented, || {
        format!("open: {open:?}; documented: {documented:?}")
    })?;

    machine.type_text(TYPED)?;
    world.exchange(story, &mut machine, &provisioned.identity)?;
    let console = machine.console();
    let invited: Vec<&&str> = INVITATIONS
        .iter()
        .filter(|text| console.contains(**text))
        .collect();
    expect(invited.is_empty(), || format!("the console shows {invited:?}"))?;
    story.tell("the console does not ask who is there");
    Ok(())
}

/// What is in a root that should not be.
fn look_through(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).or_unusable(|| format!("read {}", folder.display()))?;
        for entry in entries.flatten() {
            let kind = entry
                .file_type()
                .or_unusable(|| format!("look at {:?}", entry.path()))?;
            if kind.is_dir() {
                folders.push(entry.path());
            }
            found.extend(complaint(&entry.path(), kind.is_file()));
        }
    }
    Ok(found)
}

fn complaint(path: &Path, is_file: bool) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    // python3.11 is python.
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let is_program = in_a_folder_of_programs(path);
    if is_program && (NOT_IN_ROOT.contains(&plain) || NOT_IN_ROOT.contains(&name.as_str())) {
        return Some(format!("{} is there", path.display()));
    }
    if !is_file {
        return None;
    }
    let mode = fs::metadata(path).ok()?.permissions().mode();
    if mode & SET_ID != 0 {
        return Some(format!("{} is setuid or setgid", path.display()));
    }
    let mut first = [0; 2];
    let is_script = mode & 0o111 != 0
        && fs::File::open(path)
            .and_then(|mut file| file.read_exact(&mut first))
            .is_ok()
        && &first == b"#!";
    is_script.then(|| format!("{} is a script", path.display()))
}

fn in_a_folder_of_programs(path: &Path) -> bool {
    const FOLDERS: &[&str] = &["bin", "sbin", "libexec", "systemd", "lib"];
    let folder: Option<PathBuf> = path.parent().map(Path::to_path_buf);
    folder
        .and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
        .is_some_and(|folder| FOLDERS.contains(&folder.as_str()))
}

/// All TCP ports at which something accepts connections.
fn open_ports() -> Vec<u16> {
    let next = AtomicU32::new(1);
    let scan = || {
        let mut open = Vec::new();
        while let Ok(port) = u16::try_from(next.fetch_add(1, Ordering::Relaxed)) {
            if accepts(port).is_ok() {
                open.push(port);
            }
        }
        open
    };
    let mut open: Vec<u16> = std::thread::scope(|scope| {
        let scans: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(scan)).collect();
        scans
            .into_iter()
            .flat_map(|scan| scan.join().unwrap_or_default())
            .collect()
    });
    open.sort_unstable();
    open
}

/// Whether something accepts connections at a TCP port.
fn accepts(port: u16) -> Result<(), String> {
    let connected = TcpStream::connect_timeout(&SocketAddr::new(APPLIANCE, port), PATIENCE);
    connected.map(drop).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_in_is_found_and_an_ordinary_root_has_none() {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("usr/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("kiirtee-proxy"), "\x7fELF").unwrap();
        fs::write(root.path().join("usr/sh"), "a text of this name").unwrap();
        assert_eq!(look_through(root.path()).unwrap(), Vec::<String>::new());

        let set_mode = |name: &str, mode| {
            fs::write(bin.join(name), "#!/nothing").unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        set_mode("python3.11", 0o644);
        set_mode("mount", 0o4644);
        set_mode("helper", 0o755);
        let mut found = look_through(root.path()).unwrap();
        found.sort();
        let ends: Vec<&str> = found
            .iter()
            .filter_map(|text| text.split("/usr/bin/").nth(1))
            .collect();
        assert_eq!(
            ends,
            [
                "helper is a script",
                "mount is setuid or setgid",
                "python3.11 is there"
            ]
        );
    }
}
