package practice_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/forms"
	"anteroom/practice"
	"anteroom/practice/cast"

	"github.com/google/go-cmp/cmp"
)

// sendForms asks a client for forms and returns the requests' public ids by form.
func sendForms(t *testing.T, c *cast.Cast, client db.Client, keys ...string) map[string]string {
	t.Helper()
	if err := c.Practice.KeepLibrary(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	err := c.DB.Update(t.Context(), func(tx *db.Tx) error {
		all, err := tx.Forms()
		if err != nil {
			return err
		}
		for _, f := range all {
			if slices.Contains(keys, f.Key) {
				if _, err := tx.AddFormRequest(client.ID, 1, f); err != nil {
					return err
				}
			}
		}
		requests, err := tx.FormRequests(db.Oneself(client.ID), client.ID)
		for _, r := range requests {
			if r.Open() {
				ids[r.Form.Key] = r.PublicID
			}
		}
		return err
	})
	if err != nil || len(ids) != len(keys) {
		t.Fatal(ids, err)
	}
	return ids
}

// typed is a post: name, value, name, value …
func typed(pairs ...string) func(string) []string {
	return func(name string) (values []string) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				values = append(values, pairs[i+1])
			}
		}
		return values
	}
}

func save(t *testing.T, c *cast.Cast, id string, pairs ...string) practice.FormRequest {
	t.Helper()
	r, err := c.Practice.SaveAnswers(t.Context(), c.MiaActor, id, typed(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// kept is what the database holds of a form.
func kept(t *testing.T, c *cast.Cast, id string) forms.Answers {
	t.Helper()
	r, err := c.Practice.OpenForm(t.Context(), c.MiaActor, id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Answers
}

func acts(t *testing.T, c *cast.Cast, client db.Client) (all []string) {
	t.Helper()
	err := c.DB.View(t.Context(), func(tx *db.Tx) error {
		entries, err := tx.ClientHistory(db.Everybody(), client.ID, true, 100)
		for _, e := range slices.Backward(entries) {
			all = append(all, string(e.Act))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DB.VerifyAudit(t.Context(), db.AuditHead{}, nil); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAnswersAreKeptOneByOne(t *testing.T) {
	c := cast.New(t)
	id := sendForms(t, c, c.Mia, "intake")["intake"]
	if r, err := c.Practice.OpenForm(t.Context(), c.MiaActor, id); err != nil || r.State() != db.FormSent || !r.SavedAt.IsZero() {
		t.Fatal(r.State(), err)
	}
	r := save(t, c, id, "story", "I sleep badly", ":shown", "story")
	if r.Answers["story"][0] != "I sleep badly" || !r.SavedAt.Equal(c.Clock.Now().Truncate(time.Millisecond)) {
		t.Error(r.Answers, r.SavedAt)
	}
	save(t, c, id, "reasons", "mood", "reasons", "worry", "reasons", "no such reason", ":shown", "reasons")
	save(t, c, id, "medicines", "true")
	save(t, c, id, "medicine-list", "two kinds")
	save(t, c, id, "sleep", "many") // wrong, but hers to mend
	want := kept(t, c, id)
	if !slices.Equal(want["reasons"], []string{"worry", "mood"}) || want["story"][0] != "I sleep badly" || want["medicine-list"][0] != "two kinds" || want["sleep"][0] != "many" {
		t.Fatal(want)
	}
	// What isn't asked just now is kept until the form is submitted.
	if r := save(t, c, id, "medicines", "false"); r.Paper.Enabled(r.Answers)["medicine-list"] {
		t.Error("still asked")
	}
	if got := kept(t, c, id)["medicine-list"]; len(got) != 1 {
		t.Error("forgotten while it was not asked", got)
	}
	// Clearing one answer leaves the others.
	save(t, c, id, ":shown", "story")
	save(t, c, id, "medicines", "false", ":clear", "medicines", ":shown", "medicines")
	delete(want, "story")
	delete(want, "medicines")
	if diff := cmp.Diff(want, kept(t, c, id)); diff != "" {
		t.Error(diff)
	}
	if r, _ := c.Practice.OpenForm(t.Context(), c.MiaActor, id); r.State() != db.FormInProgress || r.Wrong["sleep"] == "" {
		t.Error(r.State(), r.Wrong)
	}
	got := acts(t, c, c.Mia)
	if i := slices.Index(got, "began the form"); i < 0 || slices.Contains(got[i+1:], "began the form") {
		t.Error(got)
	}
}

func TestNothingForeignIsKept(t *testing.T) {
	c := cast.New(t)
	id := sendForms(t, c, c.Mia, "phq-9")["phq-9"]
	save(t, c, id, "44250-9", "LA6569-3")
	for _, post := range [][]string{
		{"44250-9", "LA6569-3", "no-such-question", "x"},
		{"44250-9", "LA6569-3", "44255-8", "no such code"},
		{"44250-9", "LA6569-3", "problems", "a heading", "../../etc", "x", "", "x"},
	} {
		save(t, c, id, post...)
		if diff := cmp.Diff(forms.Answers{"44250-9": {"LA6569-3"}}, kept(t, c, id)); diff != "" {
			t.Error(post, diff)
		}
	}
	intake := sendForms(t, c, c.Mia, "phq-9", "intake")["intake"]
	save(t, c, intake, "story", "short")
	r := save(t, c, intake, "story", strings.Repeat("a", 200_000), "good-at", "much")
	if !r.Unsaved || r.Wrong["story"] == "" || len(r.Answers["story"][0]) != 200_000 {
		t.Error("not told of a text that is too long", r.Wrong)
	}
	if got := kept(t, c, intake); got["story"][0] != "short" || got["good-at"][0] != "much" {
		t.Error(got)
	}
	// A little too long is hers to shorten.
	if r := save(t, c, intake, "story", strings.Repeat("a", 10_001)); r.Unsaved || r.Wrong["story"] == "" {
		t.Error(r.Wrong)
	}
	if got := kept(t, c, intake)["story"][0]; len(got) != 10_001 {
		t.Error(len(got))
	}
}

// A page that was opened before another window saved must not empty what that window saved.
func TestTwoWindows(t *testing.T) {
	c := cast.New(t)
	id := sendForms(t, c, c.Mia, "phq-9")["phq-9"]
	seen := func(r practice.FormRequest) string { return fmt.Sprint(max(0, r.SavedAt.UnixMilli())) }
	stale := seen(practice.FormRequest{})
	c.Clock.Move(time.Minute)
	first := save(t, c, id, "44250-9", "LA6569-3")
	whole := []string{":shown", "44250-9", ":shown", "44255-8", "44255-8", "LA6570-1"}
	save(t, c, id, append(whole, practice.SeenInput, stale)...)
	if got := kept(t, c, id); len(got["44250-9"]) != 1 || len(got["44255-8"]) != 1 {
		t.Error("a stale page emptied an answer", got)
	}
	r, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, id, typed(append(whole, practice.SeenInput, stale)...))
	if err != nil || !strings.Contains(r.Wrong["44250-9"], "another window") {
		t.Error(r.Wrong, err)
	}
	// The page that knows of the answer may empty it.
	c.Clock.Move(time.Minute)
	latest := save(t, c, id, "44259-0", "LA6569-3")
	if seen(latest) == seen(first) {
		t.Fatal("the clock stood still")
	}
	save(t, c, id, append(whole, practice.SeenInput, seen(latest))...)
	if got := kept(t, c, id); len(got["44250-9"]) != 0 {
		t.Error("an answer could not be emptied", got)
	}
	// Two windows that save one question each don't disturb each other.
	items := []string{"44254-1", "44251-7", "44258-2", "44252-5", "44253-3"}
	var both sync.WaitGroup
	for window := range 2 {
		both.Go(func() {
			for i, item := range items {
				if i%2 == window {
					if _, err := c.Practice.SaveAnswers(t.Context(), c.MiaActor, id, typed(item, "LA6569-3", ":shown", item)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	both.Wait()
	got := kept(t, c, id)
	for _, item := range items {
		if len(got[item]) != 1 {
			t.Error("lost", item)
		}
	}
}

// phq9 is a whole PHQ-9 in which every answer is "Several days".
func phq9() (pairs []string) {
	for _, item := range []string{"44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8"} {
		pairs = append(pairs, item, "LA6569-3")
	}
	return pairs
}

func privacyPractices(name string) []string {
	return []string{"offered", "true", "signer", "client", "signature", name, "signature:consent", "true"}
}

func TestSubmit(t *testing.T) {
	c := cast.New(t)
	ids := sendForms(t, c, c.Mia, "phq-9", "privacy-practices", "intake")
	submit := func(id string, pairs ...string) practice.FormRequest {
		t.Helper()
		r, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, id, typed(pairs...))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	// What is missing is told, and what there is is kept.
	r := submit(ids["phq-9"], "44250-9", "LA6569-3")
	if !r.Open() || len(r.Wrong) != 8 || len(kept(t, c, ids["phq-9"])) != 1 {
		t.Error(r.Wrong)
	}
	if r := submit(ids["phq-9"], phq9()...); r.State() != db.FormCompleted || !r.Concern {
		t.Fatal(r.Wrong, r.State())
	}
	f, err := c.Practice.ReadForm(t.Context(), c.Tom, ids["phq-9"])
	if err != nil || *f.Result.Score != 9 || f.Result.Max != 27 || f.Result.Band != "Mild" || !f.Result.SafetyConcern {
		t.Error(f.Result, err)
	}

	// Unsigned never completes.
	id := ids["privacy-practices"]
	for what, pairs := range map[string][]string{
		"blank":         {},
		"no name":       privacyPractices(""),
		"spaces":        privacyPractices(" \u200b "),
		"digits":        privacyPractices("123"),
		"no consent":    privacyPractices("Mia Moreno")[:6],
		"no answer":     privacyPractices("Mia Moreno")[2:],
		"another value": {"offered", "true", "signer", "client", "signature", "Mia Moreno", "signature:consent", "yes"},
	} {
		pairs := append(pairs, ":shown", "signature", ":shown", "offered", ":shown", "signer")
		if r := submit(id, pairs...); !r.Open() || len(r.Wrong) == 0 {
			t.Errorf("%s: completed", what)
		}
	}
	r = submit(id, privacyPractices("Mia  Moreno")...)
	again := submit(id, privacyPractices("Somebody Else")...)
	if r.Open() || again.Open() || again.Answers["signature"][0] != r.Answers["signature"][0] {
		t.Error("submitted twice", again.Answers)
	}
	f, err = c.Practice.ReadForm(t.Context(), c.Tom, id)
	signed := f.Signatures["signature"]
	if err != nil || signed.Name != r.Answers["signature"][0] || !signed.Intact || len(signed.Digest) != 64 || signed.Consent == "" ||
		!signed.SignedAt.Equal(f.CompletedAt) {
		t.Error(signed, err)
	}
	if _, err := c.Practice.SaveAnswers(t.Context(), c.MiaActor, id, typed("copy", "no")); !errors.Is(err, db.ErrClosed) {
		t.Error("saved into a completed form:", err)
	}

	// What is not asked at the end is not kept.
	id = ids["intake"]
	save(t, c, id, "medicines", "true", "medicine-list", "two kinds")
	r = submit(id, "medicines", "false", "reasons", "mood", "self-harm", "no", "impact", "many")
	if r.Wrong["impact"] == "" || !r.Open() {
		t.Fatal("completed with a wrong answer")
	}
	if r = submit(id, "impact", "3"); r.Open() {
		t.Fatal(r.Wrong)
	}
	if got := kept(t, c, id); len(got["medicine-list"]) != 0 || got["medicines"][0] != "false" {
		t.Error(got)
	}
	if got := acts(t, c, c.Mia); slices.Index(got, "submitted the form") < 0 {
		t.Error(got)
	}
}

func TestClosedFormsDontChange(t *testing.T) {
	c := cast.New(t)
	id := sendForms(t, c, c.Mia, "privacy-practices")["privacy-practices"]
	if r, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, id, typed(privacyPractices("Mia Moreno")...)); err != nil || r.Open() {
		t.Fatal(r.Wrong, err)
	}
	for _, statement := range []string{
		"UPDATE answers SET sealed = x'00'", "DELETE FROM answers", "UPDATE signatures SET sealed = x'00'", "DELETE FROM signatures",
		"INSERT INTO answers SELECT form_request_id, 'copy', sealed, saved_at FROM answers LIMIT 1",
		"INSERT INTO signatures SELECT form_request_id, 'copy', sealed, signed_at FROM signatures LIMIT 1",
		"UPDATE form_requests SET completed_at = NULL", "UPDATE form_requests SET revoked_at = 1", "UPDATE form_requests SET result = NULL",
	} {
		err := c.DB.Update(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(statement); return err })
		if !errors.Is(err, db.ErrClosed) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	// Revoked while she fills it in: nothing more is kept.
	id = sendForms(t, c, c.Mia, "phq-9")["phq-9"]
	save(t, c, id, "44250-9", "LA6569-3")
	if _, err := c.Practice.RevokeForm(t.Context(), c.Tom, id); err != nil {
		t.Fatal(err)
	}
	_, err := c.Practice.SaveAnswers(t.Context(), c.MiaActor, id, typed("44250-9", "LA6570-1"))
	_, err2 := c.Practice.SubmitForm(t.Context(), c.MiaActor, id, typed(phq9()...))
	_, err3 := c.Practice.OpenForm(t.Context(), c.MiaActor, id)
	for _, err := range []error{err, err2, err3} {
		if !errors.Is(err, db.ErrClosed) {
			t.Error(err)
		}
	}
	if portal, err := c.Practice.Portal(t.Context(), c.MiaActor); err != nil || len(portal.Open) != 0 || len(portal.Done) != 1 {
		t.Error(portal.Open, err)
	}
}

func TestEachClientsFormsAreTheirOwn(t *testing.T) {
	c := cast.New(t)
	id := sendForms(t, c, c.Mia, "phq-9")["phq-9"]
	leos := sendForms(t, c, c.Leo, "gad-7")["gad-7"]
	for _, verb := range []func(practice.Client, string) error{
		func(by practice.Client, id string) error {
			_, err := c.Practice.OpenForm(t.Context(), by, id)
			return err
		},
		func(by practice.Client, id string) error {
			_, err := c.Practice.SaveAnswers(t.Context(), by, id, typed("44250-9", "LA6569-3"))
			return err
		},
		func(by practice.Client, id string) error {
			_, err := c.Practice.SubmitForm(t.Context(), by, id, typed(phq9()...))
			return err
		},
	} {
		if err := verb(c.LeoActor, id); !errors.Is(err, practice.ErrNotFound) {
			t.Error("Leo reached Mia's form:", err)
		}
		if err := verb(practice.Client{}, id); !errors.Is(err, practice.ErrNotFound) {
			t.Error("nobody reached Mia's form:", err)
		}
		if err := verb(c.MiaActor, id); err != nil {
			t.Error("Mia did not reach her own:", err)
		}
	}
	for _, by := range []practice.Client{c.MiaActor, c.LeoActor} {
		portal, err := c.Practice.Portal(t.Context(), by)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range append(portal.Open, portal.Done...) {
			if (r.PublicID == leos) != (by == c.LeoActor) {
				t.Error("a portal shows another's form")
			}
		}
	}
}

// However often a client looks at a form, the audit log has one opening of each form for a quarter of an hour.
func TestOpeningsOfAFormAreNotedOnceASitting(t *testing.T) {
	c := cast.New(t)
	sent := sendForms(t, c, c.Mia, "phq-9", "gad-7")
	looks := func(form string) {
		t.Helper()
		for range 20 {
			if _, err := c.Practice.OpenForm(t.Context(), c.MiaActor, sent[form]); err != nil {
				t.Fatal(err)
			}
		}
	}
	noted := func(act string, want int) {
		t.Helper()
		var n int
		update(t, c, func(tx *db.Tx) error {
			return tx.QueryRowContext(t.Context(), "SELECT count(*) FROM audit_entries WHERE act = ?", act).Scan(&n)
		})
		if n != want {
			t.Errorf("%s: %d entries, want %d", act, n, want)
		}
	}
	looks("phq-9")
	noted("opened the form", 1)
	looks("gad-7")
	noted("opened the form", 2)
	c.Clock.Move(15*time.Minute - time.Second)
	looks("phq-9")
	noted("opened the form", 2)
	c.Clock.Move(time.Second)
	looks("phq-9")
	noted("opened the form", 3)
	if _, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, sent["phq-9"], typed(phq9()...)); err != nil {
		t.Fatal(err)
	}
	looks("phq-9")
	noted("opened the form", 3)
	noted("read the completed form", 1)
}

// folder is a *testing.T that tells which folder it gave away.
type folder struct {
	*testing.T
	path string
}

func (f *folder) TempDir() string {
	f.path = f.T.TempDir()
	return f.path
}

func TestAnswersAreSealedAtRest(t *testing.T) {
	on := &folder{T: t}
	c := cast.New(on)
	ids := sendForms(t, c, c.Mia, "intake", "privacy-practices")
	const canary = "xylophone-at-midnight"
	save(t, c, ids["intake"], "story", canary, "pronouns", "text:", "pronouns:text", canary)
	if got := kept(t, c, ids["intake"]); got["story"][0] != canary {
		t.Fatal("the canary is not there", got)
	}
	if r, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, ids["privacy-practices"], typed(privacyPractices(canary)...)); err != nil || r.Open() {
		t.Fatal(r.Wrong, err)
	}
	var read int
	err := filepath.WalkDir(on.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if read += len(text); bytes.Contains(text, []byte(canary)) {
			t.Error("an answer can be read in", filepath.Base(path))
		}
		return err
	})
	if err != nil || read < 1<<16 {
		t.Error(read, err)
	}
}

func TestStaffReadCompletedForms(t *testing.T) {
	c := cast.New(t)
	ids := sendForms(t, c, c.Mia, "phq-9", "privacy-practices")
	id := ids["phq-9"]
	save(t, c, id, "44250-9", "LA6569-3")
	if _, err := c.Practice.ReadForm(t.Context(), c.Tom, id); !errors.Is(err, practice.ErrNotFound) {
		t.Error("a form in progress was read:", err)
	}
	for _, form := range [][]string{append(phq9(), "form", id), append(privacyPractices("Mia Moreno"), "form", ids["privacy-practices"])} {
		if r, err := c.Practice.SubmitForm(t.Context(), c.MiaActor, form[len(form)-1], typed(form...)); err != nil || r.Open() {
			t.Fatal(r.Wrong, err)
		}
	}
	for _, who := range []struct {
		name string
		by   practice.Staff
		may  bool
	}{{"Olga", c.Olga.Staff, true}, {"Tom", c.Tom, true}, {"Tess", c.Tess, false}, {"Finn", c.Finn, false}, {"nobody", practice.Staff{}, false}} {
		f, err := c.Practice.ReadForm(t.Context(), who.by, id)
		_, response, err2 := c.Practice.ExportForm(t.Context(), who.by, id)
		if who.may && (err != nil || err2 != nil || f.Client.ID != c.Mia.ID || !bytes.Contains(response, []byte(`"QuestionnaireResponse"`))) {
			t.Errorf("%s: %v %v", who.name, err, err2)
		}
		if !who.may && (!errors.Is(err, practice.ErrNotFound) || !errors.Is(err2, practice.ErrNotFound) || !errors.Is(c.Practice.ReviewForm(t.Context(), who.by, id), practice.ErrNotFound)) {
			t.Errorf("%s may: %v %v", who.name, err, err2)
		}
	}
	got := acts(t, c, c.Mia)
	if want := []string{"read the completed form", "downloaded the completed form", "read the completed form", "downloaded the completed form"}; !slices.Equal(got[len(got)-4:], want) {
		t.Error(got)
	}

	marked := func() bool {
		var progress map[int64]db.FormProgress
		if err := c.DB.View(t.Context(), func(tx *db.Tx) (err error) {
			progress, err = tx.FormProgressOf(db.Everybody(), db.Everybody(), []int64{c.Mia.ID})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return progress[c.Mia.ID].SafetyConcern
	}
	if !marked() {
		t.Fatal("the client is not marked")
	}
	if err := c.Practice.ReviewForm(t.Context(), c.Tom, ids["privacy-practices"]); !errors.Is(err, practice.ErrNotFound) {
		t.Error("reviewed what raises no concern:", err)
	}
	for range 2 {
		if err := c.Practice.ReviewForm(t.Context(), c.Tom, id); err != nil {
			t.Fatal(err)
		}
		c.Clock.Move(time.Hour)
	}
	f, err := c.Practice.ReadForm(t.Context(), c.Olga.Staff, id)
	if err != nil || f.Reviewer != "Tom Tran" || !f.ReviewedAt.Equal(f.CompletedAt) || marked() {
		t.Error(f.Reviewer, f.ReviewedAt, err)
	}
}
