// Anteroom invites a therapy practice's clients to a private portal and watches the paperwork come back.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // the binary needs no files beside it

	"anteroom/db"
	"anteroom/handlers"
	"anteroom/mail"
	"anteroom/practice"
	"anteroom/views"
)

// command is one thing that the program does.
type command struct {
	name    string
	usage   string
	summary string
	run     func(ctx context.Context, args []string) error
}

// commands is a function, for some of them tell of all.
func commands() []command {
	return []command{
		{"serve", "serve [options]", "Serve a practice's portal.", serve},
		{"demo", "demo [options]", "Serve an invented practice in a throw-away folder, with a built-in mailbox.", demo},
		{"healthcheck", "healthcheck [options]", "End with 0 when the server that these options name can serve.", healthcheck},
		{"version", "version", "Print the version.", printVersion},
	}
}

func main() {
	syscall.Umask(0o077) // what the program writes is its owner's alone
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, errHelp) {
		fmt.Fprintln(os.Stderr, "anteroom:", err)
		os.Exit(1)
	}
}

// errHelp says that help was asked for, and given.
var errHelp = errors.New("help")

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name == args[0] {
				return c.run(ctx, args[1:])
			}
		}
	}
	out := os.Stdout
	asked := len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help")
	if !asked {
		out = os.Stderr
	}
	fmt.Fprint(out, "Anteroom: a client portal for a small therapy practice.\n\n")
	for _, c := range commands() {
		fmt.Fprintf(out, "  anteroom %-28s %s\n", c.usage, c.summary)
	}
	fmt.Fprint(out, "\nanteroom COMMAND -h lists a command's options.\n")
	if asked {
		return nil
	}
	if len(args) == 0 {
		return errors.New("which command?")
	}
	return fmt.Errorf("there is no command %q", args[0])
}

// config is what the host decides.
type config struct {
	addr     string
	data     string
	public   *url.URL
	smtpURL  string
	smtpFrom string
	keyFile  string
}

// setting is one line of the configuration: a flag, and the environment variable that gives its default.
type setting struct {
	flag    string
	env     string
	value   string // when neither is given
	meaning string
	secret  bool // also read from the file that env_FILE names
	read    func(*config, string) error
}

var settings = []setting{
	{"addr", "ANTEROOM_ADDR", "127.0.0.1:8080", "address to listen on", false, func(c *config, v string) error {
		c.addr = v
		_, _, err := net.SplitHostPort(v)
		return err
	}},
	{"data", "ANTEROOM_DATA", "./data", "folder for the database and its key", false, func(c *config, v string) error {
		c.data = v
		return nil
	}},
	{"url", "ANTEROOM_URL", "", "public address, for links in mails (http://localhost and the port, unless given)", false, func(c *config, v string) (err error) {
		c.public, err = publicURL(v)
		return err
	}},
	{"smtp-url", "ANTEROOM_SMTP_URL", "", "mail relay: smtp://user:password@host:587 or smtps://user:password@host:465", true, func(c *config, v string) error {
		c.smtpURL = v
		return nil
	}},
	{"smtp-from", "ANTEROOM_SMTP_FROM", "", "address that mails come from", false, func(c *config, v string) error {
		c.smtpFrom = v
		return nil
	}},
	{"key-file", "ANTEROOM_KEY_FILE", "", "file with the key to sealed answers (anteroom.key in the data folder, unless given)", false, func(c *config, v string) error {
		c.keyFile = v
		return nil
	}},
}

// configure reads the flags and the environment, and names every fault at once. It returns the arguments that are left.
func configure(name, usage, summary string, args []string, leave ...string) (c config, rest []string, err error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	values := map[string]*string{}
	var faults []error
	for _, s := range settings {
		if slices.Contains(leave, s.flag) {
			continue
		}
		value, err := s.fromEnvironment()
		if err != nil {
			faults = append(faults, err)
		}
		values[s.flag] = flags.String(s.flag, value, s.meaning)
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		printUsage(usage, summary, leave)
		return c, nil, errHelp
	} else if err != nil {
		return c, nil, err
	}
	for _, s := range settings {
		value, ok := values[s.flag]
		if !ok {
			continue
		}
		if err := s.read(&c, *value); err != nil {
			faults = append(faults, fmt.Errorf("-%s (%s): %w", s.flag, s.env, err))
		}
	}
	return c, flags.Args(), errors.Join(faults...)
}

