//! The instance that the appliance joins: `kiirtee sandbox` with the real processes, on the host side of the room.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::appliance::{Identity, Requests};
use crate::failure::{Failure, OrUnusable};
use crate::http;
use crate::room::{APPLIANCE, NET};
use crate::tool;

/// A running sandbox; it ends with the room.
#[derive(Debug)]
pub struct Sandbox {
    kiirtee: String,
    folder: PathBuf,
    description: Value,
}

impl Sandbox {
    /// Starts a sandbox in `folder` with the programs in `programs`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn up(programs: &Path, folder: &Path) -> Result<Self, Failure> {
        let kiirtee = programs.join("kiirtee").display().to_string();
        let dir = folder.display().to_string();
        tool::run(&kiirtee, &["sandbox", "up", "--net", NET, "--dir", &dir])?;
        let path = folder.join("sandbox.json");
        let text = std::fs::read(&path).or_unusable(|| format!("read {}", path.display()))?;
        let description =
            serde_json::from_slice(&text).or_unusable(|| format!("understand {}", path.display()))?;
        Ok(Self {
            kiirtee,
            folder: folder.to_path_buf(),
            description,
        })
    }

    /// A text of `sandbox.json`, by its place: `/consumer/client_http`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn get(&self, place: &str) -> Result<&str, Failure> {
        let text = self.description.pointer(place).and_then(Value::as_str);
        text.ok_or_else(|| Failure::unusable(format!("sandbox.json has no {place}")))
    }

    /// The configuration anchor.
    ///
    /// # Errors
    /// When it is not there.
    pub fn anchor(&self) -> Result<&Path, Failure> {
        self.get("/global_configuration/anchor").map(Path::new)
    }

    /// Registers the appliance and has its keys certified; the certificates are in the folder that is given back.
    ///
    /// # Errors
    /// When the sandbox refuses it.
    pub fn join(&self, identity: &Identity, requests: &Requests) -> Result<PathBuf, Failure> {
        let out = self.folder.join(format!("joined-{}", identity.member));
        std::fs::create_dir_all(&out).or_unusable(|| format!("make {}", out.display()))?;
        let (sign, auth) = (out.join("sign.csr"), out.join("auth.csr"));
        for (path, request) in [(&sign, &requests.sign), (&auth, &requests.auth)] {
            std::fs::write(path, request).or_unusable(|| format!("write {}", path.display()))?;
        }
        let path = |path: &Path| path.display().to_string();
        let arguments = [
            "sandbox".into(),
            "join".into(),
            "--dir".into(),
            path(&self.folder),
            "--server-id".into(),
            identity.server_id(),
            "--address".into(),
            APPLIANCE.to_string(),
            "--sign-request".into(),
            path(&sign),
            "--auth-request".into(),
            path(&auth),
            "--out".into(),
            path(&out),
        ];
        tool::run(&self.kiirtee, &arguments)?;
        Ok(out)
    }

    /// A request of the sandbox's consumer to the appliance's service `echo`.
    ///
    /// # Errors
    /// What is answered instead.
    pub fn call(&self, identity: &Identity, id: &str) -> Result<Vec<u8>, String> {
        let consumer = self.get("/consumer/client_http").map_err(|why| why.to_string())?;
        let client = self.get("/consumer/subsystem").map_err(|why| why.to_string())?;
        let url = format!("{consumer}/r1/{}/echo/from-the-consumer", identity.subsystem());
        http::get(&url, &[("X-Road-Client", client), ("X-Road-Id", id)])?.good()
    }

    /// What `kiirtee verify` says of a container.
    ///
    /// # Errors
    /// When the container is not valid.
    pub fn verify(&self, container: &Path) -> Result<String, Failure> {
        let container = container.display().to_string();
        let conf = self.get("/global_configuration/directory")?;
        tool::run(&self.kiirtee, &["verify", &container, "--globalconf", conf])
            .map_err(|why| Failure::wrong(format!("{container}: {why}")))
    }
}
