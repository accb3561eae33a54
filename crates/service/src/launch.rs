//! From `main` to the exit code.

mod lifecycle;

use std::future::Future;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::config::{AppEnv, Reader, Variable};
use crate::telemetry::LogFilter;
use crate::tls::TlsFiles;
use crate::{Context, StartError};

/// `EX_USAGE` of sysexits.h: the command, here its configuration, was wrong.
const EXIT_CONFIG: u8 = 64;

/// What a service says about itself when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// Name in logs, metrics and traces.
    pub name: &'static str,
    /// Default of `OPS_ADDR`.
    pub default_ops_addr: &'static str,
    /// Whether it is to run at all.
    pub ask: Ask,
}

/// What a program is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To run.
    Run,
    /// To say whether its configuration is complete and sound: `--check-config`.
    CheckConfig,
    /// To print which variables it reads, whatever their values, as JSON: `--describe-config`.
    DescribeConfig,
}

/// The options of every program: flattened into its arguments, before or after the role.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// Only check the configuration: exit code 0 when it is complete and sound, 64 when it is not.
    #[arg(long, global = true)]
    check_config: bool,
    /// Only print which variables are read, as JSON; docs/configuration.md is made of it.
    #[arg(long, global = true)]
    describe_config: bool,
}

impl Options {
    /// What they ask for.
    #[must_use]
    pub fn ask(self) -> Ask {
        match (self.describe_config, self.check_config) {
            (true, _) => Ask::DescribeConfig,
            (false, true) => Ask::CheckConfig,
            (false, false) => Ask::Run,
        }
    }
}

/// The configuration that every service has.
#[derive(Clone, Debug)]
pub struct Standard {
    /// `APP_ENV`.
    pub app_env: AppEnv,
    /// `OPS_ADDR`.
    pub ops_addr: SocketAddr,
    /// `LOG_LEVEL`.
    pub log_filter: LogFilter,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub otlp_endpoint: Option<String>,
    /// `SHUTDOWN_GRACE_SECS`.
    pub shutdown_grace: Duration,
    /// `TLS_CERT_FILE`, `TLS_KEY_FILE` and `TLS_CA_FILE`; none where services speak in the clear.
    pub tls: Option<TlsFiles>,
}

impl Standard {
    /// Reads the variables that every service has.
    pub fn read(reader: &mut Reader, default_ops_addr: &str) -> Option<Self> {
        let app_env = reader.app_env();
        let ops_addr =
            reader.addr("OPS_ADDR", default_ops_addr, "where /healthz, /readyz and /metrics answer");
        let level = reader.string(
            "LOG_LEVEL",
            "info",
            "level of log lines, or a list such as info,mintmark_jobs=debug",
        );
        let log_filter = level.and_then(|level| match level.parse() {
            Ok(filter) => Some(filter),
            Err(error) => {
                reader.problem("LOG_LEVEL", format!("\"{level}\" {error}"));
                None
            }
        });
        let about = "collector of traces (OTLP over gRPC, http://); unset: traces are not exported";
        let otlp_endpoint = reader.optional("OTEL_EXPORTER_OTLP_ENDPOINT", about);
        if let Some(Some(endpoint)) = &otlp_endpoint
            && !endpoint.starts_with("http://")
        {
            let sentence = "must be the http:// address of a collector near by, like http://127.0.0.1:4317";
            reader.problem("OTEL_EXPORTER_OTLP_ENDPOINT", sentence);
        }
        let about = "seconds that work under way may take to finish after SIGTERM";
        let shutdown_grace = reader.seconds("SHUTDOWN_GRACE_SECS", 20, 1..=600, about);
        let tls = TlsFiles::read(reader);
        Some(Self {
            app_env: app_env?,
            ops_addr: ops_addr?,
            log_filter: log_filter?,
            otlp_endpoint: otlp_endpoint?,
            shutdown_grace: shutdown_grace?,
            tls: tls?,
        })
    }
}

