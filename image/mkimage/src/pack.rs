//! From a root tree to everything that is shipped: disk, kernel image, update set, bill of materials, hashes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use uuid::Uuid;

use crate::disk::definition::{self, Definition, Kind, Names};
use crate::disk::esp::{self, EspFile};
use crate::disk::root::Root;
use crate::disk::table::{self, Filled};
use crate::failure::{At, Failure};
use crate::kernel::initrd::{self, Ingredients};
use crate::kernel::measure::{self, PHASES, Register};
use crate::kernel::uki::{self, Section};
use crate::kernel::{policy, sign};
use crate::root::text::IMAGE_ID;
use crate::update::{self, Update};

/// What an image is made from.
#[derive(Debug, clap::Args)]
pub struct Ingredient {
    /// The root tree
    #[arg(long)]
    pub tree: PathBuf,
    /// The kernel
    #[arg(long)]
    pub kernel: PathBuf,
    /// Its release, as `uname -r` says
    #[arg(long)]
    pub kernel_release: String,
    /// A file with the paths of the kernel modules that the initrd loads, in this order; paragraphs side by side
    #[arg(long)]
    pub modules: Option<PathBuf>,
    /// Our init of the initrd
    #[arg(long)]
    pub init: PathBuf,
    /// systemd's stub (linuxx64.efi.stub)
    #[arg(long)]
    pub stub: PathBuf,
    /// systemd's boot loader (systemd-bootx64.efi)
    #[arg(long)]
    pub loader: PathBuf,
    /// The folder systemd/
    #[arg(long)]
    pub definitions: PathBuf,
    /// Keys: db.key and db.pem (Secure Boot), pcr.key (TPM policy), update.key; *.auth goes to the loader for enrolment
    #[arg(long)]
    pub keys: PathBuf,
    /// The version of the image
    #[arg(long)]
    pub version: String,
    /// The oldest version that may be installed once this one was good
    #[arg(long)]
    pub floor: String,
    /// Where everything is written to
    #[arg(long)]
    pub out: PathBuf,
}

/// What was made, with sizes and hashes (`image.json`).
#[derive(Debug, Serialize)]
pub struct Release {
    image: &'static str,
    version: String,
    kernel: String,
    root_hash: String,
    root_bytes: u64,
    /// PCR 11 once the boot is ready, as the appliance's TPM must have it.
    pcr11: String,
    sha256: BTreeMap<String, String>,
}

/// Makes the image.
///
/// # Errors
/// When anything is missing or does not fit.
pub fn pack(from: &Ingredient) -> Result<Release, Failure> {
    fs::create_dir_all(&from.out).at(&from.out)?;
    let root = Root::pack(
        &from.tree,
        from.out.join("root.erofs"),
        from.out.join("root.verity"),
    )?;
    let kernel = kernel_image(from, &root)?;
    write_disk(from, &root, &kernel.signed)?;
    let files = vec![
        (
            format!("{IMAGE_ID}_{}_{}.root.erofs", from.version, root.data_uuid()?),
            root.data.clone(),
        ),
        (
            format!("{IMAGE_ID}_{}_{}.root.verity", from.version, root.hashes_uuid()?),
            root.hashes.clone(),
        ),
        (format!("{IMAGE_ID}_{}.efi", from.version), kernel.signed.clone()),
    ];
    let update = Update {
        image: IMAGE_ID,
        version: &from.version,
        floor: &from.floor,
        files,
    };
    let volume = from.out.join("update.img");
    update::write(
        &update,
        &from.keys.join("update.key"),
        &from.out.join("update"),
        &volume,
    )?;
    release(from, &root, &kernel)
}

/// The unified kernel image, and what is measured of it.
struct KernelImage {
    signed: PathBuf,
    ready: Register,
}

fn kernel_image(from: &Ingredient, root: &Root) -> Result<KernelImage, Failure> {
    let read = |path: &Path| fs::read(path).at(path);
    let command_line = command_line(&from.definitions, root)?;
    let modules = match &from.modules {
        Some(list) => fs::read_to_string(list).at(list)?,
        None => String::new(),
    };
    let initrd = initrd::build(&Ingredients {
        init: &from.init,
        tree: &from.tree,
        modules: &modules,
    })?;
    write(&from.out.join("kernel"), &read(&from.kernel)?)?;
    write(&from.out.join("initrd"), &initrd)?;
    write(&from.out.join("cmdline"), command_line.as_bytes())?;
    let stub = read(&from.stub)?;
    let pcr_key = from.keys.join("pcr.key");
    let mut sections = vec![
        section(".osrel", read(&from.tree.join("usr/lib/os-release"))?),
        section(".cmdline", command_line.into_bytes()),
        section(".uname", from.kernel_release.clone().into_bytes()),
        section(".pcrpkey", policy::public_key(&pcr_key)?),
        section(".initrd", initrd),
        section(".linux", read(&from.kernel)?),
    ];
    let sbat = uki::own_section(&stub, ".sbat")?;
    let content = |name: &str| {
        let ours = sections.iter().find(|section| section.name == name);
        let ours = ours.map(|section| section.data.as_slice());
        ours.or_else(|| sbat.as_deref().filter(|_| name == ".sbat"))
    };
    let signature = policy::sign(&pcr_key, |phases| measure::predict(content, phases))?;
    let ready = measure::predict(content, PHASES.last().copied().unwrap_or_default());
    sections.insert(0, section(".pcrsig", signature));
    let unsigned = from.out.join(format!("{IMAGE_ID}_{}.unsigned.efi", from.version));
    write(&unsigned, &uki::assemble(&stub, &sections)?)?;
    let signed = from.out.join(format!("{IMAGE_ID}_{}.efi", from.version));
    sign::sign(&from.keys, &unsigned, &signed)?;
    Ok(KernelImage { signed, ready })
}

