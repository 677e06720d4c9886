// Anteroom invites a therapy practice's clients to a private portal and watches the paperwork come back.
package main

import (
	"bufio"
	"cmp"
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // the binary needs no files beside it

	"anteroom/db"
	"anteroom/handlers"
	"anteroom/mail"
	"anteroom/mail/mailbox"
	"anteroom/practice"
	"anteroom/practice/demo"
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
		{"demo", "demo [options]", "Serve an invented practice in a throw-away folder, with a built-in mailbox.", serveDemo},
		{"admin", "admin create [options]", "Make an administrator, on an empty folder the organization too.", admin},
		{"import", "import [options] FILE.csv", "Import a list of clients, while the server is stopped.", importFile},
		{"client", "client delete [options]", "Delete an archived client's data for good, while the server is stopped.", clientCommand},
		{"audit", "audit verify [options]", "Check that nobody changed the audit log, beside a running server or without one.", auditCommand},
		{"key", "key new | key retire ID", "Print the line of a new key, or what takes the place of an old one's.", keyCommand},
		{"healthcheck", "healthcheck [options]", "End with 0 when the server that these options name can serve.", healthcheck},
		{"version", "version [-licenses]", "Print the version, or whose work is in the program.", printVersion},
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
	addr        string
	data        string
	public      *url.URL
	smtpURL     string
	smtpFrom    string
	keyFile     string
	key         string // the key file's text
	proxyHeader string
	proxies     []netip.Prefix // as listed
	neighbors   []netip.Prefix // what "private" stands for, where it is listed
}

// setting is one line of the configuration: a flag, and the environment variable that gives its default.
type setting struct {
	flag    string // empty: the environment alone, for everybody on the machine can read a flag
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
		if v == "" {
			return nil
		}
		_, err := mail.ParseRelay(v)
		return err
	}},
	{"smtp-from", "ANTEROOM_SMTP_FROM", "", "address that mails come from", false, func(c *config, v string) error {
		c.smtpFrom = v
		if v == "" {
			return nil
		}
		_, err := db.ParseEmail(v)
		return err
	}},
	{"proxy-header", "ANTEROOM_PROXY_HEADER", "", "header in which the proxy in front names who asks, such as Fly-Client-IP or X-Forwarded-For", false, func(c *config, v string) error {
		c.proxyHeader = v
		return nil
	}},
	{"trusted-proxies", "ANTEROOM_TRUSTED_PROXIES", "private", "networks where that header is believed, such as 192.0.2.0/24,2001:db8::/32; private: whoever connects from this machine, private and link-local networks; of proxies one behind the other, list each", false, func(c *config, v string) (err error) {
		c.proxies, c.neighbors, err = parseNetworks(v)
		return err
	}},
	{"key-file", "ANTEROOM_KEY_FILE", "", "file with the key to sealed answers (anteroom.key in the data folder, unless given)", false, func(c *config, v string) error {
		c.keyFile = v
		return nil
	}},
	{"", "ANTEROOM_KEY", "", "instead of that file, its text, where commas may stand for line ends: as the command key new prints it", false, func(c *config, v string) error {
		c.key = v
		_, given := os.LookupEnv("ANTEROOM_KEY")
		switch {
		case v == "" && given:
			return errors.New("it is empty")
		case v == "":
			return nil
		case c.keyFile != "":
			return errors.New("with it, -key-file (ANTEROOM_KEY_FILE) names another key: give one of the two")
		}
		return db.CheckKey(v)
	}},
}

// private are the networks in which a proxy of one's own usually is: this machine, private and link-local ones.
var private = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"),
}

// parseNetworks reads a list of networks and addresses, and those that "private" in it stands for: there stand others than proxies too.
func parseNetworks(list string) (networks, neighbors []netip.Prefix, err error) {
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if word == "private" {
			neighbors = private
			continue
		}
		network, err := netip.ParsePrefix(word)
		if address, fault := netip.ParseAddr(word); fault == nil {
			network, err = address.Unmap().Prefix(address.Unmap().BitLen())
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%q is no network such as 192.0.2.0/24", word)
		}
		networks = append(networks, network.Masked())
	}
	return networks, neighbors, nil
}

