package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
	"unsafe"

	"anteroom/db"
	"anteroom/views"

	"github.com/emersion/go-smtp"
	"github.com/gofiber/fiber/v2"
	_ "github.com/mattn/go-sqlite3"
)

const (
	benchRounds  = 5
	benchClients = 100_000
	benchBusy    = 16                     // connections that search at once
	benchBurst   = 700 * time.Millisecond // how long they do
	benchFar     = 20 * time.Millisecond  // to a relay elsewhere and back
)

// benchTerms are looked for: every address has a dash, a hundred have the first term, an eighth of the names the second.
var benchTerms = []struct{ kind, text string }{{"rare term", "g42-0"}, {"common term", "son"}}

var benchLists = []struct{ name, path string }{
	{"Manage Clients", "/organization/client-portal/clients"},
	{"Clients", "/clients"},
}

// BenchmarkAnteroom measures the program as it is built, in a process of its own, beside what it is made of, in processes of
// their own, turn by turn. It prints one table of medians. It runs once, in a few minutes.
func BenchmarkAnteroom(b *testing.B) {
	if work := os.Getenv("ANTEROOM_BENCH_BESIDE"); work != "" {
		besides[work](b)
		return
	}
	m := measures{}
	list := benchList(b)
	for range benchRounds {
		m.importing(b, list)
		m.coldStart(b)
	}
	sink := newSink(b, 0)
	folder := benchFolder(b)
	anteroom(b, "100000 will be added", "import", "-data", folder, list)
	site := start(b, []string{"ANTEROOM_SMTP_URL=smtp://" + sink.addr + "?tls=none", "ANTEROOM_SMTP_FROM=portal@willow.example"}, "serve", "-data", folder)
	m.firstVisit(b, site)
	m.add("memory idle", memory(b, site, "VmRSS"))
	cookie := signIn(b, site)
	fragment, database, loop := beside(b, "fragment", ""), beside(b, "database", filepath.Join(folder, "anteroom.db")), beside(b, "loop", sink.addr)
	for range benchRounds {
		m.searching(b, site, cookie)
		m.database(b, database)
		m.fragment(b, fragment)
	}
	m.add("memory searching", memory(b, site, "VmHWM"))
	for round := range benchRounds {
		m.inviting(b, site, sink, cookie, round)
		m.sending(b, "letters", site, sink, loop, cookie, fmt.Sprintf("g%d", round+1))
	}
	m.add("memory at the end", memory(b, site, "VmRSS"))
	site.stop(syscall.SIGTERM)
	far := newSink(b, benchFar)
	site = start(b, []string{"ANTEROOM_SMTP_URL=smtp://" + far.addr + "?tls=none", "ANTEROOM_SMTP_FROM=portal@willow.example"}, "serve", "-data", folder)
	cookie, loop = signIn(b, site), beside(b, "loop", far.addr)
	for round := range benchRounds {
		m.sending(b, "letters to a relay 20 ms away", site, far, loop, cookie, fmt.Sprintf("g6%d-", round))
	}
	m.story(b)
	m.print()
}

// measures are the figures of every round, by name.
type measures map[string][]float64

func (m measures) add(name string, value float64) { m[name] = append(m[name], value) }

func (m measures) median(name string) float64 {
	all := slices.Sorted(slices.Values(m[name]))
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}

// figure is a line of the table.
type figure struct {
	name   string
	format string
	target float64 // 0: there is none
	least  bool    // the target is a floor, not a ceiling
}

