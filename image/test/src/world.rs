//! Everything that the scenarios share: the image, the sandbox, and machines that have been provisioned once, so that not
//! each scenario has to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::appliance::{self, Identity};
use crate::budget::Budgets;
use crate::failure::{Failure, OrUnusable};
use crate::image::Image;
use crate::machine::{Machine, Plan, Start};
use crate::medium::{self, Medium};
use crate::sandbox::Sandbox;
use crate::state::{Firmware, State};
use crate::story::Story;
use crate::time_server::TimeServer;

/// What the scenarios share.
#[derive(Debug)]
pub struct World {
    /// The image that is tried.
    pub image: Image,
    /// Its successors: version 2 is healthy, version 3 never becomes so.
    pub successors: Successors,
    /// The figures that it must keep to.
    pub budgets: Budgets,
    /// The instance beside it.
    pub sandbox: Sandbox,
    /// Where its time comes from.
    pub time: TimeServer,
    /// The folder with the keys of Secure Boot, to be enrolled: `PK.auth`, `KEK.auth`, `db.auth`.
    pub keys: PathBuf,
    /// Whether machines show their journal on the console.
    pub shows_journal: bool,
    /// A folder for everything, with short paths (names of sockets are limited to 107 bytes).
    pub folder: PathBuf,
    provisioned: BTreeMap<Firmware, Provisioned>,
    members: u16,
    boots: u16,
    messages: u32,
}

/// Images that the first one is updated to.
#[derive(Debug, Default)]
pub struct Successors {
    /// Version 2.
    pub healthy: Option<Image>,
    /// Version 3.
    pub sick: Option<Image>,
}

/// A machine that is provisioned, and off.
#[derive(Debug, Clone)]
pub struct Provisioned {
    /// What it keeps.
    pub state: State,
    /// Who it is.
    pub identity: Identity,
}

impl World {
    /// A world without a machine yet.
    pub fn new(
        (image, successors): (Image, Successors),
        budgets: Budgets,
        (sandbox, time): (Sandbox, TimeServer),
        (folder, keys): (&Path, &Path),
    ) -> Self {
        Self {
            keys: keys.to_path_buf(),
            shows_journal: false,
            image,
            successors,
            budgets,
            sandbox,
            time,
            folder: folder.to_path_buf(),
            provisioned: BTreeMap::new(),
            members: 3002,
            boots: 0,
            messages: 0,
        }
    }

    /// An identity that no machine has had yet: each has keys of its own.
    pub fn identity(&mut self) -> Identity {
        self.members += 1;
        Identity {
            member: self.members.to_string(),
        }
    }

    /// A message id that has not been used yet.
    pub fn message_id(&mut self) -> String {
        self.messages += 1;
        format!("image-test-{}", self.messages)
    }

