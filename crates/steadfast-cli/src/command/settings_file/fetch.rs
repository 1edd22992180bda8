//! `steadfast settings fetch`: the settings of an account, from where they are served.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, value_parser};
use steadfast::event::Endpoint;
use steadfast::{FetchError, SettingsSource};

use crate::command::stream::{self, Replacement};
use crate::failure::Failure;
use crate::terminal::text::counted;

/// Fetch the settings of an account
///
/// They are written as the server has them, once they are seen to be settings of that account: a file that is there is
/// replaced by good ones, and stays as it is otherwise. `steadfast validate` says more of them.
///
/// Exit status: 0 written, 2 could not start, 3 they cannot be had or are no settings of the account.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  STEADFAST_SDK_KEY=... steadfast settings fetch --account 60781 --output settings.json
  steadfast settings fetch --account 60781 --url https://vwo-proxy.example --output settings.json
  steadfast settings fetch --account 60781 | jq '.campaigns[].key'")]
pub(super) struct Arguments {
    /// The account's number
    #[arg(long, value_name = "ID")]
    account: String,
    /// The SDK key of the environment; best in the variable, where others do not see it
    #[arg(
        long,
        value_name = "KEY",
        env = "STEADFAST_SDK_KEY",
        hide_env_values = true,
        value_parser = NonEmptyStringValueParser::new()
    )]
    sdk_key: String,
    /// The server: VWO's, or a proxy of your own before it
    #[arg(long, value_name = "URL", default_value_t = Endpoint::default().url)]
    url: String,
    /// Where they go; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// How long it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=3_600))]
    timeout: u64,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let endpoint =
        Endpoint { url: arguments.url.clone(), answer: Duration::from_secs(arguments.timeout), ..Endpoint::default() };
    let source = SettingsSource::vwo(&arguments.account, &arguments.sdk_key, &endpoint);
    let source = source.map_err(|error| Failure::new(error.to_string()))?;
    let (settings, text) = source.fetch_text_blocking().map_err(|error| cannot_be_had(&error, &arguments.output))?;
    let mut output = Replacement::of(&arguments.output, &[])?;
    let written = output.write_all(text.as_bytes()).and_then(|()| output.write_all(b"\n"));
    stream::written(output.end(written))?;
    if arguments.output != Path::new("-") {
        let campaigns = counted(settings.campaigns().len() as u64, "campaign");
        anstream::eprintln!("settings with {campaigns} written to {}", arguments.output.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn cannot_be_had(error: &FetchError, output: &Path) -> Failure {
    let stays = if output.exists() { format!("; `{}` stays as it is", output.display()) } else { String::new() };
    Failure::stopped(&format!("{error}{stays}"))
}