func (m measures) print() {
	var figures []figure
	for _, list := range benchLists {
		for i, term := range benchTerms {
			name := list.name + ", " + term.kind + ": "
			figures = append(figures, figure{name + "CPU", "%.2f ms", []float64{3, 2.5}[i], false}, figure{name + "p50", "%.2f ms", 3, false},
				figure{name + "p99", "%.1f ms", 15, false}, figure{name + "16 connections", "%.0f/s", 400, true})
		}
	}
	for _, term := range benchTerms {
		figures = append(figures, figure{"SQLite alone, instr, " + term.kind + ": CPU", "%.1f ms", 0, false}, figure{"SQLite alone, LIKE, " + term.kind + ": CPU", "%.1f ms", 0, false})
	}
	figures = append(figures,
		figure{"the fragment with no query: CPU", "%.2f ms", 0, false},
		figure{"the fragment with no query: 16 connections", "%.0f/s", 0, true},
		figure{"invitations rendered and queued", "%.0f/s", 0, true},
		figure{"click on send, 1,000 invitations: answer", "%.0f ms", 0, false},
		figure{"click on send, 1,000 invitations: first letter accepted", "%.0f ms", 300, false},
		figure{"letters", "%.0f/s", 0, true},
		figure{"letters, bare loop", "%.0f/s", 0, true},
		figure{"letters, share of the bare loop", "%.0f %%", 60, true},
		figure{"letters, CPU for 1,000", "%.2f s", 0.26, false},
		figure{"letters, bare loop, CPU for 1,000", "%.2f s", 0, false},
		figure{"letters to a relay 20 ms away", "%.0f/s", 110, true},
		figure{"letters to a relay 20 ms away, bare loop", "%.0f/s", 0, true},
		figure{"letters to a relay 20 ms away, share of the bare loop", "%.0f %%", 0, true},
		figure{"letters to a relay 20 ms away, CPU for 1,000", "%.2f s", 0, false},
		figure{"import", "%.0f rows/s", 15_600, true},
		figure{"import: CPU", "%.1f s", 6, false},
		figure{"import: memory at most", "%.0f MB", 200, false},
		figure{"import again", "%.0f rows/s", 15_600, true},
		figure{"import again: CPU", "%.1f s", 6, false},
		figure{"cold start to the first 200", "%.0f ms", 43, false},
		figure{"memory idle", "%.0f MB", 30, false},
		figure{"memory searching", "%.0f MB", 100, false},
		figure{"memory at the end", "%.0f MB", 100, false},
		figure{"memory of the demo after its story", "%.0f MB", 0, false},
		figure{"static binary", "%.1f MB", 25, false},
		figure{"first visit over the wire", "%.1f KB", 60, false},
	)
	fmt.Printf("\n%d clients, medians of %d rounds\n\n", benchClients, benchRounds)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmedian\tfrom – to\ttarget\t")
	missed := 0
	for _, f := range figures {
		target, verdict := "", ""
		if f.target != 0 {
			target, verdict = "≤ "+fmt.Sprintf(f.format, f.target), "met"
			if f.least {
				target = "≥ " + fmt.Sprintf(f.format, f.target)
			}
			if median := m.median(f.name); f.least == (median < f.target) && median != f.target {
				verdict = "NOT MET"
				missed++
			}
		}
		number := strings.Fields(f.format)[0]
		span := fmt.Sprintf(strings.TrimSuffix(number, "/s"), slices.Min(m[f.name])) + " – " + fmt.Sprintf(strings.TrimSuffix(number, "/s"), slices.Max(m[f.name]))
		if len(m[f.name]) == 1 {
			span = ""
		}
		fmt.Fprintf(t, "%s\t"+f.format+"\t%s\t%s\t%s\n", f.name, m.median(f.name), span, target, verdict)
	}
	t.Flush()
	fmt.Printf("\n%d targets missed\n", missed)
}