// option is a flag that one command alone has: a text, or a switch.
type option struct {
	flag    string
	meaning string
	value   any // *string or *bool
}

// configure reads the flags and the environment, and names every fault at once. It returns the arguments that are left. own
// are the command's own flags, leave the settings that it has no use for.
func configure(name, usage, summary string, args []string, own []option, leave ...string) (c config, rest []string, err error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	values := map[string]*string{}
	var faults []error
	for _, s := range settings {
		if slices.Contains(leave, s.name()) {
			continue
		}
		value, err := s.fromEnvironment()
		if err != nil {
			faults = append(faults, err)
		}
		if values[s.name()] = &value; s.flag != "" {
			flags.StringVar(&value, s.flag, value, s.meaning)
		}
	}
	for _, o := range own {
		switch value := o.value.(type) {
		case *string:
			flags.StringVar(value, o.flag, "", o.meaning)
		case *bool:
			flags.BoolVar(value, o.flag, false, o.meaning)
		}
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		printUsage(usage, summary, own, leave)
		return c, nil, errHelp
	} else if err != nil {
		return c, nil, err
	}
	for _, s := range settings {
		value, ok := values[s.name()]
		if !ok {
			continue
		}
		if err := s.read(&c, *value); err != nil {
			name := s.env
			if s.flag != "" {
				name = fmt.Sprintf("-%s (%s)", s.flag, s.env)
			}
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return c, flags.Args(), errors.Join(faults...)
}

// name is what the setting is called where it is left out.
func (s setting) name() string { return cmp.Or(s.flag, s.env) }

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

func printUsage(usage, summary string, own []option, leave []string) {
	fmt.Printf("usage: anteroom %s\n%s\n\n", usage, summary)
	for _, o := range own {
		fmt.Printf("  -%-15s %s\n", o.flag, o.meaning)
	}
	for _, s := range settings {
		if slices.Contains(leave, s.name()) {
			continue
		}
		if s.flag == "" {
			fmt.Printf("  %-16s %s\n", s.env, s.meaning)
			continue
		}
		fmt.Printf("  -%-15s %s\n                   %s", s.flag, s.meaning, s.env)
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

// nowhere is the sender of letters written before anybody said where mails come from.
const nowhere = "portal@anteroom.invalid"

// from is the address that mails come from: unless given, one at the public host, or one that no mail ever leaves from.
func (c config) from() (db.Email, error) {
	if c.smtpFrom != "" {
		return db.ParseEmail(c.smtpFrom)
	}
	if from, err := db.ParseEmail("portal@" + c.public.Hostname()); err == nil {
		return from, nil
	}
	return db.ParseEmail(nowhere)
}

// open opens the database, sealed under the key that was given.
func (c config) open(ctx context.Context, clock func() time.Time) (*db.DB, error) {
	if c.key != "" {
		return db.OpenWithKey(ctx, c.data, c.key, clock)
	}
	return db.Open(ctx, c.data, c.keyFile, clock)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func serve(ctx context.Context, args []string) error {
	c, _, err := configure("serve", "serve [options]", "Serve a practice's portal.", args, nil)
	if err != nil {
		return err
	}
	if err := c.checkRelay(); err != nil {
		return err
	}
	return serveSite(ctx, c, time.Now, nil)
}

// checkRelay refuses what would send mails that nobody can use: without a sender, or with links to this machine.
func (c config) checkRelay() error {
	if c.smtpURL == "" {
		return nil
	}
	relay, err := url.Parse(c.smtpURL)
	switch {
	case c.smtpFrom == "":
		return errors.New("-smtp-from (ANTEROOM_SMTP_FROM): with a relay, give the address that mails come from")
	case err == nil && !loopback(relay.Hostname()) && (c.public == nil || loopback(c.public.Hostname())):
		return errors.New("-url (ANTEROOM_URL): with a relay, give the public https address, for the links in mails")
	}
	return nil
}

func serveDemo(ctx context.Context, args []string) error {
	var mailboxAddr string
	c, _, err := configure("demo", "demo [options]", "Serve an invented practice in a throw-away folder, with a built-in mailbox.", args, []option{
		{"mailbox-addr", "loopback address at which the mailbox takes mail, anybody's (" + mailbox.DefaultAddr + ", or a free port when that is taken)", &mailboxAddr},
	}, "data", "smtp-url", "smtp-from", "key-file", "ANTEROOM_KEY", "proxy-header", "trusted-proxies")
	if err != nil {
		return err
	}
	if c.data, err = os.MkdirTemp("", "anteroom-demo-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.data)
	clock := &demo.Clock{}
	box, err := openMailbox(mailboxAddr, mailbox.Options{Clock: clock.Now, Script: demo.Script})
	if err != nil {
		return fmt.Errorf("-mailbox-addr: %w", err)
	}
	defer box.Close()
	c.smtpURL, c.smtpFrom = "smtp://"+box.Addr()+"?tls=none", "portal@willow.example"
	return serveSite(ctx, c, clock.Now, &demo.Practice{Clock: clock, Box: box})
}

// openMailbox opens the demo's mailbox at an address. Unless one is given that is the usual one, or any that is free: something
// else may listen there, such as another demo.
func openMailbox(addr string, o mailbox.Options) (*mailbox.Box, error) {
	o.Addr = cmp.Or(addr, mailbox.DefaultAddr)
	box, err := mailbox.Open(o)
	if addr == "" && errors.Is(err, syscall.EADDRINUSE) {
		fmt.Printf("%s is taken: the mailbox takes mail at another port.\n", o.Addr)
		o.Addr = ""
		return mailbox.Open(o)
	}
	return box, err
}

// serveSite serves until ctx ends, then lets go of everything in order: requests, mail, database. With an invented
// practice, that is made first.
func serveSite(ctx context.Context, c config, clock func() time.Time, invented *demo.Practice) (err error) {
	defer func() {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // asked to stop while it was starting
		}
	}()
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
	database, err := c.open(ctx, clock)
	if err != nil {
		return err
	}
	defer database.Close()
	forget, err := keepUploads(c.data)
	if err != nil {
		return err
	}
	defer forget()
	composer, err := mail.NewComposer(views.Files)
	if err != nil {
		return err
	}
	from, err := c.from()
	if err != nil {
		return err
	}
	if invented != nil {
		database.ClockMoves()
	}
	outbox := mail.NewWorker(database, mailConnections, log)
	made := practice.Config{Public: c.public, Composer: composer, From: from, Outbox: outbox}
	if c.smtpURL != "" {
		relay, err := mail.ParseRelay(c.smtpURL)
		if err != nil {
			return err
		}
		made.Hosted = &practice.HostedMail{Relay: relay, From: from, Source: "ANTEROOM_SMTP_URL"}
	}
	if invented != nil {
		made.Hosted.Provider, made.Resolver = demo.Provider, demo.Resolver{}
	}
	p := practice.New(database, made)
	if err := p.KeepLibrary(ctx); err != nil {
		return err
	}
	if err := p.StartMail(ctx); err != nil {
		return err
	}
	defer startOutbox(ctx, outbox, log)()
	config := handlers.Config{Practice: p, Public: c.public, Log: log, ProxyHeader: c.proxyHeader, Proxies: c.proxies, Neighbors: c.neighbors}
	if invented != nil {
		config.Mailbox = invented.Box
		for _, one := range demo.SignIns() {
			config.Invented = append(config.Invented, handlers.SignIn(one))
		}
	}
	site, err := handlers.New(config)
	if err != nil {
		return err
	}
	if err := introduce(ctx, c, p, invented); err != nil {
		return err
	}
	sealCtx, stopSealing := context.WithCancel(ctx)
	sealing := make(chan struct{})
	go func() {
		defer close(sealing)
		p.KeepSealed(sealCtx, func(err error) { log.Error("seal anew", "error", err.Error()) })
	}()
	defer func() { stopSealing(); <-sealing }()
	sweepCtx, stopSweeping := context.WithCancel(ctx)
	sweeping := make(chan struct{})
	go func() { defer close(sweeping); sweep(sweepCtx, p, log) }()
	defer func() { stopSweeping(); <-sweeping }()
	checkCtx, stopChecking := context.WithCancel(ctx)
	checking, damaged := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(checking)
		if err := database.Check(checkCtx); errors.Is(err, db.ErrCorrupt) {
			damaged <- err
		}
	}()
	defer func() { stopChecking(); <-checking }()
	served := make(chan error, 1)
	go func() { served <- site.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case err := <-damaged:
		return err
	case <-ctx.Done():
	}
	return site.App().ShutdownWithTimeout(20 * time.Second)
}

// keepUploads has large uploads wait in the data folder while they arrive, not where the machine keeps everybody's temporary
// files. What was left of some when the program was killed goes now; what is left goes when forget is called.
func keepUploads(data string) (forget func() error, err error) {
	folder := filepath.Join(data, "uploads")
	forget = func() error { return os.RemoveAll(folder) }
	if err := errors.Join(forget(), os.Mkdir(folder, 0o700)); err != nil {
		return nil, err
	}
	return forget, os.Setenv("TMPDIR", folder)
}

// introduce prints what whoever started the program needs to know, and nobody else.
func introduce(ctx context.Context, c config, p *practice.Practice, invented *demo.Practice) error {
	if invented != nil {
		invented.Practice = p
		if err := invented.Invent(ctx); err != nil {
			return err
		}
		fmt.Printf("Anteroom serves an invented practice on %s\n\n", c.public)
		for _, s := range demo.SignIns() {
			fmt.Printf("  %-11s %-29s %-21s %s\n", s.Name, s.Role, s.Email, s.Password)
		}
		fmt.Printf("\nThe mail that it sends is read at %s\nAnything on this machine can send mail there: smtp://%s\nCtrl-C ends it and throws everything away.\n", c.public.JoinPath("demo/mailbox"), invented.Box.Addr())
		return nil
	}
	fmt.Printf("Anteroom serves %s\n", c.public)
	ready, err := p.IsSetUp(ctx)
	if err == nil && !ready {
		fmt.Printf("Set it up at %s with the code %s\n", c.public.JoinPath("set-up"), p.SetUpCode())
	}
	return err
}

// mailConnections are kept open to the relay while there is work.
const mailConnections = 10

// startOutbox has the outbox work until ctx ends, or stop is called, which waits for it.
func startOutbox(ctx context.Context, worker *mail.Worker, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := worker.Run(ctx); err != nil {
			log.Error("outbox", "error", err.Error())
		}
	}()
	return func() { cancel(); <-stopped }
}

// sweep forgets now and then what ended, and reminds clients, until ctx ends.
func sweep(ctx context.Context, p *practice.Practice, log *slog.Logger) {
	every := time.NewTicker(10 * time.Minute)
	defer every.Stop()
	var printed time.Time // when the audit log's head was
	for {
		if p.Now().Sub(printed).Abs() >= 24*time.Hour {
			begun, err := printAuditHead(ctx, p, log)
			if begun {
				printed = p.Now()
			}
			if err != nil && ctx.Err() == nil {
				log.Error("audit head", "error", err.Error())
			}
		}
		if err := p.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.Error("sweep", "error", err.Error())
		}
		sent, err := p.Remind(ctx)
		if sent > 0 {
			log.Info("reminders queued", "letters", sent)
		}
		if err != nil && ctx.Err() == nil {
			log.Error("remind", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}

// printAuditHead logs where the audit log ends, once it has begun: kept somewhere else, it shows later whether the log was cut off.
func printAuditHead(ctx context.Context, p *practice.Practice, log *slog.Logger) (begun bool, err error) {
	head, err := p.AuditHead(ctx)
	if err != nil || head.Entry == 0 {
		return false, err
	}
	log.Info("audit head", "entry", head.Entry, "mac", hex.EncodeToString(head.MAC))
	return true, nil
}

// admin makes an administrator in a data folder that no server holds.
func admin(ctx context.Context, args []string) error {
	const usage, summary = "admin create [options]", "Make an administrator who signs in with the password that is asked for, or that comes in on the first line of\n" +
		"standard input. On an empty folder this makes the organization too, with -practice, -phone and -time-zone."
	if len(args) > 0 && args[0] == "create" {
		args = args[1:]
	} else if len(args) == 0 || !strings.HasPrefix(args[0], "-h") && !strings.HasPrefix(args[0], "--h") {
		return errors.New("the command is: anteroom " + usage)
	}
	var s practice.SetUp
	c, rest, err := configure("admin", usage, summary, args, []option{
		{"name", "the administrator's name", &s.Administrator.Name},
		{"email", "the address to sign in with", &s.Administrator.Email},
		{"practice", "on an empty folder: the practice's name", &s.Name},
		{"phone", "on an empty folder: the phone number that clients call", &s.Phone},
		{"time-zone", "on an empty folder: a time zone like America/New_York", &s.TimeZone},
	}, "addr", "url", "smtp-url", "smtp-from", "proxy-header", "trusted-proxies")
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("what is %q?", rest[0])
	}
	database, err := c.open(ctx, time.Now)
	if err != nil {
		return err
	}
	defer database.Close()
	if s.Administrator.Password, err = readPassword(ctx); err != nil {
		return err
	}
	err = practice.New(database, practice.Config{}).CreateAdministrator(ctx, s)
	if wrong, ok := err.(practice.Invalid); ok {
		var faults []error
		for _, field := range slices.Sorted(maps.Keys(wrong)) {
			faults = append(faults, fmt.Errorf("%s: %s", adminFlags[field], wrong[field]))
		}
		return errors.Join(faults...)
	}
	if err == nil {
		fmt.Printf("%s can sign in as an administrator.\n", s.Administrator.Email)
	}
	return err
}

// adminFlags are the flags in which the fields of a new administrator are given.
var adminFlags = map[string]string{
	"administrator_name": "-name", "email": "-email", "password": "the password", "name": "-practice", "phone": "-phone", "time_zone": "-time-zone",
}

// readPassword reads a line of standard input; where somebody types it, it isn't shown.
func readPassword(ctx context.Context) (string, error) {
	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprint(os.Stderr, "Password: ")
		if echo(false) {
			defer func() { echo(true); fmt.Fprintln(os.Stderr) }()
		}
	}
	type input struct {
		line string
		err  error
	}
	read := make(chan input, 1)
	go func() {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		read <- input{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case in := <-read:
		if in.err != nil && !errors.Is(in.err, io.EOF) {
			return "", in.err
		}
		return strings.TrimRight(in.line, "\r\n"), nil
	}
}

// echo has the terminal show what is typed, or not; false where it can't be told.
func echo(on bool) bool {
	stty := exec.Command("stty", map[bool]string{true: "echo", false: "-echo"}[on])
	stty.Stdin = os.Stdin
	return stty.Run() == nil
}

// clientCommand deletes a client's data, in a data folder that no server holds.
func clientCommand(ctx context.Context, args []string) error {
	const usage, summary = "client delete [options]", "Delete all that is on file about an archived client, for good: answers, signatures, forms, letters, account and record.\n" +
		"Without -confirm it only tells what would be deleted. Backups keep it until they are gone."
	if len(args) > 0 && args[0] == "delete" {
		args = args[1:]
	} else if len(args) == 0 || !strings.HasPrefix(args[0], "-h") && !strings.HasPrefix(args[0], "--h") {
		return errors.New("the command is: anteroom " + usage)
	}
	var id, confirm string
	c, rest, err := configure("client", usage, summary, args, []option{
		{"id", "the client's id, as it stands in the address of their page", &id},
		{"confirm", "the client's name, as lists write it: Last, First", &confirm},
	}, "addr", "url", "smtp-url", "smtp-from", "proxy-header", "trusted-proxies")
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("what is %q?", rest[0])
	}
	if id == "" {
		return errors.New("-id: say whose data is to be deleted")
	}
	database, err := c.open(ctx, time.Now)
	if err != nil {
		return err
	}
	defer database.Close()
	client, d, err := practice.New(database, practice.Config{}).HostDeletes(ctx, id, confirm, confirm == "")
	if wrong, ok := err.(practice.Invalid); ok {
		return errors.New(cmp.Or(wrong["client"], wrong["name"]))
	}
	if errors.Is(err, practice.ErrNotFound) {
		return errors.New("there is no client with this id")
	}
	if err != nil {
		return err
	}
	verb := "Deleted"
	if confirm == "" {
		verb = "Would delete"
	}
	fmt.Printf("%s the record of %s with %d forms, %d answers, %d signatures, %d letters and %d invitations.\n", verb, client.ListName(), d.Forms, d.Answers, d.Signatures, d.Letters, d.Invitations)
	return nil
}

// auditCommand checks the audit log from outside: it takes no lock and writes nothing.
func auditCommand(ctx context.Context, args []string) error {
	const usage, summary = "audit verify [options]", "Check that no entry of the audit log was altered, removed or added by somebody else, and print its head: the number of its\n" +
		"last entry, and what stands for all of them. It works while the server runs and while it is stopped, and changes nothing."
	if len(args) > 0 && args[0] == "verify" {
		args = args[1:]
	} else if len(args) == 0 || !strings.HasPrefix(args[0], "-h") && !strings.HasPrefix(args[0], "--h") {
		return errors.New("the command is: anteroom " + usage)
	}
	var text string
	c, rest, err := configure("audit", usage, summary, args, []option{
		{"head", "a head that was printed before, as 17:3fa9…: it must still be in the log, so that a cut end shows", &text},
	}, "addr", "url", "smtp-url", "smtp-from", "proxy-header", "trusted-proxies")
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("what is %q?", rest[0])
	}
	var known db.AuditHead
	if text != "" {
		if known, err = db.ParseAuditHead(text); err != nil {
			return fmt.Errorf("-head: %w", err)
		}
	}
	log, err := db.OpenAuditLog(ctx, c.data, c.keyFile, c.key)
	if err != nil {
		return err
	}
	defer log.Close()
	head, err := log.Verify(ctx, known)
	if err != nil {
		return err
	}
	if known.Entry > 0 {
		fmt.Printf("The head that was given is in the log.\n")
	}
	if head.Entry == 0 {
		fmt.Println("The audit log is empty.")
		return nil
	}
	fmt.Printf("%d entries, unbroken.\nhead %s\n", head.Entry, head)
	return nil
}

// importFile imports a list of clients. It ends with an error when a row has a problem, unless the good rows were enough.
func importFile(ctx context.Context, args []string) error {
	var dry, goodOnly, update, addUnsure bool
	var dates string
	c, rest, err := configure("import", "import [options] FILE.csv", "Import a list of clients: all rows, or none when one has a problem. Rows already here are left alone.\n"+
		"Options come before the file.", args, []option{
		{"dry-run", "tell what would happen, and change nothing", &dry},
		{"good-rows-only", "import the rows without a problem, though others have one", &goodOnly},
		{"update", "update clients who are here already with what the file says of them; otherwise they are left alone", &update},
		{"add-unsure", "add rows of the same name as somebody who is here, where nothing tells them apart; otherwise they are left out", &addUnsure},
		{"dates", "how dates are written: month (5/17/1990) or day (17/5/1990) first; guessed unless given", &dates},
	}, "addr", "url", "smtp-url", "smtp-from", "proxy-header", "trusted-proxies")
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("the command is: anteroom import [options] FILE.csv")
	}
	if dates != "" && dates != "month" && dates != "day" {
		return errors.New("-dates is month or day")
	}
	data, err := os.ReadFile(rest[0])
	if err != nil {
		return err
	}
	database, err := c.open(ctx, time.Now)
	if err != nil {
		return err
	}
	defer database.Close()
	found, err := practice.New(database, practice.Config{}).ImportFile(ctx, data, practice.ImportChoices{Dates: dates, Update: update, Unsure: addUnsure}, dry, goodOnly)
	printImport(found)
	if wrong, ok := err.(practice.Invalid); ok {
		return errors.New(cmp.Or(wrong["file"], wrong["import"]))
	}
	if err != nil {
		return err
	}
	if dry && found.Fault != "" {
		return errors.New(found.Fault)
	}
	if dry && found.Problems() > 0 && !goodOnly {
		return errors.New("nothing would be imported: a row has a problem")
	}
	return nil
}

// printImport prints what each column was taken for, each row about which there is something to know, and the counts.
func printImport(found practice.Import) {
	for _, c := range found.Columns {
		if c.Field != practice.ImportNothing {
			fmt.Printf("column %q: %s\n", c.Name, strings.ReplaceAll(string(c.Field), "_", " "))
		}
	}
	if found.Order.Unclear {
		fmt.Printf("dates: %s can be read either way; -dates month or -dates day says how\n", found.Order.Sample)
	}
	for _, r := range found.Rows {
		if r.Verdict != practice.ImportAdd || len(r.Notes) > 0 {
			fmt.Printf("line %d, %s: %s. %s\n", r.Line, cmp.Or(r.Name, "(no name)"), r.Verdict, strings.Join(r.Notes, " "))
		}
	}
	for _, v := range []practice.ImportVerdict{practice.ImportAdd, practice.ImportUpdate, practice.ImportHere, practice.ImportProblem} {
		fmt.Printf("%d %s\n", found.Count[v], v)
	}
}

// keyCommand prints a line for the key file, or for ANTEROOM_KEY.
func keyCommand(_ context.Context, args []string) error {
	const usage, summary = "key new | key retire [options] ID", "key new prints the line of a new key: add it after those that are there. A database that is made with ANTEROOM_KEY begins with one.\n" +
		"key retire prints the line that takes the place of key ID's, once the screen Security, Keys says that nothing is sealed under it."
	if len(args) == 1 && args[0] == "new" {
		_, err := fmt.Println(db.NewKey())
		return err
	}
	if len(args) > 0 && args[0] == "retire" {
		args = args[1:]
	} else if len(args) == 0 || !strings.HasPrefix(args[0], "-h") && !strings.HasPrefix(args[0], "--h") {
		return errors.New("the command is: anteroom " + usage)
	}
	c, rest, err := configure("key", usage, summary, args, nil, "addr", "url", "smtp-url", "smtp-from", "proxy-header", "trusted-proxies")
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("the command is: anteroom " + usage)
	}
	line, err := c.retiredLine(rest[0])
	if err == nil {
		_, err = fmt.Println(line)
	}
	return err
}

func (c config) retiredLine(id string) (string, error) {
	text := c.key
	if text == "" {
		file, err := os.ReadFile(cmp.Or(c.keyFile, db.KeyFile(c.data)))
		if err != nil {
			return "", err
		}
		text = string(file)
	}
	return db.RetiredLine(text, id)
}

func healthcheck(ctx context.Context, args []string) error {
	c, _, err := configure("healthcheck", "healthcheck [options]", "End with 0 when the server that these options name can serve.", args, nil)
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

// licenses tells whose work is in the program, and under which licence. make licenses writes it.
//
//go:embed licenses.txt
var licenses string

func printVersion(_ context.Context, args []string) error {
	var all bool
	var unused []string
	for _, s := range settings {
		unused = append(unused, s.flag)
	}
	_, rest, err := configure("version", "version [options]", "Print the version.", args, []option{
		{"licenses", "print too whose work is in the program, and under which licence", &all},
	}, unused...)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("what is %q?", rest[0])
	}
	if _, err = fmt.Printf("anteroom %s %s %s/%s\n", release, runtime.Version(), runtime.GOOS, runtime.GOARCH); err == nil && all {
		_, err = fmt.Printf("\n%s", licenses)
	}
	return err
}
