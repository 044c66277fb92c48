//! Ourselves: two security servers of a sandbox, in front of the same backend as the chain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cli::failure::{Failure, OrUnusable};
use cli::sandbox::description::Description;
use cli::sandbox::layout::Net;
use toml::{Table, Value};

use crate::backend::Backend;
use crate::bed::Bed;
use crate::figures::{Figures, Server};
use crate::load::{CLIENT, said};
use crate::measure::Subject;

/// The service that the rows call; its URL is made that of the backend.
const SERVICE: &str = "SANDBOX/ORG/2002/provider/echo";

/// How two security servers differ from those of a plain sandbox.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shape {
    /// Folder of the binaries, where it is not that of the run.
    pub(crate) binaries: Option<PathBuf>,
    /// Further arguments of `kiirtee sandbox up`.
    pub(crate) sandbox: Vec<&'static str>,
    /// Settings of both proxies: section, key, value.
    pub(crate) proxy: Vec<(&'static str, &'static str, Value)>,
    /// Settings of both signers.
    pub(crate) signer: Vec<(&'static str, &'static str, Value)>,
    /// The only CPUs that every process of the sandbox may use, as `taskset` names them.
    pub(crate) cpus: Option<&'static str>,
    /// Further variables of every process's environment.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

/// Two running security servers; ended when dropped.
#[derive(Debug)]
pub(crate) struct Servers {
    sandbox: Sandbox,
    description: Description,
}

/// A sandbox that may run.
#[derive(Debug)]
struct Sandbox {
    command: PathBuf,
    folder: PathBuf,
    cpus: Option<&'static str>,
    environment: Vec<(&'static str, &'static str)>,
}

impl Servers {
    /// Brings two servers up.
    pub(crate) fn up(bed: &Bed, backend: &Backend, shape: &Shape) -> Result<Self, Failure> {
        let (net, number) = bed.sandbox_net();
        let binaries = shape.binaries.as_ref().unwrap_or(&bed.binaries);
        let sandbox = Sandbox {
            command: binaries.join("kiirtee"),
            folder: bed.path(&format!("s{number}")),
            cpus: shape.cpus,
            environment: shape.environment.clone(),
        };
        sandbox.up(net, &shape.sandbox)?;
        let mut description = sandbox.description()?;
        sandbox.call(&description, net, backend)?;
        if !shape.proxy.is_empty() || !shape.signer.is_empty() {
            sandbox.down()?;
            sandbox.change("proxy.toml", &shape.proxy)?;
            sandbox.change("signer/signer.toml", &shape.signer)?;
            sandbox.up(net, &shape.sandbox)?;
            description = sandbox.description()?;
        }
        let servers = Self { sandbox, description };
        servers.wait_for_backend()?;
        Ok(servers)
    }

    /// The proxy takes a changed server configuration over within a second; until then the example system answers,
    /// which does not know the path.
    fn wait_for_backend(&self) -> Result<(), Failure> {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            match self.exchange() {
                Ok(body) if body.starts_with("yyyy") => return Ok(()),
                other if std::time::Instant::now() > deadline => {
                    return Err(Failure::unusable(format!(
                        "the backend is not reached: {other:?}"
                    )));
                }
                _ => std::thread::sleep(std::time::Duration::from_millis(50)),
            }
        }
    }

    /// One exchange over a connection of its own; the answer.
    pub(crate) fn exchange(&self) -> Result<String, Failure> {
        let url = self.url("bytes/1024");
        let answer = ureq::get(&url).header("X-Road-Client", CLIENT).call();
        let mut answer = answer.or_unusable(|| format!("ask {url}"))?;
        answer
            .body_mut()
            .read_to_string()
            .or_unusable(|| format!("read what {url} answers"))
    }

    /// The process of this name, such as `consumer-proxy`.
    pub(crate) fn process(&self, name: &str) -> Result<u32, Failure> {
        let found = self.description.processes.get(name).copied();
        found.ok_or_else(|| Failure::unusable(format!("the sandbox has no process {name}")))
    }

    /// Every process of the two servers, by name.
    pub(crate) fn named(&self) -> Vec<(String, u32)> {
        let ours = |name: &str| name.starts_with("consumer-") || name.starts_with("provider-");
        let all = self.description.processes.iter();
        all.filter(|(name, _)| ours(name))
            .map(|(name, id)| (name.clone(), *id))
            .collect()
    }

    /// What both servers have counted so far.
    pub(crate) fn figures(&self) -> Result<Figures, Failure> {
        let command = &self.sandbox.command;
        Ok(Figures {
            consumer: Server::read(command, &self.description.consumer)?,
            provider: Server::read(command, &self.description.provider)?,
        })
    }

    /// The folder of the sandbox.
    pub(crate) fn folder(&self) -> &Path {
        &self.sandbox.folder
    }

    /// The folder of the programs that run.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.sandbox.command.with_file_name(name)
    }
}

