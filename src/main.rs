//! The postwarden command.

use std::process::ExitCode;

fn main() -> ExitCode {
    postwarden::cli::main(
        std::env::args_os(),
        &mut std::io::stdout(),
        &mut std::io::stderr(),
    )
}
