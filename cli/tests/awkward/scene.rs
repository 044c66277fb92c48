//! A running instance, and what must be true of it before and after anything awkward.

use toml::Table;

use super::configure::{configure, edit, tables};
use super::instance::{Instance, agent, is_built, resident, wait_until};
use super::raw::Raw;
use super::{curl, turn};

/// The proxies.
pub(crate) const SERVERS: [&str; 2] = ["consumer", "provider"];
/// How much a proxy may grow, in bytes, whatever passes.
pub(crate) const MEMORY: u64 = 64 * 1024 * 1024;
/// The subsystem whose services are called.
const PROVIDER: &str = "SANDBOX/ORG/2002/provider";

pub(crate) struct Scene {
    pub instance: Instance,
    _turn: std::sync::MutexGuard<'static, ()>,
}

impl Scene {
    pub(crate) fn up(net: u8) -> Option<Self> {
        if !is_built() || !curl::is_installed() {
            return None;
        }
        let turn = turn();
        Some(Self {
            instance: Instance::up(net),
            _turn: turn,
        })
    }

    /// A connection to the consumer's server.
    pub(crate) fn raw(&self) -> Raw {
        Raw::connect(super::information_system::consumer(&self.instance))
    }

    /// Lets a REST service of the provider be this address.
    pub(crate) fn add_rest_service(&self, code: &str, url: &str) {
        configure(&self.instance, "provider", |table| {
            let owner = tables(table, "client").find(|client| client["id"].as_str() == Some(PROVIDER));
            let owner = owner.unwrap();
            let mut service = toml::toml! { ssl_authentication = false timeout = 60 };
            service.insert("code".into(), code.into());
            service.insert("url".into(), url.into());
            let mut description = toml::toml! { type = "REST" };
            description.insert("url".into(), url.into());
            description.insert("service".into(), vec![service].into());
            push(owner, "service_description", description);
            let mut endpoint = toml::toml! { subjects = ["client:SANDBOX/ORG/1001/client"] };
            endpoint.insert("service".into(), code.into());
            push(owner, "endpoint", endpoint);
        });
        let path = self.path(&format!("{code}/there"));
        wait_until("the service to be known", || {
            let mut raw = self.raw();
            raw.get(&path);
            raw.answer().unwrap().header("x-road-error") != Some("server.serverproxy.unknown_service")
        });
    }

    /// The path of a REST service of the provider.
    pub(crate) fn path(&self, service_and_path: &str) -> String {
        format!("/r1/{PROVIDER}/{service_and_path}")
    }

    /// Changes the settings of both proxies and starts them again.
    pub(crate) fn restart_with(&mut self, change: impl Fn(&mut Table)) {
        for server in SERVERS {
            self.restart(server, &change);
        }
    }

    pub(crate) fn restart(&mut self, server: &str, change: impl Fn(&mut Table)) {
        let killed = self.instance.kill(&format!("{server}-proxy"));
        edit(&self.instance.dir().join(server).join("proxy.toml"), &change);
        self.instance.restart(&killed);
        let health = self.instance.get(&format!("{server}/health"));
        wait_until("the proxy to be back", || {
            agent()
                .get(&health)
                .call()
                .is_ok_and(|answer| answer.status() == 200)
        });
        wait_until("exchanges to succeed again", || {
            let mut raw = self.raw();
            raw.get(&self.path("echo"));
            raw.answer().is_some_and(|answer| answer.status() == 200)
        });
    }

    /// A gauge or counter of a server.
    pub(crate) fn metric(&self, server: &str, name: &str) -> u64 {
        let url = self.instance.get(&format!("{server}/metrics"));
        let text = agent()
            .get(&url)
            .call()
            .unwrap()
            .into_body()
            .read_to_string()
            .unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines
            .filter(|(known, _)| known.split('{').next() == Some(name))
            .map(|(_, value)| value.parse::<u64>().unwrap())
            .sum()
    }

    pub(crate) fn memory(&self) -> [u64; 2] {
        SERVERS.map(|server| resident(self.instance.pid(&format!("{server}-proxy"))))
    }

    /// Runs something while memory is watched.
    pub(crate) fn within_memory<T>(&self, what: &str, run: impl FnOnce() -> T) -> T {
        self.within(MEMORY, what, run)
    }

    /// The same, with another bound of growth in bytes.
    pub(crate) fn within<T>(&self, bound: u64, what: &str, run: impl FnOnce() -> T) -> T {
        let before = self.memory();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let pids = SERVERS.map(|server| self.instance.pid(&format!("{server}-proxy")));
        let watch = std::thread::spawn(move || {
            let mut most = [0; 2];
            let pause = std::time::Duration::from_millis(50);
            while stopped.recv_timeout(pause) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                for (most, pid) in most.iter_mut().zip(pids) {
                    *most = resident(pid).max(*most);
                }
            }
            most
        });
        let result = run();
        drop(stop);
        let most = watch.join().unwrap();
        eprintln!("{what}: resident memory from {before:?} to at most {most:?} bytes");
        for (before, most) in before.into_iter().zip(most) {
            assert!(
                most.saturating_sub(before) < bound,
                "{what}: from {before} to {most} bytes"
            );
        }
        result
    }

    /// Nothing is under way, nothing is spooled, and an ordinary exchange works.
    pub(crate) fn is_as_before(&self, after: &str) {
        wait_until(&format!("nothing to be left of: {after}"), || {
            SERVERS.iter().all(|server| {
                self.metric(server, "xroad_exchanges_running") == 0
                    && self.metric(server, "xroad_spool_bytes") == 0
                    && self.spool_files(server) == 0
            })
        });
        let mut raw = self.raw();
        raw.get(&self.path("echo"));
        assert_eq!(raw.answer().unwrap().status(), 200, "after {after}");
    }

    /// Files in a server's spool folder, and open ones that have no name.
    pub(crate) fn spool_files(&self, server: &str) -> usize {
        let folder = format!("{}/proxy/spool", self.instance.get(&format!("{server}/data_dir")));
        let named = std::fs::read_dir(&folder).unwrap().count();
        let pid = self.instance.pid(&format!("{server}-proxy"));
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let unnamed = open.filter(|fd| {
            std::fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().starts_with(&folder))
        });
        named + unnamed.count()
    }
}

fn push(owner: &mut Table, key: &str, value: Table) {
    let list = owner.entry(key).or_insert_with(|| toml::Value::Array(Vec::new()));
    list.as_array_mut().unwrap().push(value.into());
}

/// Sets a value in a section of a settings file.
pub(crate) fn set(settings: &mut Table, section: &str, name: &str, value: impl Into<toml::Value>) {
    let section = settings.entry(section).or_insert(Table::new().into());
    section.as_table_mut().unwrap().insert(name.into(), value.into());
}
