#!/bin/sh
# Installs what tests/test_web*.py drive, where that can be done; else they are skipped:
# Chromium, and a sound server for microphones without hardware; with "all" Firefox and WebKit too.
set -u
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -qq --no-install-recommends "$@" >/dev/null 2>&1; }

# need PROGRAM PACKAGE...: what the program comes with
need() {
    command -v "$1" >/dev/null && return 0
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    shift
    echo "Installing $* for the tests of the web client."
    install "$@" || { apt-get update -qq >/dev/null 2>&1 && install "$@"; } ||
        echo "$* could not be installed; the tests that need it are skipped."
}

for name in chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && chromium=$name
done
need "${chromium:-chromium}" chromium
need npm npm # clients of others that run under Node
need pulseaudio pulseaudio
need paplay pulseaudio-utils
[ "${1:-}" = all ] || exit 0
command -v firefox >/dev/null || need firefox-esr firefox-esr
need Xvfb xvfb
need WebKitWebDriver webkit2gtk-driver