// benchList writes the list of invented clients, in a hundred groups of a thousand, the same each time.
func benchList(b *testing.B) string {
	first := []string{"Ann", "Ben", "Carla", "Dmitri", "Élise", "Farid", "Grace", "Hana", "Ivan", "Jorge", "Katarína", "Liam", "Mia", "Noor", "Olive", "Pablo"}
	last := []string{"Abbott", "Bell", "Castillo", "Dahl", "Eze", "Fischer", "García", "Hughes", "Ito", "Johansson", "Kowalski", "Lind", "Moreno", "Nguyễn", "Okafor", "Peterson"}
	r := rand.New(rand.NewPCG(1, 2))
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	w.Write([]string{"First Name", "Last Name", "Date of Birth", "Mobile Phone", "Email Address", "Therapist"})
	for i, k := range r.Perm(benchClients) { // no two have one name and were born in one year
		born := time.Date(1970+k/4096, 1, 1+r.IntN(365), 0, 0, 0, 0, time.UTC)
		w.Write([]string{first[k%16], last[k/16%16] + "-" + last[k/256%16], born.Format("01/02/2006"),
			fmt.Sprintf("555-%04d", r.IntN(10_000)), fmt.Sprintf("g%02d-%03d@mail.example", i/1000, i%1000), "Olga Ortiz"})
	}
	w.Flush()
	path := filepath.Join(b.TempDir(), "clients.csv")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

const olgasEmail, olgasPassword = "olga@willow.example", "a bench of seven planks"

// benchFolder is a data folder with an organization and its administrator.
func benchFolder(b *testing.B) string {
	folder := b.TempDir()
	anteroom(b, "can sign in", "admin", "create", "-data", folder, "-name", "Olga Ortiz", "-email", olgasEmail, "-practice", "Willow Practice", "-phone", "555-0100", "-time-zone", "America/New_York")
	d, err := db.Open(b.Context(), folder, "", time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if err := d.Update(b.Context(), func(tx *db.Tx) error { return tx.RequireSecondStep(false, false) }); err != nil { // a password is enough
		b.Fatal(err)
	}
	return folder
}

// anteroom runs a command of the program to its end, where it has said this.
func anteroom(b *testing.B, says string, args ...string) *os.ProcessState {
	b.Helper()
	path, err := program()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(olgasPassword + "\n")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte(says)) {
		b.Fatalf("anteroom %s: %v\n%s", args[0], err, out[max(0, len(out)-2000):])
	}
	return cmd.ProcessState
}

func (m measures) importing(b *testing.B, list string) {
	folder := benchFolder(b)
	defer os.RemoveAll(folder)
	for _, of := range []struct{ name, says string }{{"import", "100000 will be added"}, {"import again", "100000 already here"}} {
		begun := time.Now()
		ended := anteroom(b, of.says, "import", "-data", folder, list)
		m.add(of.name, benchClients/time.Since(begun).Seconds())
		m.add(of.name+": CPU", (ended.UserTime() + ended.SystemTime()).Seconds())
		m.add(of.name+": memory at most", float64(ended.SysUsage().(*syscall.Rusage).Maxrss)/1024)
	}
}

// coldStart starts the program on a database that is there, and asks until it can serve.
func (m measures) coldStart(b *testing.B) {
	path, err := program()
	if err != nil {
		b.Fatal(err)
	}
	folder := benchFolder(b)
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		cmd := exec.Command(path, "serve", "-addr", addr, "-data", folder)
		begun := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		for {
			response, err := http.Get("http://" + addr + "/healthz")
			if err == nil {
				response.Body.Close()
				if response.StatusCode == http.StatusOK {
					break
				}
			}
			if time.Since(begun) > patience {
				b.Fatal("the program can't serve")
			}
			time.Sleep(time.Millisecond)
		}
		m.add("cold start to the first 200", milliseconds(time.Since(begun)))
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			b.Fatal(err)
		}
		cmd.Wait()
	}
	if len(m["static binary"]) == 0 {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		m.add("static binary", float64(info.Size())/1e6)
	}
}

// firstVisit fetches the first page and what it needs, compressed as browsers ask for it.
func (m measures) firstVisit(b *testing.B, site *server) {
	fetch := func(path string) (body []byte, size int) {
		var wire counter
		transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return counted{conn, &wire}, err
		}}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport}).Get(site.url + path)
		if err != nil {
			b.Fatal(err)
		}
		defer response.Body.Close()
		if body, err = io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
			b.Fatalf("%s: %s, %v", path, response.Status, err)
		}
		return body, int(wire)
	}
	page, total := fetch("/sign-in")
	for _, match := range regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllSubmatch(page, -1) {
		_, size := fetch(string(match[1]))
		total += size
	}
	m.add("first visit over the wire", float64(total)/1000)
}

// counter counts the bytes that come in.
type counter int

type counted struct {
	net.Conn
	n *counter
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	*c.n += counter(n)
	return n, err
}

