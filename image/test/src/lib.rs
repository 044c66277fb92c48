//! The appliance image, tried: real machines under QEMU, a real instance beside them, and what the image promises.
//!
//! Everything happens in a network of its own ([`room`]): a tap device on which the host side has the addresses of a
//! sandbox (10.77.0.1, .2, .10, .20, .30) and the appliance is 10.77.0.40. There are no pauses in it but those between two
//! looks at a condition ([`wait`]); the limits are generous, because software emulation on a loaded machine is slow.
//!
//! - [`room`], [`time_server`], [`sandbox`]: what is around the appliance
//! - [`image`], [`state`], [`medium`]: what it is made of: the files of `make image`, its disk and TPM, the media plugged in
//! - [`machine`], [`tpm`], [`qmp`]: the machine that runs
//! - [`appliance`]: its interfaces, as others see them
//! - [`scenario`]: what is tried
//! - [`budget`]: the figures of `docs/specification.md` that are held
//! - [`story`], [`wait`], [`http`], [`tool`], [`failure`]: tools

pub mod appliance;
pub mod budget;
pub mod failure;
pub mod http;
pub mod image;
pub mod machine;
pub mod medium;
pub mod qmp;
pub mod room;
pub mod sandbox;
pub mod scenario;
pub mod state;
pub mod story;
pub mod time_server;
pub mod tool;
pub mod tpm;
pub mod wait;
pub mod world;
