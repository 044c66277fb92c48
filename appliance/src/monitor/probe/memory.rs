//! How much memory is in use: the machine's, as its memory nodes tell it, since the monitor does not see `/proc/meminfo`.

use serde::{Deserialize, Serialize};

use super::read_small;
use crate::paths::Root;

/// Where the kernel tells of its memory nodes; most machines have one.
const NODES: &str = "sys/devices/system/node";
/// Bytes of the kernel's `kB`.
const KIB: u64 = 1024;

/// The machine's memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What could be had without taking it from a program: free, or a copy of what is on a disk.
    pub available: u64,
}

/// The memory of all nodes; none where the kernel tells of none.
#[must_use]
pub fn memory(root: &Root) -> Option<Memory> {
    let entries = std::fs::read_dir(root.path(NODES)).ok()?.flatten();
    let texts = entries.filter_map(|entry| read_small(entry.path().join("meminfo")).ok());
    texts
        .filter_map(|text| of_node(&text))
        .reduce(|sum, node| Memory {
            total: sum.total.saturating_add(node.total),
            available: sum.available.saturating_add(node.available),
        })
}

/// Lines such as `Node 0 MemTotal:  1010668 kB`. Files in memory (`Shmem`) are among the pages of files, and on no disk.
fn of_node(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let mut lines = text.lines().map(|line| line.split_whitespace().skip(2));
        lines.find_map(|mut words| {
            let is_it = words.next()?.strip_suffix(':') == Some(name);
            is_it.then_some(words.next()?)?.parse::<u64>().ok()
        })
    };
    let files = field("FilePages")?.saturating_sub(field("Shmem")?);
    let available = field("MemFree")?
        .saturating_add(files)
        .saturating_add(field("SReclaimable")?);
    Some(Memory {
        total: field("MemTotal")?.saturating_mul(KIB),
        available: available.saturating_mul(KIB),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "Node 0 MemTotal:   1000 kB\nNode 0 MemFree:     500 kB\nNode 0 FilePages:   300 kB\n\
                        Node 0 Shmem:       100 kB\nNode 0 SReclaimable: 20 kB\n";

    #[test]
    fn nodes_are_added_and_files_in_memory_are_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        assert_eq!(memory(&root), None);
        for node in ["node0", "node1"] {
            let node = root.path(NODES).join(node);
            std::fs::create_dir_all(&node).unwrap();
            std::fs::write(node.join("meminfo"), NODE).unwrap();
        }
        let both = Memory {
            total: 2000 * KIB,
            available: 2 * 720 * KIB,
        };
        assert_eq!(memory(&root), Some(both));
        assert_eq!(of_node("Node 0 MemTotal: many kB\n"), None);
    }

    #[test]
    fn this_machine_has_memory() {
        if let Some(memory) = memory(&Root::new("/")) {
            assert!(memory.available < memory.total, "{memory:?}");
        }
    }
}
