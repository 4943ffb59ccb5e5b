#!/bin/sh
# Installs what the tests of dictation and of examples need, where that can be done; else they are
# skipped.
missing=
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need pulseaudio "pulseaudio libasound2-plugins"
need paplay pulseaudio-utils
need Xvfb xvfb
need setxkbmap x11-xkb-utils
need xdotool xdotool
need xclip xclip
need xterm xterm
need tmux tmux
need sway sway
need foot foot
need wtype wtype
need wl-copy wl-clipboard
need espeak-ng espeak-ng
for folder in /usr/lib /usr/lib/*-linux-gnu /usr/local/lib; do
    [ -e "$folder/libportaudio.so.2" ] && portaudio=there
done
[ "$portaudio" ] || missing="$missing libportaudio2"
[ "$missing" ] || exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
echo "Installing for the tests of dictation:$missing."
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # words are packages
install() { apt-get install -qq --no-install-recommends $missing >/dev/null 2>&1; }
install || { apt-get update -qq >/dev/null 2>&1 && install; } ||
    echo "Not all of it could be installed; the tests that need it are skipped."
