//! What docs/configuration.md has of the flags and of what `check` finds: it is written from here.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use clap::{Arg, Command, CommandFactory};

use crate::check::finding::Code;
use crate::cli::Cli;

/// What a cell of a table may have.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{}`", cell(text)) }
}

/// As it is written on the command line.
fn name(arg: &Arg) -> String {
    let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value = value.map_or(String::new(), |names| names.join(" "));
    let short = arg.get_short().map_or(String::new(), |short| format!("-{short}, "));
    let long = arg.get_long().map_or(String::new(), |long| format!("--{long}"));
    match (long.is_empty(), arg.is_require_equals_set()) {
        (false, true) => format!("{short}{long}[={value}]"),
        _ => format!("{short}{long} {value}").trim().to_owned(),
    }
}

/// A row of the table of flags.
fn row(arg: &Arg) -> String {
    let shown = arg.get_action().takes_values();
    let join = |values: Vec<String>| values.join(", ");
    let default = arg.get_default_values().iter().filter(|_| shown);
    let default = join(default.map(|it| code(&it.to_string_lossy())).collect());
    let variable = arg.get_env().map_or(String::new(), |it| code(&it.to_string_lossy()));
    let words = arg.get_possible_values().into_iter().filter(|_| shown);
    let words: Vec<_> = words.map(|it| code(it.get_name())).collect();
    let is_bool =
        arg.get_value_names().is_some_and(|names| names.iter().any(|it| it.contains('|')));
    let mut help = arg.get_help().map_or(String::new(), |help| cell(&help.to_string()));
    if !words.is_empty() && !is_bool {
        let _ = write!(help, ": {}", join(words));
    }
    format!("| {} | {variable} | {default} | {help} |\n", code(&name(arg)))
}

fn command(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("\n### `app-health-agent {}`\n\n{about}.\n\n", command.get_name());
    text += "| flag | variable | default | what it says |\n|---|---|---|---|\n";
    text.extend(command.get_arguments().filter(|arg| arg.get_id() != "help").map(row));
    text
}

fn flags() -> String {
    let mut cli = Cli::command();
    cli.build();
    cli.get_subcommands().filter(|it| it.get_name() != "help").map(command).collect()
}

fn findings() -> String {
    let mut text =
        "\n| code | severity | what it means | what to do |\n|---|---|---|---|\n".to_owned();
    text.extend(Code::ALL.iter().map(|code| {
        let (label, severity) = (code.label(), code.severity().label());
        format!("| {label} | {severity} | {} | {} |\n", code.meaning(), code.remedy())
    }));
    text
}

/// The text, with what stands between the two comments replaced.
fn with_section(text: &str, name: &str, section: &str) -> String {
    let (begin, end) =
        (format!("<!-- {name}: written by a test -->\n"), format!("<!-- /{name} -->\n"));
    let (before, rest) = text.split_once(&begin).expect("where it begins");
    let (_, after) = rest.split_once(&end).expect("where it ends");
    [before, &begin, section, "\n", &end, after].concat()
}

/// `UPDATE_GOLDEN=1` writes the file anew.
#[test]
fn the_configuration_is_described_as_it_is() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = fs::read_to_string(&file).expect("the text");
    let expected = with_section(&text, "flags", &flags());
    let expected = with_section(&expected, "findings", &findings());
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, expected).expect("the text is written");
        return;
    }
    let differs = text.lines().zip(expected.lines()).find(|(is, should_be)| is != should_be);
    assert!(text == expected, "{differs:#?}: UPDATE_GOLDEN=1 writes docs/configuration.md anew");
}
