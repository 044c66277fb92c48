//! Giving the provider services of the test's own, described by an information system of the test's own.

use super::ask::{CLIENT, MEMBER, SUBSYSTEM, rest};
use super::information_system::Provider;
use super::instance::{Instance, kiirtee, wait_until};

/// An instance and the information system that describes its services.
pub(crate) struct Configured {
    pub(crate) instance: Instance,
    pub(crate) site: Provider,
}

impl Configured {
    pub(crate) fn up(net: u8) -> Self {
        let instance = Instance::up(net);
        let site = Provider::start(&format!("127.0.{net}.40"));
        let base = format!("http://{}", site.address);
        add(
            &instance,
            &[(SUBSYSTEM, &of_subsystem(&base)), (MEMBER, &of_member(&base))],
        );
        Self { instance, site }
    }
}

/// Services in several versions, without rights, switched off, and with endpoints.
fn of_subsystem(base: &str) -> String {
    format!(
        "
[[local_group]]
code = 'friends'
members = ['{CLIENT}']

[[service_description]]
type = 'WSDL'
url = '{base}/register.wsdl'
service = [
  {{ code = 'getOne', url = '{base}/one', version = 'v1' }},
  {{ code = 'getOne', url = '{base}/one', version = 'v2' }},
  {{ code = 'getOne', url = '{base}/one' }},
  {{ code = 'getHidden', url = '{base}/hidden' }},
]
[[service_description]]
type = 'WSDL'
url = '{base}/shut.wsdl'
disabled = true
service = [{{ code = 'getShut', url = '{base}/shut' }}]
[[service_description]]
type = 'OPENAPI3'
url = '{base}/books.json?v=3#top'
service = [{{ code = 'books', url = '{base}/books' }}]
[[service_description]]
type = 'OPENAPI3'
url = '{base}/shut.yaml'
disabled = true
service = [{{ code = 'shutBooks', url = '{base}/shutBooks' }}]

[[endpoint]]
service = 'getOne'
subjects = ['local-group:friends']
[[endpoint]]
service = 'getShut'
subjects = ['client:{CLIENT}']
[[endpoint]]
service = 'books'
method = 'GET'
path = '/books'
subjects = []
[[endpoint]]
service = 'books'
method = '*'
path = '/books/*'
subjects = ['client:{CLIENT}']
[[endpoint]]
service = 'books'
method = 'DELETE'
path = '/books/*'
subjects = []
[[endpoint]]
service = 'shutBooks'
method = 'GET'
path = '/any'
subjects = []
[[endpoint]]
service = 'shutBooks'
subjects = ['client:{CLIENT}']
"
    )
}

fn of_member(base: &str) -> String {
    format!(
        "
[[service_description]]
type = 'WSDL'
url = '{base}/member.wsdl'
service = [{{ code = 'getMember', url = '{base}/member', version = 'v1' }}]
[[endpoint]]
service = 'getMember'
subjects = ['client:{CLIENT}']
"
    )
}

/// Adds to what the sandbox's provider has, as its operator does, and waits until its server knows.
pub(crate) fn add(instance: &Instance, clients: &[(&str, &str)]) {
    let folder = instance.dir().join("provider");
    let text = std::fs::read_to_string(folder.join("server.toml")).unwrap();
    let mut configuration: toml::Value = toml::from_str(&text).unwrap();
    let mut add_to = |id: &str, text: &str| {
        let known = configuration["client"].as_array_mut().unwrap();
        let client = known.iter_mut().find(|client| client["id"].as_str() == Some(id));
        let client = client.unwrap().as_table_mut().unwrap();
        for (key, value) in text.parse::<toml::Table>().unwrap() {
            match (client.get_mut(&key).and_then(toml::Value::as_array_mut), value) {
                (Some(list), toml::Value::Array(more)) => list.extend(more),
                (_, value) => drop(client.insert(key, value)),
            }
        }
    };
    for (id, text) in clients {
        add_to(id, text);
    }
    let marker = format!("marker{}", clients.len());
    let url = format!("http://127.0.0.1:9/{marker}");
    let marked = format!(
        "[[service_description]]\ntype = 'REST'\nurl = '{url}'\nservice = [{{ code = '{marker}', url = '{url}' }}]"
    );
    add_to(SUBSYSTEM, &marked);
    let file = folder.join("more.toml");
    std::fs::write(&file, toml::to_string(&configuration).unwrap()).unwrap();
    let database = instance.get("provider/server_configuration");
    let mut apply = kiirtee();
    let apply = apply
        .args(["config", "apply", "--database", &database])
        .arg(&file);
    let applied = apply.output().unwrap();
    assert!(
        applied.status.success(),
        "{}",
        String::from_utf8_lossy(&applied.stderr)
    );
    wait_until("the services to be known", || {
        rest(instance, SUBSYSTEM, "listMethods", &[])
            .text()
            .contains(&marker)
    });
}