func (s setting) fromEnvironment() (string, error) {
	if v, ok := os.LookupEnv(s.env); ok {
		return v, nil
	}
	if file := os.Getenv(s.env + "_FILE"); s.secret && file != "" {
		text, err := os.ReadFile(file)
		return strings.TrimSpace(string(text)), err
	}
	return s.value, nil
}

func printUsage(usage, summary string, leave []string) {
	fmt.Printf("usage: anteroom %s\n%s\n\n", usage, summary)
	for _, s := range settings {
		if slices.Contains(leave, s.flag) {
			continue
		}
		fmt.Printf("  -%-10s %s\n             %s", s.flag, s.meaning, s.env)
		if s.secret {
			fmt.Printf(" or %s_FILE", s.env)
		}
		if s.value != "" {
			fmt.Printf(", %s unless given", s.value)
		}
		fmt.Println()
	}
}

// publicURL checks the site's public address: plain http is for this machine only.
func publicURL(v string) (*url.URL, error) {
	if v == "" {
		return nil, nil
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("not an address like https://portal.example.com")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil:
		return nil, errors.New("only scheme and host, like https://portal.example.com")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, errors.New("health information needs https; plain http is for localhost only")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// from is the address that mails come from: unless given, one at the public host, or one that no mail ever leaves from.
func (c config) from() (db.Email, error) {
	if c.smtpFrom != "" {
		return db.ParseEmail(c.smtpFrom)
	}
	if from, err := db.ParseEmail("portal@" + c.public.Hostname()); err == nil {
		return from, nil
	}
	return db.ParseEmail("portal@anteroom.invalid")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func serve(ctx context.Context, args []string) error {
	c, _, err := configure("serve", "serve [options]", "Serve a practice's portal.", args)
	if err != nil {
		return err
	}
	return serveSite(ctx, c, false)
}

func demo(ctx context.Context, args []string) error {
	c, _, err := configure("demo", "demo [options]", "Serve an invented practice in a throw-away folder, with a built-in mailbox.", args, "data", "smtp-url", "smtp-from", "key-file")
	if err != nil {
		return err
	}
	if c.data, err = os.MkdirTemp("", "anteroom-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.data)
	return serveSite(ctx, c, true)
}

// serveSite serves until ctx ends, then lets go of everything in order: requests, mail, database.
func serveSite(ctx context.Context, c config, isDemo bool) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	listener, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if c.public == nil {
		_, port, _ := net.SplitHostPort(listener.Addr().String()) // of port 0, the one that was free
		c.public = &url.URL{Scheme: "http", Host: net.JoinHostPort("localhost", port)}
	}
	database, err := db.Open(ctx, c.data, c.keyFile, time.Now)
	if err != nil {
		return err
	}
	defer database.Close()
	composer, err := mail.NewComposer(views.Files)
	if err != nil {
		return err
	}
	from, err := c.from()
	if err != nil {
		return err
	}
	p := practice.New(database, practice.Config{Public: c.public, Composer: composer, From: from})
	site, err := handlers.New(handlers.Config{Practice: p, Public: c.public, Log: log})
	if err != nil {
		return err
	}
	fmt.Printf("Anteroom serves %s\n", c.public)
	served := make(chan error, 1)
	go func() { served <- site.App().Listener(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	return site.App().ShutdownWithTimeout(20 * time.Second)
}

func healthcheck(ctx context.Context, args []string) error {
	c, _, err := configure("healthcheck", "healthcheck [options]", "End with 0 when the server that these options name can serve.", args)
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(c.addr)
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", response.Status)
	}
	return nil
}

// release is set when a release is built.
var release = "development"

func printVersion(context.Context, []string) error {
	_, err := fmt.Printf("anteroom %s %s %s/%s\n", release, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