func signIn(b *testing.B, site *server) (cookie string) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.PostForm(site.url+"/sign-in", url.Values{"email": {olgasEmail}, "password": {olgasPassword}})
	if err != nil {
		b.Fatal(err)
	}
	response.Body.Close()
	for _, c := range response.Cookies() {
		if c.Name == "session" {
			return c.Name + "=" + c.Value
		}
	}
	b.Fatalf("signing in: %s", response.Status)
	return ""
}

// searching asks each list for each term, first one after the other, then on many connections.
func (m measures) searching(b *testing.B, site *server, cookie string) {
	for _, list := range benchLists {
		for _, term := range benchTerms {
			name := list.name + ", " + term.kind + ": "
			ask := "GET " + list.path + "?q=" + url.QueryEscape(term.text) + " HTTP/1.1\r\nHost: localhost\r\nHX-Request: true\r\nCookie: " + cookie + "\r\n\r\n"
			m.asking(b, name, site.cmd.Process.Pid, strings.TrimPrefix(site.url, "http://"), ask)
		}
	}
}

const askedAlone = 200

// asking measures what a request costs.
func (m measures) asking(b *testing.B, name string, pid int, addr, ask string) {
	body := askOnce(b, addr, ask)
	if rows := strings.Count(body, "</tr>"); rows != 26 {
		b.Fatalf("%sthe answer has %d rows: %s", name, rows, body[:min(len(body), 500)])
	}
	var times []time.Duration
	spent := cpu(b, pid)
	asker := newAsker(b, addr, ask)
	for range askedAlone {
		begun := time.Now()
		asker.ask()
		times = append(times, time.Since(begun))
	}
	asker.Close()
	m.add(name+"CPU", milliseconds(cpu(b, pid)-spent)/askedAlone)
	slices.Sort(times)
	m.add(name+"p50", milliseconds(times[len(times)/2]))
	m.add(name+"p99", milliseconds(times[len(times)*99/100]))
	var asking sync.WaitGroup
	answers := make([]int, benchBusy)
	begun := time.Now()
	for i := range benchBusy {
		asking.Go(func() {
			asker := newAsker(b, addr, ask)
			defer asker.Close()
			for time.Since(begun) < benchBurst {
				asker.ask()
				answers[i]++
			}
		})
	}
	asking.Wait()
	total := 0
	for _, n := range answers {
		total += n
	}
	m.add(name+"16 connections", float64(total)/time.Since(begun).Seconds())
}

// asker asks the same on one connection, at as little cost of its own as it can.
type asker struct {
	net.Conn
	b       *testing.B
	request []byte
	answers *bufio.Reader
}

func newAsker(b *testing.B, addr, request string) *asker {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Error(err)
		panic(err)
	}
	return &asker{conn, b, []byte(request), bufio.NewReaderSize(conn, 64<<10)}
}

// ask sends the request and reads the answer, whose body it returns until it asks again.
func (a *asker) ask() []byte {
	if _, err := a.Write(a.request); err != nil {
		panic(err)
	}
	length := -1
	for line := 0; ; line++ {
		text, err := a.answers.ReadSlice('\n')
		if err != nil {
			panic(err)
		}
		if line == 0 && !bytes.HasPrefix(text, []byte("HTTP/1.1 200")) {
			panic(fmt.Sprintf("the answer is %s", text))
		}
		if value, ok := bytes.CutPrefix(text, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				panic(err)
			}
		}
		if len(text) == 2 {
			break
		}
	}
	body, err := a.answers.Peek(length)
	if err != nil {
		panic(err)
	}
	a.answers.Discard(length)
	return body
}

func askOnce(b *testing.B, addr, request string) string {
	a := newAsker(b, addr, request)
	defer a.Close()
	return string(a.ask())
}

// inviting invites a thousand clients with one click, and waits for the first letter to arrive.
func (m measures) inviting(b *testing.B, site *server, sink *sink, cookie string, round int) {
	draft := choose(b, site, cookie, fmt.Sprintf("g0%d-", round))
	sink.expect(1000)
	begun := time.Now()
	post(b, site, cookie, draft+"/send", nil)
	answered := time.Since(begun)
	sink.wait(b)
	m.add("click on send, 1,000 invitations: answer", milliseconds(answered))
	m.add("invitations rendered and queued", 1000/answered.Seconds())
	m.add("click on send, 1,000 invitations: first letter accepted", milliseconds(sink.first.Sub(begun)))
}