    /// Switches a machine on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn boot(&mut self, story: &mut Story, state: &State, media: &[&Medium]) -> Result<Machine, Failure> {
        self.boot_as(Start::Usual, story, state, media)
    }

    /// Switches a machine on in a way of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn boot_as(
        &mut self,
        start: Start,
        story: &mut Story,
        state: &State,
        media: &[&Medium],
    ) -> Result<Machine, Failure> {
        self.boots += 1;
        let serial = self.folder.join(format!("serial-{}.log", self.boots));
        story.tell(format!(
            "power on ({}), {} media plugged in, console in {}",
            state.firmware.name(),
            media.len(),
            serial.display()
        ));
        Machine::start(&Plan {
            image: &self.image,
            state,
            media: media.iter().map(|medium| medium.file()).collect(),
            start,
            shows_journal: self.shows_journal,
            serial,
        })
    }

    /// A folder of this name, empty.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new_folder(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.folder.join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).or_unusable(|| format!("empty {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder).or_unusable(|| format!("make {}", folder.display()))?;
        Ok(folder)
    }

    /// A blank machine.
    ///
    /// # Errors
    /// When its disk cannot be written.
    pub fn blank(&self, name: &str, firmware: Firmware) -> Result<State, Failure> {
        State::blank(&self.new_folder(name)?, &self.image, firmware)
    }

    /// A configuration medium for `identity`, without certificates.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn configuration(&self, identity: &Identity) -> Result<Medium, Failure> {
        let content = self.new_folder(&format!("medium-{}", identity.member))?;
        identity.write_configuration(&content, &self.sandbox)?;
        let file = self.folder.join(format!("medium-{}.img", identity.member));
        Medium::make(&file, medium::CONFIGURATION, &content)
    }

    /// A copy of a machine that has been provisioned; the first time, it is.
    ///
    /// # Errors
    /// When provisioning fails.
    pub fn provisioned(
        &mut self,
        story: &mut Story,
        firmware: Firmware,
        name: &str,
    ) -> Result<Provisioned, Failure> {
        let model = match self.provisioned.get(&firmware) {
            Some(model) => model.clone(),
            None => {
                let folder = format!("model-{}", firmware.name());
                let state = self.blank(&folder, firmware)?;
                self.provision(story, state)?
            }
        };
        let state = model.state.copy_to(&self.new_folder(name)?)?;
        Ok(Provisioned {
            state,
            identity: model.identity,
        })
    }

    /// Provisions a blank machine: medium, keys, signing requests, certificates, first exchange; then it is switched off,
    /// and is the model of the machines that need to be provisioned.
    ///
    /// # Errors
    /// What does not go as it should.
    pub fn provision(&mut self, story: &mut Story, state: State) -> Result<Provisioned, Failure> {
        let identity = self.identity();
        let medium = self.configuration(&identity)?;
        let mut machine = self.boot(story, &state, &[&medium])?;
        let requests = machine.until("waiting for signing requests", appliance::requests)?;
        story.figure("first boot to signing requests, s", machine.seconds());
        story.figure(
            "first boot to signing requests, s of processor",
            machine.processor_seconds(),
        );
        machine.cut_power();

        let certificates = self.sandbox.join(&identity, &requests)?;
        story.tell(
            "the sandbox's certification authority has certified the appliance's keys; it is registered",
        );
        let folder = self.new_folder("certificates")?;
        for name in ["sign.pem", "auth.pem"] {
            let (from, to) = (certificates.join(name), folder.join(name));
            std::fs::copy(&from, &to).or_unusable(|| format!("copy {}", from.display()))?;
        }
        medium.add(&folder, "")?;
        let mut machine = self.boot(story, &state, &[&medium])?;
        let id = self.exchange(story, &mut machine, &identity)?;
        story.figure("boot with certificates to first exchange, s", machine.seconds());
        self.evidence(story, &mut machine, &identity, &id)?;
        machine.cut_power();
        let provisioned = Provisioned { state, identity };
        self.provisioned
            .insert(provisioned.state.firmware, provisioned.clone());
        Ok(provisioned)
    }

    /// Waits until an exchange through the appliance succeeds; gives its message id.
    ///
    /// # Errors
    /// When none does.
    pub fn exchange(
        &mut self,
        story: &mut Story,
        machine: &mut Machine,
        identity: &Identity,
    ) -> Result<String, Failure> {
        let id = self.answered(
            machine,
            "waiting for an exchange through the appliance",
            |sandbox, id| identity.call(sandbox, id),
        )?;
        story.tell(format!(
            "exchange: {} asked the sandbox's provider, {:.1} s after power on",
            identity.subsystem(),
            machine.seconds()
        ));
        Ok(id)
    }

    /// Waits until an exchange with the appliance's own service succeeds; gives its message id.
    ///
    /// # Errors
    /// When none does.
    pub fn exchange_in(
        &mut self,
        story: &mut Story,
        machine: &mut Machine,
        identity: &Identity,
    ) -> Result<String, Failure> {
        let id = self.answered(
            machine,
            "waiting for a request of the sandbox's consumer",
            |sandbox, id| sandbox.call(identity, id),
        )?;
        story.tell(format!(
            "exchange: the sandbox's consumer asked {}",
            identity.subsystem()
        ));
        Ok(id)
    }

    /// Calls with a new message id until there is an answer; gives the id.
    fn answered(
        &mut self,
        machine: &mut Machine,
        what: &str,
        call: impl Fn(&Sandbox, &str) -> Result<Vec<u8>, String>,
    ) -> Result<String, Failure> {
        let id = self.message_id();
        machine.until(what, || call(&self.sandbox, &id))?;
        Ok(id)
    }

    /// Fetches the evidence of an exchange from the appliance and verifies it.
    ///
    /// # Errors
    /// When there is none, or it is not valid.
    pub fn evidence(
        &self,
        story: &mut Story,
        machine: &mut Machine,
        identity: &Identity,
        id: &str,
    ) -> Result<(), Failure> {
        let container = machine.until(&format!("waiting for the evidence of {id}"), || {
            identity.evidence(id)
        })?;
        let path = self.folder.join(format!("{id}.asice"));
        std::fs::write(&path, container).or_unusable(|| format!("write {}", path.display()))?;
        self.sandbox.verify(&path)?;
        story.tell(format!("the evidence of {id} is valid"));
        Ok(())
    }
}
