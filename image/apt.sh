# Sourced: an apt that knows nothing of this machine.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# private_apt FOLDER SOURCES: from now on apt keeps everything in FOLDER and fetches from SOURCES, the lines of a sources.list; they
# say with which keys archives are checked. Nothing is installed.
private_apt() {
    local folder=$1
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    printf '%s\n' "$2" >"$folder/sources.list"
    cat >"$folder/apt.conf" <<CONF
Dir::State "$folder";
Dir::State::Lists "$folder/lists";
Dir::State::status "/dev/null";
Dir::Cache "$folder/cache";
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Parts "/dev/null";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
    export APT_CONFIG="$folder/apt.conf"
    apt-get update -qq
}
