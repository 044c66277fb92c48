//! Makes the appliance's image.
//!
//! - [`root`]: the root tree, taken from packages by `systemd/root.manifest`, completed, checked
//! - [`disk`]: file system with hash tree, partitions, the firmware's partition
//! - [`kernel`]: the unified kernel image: initrd, signature, what the TPM will measure
//! - [`update`]: the signed update set
//! - [`sbom`]: the bill of materials
//! - [`pack`]: all of it together
//!
//! The same program runs for Debian's packages (`image/build`) and in Buildroot (`buildroot/board/post-image.sh`). Equal
//! input gives equal bytes: times, identifiers and the salt are fixed, and files come in the order of their names.

pub mod disk;
pub mod failure;
pub mod kernel;
pub mod pack;
pub mod root;
pub mod sbom;
pub mod tool;
pub mod update;