const fn section(name: &'static str, data: Vec<u8>) -> Section {
    Section { name, data }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).at(path)
}

/// What `systemd/cmdline.d` says, and how the root is opened.
fn command_line(definitions: &Path, root: &Root) -> Result<String, Failure> {
    let folder = definitions.join("cmdline.d");
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).at(&folder)? {
        files.push(entry.at(&folder)?.path());
    }
    files.sort();
    let mut words = vec![root.command_line()?];
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|ending| ending == "conf"))
    {
        let text = fs::read_to_string(file).at(file)?;
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim());
        words.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    Ok(words.join(" "))
}

fn write_disk(from: &Ingredient, root: &Root, kernel: &Path) -> Result<(), Failure> {
    let names = Names {
        image: IMAGE_ID,
        version: &from.version,
    };
    let definitions = definition::read(&from.definitions.join("repart.d"), names)?;
    let loader = from.out.join("systemd-bootx64.efi");
    sign::sign(&from.keys, &from.loader, &loader)?;
    let mut partitions = Vec::new();
    for (index, definition) in (1_u128..).zip(definitions) {
        let (uuid, content) = match definition.kind {
            Kind::Esp => {
                let image = from.out.join("esp.img");
                esp::make(
                    &image,
                    definition.size,
                    esp::LABEL,
                    &esp_files(from, &loader, kernel)?,
                )?;
                (fixed(index), Some(image))
            }
            _ if definition.label == EMPTY => (fixed(index), None),
            Kind::Root => (root.data_uuid()?, Some(root.data.clone())),
            Kind::RootVerity => (root.hashes_uuid()?, Some(root.hashes.clone())),
        };
        check_fits(&definition, content.as_deref())?;
        partitions.push(Filled {
            definition,
            uuid,
            content,
        });
    }
    table::write(&from.out.join("disk.raw"), &partitions)
}

/// The label of a slot that nothing is in (sysupdate.d(5)).
const EMPTY: &str = "_empty";

/// An identifier that says which partition of which disk it is, and no more.
const fn fixed(index: u128) -> Uuid {
    Uuid::from_u128(0x6b69_6972_7465_6500_8000_0000_0000_0100 + index)
}

fn check_fits(definition: &Definition, content: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = content else { return Ok(()) };
    let length = path.metadata().at(path)?.len();
    if length <= definition.size {
        return Ok(());
    }
    let what = format!(
        "{length} bytes do not fit into {} ({} bytes)",
        definition.name, definition.size
    );
    Err(Failure::unusable(path.display(), what))
}

fn esp_files(from: &Ingredient, loader: &Path, kernel: &Path) -> Result<Vec<EspFile>, Failure> {
    let file = |path: String, source: &Path| EspFile {
        path,
        source: source.to_owned(),
    };
    let mut files = vec![
        file("EFI/BOOT/BOOTX64.EFI".into(), loader),
        file("EFI/systemd/systemd-bootx64.efi".into(), loader),
        file(format!("EFI/Linux/{IMAGE_ID}_{}.efi", from.version), kernel),
        file("loader/loader.conf".into(), &from.definitions.join("loader.conf")),
    ];
    for entry in fs::read_dir(&from.keys).at(&from.keys)? {
        let path = entry.at(&from.keys)?.path();
        if path.extension().is_some_and(|ending| ending == "auth") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push(file(format!("loader/keys/{IMAGE_ID}/{name}"), &path));
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn release(from: &Ingredient, root: &Root, kernel: &KernelImage) -> Result<Release, Failure> {
    let mut sha256 = BTreeMap::new();
    for name in ["disk.raw", "root.erofs", "root.verity", "initrd", "update.img"] {
        sha256.insert(name.to_owned(), update::sha256(&from.out.join(name))?);
    }
    let name = kernel.signed.file_name().unwrap_or_default().to_string_lossy();
    sha256.insert(name.into_owned(), update::sha256(&kernel.signed)?);
    let release = Release {
        image: IMAGE_ID,
        version: from.version.clone(),
        kernel: from.kernel_release.clone(),
        root_hash: root.hash.clone(),
        root_bytes: root.size,
        pcr11: kernel.ready.hex(),
        sha256,
    };
    let text = serde_json::to_vec_pretty(&release)
        .map_err(|error| Failure::unusable("image.json", error.to_string()))?;
    write(&from.out.join("image.json"), &text)?;
    Ok(release)
}
