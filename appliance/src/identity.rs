//! The id of the appliance: what a factory reset has to name. It comes from the machine, so it is the same before and after.

use crate::disk;
use crate::paths::Root;

/// Where machines say who they are: the UUID of the board, else the serial number of the product.
const SOURCES: [&str; 2] = ["sys/class/dmi/id/product_uuid", "sys/class/dmi/id/product_serial"];
/// The id of the installation; other than the above, a reset changes it.
const MACHINE_ID: &str = "etc/machine-id";
const MAX_BYTES: usize = 4096;
/// Digits that are shown: enough to tell appliances apart.
const DIGITS: usize = 12;

/// The id: 12 hexadecimal digits in groups of four, such as `3f09-a1b2-77c4`.
#[must_use]
pub fn of(root: &Root) -> Option<String> {
    let said = |path: &&str| {
        let bytes = disk::read(&root.path(path), MAX_BYTES).ok().flatten()?;
        let text = String::from_utf8(bytes).ok()?.trim().to_ascii_lowercase();
        let says_something = text
            .bytes()
            .any(|byte| byte.is_ascii_alphanumeric() && byte != b'0');
        says_something.then_some(text)
    };
    let source = SOURCES.iter().chain([&MACHINE_ID]).find_map(said)?;
    let digest = protocol_pki::digest::DigestAlgorithm::Sha256
        .digest(format!("kiirtee appliance {source}").as_bytes());
    let digits: Vec<char> = digest.to_hex().chars().take(DIGITS).collect();
    let groups: Vec<String> = digits.chunks(4).map(|group| group.iter().collect()).collect();
    Some(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_who_it_is_and_the_installation_only_if_it_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        assert_eq!(of(&root), None);
        let write = |path: &str, text: &str| {
            let path = root.path(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(MACHINE_ID, "0123456789abcdef0123456789abcdef\n");
        let installation = of(&root).unwrap();
        write(SOURCES[0], "00000000-0000-0000-0000-000000000000\n");
        assert_eq!(of(&root).unwrap(), installation);
        write(SOURCES[0], "6F2A1C9E-0000-4000-8000-000000000001\n");
        let machine = of(&root).unwrap();
        assert_ne!(machine, installation);
        assert_eq!(machine.len(), 14);
    }
}
