# SPDX-License-Identifier: Apache-2.0
# What the scripts share. Sourced, not run.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$root/build}

say () { printf '\n== %s\n' "$*"; }
fail () { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Packages by what needs them; Debian names.
packages_build=(gcc make autoconf automake pkg-config libc6-dev libuv1-dev libcjson-dev libzip-dev libsqlite3-dev libncurses-dev libfyaml-dev
  nettle-dev zlib1g-dev libzstd-dev node-llhttp)
packages_demo=(python3 python3-numpy)
packages_test=(libcmocka-dev clang-tidy python3-pytest python3-yaml python3-boto3 awscli python3-sklearn python3-pil python3-joblib python3-matplotlib
  python3-numba python3-nltk git curl tmux sqlite3 zip unzip zstd golang-go nodejs npm
  g++ cmake libcurl4-openssl-dev libtool python3-dev python3-pip xz-utils qemu-system-x86 busybox-static cpio util-linux procps chromium valgrind)

# Runs what fetches something from elsewhere, three times at most: one failed download is no failure.
again () {
  local try
  for try in 1 2; do
    "$@" && return 0
    printf '%s: failed, once more in %d s: %s\n' "${0##*/}" $((try * 10)) "$*" >&2
    sleep $((try * 10)) # nothing here could be waited for
  done
  "$@"
}

# Installs what is missing of the named packages; asks for nothing when all are there.
install_packages () {
  command -v dpkg-query >/dev/null || fail "this script installs Debian packages; on another system install: $*"
  local missing=() p
  for p in "$@"; do
    # A program that came another way is as good as its package.
    case $p in
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
      golang-go) command -v go >/dev/null && continue ;;
    esac
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" = 'ii ' ] || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing: ${missing[*]}"
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "not root and no sudo; install these packages first: ${missing[*]}"
  again "${sudo[@]}" apt-get update -qq
  again "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o Acquire::Retries=3 "${missing[@]}" >/dev/null
}

# Configures (once) and builds in $1, with the configure options that follow.
build_in () {
  local dir=$1; shift
  say "building in ${dir#"$root"/}"
  [ -x "$root/configure" ] || (cd "$root" && autoreconf -fi >/dev/null)
  mkdir -p "$dir"
  (cd "$dir" && { [ -f Makefile ] || "$root/configure" -q "$@"; } && make -s -j"$(nproc)")
}
