//! A machine that runs: QEMU in software emulation, with a TPM, a network interface on the room's tap device, a disk, and
//! whatever media are plugged in.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::failure::{Failure, OrUnusable};
use crate::image::Image;
use crate::medium::Medium;
use crate::qmp::Qmp;
use crate::room::TAP;
use crate::state::{Firmware, State};
use crate::tpm::Tpm;
use crate::wait::{self, Look};

/// Memory of a machine, in MiB.
const MEMORY: u32 = 1024;
/// How much of the serial console is shown when something goes wrong, in lines.
const LAST_WORDS: usize = 40;
/// Where a medium can be plugged in while it runs.
const PLACE: &str = "plug";
/// What its board is called, at every start.
const UUID: &str = "6b696972-7465-6500-8000-000000000040";
/// What is added to the kernel's command line for seeing the journal (systemd-journald.service(8)).
const JOURNAL_ON_CONSOLE: &str =
    " systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info";
/// Ticks of a process's times in a second: what Linux tells every program (`USER_HZ`).
const TICKS: f64 = 100.0;

/// What sets one start apart from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing.
    Usual,
    /// A reboot of the guest ends the machine instead.
    Once,
    /// There is a place where a medium can be plugged in later ([`Machine::plug_in`]). Looking after it costs the kernel seconds.
    WithPlace,
}

/// What a machine is started with.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The image whose kernel is loaded where there is no firmware.
    pub image: &'a Image,
    /// What the machine kept.
    pub state: &'a State,
    /// Media that are plugged in, in this order.
    pub media: Vec<&'a Path>,
    /// What sets this start apart.
    pub start: Start,
    /// Whether everything in its journal is on the console too, where there is no firmware: for finding out what went wrong.
    pub shows_journal: bool,
    /// Where the serial console is written to.
    pub serial: PathBuf,
}

/// A running machine; its end is that of this value: the power is cut.
#[derive(Debug)]
pub struct Machine {
    qemu: Child,
    _tpm: Tpm,
    serial: PathBuf,
    console: PathBuf,
    monitor: PathBuf,
    began: Instant,
}

impl Machine {
    /// Switches a machine on.
    ///
    /// # Errors
    /// When QEMU or the TPM cannot be started.
    pub fn start(plan: &Plan<'_>) -> Result<Self, Failure> {
        let tpm = Tpm::start(&plan.state.tpm())?;
        let folder = plan.state.folder();
        let (console, monitor) = (folder.join("console"), folder.join("monitor"));
        let mut command = Command::new("qemu-system-x86_64");
        hardware(&mut command, plan, &tpm);
        // Sockets with a file beside them: what is written to the console is kept, and something can be typed.
        command.arg("-chardev").arg(format!(
            "socket,id=console,path={},server=on,wait=off,logfile={}",
            console.display(),
            plan.serial.display()
        ));
        command.args(["-serial", "chardev:console"]);
        command
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", monitor.display()));
        boot(&mut command, plan)?;
        let said = fs::File::create(plan.serial.with_extension("qemu"))
            .or_unusable(|| format!("write {}", plan.serial.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let qemu = command
            .spawn()
            .or_unusable(|| "start qemu-system-x86_64".into())?;
        Ok(Self {
            qemu,
            _tpm: tpm,
            serial: plan.serial.clone(),
            console,
            monitor,
            began: Instant::now(),
        })
    }

    /// Seconds since it was switched on.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Seconds of processor time that QEMU has taken: a clock that does not run faster when the machine beneath is busy.
    pub fn processor_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.qemu.id())).unwrap_or_default();
        processor_seconds(&stat).unwrap_or_default()
    }

    /// Whether the power is still on.
    pub fn is_on(&mut self) -> bool {
        matches!(self.qemu.try_wait(), Ok(None))
    }

    /// Waits for a condition, as long as the machine is on.
    ///
    /// # Errors
    /// [`Failure::Wrong`] with the last reason why it was not so, and the end of what was on the console.
    pub fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut() -> Result<T, String>,
    ) -> Result<T, Failure> {
        self.until_within(wait::LIMIT, what, &mut look)
    }

    /// The same with a limit of one's own.
    ///
    /// # Errors
    /// The same.
    pub fn until_within<T>(
        &mut self,
        limit: Duration,
        what: &str,
        look: &mut dyn FnMut() -> Result<T, String>,
    ) -> Result<T, Failure> {
        let seen = wait::until(limit, || match look() {
            Ok(value) => Look::There(value),
            Err(why) if self.is_on() => Look::NotYet(why),
            Err(why) => Look::Never(format!("the machine has gone off: {why}")),
        });
        seen.map_err(|why| Failure::wrong(format!("{what}: {why}\n{}", self.last_words())))
    }

    /// Waits until the machine has gone off by itself.
    ///
    /// # Errors
    /// When it stays on.
    pub fn until_off(&mut self) -> Result<(), Failure> {
        let seen = wait::until(wait::LIMIT, || match self.is_on() {
            false => Look::There(()),
            true => Look::NotYet("it is still on".into()),
        });
        seen.map_err(|why| {
            Failure::wrong(format!(
                "waiting for the machine to go off: {why}\n{}",
                self.last_words()
            ))
        })
    }

    /// Waits until the console shows one of these texts; gives the one.
    ///
    /// # Errors
    /// When it does not, with what it shows.
    pub fn until_console_shows<'a>(&mut self, texts: &[&'a str]) -> Result<&'a str, Failure> {
        let serial = self.serial.clone();
        let what = format!("waiting for {texts:?} on the console");
        // A machine that has gone off may have said it last.
        let seen = wait::until(wait::LIMIT, || {
            let is_on = self.is_on();
            let shown = console(&serial);
            match texts.iter().find(|text| shown.contains(*text)) {
                Some(text) => Look::There(*text),
                None if is_on => Look::NotYet("it does not".into()),
                None => Look::Never("the machine has gone off".into()),
            }
        });
        seen.map_err(|why| Failure::wrong(format!("{what}: {why}\n{}", self.last_words())))
    }

    /// Everything that the console showed.
    pub fn console(&self) -> String {
        console(&self.serial)
    }

    /// Types something at the console.
    ///
    /// # Errors
    /// When the console cannot be reached.
    pub fn type_text(&self, text: &str) -> Result<(), Failure> {
        UnixStream::connect(&self.console)
            .and_then(|mut console| console.write_all(text.as_bytes()))
            .or_unusable(|| "type at the console".into())
    }

    /// Plugs a medium in while the machine runs; it was started [`Start::WithPlace`].
    ///
    /// # Errors
    /// When QEMU does not take it.
    pub fn plug_in(&self, medium: &Medium) -> Result<(), Failure> {
        let file = json!({"driver": "file", "filename": medium.file()});
        let drive = json!({"node-name": "plugged", "driver": "raw", "file": file});
        let device = json!({"id": "medium", "driver": "virtio-blk-pci", "drive": "plugged", "bus": PLACE});
        let plugged = Qmp::connect(&self.monitor).and_then(|mut qemu| {
            qemu.order("blockdev-add", &drive)?;
            qemu.order("device_add", &device)
        });
        plugged.map(drop).or_unusable(|| "plug a medium in".into())
    }

    /// Cuts the power: no warning, nothing is written any more.
    pub fn cut_power(self) {
        drop(self);
    }

    fn last_words(&self) -> String {
        let shown = self.console();
        let lines: Vec<&str> = shown.lines().collect();
        let end = lines
            .get(lines.len().saturating_sub(LAST_WORDS)..)
            .unwrap_or_default();
        let said = fs::read_to_string(self.serial.with_extension("qemu")).unwrap_or_default();
        format!(
            "the end of {}:\n{}\n{said}{}",
            self.serial.display(),
            end.join("\n"),
            crate::appliance::last_errors()
        )
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // One that has gone off by itself can't be killed any more.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn console(serial: &Path) -> String {
    String::from_utf8_lossy(&fs::read(serial).unwrap_or_default()).into_owned()
}