impl Subject for Servers {
    fn url(&self, path: &str) -> String {
        format!("{}/r1/{SERVICE}/{path}", self.description.consumer.client_http)
    }

    fn processes(&self) -> Vec<u32> {
        self.named().into_iter().map(|(_, id)| id).collect()
    }
}

impl Sandbox {
    fn up(&self, net: Net, further: &[&str]) -> Result<(), Failure> {
        let mut up = match self.cpus {
            None => Command::new(&self.command),
            Some(cpus) => {
                let mut taskset = Command::new("taskset");
                taskset.arg("-c").arg(cpus).arg(&self.command);
                taskset
            }
        };
        up.envs(self.environment.iter().copied());
        up.args(["sandbox", "up", "--net", &net.to_string(), "--dir"])
            .arg(&self.folder)
            .args(further);
        said(&mut up, "kiirtee sandbox up").map(drop)
    }

    fn down(&self) -> Result<(), Failure> {
        let mut down = Command::new(&self.command);
        down.args(["sandbox", "down", "--dir"]).arg(&self.folder);
        said(&mut down, "kiirtee sandbox down").map(drop)
    }

    fn description(&self) -> Result<Description, Failure> {
        let path = self.folder.join("sandbox.json");
        let text = fs::read(&path).or_unusable(|| format!("read {}", path.display()))?;
        serde_json::from_slice(&text).or_unusable(|| format!("understand {}", path.display()))
    }

    /// Makes the provider's services those of the backend, as an operator would.
    fn call(&self, description: &Description, net: Net, backend: &Backend) -> Result<(), Failure> {
        let file = self.folder.join("provider/server.toml");
        let text = fs::read_to_string(&file).or_unusable(|| format!("read {}", file.display()))?;
        let example = format!("http://{}:8000/", net.service());
        let changed = text.replace(&example, &format!("http://{}/", backend.address));
        fs::write(&file, changed).or_unusable(|| format!("write {}", file.display()))?;
        let mut apply = Command::new(&self.command);
        apply
            .args(["config", "apply"])
            .arg(&file)
            .arg("--database")
            .arg(&description.provider.server_configuration);
        said(&mut apply, "kiirtee config apply").map(drop)
    }

    fn change(&self, file: &str, settings: &[(&str, &str, Value)]) -> Result<(), Failure> {
        for server in ["consumer", "provider"] {
            let path = self.folder.join(server).join(file);
            let doing = || format!("change {}", path.display());
            let text = fs::read_to_string(&path).or_unusable(doing)?;
            let mut table: Table = text.parse().or_unusable(doing)?;
            for (section, key, value) in settings {
                let section = table
                    .entry(*section)
                    .or_insert_with(|| Value::Table(Table::new()));
                if let Some(section) = section.as_table_mut() {
                    section.insert((*key).to_owned(), value.clone());
                }
            }
            fs::write(&path, table.to_string()).or_unusable(doing)?;
        }
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // A sandbox that did not come up has nothing to end.
        let _ = self.down();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
