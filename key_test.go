package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/practice"
)

const sealedCanary = "the answer is a canary"

// keptPractice makes a practice with an administrator, for whom a password is enough, and clients with one answer each.
func keptPractice(t *testing.T, d *db.DB, clients int) {
	t.Helper()
	var s practice.SetUp
	s.Name, s.Phone, s.TimeZone = "Willow Practice", "555-0100", "America/New_York"
	s.Administrator.Name, s.Administrator.Email, s.Administrator.Password = "Olga Ortiz", olgasEmail, olgasPassword
	if err := practice.New(d, practice.Config{}).CreateAdministrator(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		if err := errors.Join(tx.RequireSecondStep(false, false), tx.AddForm(db.Form{Key: "a", Version: "1", Title: "A", Definition: "{}"})); err != nil {
			return err
		}
		forms, err := tx.Forms()
		if err != nil {
			return err
		}
		for i := range clients {
			c := db.Client{FirstName: "Client", LastName: fmt.Sprint("Number", i)}
			if err := tx.AddClient(&c); err != nil {
				return err
			}
			if _, err := tx.AddFormRequest(c.ID, 1, forms[0]); err != nil {
				return err
			}
			if err := tx.SaveAnswers(db.FormRequest{ID: int64(i + 1), ClientID: c.ID}, map[string][]string{"a": {fmt.Sprint(sealedCanary, i)}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// answersOpen tells whether every client's answer opens.
func answersOpen(t *testing.T, d *db.DB, clients int) {
	t.Helper()
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		for i := range clients {
			answers, _, err := tx.Answers(db.FormRequest{ID: int64(i + 1), ClientID: int64(i + 1)})
			if err != nil || answers["a"][0] != fmt.Sprint(sealedCanary, i) {
				return fmt.Errorf("client %d answered %q, %w", i, answers, err)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// refused runs the program, which is to end with an error at once, and returns what it said.
func refused(t *testing.T, env []string, args ...string) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "ANTEROOM_") }), append([]string{"ANTEROOM_ADDR=127.0.0.1:0"}, env...)...)
	said, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("%v ended with %v", args, err)
	}
	return string(said)
}

// Row "wrong or missing key" of the fault table, with the key in the environment.
func TestKeyInTheEnvironment(t *testing.T) {
	t.Parallel()
	folder, key := filepath.Join(t.TempDir(), "data"), db.NewKey()
	d, err := db.OpenWithKey(t.Context(), folder, key, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	keptPractice(t, d, 3)
	d.Close()
	data := "ANTEROOM_DATA=" + folder
	site := start(t, []string{data, "ANTEROOM_KEY=" + key}, "serve")
	response, err := http.Get(site.url + "/healthz")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(err, response)
	}
	response.Body.Close()
	site.stop(syscall.SIGTERM)

	own := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(own, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	other := db.NewKey()
	id, _, _ := strings.Cut(key, " ")
	_, otherSecret, _ := strings.Cut(other, " ")
	for _, test := range []struct {
		name string
		env  []string
		want string
	}{
		{"another key", []string{"ANTEROOM_KEY=" + other}, "key " + id + " isn't in it"},
		{"another of the same id", []string{"ANTEROOM_KEY=" + id + " " + otherSecret}, "another key " + id},
		{"no key", nil, "the key file is needed"},
		{"an empty one", []string{"ANTEROOM_KEY="}, "ANTEROOM_KEY: it is empty"},
		{"half of it", []string{"ANTEROOM_KEY=" + key[:30]}, "ANTEROOM_KEY: the key is damaged"},
		{"twice the same", []string{"ANTEROOM_KEY=" + key + "," + key}, "two of the id " + id},
		{"a file as well", []string{"ANTEROOM_KEY=" + key, "ANTEROOM_KEY_FILE=" + own}, "give one of the two"},
	} {
		said := refused(t, append(test.env, data), "serve")
		if !strings.Contains(said, test.want) || strings.Contains(said, key[len(id)+1:]) || strings.Contains(said, otherSecret) {
			t.Errorf("%s: %s", test.name, said)
		}
	}
	// Every command takes it that opens a database.
	list := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(list, []byte("First Name\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"client", "delete", "-id", "x"}, {"import", "-dry-run", list}, {"admin", "create"}} {
		if said := refused(t, []string{data, "ANTEROOM_KEY=" + other}, command...); !strings.Contains(said, "key "+id+" isn't in it") {
			t.Errorf("%s with another key: %s", command[0], said)
		}
		if said := refused(t, []string{data, "ANTEROOM_KEY=" + key}, command...); strings.Contains(said, "key") {
			t.Errorf("%s with the right key: %s", command[0], said)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil || bytes.Contains(content, []byte(sealedCanary)) || bytes.Contains(content, []byte(key[len(id)+1:])) {
			t.Errorf("%s holds an answer or the key, or can't be read: %v", f.Name(), err)
		}
		if strings.HasPrefix(f.Name(), "anteroom.key") {
			t.Error("a key file was made")
		}
	}
	if d, err = db.Open(t.Context(), folder, own, time.Now); err != nil { // the same in a file
		t.Fatal(err)
	}
	defer d.Close()
	answersOpen(t, d, 3)
}

func TestKeyCommand(t *testing.T) {
	t.Parallel()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(env string, args ...string) string {
		t.Helper()
		cmd := exec.Command(path, append([]string{"key"}, args...)...)
		cmd.Env = []string{env}
		said, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
	first, second := ask("", "new"), ask("", "new")
	if first == second || db.CheckKey(first+second) != nil {
		t.Errorf("new keys: %q, %q", first, second)
	}
	id, secret, _ := strings.Cut(first, " ")
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(first+second), 0o600); err != nil {
		t.Fatal(err)
	}
	line := ask("ANTEROOM_KEY="+first+second, "retire", id)
	if line != ask("", "retire", "-key-file", file, id) || !strings.HasPrefix(line, id+" retired ") || strings.Contains(line, strings.TrimSpace(secret)) || db.CheckKey(line+second) != nil {
		t.Errorf("a retired key is %q", line)
	}
	other, _, _ := strings.Cut(second, " ")
	for _, test := range [][2]string{{other, "the one in use"}, {"none", "no key none"}} {
		if said := refused(t, []string{"ANTEROOM_KEY=" + first + second}, "key", "retire", test[0]); !strings.Contains(said, test[1]) {
			t.Errorf("%s: %s", test[0], said)
		}
	}
	refused(t, nil, "key")
	refused(t, nil, "key", "old")
}

// rotator is an administrator who rotates the key of a program that is killed again and again.
type rotator struct {
	t      *testing.T
	client http.Client
	cookie string
}

func (r *rotator) ask(method, address string, form url.Values) (status int, body string, err error) {
	request, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Cookie", r.cookie)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := r.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	for _, c := range response.Cookies() {
		if c.Name == "session" {
			r.cookie = c.Name + "=" + c.Value
		}
	}
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

var keyInUse = regexp.MustCompile(`name="key" value="(\w+)"`)

// rotate asks to rotate the key, and tells whether that was acknowledged.
func (r *rotator) rotate(site *server) bool {
	const path = "/organization/security/keys/rotate"
	_, page, err := r.ask(http.MethodGet, site.url+path, nil)
	found := keyInUse.FindStringSubmatch(page)
	if err != nil || found == nil {
		return false
	}
	status, _, err := r.ask(http.MethodPost, site.url+path, url.Values{"key": {found[1]}})
	return err == nil && status == http.StatusSeeOther
}

// The program is killed at random moments while the key is rotated on a screen. At the end everything opens, under the last key
// alone, and the file holds no older secret.
func TestKilledWhileRotating(t *testing.T) {
	t.Parallel()
	const clients = 2500
	kills := 24
	if n, err := strconv.Atoi(os.Getenv("ANTEROOM_KILLS")); err == nil {
		kills = n
	} else if testing.Short() {
		kills = 8
	}
	folder := filepath.Join(t.TempDir(), "data")
	open := func() *db.DB {
		t.Helper()
		d, err := db.Open(t.Context(), folder, "", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := open()
	keptPractice(t, d, clients)
	d.Close()
	lines := func() []string {
		text, err := os.ReadFile(db.KeyFile(folder))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	// under counts the clients' keys under each, by another connection, while the program is dead.
	under := func() (keys []int) {
		d, err := sql.Open("sqlite3", "file:"+filepath.Join(folder, "anteroom.db")+"?mode=ro")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		rows, err := d.Query("SELECT count(*) FROM client_keys GROUP BY key_id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var n int
			if err := rows.Scan(&n); err != nil {
				t.Fatal(err)
			}
			keys = append(keys, n)
		}
		return keys
	}
	random := rand.New(rand.NewPCG(3, 5))
	olga := &rotator{t: t}
	olga.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(olga.client.CloseIdleConnections)
	serve := func() *server { return start(t, []string{"ANTEROOM_DATA=" + folder}, "serve") }
	secrets := map[string]bool{}
	asked, acknowledged, middle, waiting := 0, 0, 0, 0
	for round := range kills {
		site := serve()
		if olga.cookie == "" {
			if status, _, err := olga.ask(http.MethodPost, site.url+"/sign-in", url.Values{"email": {olgasEmail}, "password": {olgasPassword}}); err != nil || status != http.StatusSeeOther {
				t.Fatal(status, err)
			}
		}
		rotated := make(chan bool, 1)
		if round%2 == 0 { // the others only go on
			asked++
			go func() { rotated <- olga.rotate(site) }()
		} else {
			rotated <- false
		}
		if round%4 == 0 { // while all is sealed anew; else, while the key is made, or whenever
			ok := <-rotated
			rotated <- ok
		}
		<-time.After(time.Duration(random.IntN(50)) * time.Millisecond)
		site.stop(syscall.SIGKILL)
		if <-rotated {
			acknowledged++
		}
		if len(under()) > 1 {
			middle++
		}
		full := 0
		for _, line := range lines() {
			if words := strings.Fields(line); len(words) == 2 {
				full++
				secrets[words[1]] = true
			}
		}
		if full > 1 {
			waiting++
		}
		if round%6 == 5 { // another start, which only looks
			d := open()
			answersOpen(t, d, clients)
			d.Close()
		}
	}
	site := serve()
	if !olga.rotate(site) {
		t.Error("the last rotation was not acknowledged")
	}
	page := ""
	for deadline := time.Now().Add(3 * patience); time.Now().Before(deadline) && !(strings.Contains(page, "All is sealed under it") && !strings.Contains(page, "Still needed")); {
		var err error
		if _, page, err = olga.ask(http.MethodGet, site.url+"/organization/security/keys?poll=1", nil); err != nil {
			t.Fatal(err)
		}
	}
	if path, err := program(); err != nil {
		t.Fatal(err)
	} else if said, err := exec.Command(path, "audit", "verify", "-data", folder).CombinedOutput(); err != nil { // beside the server
		t.Errorf("the audit log: %v, %s", err, said)
	}
	site.stop(syscall.SIGTERM)
	left := lines()
	for i, line := range left {
		words := strings.Fields(line)
		if retired := len(words) == 5 && words[1] == "retired"; retired != (i < len(left)-1) {
			t.Errorf("line %d of %d of the key file has %d words", i+1, len(left), len(words))
		}
		if i == len(left)-1 {
			delete(secrets, words[1])
		}
	}
	for secret := range secrets {
		if strings.Contains(strings.Join(left, "\n"), secret) {
			t.Error("an older secret is still in the key file")
		}
	}
	if keys := under(); !slices.Equal(keys, []int{clients}) {
		t.Errorf("at the end clients' keys are under %v", keys)
	}
	if len(left)-1 < acknowledged {
		t.Errorf("%d rotations were acknowledged, and %d made", acknowledged, len(left)-1)
	}
	d = open()
	defer d.Close()
	answersOpen(t, d, clients)
	if _, err := d.VerifyAudit(t.Context(), db.AuditHead{}, nil); err != nil {
		t.Errorf("the audit log: %v", err)
	}
	t.Logf("%d kills, %d rotations asked for, %d acknowledged, %d made; killed %d times with clients under two keys, %d times with an older key not retired",
		kills, asked, acknowledged, len(left)-1, middle, waiting)
	if middle == 0 {
		t.Error("never killed in the middle")
	}
}

// The page follows by itself how everything is sealed anew, and rests at the end.
func TestRotateTheKeyInABrowser(t *testing.T) {
	browser := chromium(t)
	folder := filepath.Join(t.TempDir(), "data")
	d, err := db.Open(t.Context(), folder, "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	keptPractice(t, d, 1500)
	d.Close()
	site := start(t, []string{"ANTEROOM_DATA=" + folder}, "serve")
	olga := comes(t, browser, site.url, "Olga", desktop)
	olga.opens("/sign-in")
	olga.fills("Email", olgasEmail)
	olga.fills("Password", olgasPassword)
	olga.clicks("button", "Sign in")
	olga.sees("Not only those who are ticked")
	olga.clicks("link", "Organization")
	olga.clicks("link", "Security")
	olga.clicks("link", "Keys")
	olga.sees("The answers of 1,500 clients")
	olga.inspects("the keys")
	olga.clicks("link", "Rotate the key…")
	olga.sees("A backup that was made before can only be opened with a copy of the key file from then")
	olga.inspects("a question before the key is rotated")
	olga.clicks("button", "Rotate the key")
	olga.sees("Everything new is sealed under the new key")
	olga.sees("Retired")
	olga.sees("All is sealed under it")
	if n := evaluate[int](olga, `document.querySelectorAll('#keys[hx-get]').length`); n != 0 {
		t.Error("the page asks on")
	}
	olga.inspects("the keys, one of them retired")
}