// sending invites all whose address begins so, and sends as many letters without an outbox.
func (m measures) sending(b *testing.B, name string, site *server, sink *sink, loop *aside, cookie, whom string) {
	draft := choose(b, site, cookie, whom)
	n := 1000
	if !strings.HasSuffix(whom, "-") {
		n *= 10 // its groups
	}
	sink.expect(n)
	post(b, site, cookie, draft+"/send", nil)
	spent := cpu(b, site.cmd.Process.Pid)
	sink.wait(b)
	pace := float64(n-1) / sink.last.Sub(sink.first).Seconds()
	accepted := thousandsOf(n) + " letters were accepted"
	for !strings.Contains(get(b, site, cookie, draft+"/sent"), accepted) { // and that is kept
		time.Sleep(20 * time.Millisecond)
	}
	m.add(name, pace)
	m.add(name+", CPU for 1,000", (cpu(b, site.cmd.Process.Pid)-spent).Seconds()/float64(n)*1000)
	sink.expect(n)
	spent = cpu(b, loop.pid)
	loop.do(b, fmt.Sprint(n, " ", sink.size))
	sink.wait(b)
	bare := float64(n-1) / sink.last.Sub(sink.first).Seconds()
	m.add(name+", bare loop", bare)
	m.add(name+", bare loop, CPU for 1,000", (cpu(b, loop.pid)-spent).Seconds()/float64(n)*1000)
	m.add(name+", share of the bare loop", 100*pace/bare)
}

func thousandsOf(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }

// choose selects all that some searches find and returns the draft's path.
func choose(b *testing.B, site *server, cookie string, terms ...string) string {
	for _, term := range terms {
		post(b, site, cookie, benchLists[0].path, url.Values{"q": {term}, "do": {"all"}})
	}
	return post(b, site, cookie, benchLists[0].path, url.Values{"do": {"invite"}})
}

// post sends a form and returns where it leads.
func post(b *testing.B, site *server, cookie, path string, form url.Values) (location string) {
	b.Helper()
	location, _ = request(b, site, cookie, http.MethodPost, path, form)
	return location
}

func get(b *testing.B, site *server, cookie, path string) (body string) {
	b.Helper()
	_, body = request(b, site, cookie, http.MethodGet, path, nil)
	return body
}

func request(b *testing.B, site *server, cookie, method, path string, form url.Values) (location, body string) {
	b.Helper()
	request, err := http.NewRequest(method, site.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Cookie", cookie)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 400 {
		b.Fatalf("%s %s: %s, %v", method, path, response.Status, err)
	}
	return response.Header.Get("Location"), string(text)
}

// sink is a mail relay that keeps nothing.
type sink struct {
	addr        string
	mu          sync.Mutex
	missing     int
	all         chan struct{}
	first, last time.Time
	size        int // of a letter
}

// newSink opens one that answers as if it were so far away, there and back.
func newSink(b *testing.B, far time.Duration) *sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &sink{addr: l.Addr().String()}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return s, nil }))
	server.ErrorLog = log.New(io.Discard, "", 0) // that the program ended in between is no news
	go server.Serve(farListener{l, far})
	b.Cleanup(func() { server.Close() })
	return s
}

// farListener takes connections from far away.
type farListener struct {
	net.Listener
	far time.Duration
}

func (l farListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil || l.far == 0 {
		return conn, err
	}
	c := &farConn{Conn: conn, chunks: make(chan chunk, 1024)}
	go c.receive(l.far)
	return c, nil
}

// farConn lets what arrives be read some time later, without slowing the stream.
type farConn struct {
	net.Conn
	chunks chan chunk
	rest   []byte
}

type chunk struct {
	bytes []byte
	due   time.Time
}

func (c *farConn) receive(far time.Duration) {
	defer close(c.chunks)
	for {
		buffer := make([]byte, 16<<10)
		n, err := c.Conn.Read(buffer)
		if err != nil {
			return
		}
		c.chunks <- chunk{buffer[:n], time.Now().Add(far)}
	}
}

