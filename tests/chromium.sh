#!/bin/sh
# Runs a command where there is a Chromium: Debian's package, installed if it is missing.
set -eu

there() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

if ! there >/dev/null; then
    echo "installing the package chromium" >&2
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
fi
if ! there >/dev/null; then
    echo "there is no Chromium: install Debian's package chromium" >&2
    exit 1
fi
exec "$@"
