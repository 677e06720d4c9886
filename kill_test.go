package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
)

// shiftedClock names the variable with which the tests' own binary serves a practice, like the program does, by a clock that
// goes ahead: what is put off for minutes needn't be waited for. It says by how much, or in which file that stands.
const shiftedClock = "ANTEROOM_TEST_CLOCK"

func serveShifted(ahead string) error {
	now, err := clockAhead(ahead)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, _, err := configure("serve", "", "", nil, nil)
	if err != nil {
		return err
	}
	return serveSite(ctx, c, now, nil)
}

func clockAhead(ahead string) (now func() time.Time, err error) {
	if !filepath.IsAbs(ahead) {
		by, err := time.ParseDuration(ahead)
		return func() time.Time { return time.Now().Add(by) }, err
	}
	return func() time.Time {
		text, err := os.ReadFile(ahead)
		if err != nil {
			panic(err)
		}
		by, err := time.ParseDuration(string(text))
		if err != nil {
			panic(err)
		}
		return time.Now().Add(by)
	}, nil
}

// Where on its way a letter is when the program is killed.
const (
	atConnect    = "connect"
	atEHLO       = "EHLO"
	atAUTH       = "AUTH"
	atMAIL       = "MAIL"
	atRCPT       = "RCPT"
	atDATA       = "DATA"
	inTheData    = "in the data"
	afterTheDot  = "after the dot" // the relay has the letter, and hasn't said so
	afterTheWord = "after the reply"
	atAnyMoment  = "at any moment"
)

var killStages = []string{atConnect, atEHLO, atAUTH, atMAIL, atRCPT, atDATA, inTheData, afterTheDot, afterTheWord, atAnyMoment}

// gatedRelay is a mail server that holds one connection where it is told to, and keeps what it gets.
type gatedRelay struct {
	addr string

	mu       sync.Mutex
	ended    sync.Cond // a connection did
	open     int       // connections
	stage    string    // where to hold the next connections that come there, after so many
	skip     int
	hands    int           // how many are held
	reached  chan struct{} // closed when all of them are
	gate     chan struct{} // closed to let it go
	round    int
	copies   map[string][]letterCopy // by Message-ID
	deferred map[string]bool
}

// letterCopy is a letter as the relay got it.
type letterCopy struct {
	round int
	to    string
	data  string
}

func newGatedRelay(t *testing.T) *gatedRelay {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gatedRelay{addr: l.Addr().String(), copies: map[string][]letterCopy{}, deferred: map[string]bool{}}
	g.ended.L = &g.mu
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			g.mu.Lock()
			g.open++
			g.mu.Unlock()
			go func() {
				g.serve(conn)
				g.mu.Lock()
				defer g.mu.Unlock()
				g.open--
				g.ended.Broadcast()
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); g.letGo(); g.allEnded() })
	return g
}

// hold has connections held at a stage, and tells when so many are.
func (g *gatedRelay) hold(stage string, skip, hands int) (reached <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stage, g.skip, g.hands, g.reached, g.gate = stage, skip, hands, make(chan struct{}), make(chan struct{})
	return g.reached
}

func (g *gatedRelay) letGo() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stage = ""; g.gate != nil {
		close(g.gate)
		g.gate = nil
	}
}

// allEnded waits until no connection is open.
func (g *gatedRelay) allEnded() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.open > 0 {
		g.ended.Wait()
	}
}

// next begins a round: every connection of the one before has ended.
func (g *gatedRelay) next() int {
	g.letGo()
	g.allEnded()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.round++
	return g.round
}

func (g *gatedRelay) pass(stage string) {
	g.mu.Lock()
	held := g.stage == stage && g.skip == 0
	gate := g.gate
	switch {
	case held:
		if g.hands--; g.hands == 0 {
			g.stage = ""
			close(g.reached)
		}
	case g.stage == stage:
		g.skip--
	}
	g.mu.Unlock()
	if held {
		<-gate
	}
}