func (c *farConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		next, open := <-c.chunks
		if !open {
			return 0, io.EOF
		}
		time.Sleep(time.Until(next.due))
		c.rest = next.bytes
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// expect begins to count.
func (s *sink) expect(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missing, s.all, s.first = n, make(chan struct{}), time.Time{}
}

func (s *sink) wait(b *testing.B) {
	select {
	case <-s.all:
	case <-time.After(time.Minute):
		b.Fatal("letters don't arrive")
	}
}

func (s *sink) Reset()                               {}
func (s *sink) Logout() error                        { return nil }
func (s *sink) Mail(string, *smtp.MailOptions) error { return nil }
func (s *sink) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *sink) Data(r io.Reader) error {
	size, err := io.Copy(io.Discard, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.size = time.Now(), int(size)
	if s.first.IsZero() {
		s.first = s.last
	}
	if s.missing--; s.missing == 0 {
		close(s.all)
	}
	return err
}

// story looks at the demo once it has invited, joined and filled in forms for its invented clients.
func (m measures) story(b *testing.B) {
	site := start(b, nil, "demo")
	m.add("memory of the demo after its story", memory(b, site, "VmRSS"))
}

// besides are measured beside the program, each in a process of its own that answers line by line.
var besides = map[string]func(*testing.B){"fragment": serveFragment, "database": askDatabase, "loop": sendLoop}

// aside is one of them.
type aside struct {
	pid     int
	said    string // as it began
	in      io.Writer
	answers *bufio.Scanner
}

func beside(b *testing.B, work, with string) *aside {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), "ANTEROOM_BENCH_BESIDE="+work, "ANTEROOM_BENCH_WITH="+with)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	a := &aside{pid: cmd.Process.Pid, in: in, answers: bufio.NewScanner(out)}
	a.said = a.answer(b)
	return a
}

const besideSays = "beside: "

func (a *aside) answer(b *testing.B) string {
	for a.answers.Scan() {
		if _, text, ok := strings.Cut(a.answers.Text(), besideSays); ok {
			return text
		}
	}
	b.Fatal("what runs beside has ended")
	return ""
}

func (a *aside) do(b *testing.B, job string) string {
	fmt.Fprintln(a.in, job)
	return a.answer(b)
}

// work answers each job until there is none left.
func work(first string, do func(job string) error) {
	fmt.Println(besideSays + first)
	for jobs := bufio.NewScanner(os.Stdin); jobs.Scan(); {
		if err := do(jobs.Text()); err != nil {
			panic(err)
		}
		fmt.Println(besideSays + "done")
	}
}

// serveFragment serves the list of clients with nothing asked of any database.
func serveFragment(b *testing.B) {
	tmpl := template.New("").Funcs(template.FuncMap{"thousands": func(n int) string { return fmt.Sprint(n) }})
	for _, name := range []string{"clients/_found", "clients/_heading", "clients/_cells", "shell/_pages"} {
		text, err := views.Files.ReadFile(name + ".html")
		if err != nil {
			b.Fatal(err)
		}
		template.Must(tmpl.New(name).Parse(string(text)))
	}
	type row struct {
		ID, Name, Email, Therapist, Slug, Words, Reason, Forms string
		HasAccount, Concern                                    bool
	}
	type heading struct{ Words, URL, Sort string }
	page := struct {
		Fragment, Chooses bool
		Count             string
		Total             int
		Values            map[string][]string
		Headings          map[string]heading
		Rows              []row
		Pages             struct {
			Number               int
			Rows, Previous, Next string
			Several              bool
		}
	}{Fragment: true, Chooses: true, Count: "100 clients found", Total: 100, Values: map[string][]string{"q": {"ann"}}, Headings: map[string]heading{
		"Name":   {"Name", "/clients?order=name-down&q=ann", "ascending"},
		"Portal": {"Client portal", "/clients?order=state&q=ann", ""},
		"Forms":  {"Forms completed", "/clients?order=forms&q=ann", ""}}}
	page.Pages.Rows, page.Pages.Next, page.Pages.Several = "1–25 of 100", "/clients?page=2", true
	for i := range 25 {
		page.Rows = append(page.Rows, row{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: "Johansson-Bell, Ann",
			Email: fmt.Sprintf("g42-%03d@mail.example", i), Therapist: "Olga Ortiz", Slug: "not-invited", Words: "Not invited"})
	}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
		return tmpl.ExecuteTemplate(c, "clients/_found", page)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go app.Listener(l)
	work(l.Addr().String(), func(string) error { return nil })
}

