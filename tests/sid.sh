# tests/sid.sh: sourced by scripts that unpack packages of Debian sid, of which nothing is installed.

use_sid() { # DIR ARCHITECTURE..: lets this shell's apt read sid alone, with its state in DIR
    local dir=$1 keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror
    shift
    # awk reads all of it: apt-get fails if it cannot write the rest.
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN)' |
        awk '$2 == "Debian" && !found { print $1; found = 1 }')
    if [[ -z $mirror ]]; then
        echo "apt has no mirror of Debian, or no lists of it yet (apt-get update)" >&2
        return 1
    fi
    mkdir -p "$dir/lists/partial" "$dir/archives/partial"
    echo "deb [signed-by=$keyring] $mirror sid main" >"$dir/sources.list"
    cat >"$dir/apt.conf" <<CONF
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$dir/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
APT::Sandbox::User "";
APT::Architectures { $(printf '"%s"; ' "$@")};
CONF
    export APT_CONFIG=$dir/apt.conf
    apt-get -q update
}