func (g *gatedRelay) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(reply string) { io.WriteString(conn, reply+"\r\n") }
	g.pass(atConnect)
	say("220 relay ESMTP")
	var to string
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch verb {
		case "EHLO":
			g.pass(atEHLO)
			g.mu.Lock()
			together := g.round%2 == 0
			g.mu.Unlock()
			if together {
				say("250-relay\r\n250-PIPELINING\r\n250 AUTH PLAIN")
			} else {
				say("250-relay\r\n250 AUTH PLAIN")
			}
		case "AUTH":
			g.pass(atAUTH)
			say("235 2.7.0 welcome")
		case "MAIL":
			g.pass(atMAIL)
			say("250 2.1.0 go on")
		case "RCPT":
			g.pass(atRCPT)
			_, to, _ = strings.Cut(line, "<")
			to, _, _ = strings.Cut(to, ">")
			say(g.recipient(to))
		case "DATA":
			g.pass(atDATA)
			say("354 go on")
			data, whole := g.data(in)
			if !whole {
				return
			}
			g.keep(to, data)
			g.pass(afterTheDot)
			say("250 2.0.0 taken")
			g.pass(afterTheWord)
		case "QUIT":
			say("221 2.0.0 goodbye")
			return
		default: // RSET, NOOP
			say("250 2.0.0 done")
		}
	}
}

// recipient refuses a few, and has a few come back later.
func (g *gatedRelay) recipient(to string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case strings.HasPrefix(to, "gone"):
		return "550 5.1.1 no such mailbox"
	case strings.HasPrefix(to, "slow") && !g.deferred[to]:
		g.deferred[to] = true
		return "451 4.3.0 later"
	}
	return "250 2.1.5 go on"
}

func (g *gatedRelay) data(in *bufio.Reader) (data string, whole bool) {
	var all strings.Builder
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", false
		}
		if line == ".\r\n" {
			return all.String(), true
		}
		if all.WriteString(line); n == 3 {
			g.pass(inTheData)
		}
	}
}

func (g *gatedRelay) keep(to, data string) {
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(data))).ReadMIMEHeader()
	id := strings.Trim(header.Get("Message-ID"), "<>")
	if err != nil {
		id = err.Error()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.copies[id] = append(g.copies[id], letterCopy{g.round, to, data})
}

// killedPractice is a practice whose program is killed again and again, and what its administrator was promised meanwhile.
type killedPractice struct {
	t      *testing.T
	folder string
	relay  *gatedRelay
	ahead  time.Duration // of its clock
	groups [][]string    // clients' public ids
	cookie string
	client http.Client

	mu      sync.Mutex
	sent    []promise
	revoked []promise
	invited []string
}

// promise is what the program acknowledged: a group was invited, or one client's invitation revoked.
type promise struct {
	round   int
	at      time.Time // by the program's clock
	draft   string
	clients []string
}

const killGroup, killGroups = 8, 30