func (m measures) fragment(b *testing.B, a *aside) {
	m.asking(b, "the fragment with no query: ", a.pid, a.said, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

// askDatabase puts a search to SQLite: the total, and the first rows with their addresses.
func askDatabase(b *testing.B) {
	database, err := sql.Open("sqlite3", "file:"+os.Getenv("ANTEROOM_BENCH_WITH")+"?mode=ro&_query_only=on")
	if err != nil {
		b.Fatal(err)
	}
	defer database.Close()
	work("", func(job string) error {
		operator, term, _ := strings.Cut(job, " ")
		condition := map[string]string{"instr": "instr(c.search, ?) > 0", "LIKE": "c.search LIKE '%' || ? || '%'"}[operator]
		var total int
		if err := database.QueryRow("SELECT count(*) FROM clients c WHERE "+condition, term).Scan(&total); err != nil {
			return err
		}
		rows, err := database.Query("SELECT c.public_id, c.first_name, c.last_name, e.email FROM clients c JOIN email_addresses e ON e.client_id = c.id AND e.pending = 0 WHERE "+
			condition+" ORDER BY c.sort_key, c.id LIMIT 25", term)
		if err != nil {
			return err
		}
		defer rows.Close()
		n := 0
		for ; rows.Next(); n++ {
			var id, first, last, email string
			if err := rows.Scan(&id, &first, &last, &email); err != nil {
				return err
			}
		}
		return cmp.Or(rows.Err(), map[bool]error{true: fmt.Errorf("%d of %d rows", n, total)}[n != 25])
	})
}

func (m measures) database(b *testing.B, a *aside) {
	for _, term := range benchTerms {
		for operator, times := range map[string]int{"instr": 10, "LIKE": 3} {
			spent := cpu(b, a.pid)
			for range times {
				a.do(b, operator+" "+term.text)
			}
			m.add("SQLite alone, "+operator+", "+term.kind+": CPU", milliseconds(cpu(b, a.pid)-spent)/float64(times))
		}
	}
}

// sendLoop sends letters of a size on as many connections as the outbox has, and keeps no account of any.
func sendLoop(b *testing.B) {
	var clients []*smtp.Client
	for range mailConnections {
		client, err := smtp.Dial(os.Getenv("ANTEROOM_BENCH_WITH"))
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		clients = append(clients, client)
	}
	work("", func(job string) error {
		var n, size int
		if _, err := fmt.Sscan(job, &n, &size); err != nil {
			return err
		}
		letter := strings.Repeat("What a letter says, in lines of some length.\r\n", size/46)
		failed := make(chan error, len(clients))
		for _, client := range clients {
			go func() {
				for range n / len(clients) {
					if err := client.SendMail("portal@willow.example", []string{"g42-000@mail.example"}, strings.NewReader(letter)); err != nil {
						failed <- err
						return
					}
				}
				failed <- nil
			}()
		}
		for range clients {
			if err := <-failed; err != nil {
				return err
			}
		}
		return nil
	})
}

// cpu is the time that a process has spent on processors.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	var spent syscall.Timespec
	const ofAllThreads = 2 // the kernel's clock of another process, see clock_getcpuclockid(3)
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|ofAllThreads), uintptr(unsafe.Pointer(&spent)), 0); errno != 0 {
		b.Fatal(errno)
	}
	return time.Duration(spent.Nano())
}

// memory is what /proc says of a process, in MB: VmRSS, what it holds now, or VmHWM, the most it has held.
func memory(b *testing.B, site *server, field string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", site.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), field+":")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kilobytes) / 1024
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
