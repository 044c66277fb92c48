//! `mkimage`: arguments.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use image_mkimage::failure::{At, Failure};
use image_mkimage::pack::{self, Ingredient};
use image_mkimage::root::keep::Root;
use image_mkimage::root::packages::Packages;
use image_mkimage::root::{check, libraries, manifest, text};
use image_mkimage::sbom::{self, Sources};

/// Makes the appliance's image. `image/build` calls it; see there how the steps follow each other.
#[derive(Debug, Parser)]
#[command(version, after_help = "Exit codes: 0 done, 2 something is missing or wrong.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copies what the manifest names from unpacked packages into a root tree
    Keep {
        #[command(flatten)]
        from: From,
        /// The version of the image
        #[arg(long)]
        version: String,
    },
    /// Adds the libraries that the programs of a root tree need
    Complete {
        #[command(flatten)]
        from: From,
    },
    /// Refuses a root tree with a shell, an interpreter, a way to log in or programs that change the user
    Check {
        /// The root tree
        tree: PathBuf,
    },
    /// Writes the bill of materials of a root tree (CycloneDX)
    Sbom {
        #[command(flatten)]
        from: From,
        /// The packages' versions and digests, as image/packages.sh writes them
        #[arg(long)]
        lock: PathBuf,
        /// The crates of our programs, lines of NAME|VERSION|LICENCE
        #[arg(long)]
        crates: PathBuf,
        /// The version of the image
        #[arg(long)]
        version: String,
        /// Where to write it
        #[arg(long)]
        out: PathBuf,
    },
    /// Makes disk, kernel image and update set from a root tree
    Pack(Box<Ingredient>),
}

#[derive(Debug, clap::Args)]
struct From {
    /// systemd/root.manifest
    #[arg(long)]
    manifest: PathBuf,
    /// The folder with a tree for each package
    #[arg(long)]
    packages: PathBuf,
    /// The root tree
    #[arg(long)]
    tree: PathBuf,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // There is nowhere left to report that standard error is closed.
            let _ = writeln!(std::io::stderr(), "mkimage: {failure}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Keep { from, version } => keep(&from, &version),
        Command::Complete { from } => complete(&from),
        Command::Check { tree } => check::check(&tree),
        Command::Sbom {
            from,
            lock,
            crates,
            version,
            out,
        } => bill(&from, &lock, &crates, &version, &out),
        Command::Pack(ingredient) => print(&pack::pack(&ingredient)?),
    }
}

fn keep(from: &From, version: &str) -> Result<(), Failure> {
    let packages = Packages::open(&from.packages)?;
    let root = Root::new(&from.tree, &packages);
    root.keep(&manifest::read(&from.manifest)?)?;
    root.drop_dangling(Path::new("/usr/lib/systemd/system"))?;
    text::os_release(&from.tree, version)?;
    text::certificates(&from.tree, &from.packages.join("ca-certificates"))
}

fn complete(from: &From) -> Result<(), Failure> {
    let packages = Packages::open(&from.packages)?;
    let root = Root::new(&from.tree, &packages);
    libraries::complete(&from.tree, &root, &manifest::read(&from.manifest)?)
}

fn bill(from: &From, lock: &Path, crates: &Path, version: &str, out: &Path) -> Result<(), Failure> {
    let packages = Packages::open(&from.packages)?;
    let sources = Sources {
        lock,
        crates,
        beside: &["linux-image-", "systemd-boot-efi"],
    };
    write_json(&sbom::bill(&from.tree, &packages, &sources, version)?, out)
}

fn write_json(value: &serde_json::Value, out: &Path) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|error| Failure::unusable(out.display(), error.to_string()))?;
    std::fs::write(out, text).at(out)
}

fn print(release: &pack::Release) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(release)
        .map_err(|error| Failure::unusable("image.json", error.to_string()))?;
    writeln!(std::io::stdout(), "{text}").at(Path::new("standard output"))
}
