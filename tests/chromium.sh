#!/bin/sh
# Installs the browser that tests/test_web*.py drive, where that can be done; else they are skipped.
for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && exit 0
done
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
echo "Installing chromium for the tests of the web client."
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -qq --no-install-recommends chromium >/dev/null 2>&1; }
install || { apt-get update -qq >/dev/null 2>&1 && install; } ||
    echo "chromium could not be installed; the tests that need it are skipped."