func newKilledPractice(t *testing.T) *killedPractice {
	k := &killedPractice{t: t, folder: t.TempDir(), relay: newGatedRelay(t)}
	k.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(k.client.CloseIdleConnections)
	d, err := db.Open(t.Context(), k.folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var s practice.SetUp
	s.PasswordAlone = true
	s.Name, s.Phone, s.TimeZone = "Willow Practice", "555-0100", "America/New_York"
	s.Administrator.Name, s.Administrator.Email, s.Administrator.Password = "Olga Ortiz", olgasEmail, olgasPassword
	if err := practice.New(d, practice.Config{}).CreateAdministrator(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		for group := range killGroups {
			var ids []string
			for i := range killGroup {
				name := fmt.Sprintf("g%02d-%d", group, i)
				if group%10 == 0 && i == 0 {
					name = "gone-" + name
				} else if group%10 == 1 && i == 0 {
					name = "slow-" + name
				}
				c := db.Client{FirstName: "Client", LastName: fmt.Sprintf("Number%d", group*killGroup+i)}
				if c.Email, err = db.ParseEmail(name + "@mail.example"); err != nil {
					return err
				}
				if err := tx.AddClient(&c); err != nil {
					return err
				}
				ids = append(ids, c.PublicID)
			}
			k.groups = append(k.groups, ids)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *killedPractice) serve() *server {
	k.t.Helper()
	self, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	return launch(k.t, exec.Command(self), []string{shiftedClock + "=" + k.ahead.String(), "ANTEROOM_DATA=" + k.folder,
		"ANTEROOM_SMTP_URL=smtp://harbor:secret@" + k.relay.addr + "?tls=none", "ANTEROOM_SMTP_FROM=portal@willow.example"})
}

// signsIn begins a session, if the program lives that long.
func (k *killedPractice) signsIn(site *server) {
	response, err := k.client.PostForm(site.url+"/sign-in", url.Values{"email": {olgasEmail}, "password": {olgasPassword}})
	if err != nil {
		return
	}
	response.Body.Close()
	for _, c := range response.Cookies() {
		k.cookie = c.Name + "=" + c.Value
	}
}

// post sends a form and returns where it leads; empty when it wasn't answered well, or not at all.
func (k *killedPractice) post(site *server, path string, form url.Values) string {
	request, err := http.NewRequest(http.MethodPost, site.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		k.t.Error(err)
		return ""
	}
	request.Header.Set("Cookie", k.cookie)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := k.client.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusSeeOther {
		return ""
	}
	return response.Header.Get("Location")
}

// invite invites a group and notes whether that was acknowledged.
func (k *killedPractice) invite(site *server, round, group int) {
	list := benchLists[0].path
	k.post(site, list, url.Values{"q": {fmt.Sprintf("g%02d-", group)}, "do": {"all"}})
	draft := k.post(site, list, url.Values{"do": {"invite"}})
	if strings.HasPrefix(draft, "/sign-in") { // by the shifted clock, idle for long
		k.cookie = ""
	}
	if !strings.HasPrefix(draft, "/drafts/") {
		return
	}
	if !strings.HasSuffix(k.post(site, draft+"/send", nil), "/sent") {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sent = append(k.sent, promise{round, time.Now().Add(k.ahead), strings.TrimPrefix(draft, "/drafts/"), k.groups[group]})
	k.invited = append(k.invited, k.groups[group]...)
}

// revoke revokes a client's invitation and notes whether that was acknowledged.
func (k *killedPractice) revoke(site *server, round int, client string) {
	if to := k.post(site, "/clients/"+client+"/invitation", nil); !strings.HasPrefix(to, "/clients/") {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revoked = append(k.revoked, promise{round, time.Now().Add(k.ahead), "", []string{client}})
}

// works sends and revokes until the program is gone, and tells when it did so once.
func (k *killedPractice) works(site *server, round int, random *rand.Rand, began chan<- struct{}, gone <-chan struct{}) {
	for first := true; ; first = false {
		if k.cookie == "" {
			k.signsIn(site)
		}
		k.invite(site, round, random.IntN(killGroups))
		if len(k.invited) > 0 && random.IntN(2) == 0 {
			k.revoke(site, round, k.invited[random.IntN(len(k.invited))])
		}
		if first {
			close(began)
		}
		select {
		case <-gone:
			return
		default:
		}
	}
}

// Row "SIGKILL anywhere" of the fault table. The program is killed in every stage of a letter's way while an administrator
// invites and revokes. At the end, what was promised, what the relay got and what is recorded are compared, letter by letter.
func TestKilledOutboxLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	kills := 50
	if n, err := strconv.Atoi(os.Getenv("ANTEROOM_KILLS")); err == nil {
		kills = n
	} else if testing.Short() {
		kills = len(killStages)
	}
	random := rand.New(rand.NewPCG(7, 11))
	k := newKilledPractice(t)
	perStage := map[string]int{}
	for range kills {
		stage := killStages[k.relay.round%len(killStages)]
		round := k.relay.next()
		early := stage == atConnect || stage == atEHLO || stage == atAUTH
		var reached <-chan struct{}
		if early {
			reached = k.relay.hold(stage, random.IntN(3), 1)
		}
		site := k.serve()
		gone, began, worked := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(worked)
			k.works(site, round, rand.New(rand.NewPCG(7, uint64(round))), began, gone)
		}()
		if !early {
			if round%2 == 0 {
				<-began
			}
			reached = k.relay.hold(stage, random.IntN(25), 1)
		}
		limit := 10 * time.Second
		if stage == atAnyMoment {
			limit = time.Duration(round%150) * time.Millisecond
		}
		select {
		case <-reached:
			perStage[stage]++
		case <-time.After(limit):
			if stage != atAnyMoment {
				t.Errorf("round %d never came to %s:\n%s", round, stage, site.log.tail(5))
			}
			perStage[atAnyMoment]++
		}
		site.stop(syscall.SIGKILL)
		close(gone)
		<-worked
		if strings.Contains(site.log.String(), "outbox paused") {
			t.Fatalf("round %d: a kill looks like a restored database:\n%s", round, site.log.tail(5))
		}
		k.ahead += time.Duration(2+random.IntN(4)) * time.Minute
	}
	k.drain()
	k.compare(kills, perStage)
}

// Row "SIGTERM while sending" of the fault table: what is on the wire finishes, or is uncertain within half a minute, and
// nothing more is claimed.
func TestTerminatedOutboxFinishesWhatIsOnTheWire(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers bool
	}{{"a relay that answers", true}, {"a relay that doesn't", false}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := newKilledPractice(t)
			reached := k.relay.hold(afterTheDot, 15, mailConnections)
			site := k.serve()
			k.signsIn(site)
			for group := range 6 {
				k.invite(site, 1, 2+group)
			}
			<-reached
			asked := time.Now()
			if err := site.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for { // until it has heard
				conn, err := net.Dial("tcp", strings.TrimPrefix(strings.Replace(site.url, "localhost", "127.0.0.1", 1), "http://"))
				if err != nil {
					break
				}
				conn.Close()
			}
			if test.answers {
				k.relay.letGo()
			}
			select {
			case err := <-site.exited:
				if err != nil {
					t.Errorf("it ended with %v:\n%s", err, site.log.tail(10))
				}
			case <-time.After(time.Minute):
				t.Error("it doesn't stop")
			}
			if took := time.Since(asked); took > 30*time.Second {
				t.Errorf("it took %v", took)
			}
			k.relay.letGo()
			states, uncertain := map[db.LetterState]int{}, 0
			for _, l := range k.letters() {
				states[l.State]++
				uncertain += l.Uncertain
				if n := len(k.relay.copies[l.MessageID]); n > 1 || (l.State == db.LetterAccepted || l.Uncertain == 1) != (n == 1) {
					t.Errorf("%s, uncertain %d times, arrived %d times", l.State, l.Uncertain, n)
				}
			}
			want, unclear := 15+mailConnections, 0
			if !test.answers {
				want, unclear = 15, mailConnections
			}
			if states[db.LetterAccepted] != want || uncertain != unclear || states[db.LetterQueued] != 6*killGroup-want {
				t.Errorf("%v, %d uncertain", states, uncertain)
			}
		})
	}
}

