//! `kiirtee-appliance tune` below a folder that looks like `/sys` and `/proc`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap()
}

fn tune(root: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiirtee-appliance"));
    let output = command
        .arg("tune")
        .arg("--root")
        .arg(root)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Two cores and a virtual interface with one pair of queues, as QEMU has it.
fn machine() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "sys/devices/system/cpu/online", "0-1\n");
    let interrupts = "           CPU0       CPU1\n  1:   9   0  IO-APIC   1-edge  i8042\n \
                      24:   0   0  PCI-MSIX-0000:00:03.0   0-edge      virtio0-config\n \
                      25:  12   0  PCI-MSIX-0000:00:03.0   1-edge      virtio0-input.0\n \
                      26:   3   0  PCI-MSIX-0000:00:03.0   2-edge      virtio0-output.0\nNMI:   0   0\n";
    write(root, "proc/interrupts", interrupts);
    for number in 24..27 {
        write(root, &format!("proc/irq/{number}/smp_affinity_list"), "0-1\n");
        write(
            root,
            &format!("sys/devices/pci/virtio-pci/msi_irqs/{number}"),
            "msix\n",
        );
    }
    write(root, "sys/devices/pci/virtio-pci/virtio0/device", "0x0001\n");
    for file in ["rx-0/rps_cpus", "rx-0/rps_flow_cnt", "tx-0/xps_cpus"] {
        write(root, &format!("sys/class/net/eth0/queues/{file}"), "0\n");
    }
    symlink(
        root.join("sys/devices/pci/virtio-pci/virtio0"),
        root.join("sys/class/net/eth0/device"),
    )
    .unwrap();
    write(root, "sys/class/net/lo/queues/rx-0/rps_cpus", "0\n");
    write(root, "proc/sys/net/core/rps_sock_flow_entries", "0\n");
    folder
}

#[test]
fn interrupts_and_queues_are_set_once_and_each_with_its_reason() {
    let folder = machine();
    let root = folder.path();
    let told = tune(root, &["--dry-run"]);
    assert!(
        told.contains("/proc/irq/25/smp_affinity_list would be 0: IRQ"),
        "{told}"
    );
    assert_eq!(read(root, "proc/irq/25/smp_affinity_list"), "0-1\n");

    let told = tune(root, &[]);
    assert!(
        told.contains("/proc/irq/26/smp_affinity_list set to 1: IRQ"),
        "{told}"
    );
    for (path, value) in [
        ("proc/irq/24/smp_affinity_list", "0-1\n"),
        ("proc/irq/25/smp_affinity_list", "0"),
        ("proc/irq/26/smp_affinity_list", "1"),
        ("sys/class/net/eth0/queues/rx-0/rps_cpus", "3"),
        ("sys/class/net/eth0/queues/rx-0/rps_flow_cnt", "32768"),
        ("sys/class/net/eth0/queues/tx-0/xps_cpus", "0\n"),
        ("sys/class/net/lo/queues/rx-0/rps_cpus", "0\n"),
        ("proc/sys/net/core/rps_sock_flow_entries", "32768"),
    ] {
        assert_eq!(read(root, path), value, "{path}");
    }
    let again = tune(root, &[]);
    assert!(!again.contains("set to"), "{again}");
}

#[test]
fn what_the_kernel_does_not_have_is_passed_over() {
    let folder = machine();
    let root = folder.path();
    fs::remove_file(root.join("proc/irq/25/smp_affinity_list")).unwrap();
    tune(root, &[]);
    assert!(!root.join("proc/irq/25/smp_affinity_list").exists());
    assert_eq!(read(root, "proc/irq/26/smp_affinity_list"), "1");
}

#[test]
fn nothing_is_done_where_there_is_nothing() {
    let folder = machine();
    let root = folder.path();
    fs::remove_dir_all(root.join("sys/class/net/eth0")).unwrap();
    assert_eq!(tune(root, &[]), "nothing to tune\n");
    write(root, "sys/devices/system/cpu/online", "0\n");
    assert_eq!(tune(root, &[]), "nothing to tune\n");
}
