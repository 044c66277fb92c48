//! Which subcommands there are.

use clap::Subcommand;

use super::{Console, bench, certificate, figures, key, list, request, sign, token};
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tokens, keys, signing requests and certificates, in one table
    List,
    /// Tokens: their state, and whether waiting messages share a signature
    Tokens,
    /// Devices of devices.toml and their slots
    Devices,
    /// Certificates and signing requests
    Certificates(certificate::Certificates),
    /// A certificate with its key, token and contents
    Show(certificate::Which),
    /// What the signer has done since it started, in all and with each key
    Figures,
    /// Give a token its PIN, once
    Init(token::Init),
    /// Open a token: its keys can sign from now on
    Login(token::Login),
    /// Close a token
    Logout(token::Which),
    /// Replace the PIN of a token
    ChangePin(token::ChangePin),
    /// Look for hardware tokens now
    Refresh,
    /// Give a token or a key another name
    #[command(subcommand)]
    Name(Name),
    /// Make a key
    Generate(key::Generate),
    /// Destroy a key with its certificates and signing requests
    Delete(key::Which),
    /// Make a certificate signing request
    Csr(request::Csr),
    /// Forget a signing request
    Withdraw(request::Which),
    /// Keep a certificate with its key
    Import(certificate::Import),
    /// Allow the use of a certificate
    Activate(certificate::Which),
    /// Forbid the use of a certificate
    Deactivate(certificate::Which),
    /// Say that a certificate is registered at the central server
    Register(certificate::Which),
    /// Forget a certificate
    Forget(certificate::Which),
    /// Sign a file or a text, to try a key
    Sign(sign::Sign),
    /// Measure how fast a key signs
    Bench(bench::Bench),
}

#[derive(Debug, Subcommand)]
pub(super) enum Name {
    /// A token; an empty name gives it the one back that it has by itself
    Token(token::Name),
    /// A key
    Key(key::Name),
}

impl Command {
    pub(super) fn run(self, console: &Console) -> Result<(), Failure> {
        match self {
            Self::List => list::list(console),
            Self::Tokens => token::tokens(console),
            Self::Devices => token::devices(console),
            Self::Certificates(which) => certificate::certificates(console, &which),
            Self::Show(which) => certificate::show(console, &which),
            Self::Figures => figures::figures(console),
            Self::Init(wanted) => token::init(console, &wanted),
            Self::Login(wanted) => token::login(console, &wanted),
            Self::Logout(which) => token::logout(console, &which),
            Self::ChangePin(wanted) => token::change_pin(console, &wanted),
            Self::Refresh => token::refresh(console),
            Self::Name(Name::Token(name)) => token::name(console, &name),
            Self::Name(Name::Key(name)) => key::name(console, &name),
            Self::Generate(wanted) => key::generate(console, &wanted),
            Self::Delete(which) => key::delete(console, &which),
            Self::Csr(wanted) => request::csr(console, wanted),
            Self::Withdraw(which) => request::withdraw(console, &which),
            Self::Import(import) => certificate::import(console, &import),
            Self::Activate(which) => certificate::set_active(console, &which, true),
            Self::Deactivate(which) => certificate::set_active(console, &which, false),
            Self::Register(which) => certificate::register(console, &which),
            Self::Forget(which) => certificate::forget(console, &which),
            Self::Sign(wanted) => sign::sign(console, &wanted),
            Self::Bench(wanted) => bench::bench(console, &wanted),
        }
    }
}