// drain lets everything leave that still waits.
func (k *killedPractice) drain() {
	k.t.Helper()
	for range 20 {
		k.relay.next()
		site := k.serve()
		waiting, sending := k.waiting()
		for deadline := time.Now().Add(patience); sending > 0 && time.Now().Before(deadline); waiting, sending = k.waiting() {
			time.Sleep(20 * time.Millisecond)
		}
		site.stop(syscall.SIGTERM)
		if waiting == 0 {
			return
		}
		k.ahead += 10 * time.Minute
	}
	k.t.Fatal("letters wait for ever")
}

// waiting counts the letters that have no end yet, and those of them that should leave now.
func (k *killedPractice) waiting() (waiting, now int) {
	k.t.Helper()
	d, err := sql.Open("sqlite3", "file:"+filepath.Join(k.folder, "anteroom.db")+"?mode=ro&_busy_timeout=5000")
	if err != nil {
		k.t.Fatal(err)
	}
	defer d.Close()
	if err := d.QueryRow("SELECT count(*), count(*) FILTER (WHERE state = 'sending' OR due <= ?) FROM letters WHERE state IN ('queued', 'sending')",
		time.Now().Add(k.ahead).UnixMilli()).Scan(&waiting, &now); err != nil {
		k.t.Fatal(err)
	}
	return waiting, now
}

