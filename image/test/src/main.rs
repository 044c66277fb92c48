//! `image-test`: arguments, the world of a run, report, exit code. See the library beside this file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use image_test::budget::Budgets;
use image_test::failure::{Failure, OrUnusable};
use image_test::image::Image;
use image_test::room;
use image_test::sandbox::Sandbox;
use image_test::scenario::{self, Scenario};
use image_test::story::{self, Outcome, Story};
use image_test::time_server::TimeServer;
use image_test::world::{Successors, World};

/// Boots the appliance image under QEMU and tries what it promises.
///
/// Exit codes: 0 it keeps its promises; 1 it does not; 2 it could not be tried.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// What is tried; everything when nothing is named
    scenarios: Vec<String>,
    /// Tell what there is to try, and end
    #[arg(long)]
    list: bool,
    /// The folder that `make image` wrote
    #[arg(long, env = "KIIRTEE_IMAGE", default_value = "image/out")]
    image: PathBuf,
    /// The folder of a later version that is healthy
    #[arg(long, value_name = "DIR")]
    healthy: Option<PathBuf>,
    /// The folder of a still later version that never becomes healthy
    #[arg(long, value_name = "DIR")]
    sick: Option<PathBuf>,
    /// The folder with the keys of Secure Boot; by default `keys` beside that of the image
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The folder of the programs of the sandbox; by default that of this program
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// The document with the budgets
    #[arg(long, value_name = "FILE", default_value = "docs/specification.md")]
    specification: PathBuf,
    /// A folder for disks and consoles, kept afterwards; by default a temporary one, kept when something fails
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Have machines without firmware show their whole journal on the console, which takes them time
    #[arg(long)]
    journal: bool,
    /// Write a report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for scenario in scenario::ALL {
            story::line(&format!("{:14} {}", scenario.name, scenario.about));
        }
        return ExitCode::SUCCESS;
    }
    let mut story = Story::default();
    let run = scenario::select(&arguments.scenarios).and_then(|scenarios| {
        room::enter()?;
        try_all(&arguments, &scenarios, &mut story)
    });
    match run {
        Ok(()) => ExitCode::from(story.exit_code()),
        Err(failure) => {
            story::line(&format!("image-test: {failure}"));
            ExitCode::from(2)
        }
    }
}

fn try_all(arguments: &Arguments, scenarios: &[Scenario], story: &mut Story) -> Result<(), Failure> {
    let mut temporary = tempfile::Builder::new();
    let mut temporary = temporary
        .prefix("kiirtee-image-")
        .tempdir()
        .or_unusable(|| "make a temporary folder".into())?;
    let folder = arguments
        .folder
        .clone()
        .unwrap_or_else(|| temporary.path().to_path_buf());
    let mut world = make_world(arguments, &folder, story)?;
    world.shows_journal = arguments.journal;
    for scenario in scenarios {
        story.begin(scenario.name);
        story.tell(scenario.about);
        let result = (scenario.run)(&mut world, story);
        story.end(&result);
    }
    let scenarios = story.scenarios();
    if scenarios
        .iter()
        .any(|scenario| scenario.outcome == Outcome::Failed)
    {
        temporary.disable_cleanup(true);
        story::line(&format!("disks and consoles are in {}", folder.display()));
    }
    let Some(json) = &arguments.json else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(scenarios).or_unusable(|| "write the report".into())?;
    std::fs::write(json, text + "\n").or_unusable(|| format!("write {}", json.display()))
}

fn make_world(arguments: &Arguments, folder: &Path, story: &mut Story) -> Result<World, Failure> {
    let folder = std::path::absolute(folder).or_unusable(|| "find the folder".into())?;
    std::fs::create_dir_all(&folder).or_unusable(|| format!("make {}", folder.display()))?;
    let open = |folder: &Option<PathBuf>| folder.as_deref().map(Image::open).transpose();
    let image = Image::open(&arguments.image)?;
    let successors = Successors {
        healthy: open(&arguments.healthy)?,
        sick: open(&arguments.sick)?,
    };
    let keys = arguments
        .keys
        .clone()
        .unwrap_or_else(|| arguments.image.join("../keys"));
    let budgets = Budgets::read(&arguments.specification)?;
    let time = TimeServer::start(room::TIME_SERVER)?;
    let sandbox = Sandbox::up(&programs(arguments)?, &folder.join("sandbox"))?;
    story.tell(format!(
        "a sandbox runs at {}.*; image {} in {}",
        room::NET,
        image.manifest.version,
        arguments.image.display()
    ));
    Ok(World::new(
        (image, successors),
        budgets,
        (sandbox, time),
        (&folder, &keys),
    ))
}

fn programs(arguments: &Arguments) -> Result<PathBuf, Failure> {
    if let Some(folder) = &arguments.programs {
        return std::path::absolute(folder).or_unusable(|| "find the programs".into());
    }
    let program = std::env::current_exe().or_unusable(|| "find this program".into())?;
    Ok(program.parent().unwrap_or(&program).to_path_buf())
}
