package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"anteroom/mail/mailbox"
)

func TestConfigurationFaults(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		want []string // each of these is named; none: it is fine
	}{
		{"nothing set", nil, nil},
		{"all at once", map[string]string{"ANTEROOM_ADDR": "x", "ANTEROOM_URL": "ftp://x", "ANTEROOM_SMTP_FROM": "nobody", "ANTEROOM_SMTP_URL": "http://x"},
			[]string{"ANTEROOM_ADDR", "ANTEROOM_URL", "ANTEROOM_SMTP_FROM", "ANTEROOM_SMTP_URL"}},
		{"plain http elsewhere", map[string]string{"ANTEROOM_URL": "http://portal.example"}, []string{"https"}},
		{"clear text to a relay elsewhere", map[string]string{"ANTEROOM_SMTP_URL": "smtp://relay.example?tls=none"}, []string{"ANTEROOM_SMTP_URL"}},
		{"a relay without a sender", map[string]string{"ANTEROOM_SMTP_URL": "smtp://relay.example", "ANTEROOM_URL": "https://portal.example"}, []string{"ANTEROOM_SMTP_FROM"}},
		{"a relay with links to this machine", map[string]string{"ANTEROOM_SMTP_URL": "smtp://relay.example", "ANTEROOM_SMTP_FROM": "portal@willow.example"}, []string{"ANTEROOM_URL"}},
		{"a relay", map[string]string{"ANTEROOM_SMTP_URL": "smtp://relay.example", "ANTEROOM_SMTP_FROM": "portal@willow.example", "ANTEROOM_URL": "https://portal.example"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			c, _, err := configure("serve", "serve", "", nil, nil)
			if err == nil {
				err = c.checkRelay()
			}
			if (err != nil) != (len(test.want) > 0) {
				t.Fatalf("%v", err)
			}
			for _, word := range test.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q names no %s", err, word)
				}
			}
		})
	}
}

func TestSecretFromFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "relay")
	if err := os.WriteFile(file, []byte("smtps://me:p%40ss@relay.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ANTEROOM_SMTP_URL_FILE", file)
	c, _, err := configure("serve", "serve", "", nil, nil)
	if err != nil || c.smtpURL != "smtps://me:p%40ss@relay.example" {
		t.Errorf("read %q, %v", c.smtpURL, err)
	}
	c, _, err = configure("serve", "serve", "", []string{"-addr", "127.0.0.1:9"}, nil)
	if err != nil || c.addr != "127.0.0.1:9" {
		t.Errorf("the flag gave %q, %v", c.addr, err)
	}
}

// The demo's mailbox makes way where its usual port is taken, but isn't put elsewhere than where it was told to be.
func TestMailboxFindsAPort(t *testing.T) {
	if l, err := net.Listen("tcp", mailbox.DefaultAddr); err == nil { // else something else holds it already
		defer l.Close()
	}
	first, err := openMailbox("", mailbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if first.Addr() == mailbox.DefaultAddr {
		t.Error("it listens where something else does")
	}
	if _, err := openMailbox(first.Addr(), mailbox.Options{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a taken address that was asked for: %v", err)
	}
	if _, err := openMailbox("0.0.0.0:0", mailbox.Options{}); !errors.Is(err, mailbox.ErrNotLoopback) {
		t.Errorf("an address that others reach: %v", err)
	}
}