/// Runs a service from `main` to its exit code.
///
/// All of the configuration is parsed before anything binds; problems are printed together and the exit code is 64.
/// Then: telemetry, operations port, `serve`. SIGTERM and SIGINT request the end; `serve` has `SHUTDOWN_GRACE_SECS` to
/// return. Exit code 0 when it did, 1 when it failed or the time was exceeded (or a second signal came).
///
/// `parse` asks for every variable, whatever the values of others are: only so can they be described. What is described is
/// what it asks an empty environment for; a check, and every start of a debug build, refuses what it asked for beyond that.
pub fn launch<C, F, Fut>(launch: Launch, parse: impl Fn(&mut Reader) -> Option<C>, serve: F) -> ExitCode
where
    F: FnOnce(C, Context) -> Fut,
    Fut: Future<Output = Result<(), StartError>>,
{
    crate::install_crypto();
    if launch.ask == Ask::DescribeConfig {
        let variables: Vec<_> = description(&launch, &parse).iter().map(Variable::json).collect();
        let text = serde_json::json!({ "role": launch.name, "variables": variables });
        say(std::io::stdout(), &format!("{text:#}"));
        return ExitCode::SUCCESS;
    }
    let (standard, config) = match configuration(Reader::process(), &launch, parse) {
        Ok(parsed) => parsed,
        Err(errors) => {
            say(std::io::stderr(), &errors.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if launch.ask == Ask::CheckConfig {
        say(std::io::stdout(), "configuration ok");
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(std::io::stderr(), &format!("{}: the runtime cannot start: {error}", launch.name));
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(lifecycle::run(launch.name, standard, |context| serve(config, context)));
    // Blocking work that is still under way must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(std::io::stderr(), &format!("{}: {}", launch.name, error.with_causes()));
            ExitCode::FAILURE
        }
    }
}

fn configuration<C>(
    mut reader: Reader,
    launch: &Launch,
    parse: impl Fn(&mut Reader) -> Option<C>,
) -> Result<(Standard, C), crate::config::ConfigErrors> {
    let standard = Standard::read(&mut reader, launch.default_ops_addr);
    let config = parse(&mut reader);
    // Where it runs in earnest, this mistake is no reason to stay away.
    if launch.ask == Ask::CheckConfig || cfg!(debug_assertions) {
        let known = description(launch, &parse);
        let asked = reader.described().iter().map(|variable| variable.name);
        let unknown: Vec<_> = asked.filter(|name| known.iter().all(|known| known.name != *name)).collect();
        for name in unknown {
            reader.problem(name, "is not in the description of the configuration: report this as a bug");
        }
    }
    reader.finish(standard.zip(config))
}

/// Every variable that is read.
fn description<C>(launch: &Launch, parse: impl Fn(&mut Reader) -> Option<C>) -> Vec<Variable> {
    let mut reader = Reader::from_pairs::<&str, &str>([]);
    let _standard = Standard::read(&mut reader, launch.default_ops_addr);
    let _config = parse(&mut reader);
    reader.described().to_vec()
}

fn say(mut to: impl Write, text: &str) {
    // A closed terminal is no reason to fail differently.
    let _unreportable = writeln!(to, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAUNCH: Launch =
        Launch { name: "example", default_ops_addr: "127.0.0.1:9180", ask: Ask::CheckConfig };

    #[test]
    fn options_are_taken_on_either_side_of_a_role() {
        #[derive(clap::Parser)]
        struct Program {
            #[command(subcommand)]
            role: Option<Role>,
            #[command(flatten)]
            options: Options,
        }
        #[derive(clap::Subcommand)]
        enum Role {
            Serve,
        }
        for (words, ask) in [
            ("program", Ask::Run),
            ("program serve", Ask::Run),
            ("program --check-config", Ask::CheckConfig),
            ("program --check-config serve", Ask::CheckConfig),
            ("program serve --check-config", Ask::CheckConfig),
            ("program serve --describe-config", Ask::DescribeConfig),
            ("program --check-config serve --describe-config", Ask::DescribeConfig),
        ] {
            let program: Program = clap::Parser::try_parse_from(words.split(' ')).unwrap();
            assert_eq!(program.options.ask(), ask, "{words}");
            assert_eq!(program.role.is_some(), words.contains("serve"));
        }
    }

    #[test]
    fn configuration_with_several_mistakes_names_each_once() {
        let reader = Reader::from_pairs([
            ("APP_ENV", "staging"),
            ("OPS_ADDR", "localhost"),
            ("LOG_LEVEL", "loud"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("SHUTDOWN_GRACE_SECS", "0"),
        ]);
        let parse = |reader: &mut Reader| {
            let _again = reader.app_env();
            reader.secret("EXAMPLE_KEY", "a key")
        };
        let errors = configuration(reader, &LAUNCH, parse).err().unwrap();
        let names: Vec<&str> = errors.problems().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "APP_ENV",
                "OPS_ADDR",
                "LOG_LEVEL",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "SHUTDOWN_GRACE_SECS",
                "EXAMPLE_KEY"
            ]
        );
        let text = errors.to_string();
        assert!(text.starts_with(
            "APP_ENV: \"staging\" is not an environment: write production, development or test\n"
        ));
        assert!(text.contains("SHUTDOWN_GRACE_SECS: \"0\" is not a number from 1 to 600"), "{text}");
    }

    #[test]
    fn configuration_that_is_read_in_a_branch_alone_is_a_mistake_of_ours() {
        let parse = |reader: &mut Reader| {
            let fast = reader.boolean("EXAMPLE_FAST", false, "whether it is fast")?;
            if fast { reader.secret("EXAMPLE_KEY", "a key").map(|_| ()) } else { Some(()) }
        };
        configuration(Reader::from_pairs::<&str, &str>([]), &LAUNCH, parse).unwrap();
        let reader = Reader::from_pairs([("EXAMPLE_FAST", "true"), ("EXAMPLE_KEY", "k")]);
        let errors = configuration(reader, &LAUNCH, parse).err().unwrap();
        assert!(errors.to_string().starts_with("EXAMPLE_KEY: is not in the description"), "{errors}");
    }

    #[test]
    fn description_says_form_need_and_secrecy() {
        let parse = |reader: &mut Reader| {
            let limit = reader.number("EXAMPLE_MAX_BYTES", 5, 1..=9, "the most");
            let key = reader.optional_secret("EXAMPLE_KEY", "a key");
            reader.needed_when("EXAMPLE_KEY", "the moon is full");
            let file = reader.secret_path("EXAMPLE_KEY_FILE", "a key in a file");
            Some((limit?, key?, file?))
        };
        let variables: Vec<_> = description(&LAUNCH, parse).iter().map(Variable::json).collect();
        let [.., limit, key, file] = variables.as_slice() else { panic!("{variables:?}") };
        assert_eq!(
            limit,
            &serde_json::json!({
                "name": "EXAMPLE_MAX_BYTES", "default": "5", "form": "1 to 9 bytes", "needed": "never", "when": null,
                "secret": null, "about": "the most",
            })
        );
        assert_eq!((&key["needed"], &key["when"]), (&"when".into(), &"the moon is full".into()));
        assert_eq!((&key["secret"], &file["secret"]), (&"value".into(), &"file".into()));
        assert_eq!((&file["needed"], &file["form"]), (&"always".into(), &"path".into()));
    }

    #[test]
    fn configuration_with_nothing_set_has_the_secure_defaults() {
        let reader = Reader::from_pairs([("LOG_LEVEL", "")]);
        let (standard, ()) = configuration(reader, &LAUNCH, |_| Some(())).unwrap();
        assert_eq!(standard.app_env, AppEnv::Production);
        assert_eq!(standard.ops_addr.to_string(), "127.0.0.1:9180");
        assert_eq!(standard.shutdown_grace, Duration::from_secs(20));
        assert_eq!(standard.otlp_endpoint, None);
    }
}