// letters are all that are recorded, once the program has stopped.
func (k *killedPractice) letters() (letters []db.OutboxLetter) {
	k.t.Helper()
	d, err := db.Open(context.Background(), k.folder, "", func() time.Time { return time.Now().Add(k.ahead) })
	if err != nil {
		k.t.Fatal(err)
	}
	defer d.Close()
	if err := d.View(context.Background(), func(tx *db.Tx) (err error) {
		if o, err := tx.Outbox(); err != nil || o.Paused() {
			k.t.Errorf("at the end: %+v, %v", o, err)
		}
		letters, err = tx.OutboxLetters(db.Everybody(), db.LetterFilter{}, 0, 1<<30)
		return err
	}); err != nil {
		k.t.Fatal(err)
	}
	return letters
}

func (k *killedPractice) compare(kills int, perStage map[string]int) {
	t := k.t
	letters := k.letters()
	d, err := db.Open(t.Context(), k.folder, "", func() time.Time { return time.Now().Add(k.ahead) })
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	drafts := map[int64]string{}
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query("SELECT id, public_id FROM drafts")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var public string
			if err := rows.Scan(&id, &public); err != nil {
				return err
			}
			drafts[id] = public
		}
		return rows.Err()
	}); err != nil {
		t.Fatal(err)
	}
	states, byCopies, uncertain, copies := map[db.LetterState]int{}, map[int]int{}, 0, 0
	written := map[[2]string]bool{} // draft and client
	ofClient := map[string][]db.OutboxLetter{}
	recorded := map[string]bool{}
	for _, l := range letters {
		written[[2]string{drafts[l.DraftID], l.Client.PublicID}] = true
		ofClient[l.Client.PublicID] = append(ofClient[l.Client.PublicID], l)
		got := k.relay.copies[l.MessageID]
		states[l.State]++
		byCopies[len(got)]++
		uncertain += l.Uncertain
		copies += len(got)
		least, most := 0, l.Uncertain // endings that nobody knows, and then:
		switch l.State {
		case db.LetterAccepted:
			least, most = 1, l.Uncertain+1
		case db.LetterFailed, db.LetterNeedsAttention, db.LetterCancelled:
		default:
			t.Errorf("%s has no end: %s", l.MessageID, l.State)
		}
		if l.SettledAt.IsZero() || l.Uncertain > 3 || len(got) < least || len(got) > most || len(got) > 3 {
			t.Errorf("%s to %s is %s after %d tries, %d of them uncertain, and arrived %d times", l.MessageID, l.To, l.State, l.Attempts, l.Uncertain, len(got))
		}
		for _, c := range got {
			if c.data != got[0].data || c.to != l.To.Envelope() {
				t.Errorf("%s arrived as two different letters", l.MessageID)
			}
		}
		recorded[l.MessageID] = true
	}
	for id := range k.relay.copies {
		if !recorded[id] {
			t.Errorf("%s arrived, and is in no record", id)
		}
	}
	promised := 0
	for _, p := range k.sent {
		for _, client := range p.clients {
			if promised++; !written[[2]string{p.draft, client}] {
				t.Errorf("the letter to %s, acknowledged in round %d, is lost", client, p.round)
			}
		}
	}
	for _, p := range k.revoked {
		for _, l := range ofClient[p.clients[0]] {
			if l.CreatedAt.After(p.at) {
				continue
			}
			for _, c := range k.relay.copies[l.MessageID] {
				if c.round > p.round { // nothing was on its way any more
					t.Errorf("%s was revoked in round %d and left in round %d", l.MessageID, p.round, c.round)
				}
			}
		}
	}
	t.Logf("%d kills (%s); %d letters acknowledged, %d recorded, %d copies arrived; %d uncertain endings; states %v; letters by copies %v; %d revocations",
		kills, inWords(perStage), promised, len(letters), copies, uncertain, states, byCopies, len(k.revoked))
	for _, stage := range killStages {
		if perStage[stage] == 0 {
			t.Errorf("never killed %s", stage)
		}
	}
}

func inWords(perStage map[string]int) string {
	var all []string
	for _, stage := range killStages {
		all = append(all, fmt.Sprint(perStage[stage], " ", stage))
	}
	return strings.Join(all, ", ")
}
