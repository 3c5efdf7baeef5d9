//! `app-health-agent completions`, as shells take it.

use app_health_tests::process::{self, Run};

const BINARY: &str = env!("CARGO_BIN_EXE_app-health-agent");

fn completions(shell: &str) -> Run {
    process::run(process::command(BINARY).args(["completions", shell]), "")
}

/// What bash offers for the last of these words.
fn offered(words: &[&str]) -> Vec<String> {
    let ask = r#"
        source /dev/stdin
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        [[ $(complete -p "$1") =~ -F\ ([^ ]+) ]]
        "${BASH_REMATCH[1]}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = process::command("bash");
    bash.args(["--norc", "-c", ask, "bash", "app-health-agent"]).args(words);
    let run = process::run(&mut bash, completions("bash").succeeded());
    run.succeeded().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    assert_eq!(offered(&["re"]), ["rewrite", "restore"]);
    assert_eq!(offered(&["serve", "--li"]), ["--listen"]);
    assert_eq!(offered(&["rewrite", "--output", ""]), ["yaml", "json", "patch"]);
}

#[test]
fn each_shell_has_its_script() {
    for (shell, says) in [
        ("bash", " app-health-agent\n"),
        ("zsh", "#compdef app-health-agent\n"),
        ("fish", "complete -c app-health-agent "),
        ("elvish", "edit:completion:arg-completer[app-health-agent]"),
        ("powershell", "Register-ArgumentCompleter -Native -CommandName 'app-health-agent'"),
    ] {
        let script = completions(shell).succeeded();
        assert!(script.contains(says), "{shell}: {script}");
        assert!(script.contains("listen"), "{shell}: {script}");
    }
}
