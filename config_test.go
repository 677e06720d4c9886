package main

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
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
		{"proxies", map[string]string{"ANTEROOM_TRUSTED_PROXIES": "private, 192.0.2.7,2001:db8::/32"}, nil},
		{"proxies that are none", map[string]string{"ANTEROOM_TRUSTED_PROXIES": "192.0.2.0/33"}, []string{"ANTEROOM_TRUSTED_PROXIES", "192.0.2.0/33"}},
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

func TestProxiesAreTrustedInPrivateNetworks(t *testing.T) {
	c, _, err := configure("serve", "serve", "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{"127.0.0.1": true, "::1": true, "10.9.8.7": true, "172.31.0.1": true, "192.168.1.1": true, "fdaa:0:1::3": true,
		"fe80::1": true, "169.254.1.1": true, "172.32.0.1": false, "192.0.2.1": false, "100.64.0.1": false, "2001:db8::1": false, "0.0.0.0": false} {
		got := slices.ContainsFunc(c.neighbors, func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr(address)) })
		if got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if c, _, err = configure("serve", "serve", "", []string{"-trusted-proxies", ""}, nil); err != nil || len(c.proxies)+len(c.neighbors) != 0 {
		t.Error(c.proxies, c.neighbors, err)
	}
	// Only what is listed itself may stand before the last address in the header.
	c, _, err = configure("serve", "serve", "", []string{"-trusted-proxies", "private,10.1.2.3, 192.0.2.9/24"}, nil)
	if err != nil || !slices.Equal(c.proxies, []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("192.0.2.0/24")}) || len(c.neighbors) != len(private) {
		t.Error(c.proxies, c.neighbors, err)
	}
}