/// User and system time in a line of `/proc/PID/stat` (proc(5): fields 14 and 15; the second may hold anything, in
/// brackets).
fn processor_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

fn hardware(command: &mut Command, plan: &Plan<'_>, tpm: &Tpm) {
    let secure = plan.state.firmware == Firmware::SecureBoot;
    let machine = if secure { "q35,smm=on" } else { "q35" };
    command
        .args(["-machine", machine, "-accel", "tcg,thread=multi", "-cpu", "max"])
        .args(["-smp", "2", "-m", &MEMORY.to_string()])
        .args(["-uuid", UUID])
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-object", "rng-random,id=r,filename=/dev/urandom"])
        .args(["-device", "virtio-rng-pci,rng=r"])
        .args([
            "-tpmdev",
            "emulator,id=tpm,chardev=tpm",
            "-device",
            "tpm-crb,tpmdev=tpm",
        ])
        .args([
            "-netdev",
            &format!("tap,id=n,ifname={TAP},script=no,downscript=no"),
        ])
        .args([
            "-device",
            "virtio-net-pci,netdev=n,romfile=,mac=52:54:00:77:00:40",
        ]);
    command
        .arg("-chardev")
        .arg(format!("socket,id=tpm,path={}", tpm.socket().display()));
    if plan.start == Start::Once {
        command.arg("-no-reboot");
    }
    let media = plan.media.iter().map(|medium| medium.to_path_buf());
    for (index, disk) in std::iter::once(plan.state.disk()).chain(media).enumerate() {
        command
            .arg("-drive")
            // What the guest writes need not reach the disk beneath: its power is cut by killing QEMU, not this machine.
            .arg(format!(
                "if=none,id=d{index},format=raw,cache=unsafe,file={}",
                disk.display()
            ))
            .arg("-device")
            .arg(format!("virtio-blk-pci,drive=d{index},serial=kiirtee{index}"));
    }
    if plan.start == Start::WithPlace {
        // Last, so that it changes no number of the devices before it, after which network interfaces are named.
        let place = format!("pcie-root-port,id={PLACE},chassis=1,slot=1");
        command.args(["-device", &place]);
    }
}

fn boot(command: &mut Command, plan: &Plan<'_>) -> Result<(), Failure> {
    let Some(code) = plan.state.firmware.code() else {
        command.arg("-kernel").arg(plan.image.file("kernel"));
        let journal = if plan.shows_journal {
            JOURNAL_ON_CONSOLE
        } else {
            ""
        };
        command.args(["-append", &(plan.image.command_line()? + journal)]);
        let initrd = plan.image.file("initrd");
        if initrd.exists() {
            command.arg("-initrd").arg(initrd);
        }
        return Ok(());
    };
    if plan.state.firmware == Firmware::SecureBoot {
        // Only the firmware itself, in system management mode, may write its variables.
        command.args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
        command.args(["-global", "ICH9-LPC.disable_s3=1"]);
    }
    let flash = |unit: u8, file: &Path, more: &str| {
        format!("if=pflash,format=raw,unit={unit},file={}{more}", file.display())
    };
    command.args(["-drive", &flash(0, &code, ",readonly=on")]);
    command.args(["-drive", &flash(1, &plan.state.variables(), "")]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_with_brackets() {
        let stat = "12 (qemu (x) y) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(processor_seconds(stat), Some(3.0));
        assert_eq!(processor_seconds("12 (qemu) S 1 2"), None);
    }
}
