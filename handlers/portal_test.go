package handlers

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"anteroom/db"
	"anteroom/practice/cast"

	"github.com/PuerkitoBio/goquery"
)

// askFor asks a client for forms that ship, and returns the requests' public ids by form.
func askFor(t *testing.T, c *cast.Cast, client db.Client, keys ...string) map[string]string {
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
			ids[r.Form.Key] = r.PublicID
		}
		return err
	})
	if err != nil || len(ids) != len(keys) {
		t.Fatal(ids, err)
	}
	return ids
}

// wholePage is everything that the browser would post from a form's page, changed by pairs of name and value.
func wholePage(page answer, changes ...string) []string {
	values := url.Values{}
	page.doc.Find("#form [name]").Each(func(_ int, field *goquery.Selection) {
		name, value := field.AttrOr("name", ""), field.AttrOr("value", "")
		_, checked := field.Attr("checked")
		switch kind := field.AttrOr("type", ""); {
		case goquery.NodeName(field) == "button", (kind == "radio" || kind == "checkbox") && !checked:
		case goquery.NodeName(field) == "textarea":
			values.Add(name, strings.TrimPrefix(field.Text(), "\n"))
		default:
			values.Add(name, value)
		}
	})
	for i := 0; i < len(changes); i += 2 {
		values.Set(changes[i], changes[i+1])
	}
	var pairs []string
	for name, all := range values {
		for _, value := range all {
			pairs = append(pairs, name, value)
		}
	}
	return pairs
}

var wholePHQ9 = func() (pairs []string) {
	for _, item := range []string{"44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8"} {
		pairs = append(pairs, item, "LA6569-3")
	}
	return pairs
}()

func TestPortal(t *testing.T) {
	s := newSite(t)
	mia := s.as("Mia")
	mia.get("/portal").want(200, "Welcome, Mia", "No forms wait for you", "Call us.", "555-0100")
	ids := askFor(t, s.Cast, s.Mia, "phq-9", "gad-7")
	page := mia.get("/portal").want(200, "Patient Health Questionnaire", "About 3 minutes", "Start")
	if to := page.doc.Find(".todo a").First().AttrOr("href", ""); to != "/portal/forms/"+ids["phq-9"] {
		t.Error(to)
	}
	form := mia.get("/portal/forms/"+ids["phq-9"]).want(200, "Little interest or pleasure", "No permission required to reproduce")
	if form.doc.Find("fieldset.question").Length() != 10 || form.doc.Find(".crisis").Length() != 0 {
		t.Error(form.main())
	}
	// Saved by the button, without script; then gone on with.
	b := mia.post("/portal/forms/"+ids["phq-9"], wholePage(form, "44250-9", "LA6569-3", ":do", "save")...).wantTo("/portal")
	mia.follow(b).want(200, "Your answers are saved", "1 of 10 questions answered", "Continue")
	form = mia.get("/portal/forms/" + ids["phq-9"])
	if form.doc.Find(`[name="44250-9"][value=LA6569-3][checked]`).Length() != 1 {
		t.Error("the answer is not shown")
	}
	// Submitted too early: what is missing is named, linked and in its place; nothing is lost.
	wrong := mia.post("/portal/forms/"+ids["phq-9"], wholePage(form, "44260-8", "LA6569-3", ":do", "submit")...).
		wantError("q-44255-8", "Please choose one answer.").want(422, "7 questions need another look", "call 988")
	wrong.doc.Find(".error-summary a").Each(func(_ int, a *goquery.Selection) {
		if wrong.doc.Find(fmt.Sprintf(`[id="%s"]`, strings.TrimPrefix(a.AttrOr("href", ""), "#"))).Length() != 1 {
			t.Error("a link to nowhere:", a.AttrOr("href", ""))
		}
	})
	if wrong.doc.Find(`[name="44260-8"][checked]`).Length() != 1 || wrong.doc.Find(`[name="44250-9"][checked]`).Length() != 1 {
		t.Error("an answer was lost")
	}
	mia.get("/portal").want(200, "call 988")
	// Completed once, however often it is posted.
	thanks := "/portal/forms/" + ids["phq-9"] + "/thank-you"
	mia.get(thanks).want(404)
	for range 2 {
		mia.post("/portal/forms/"+ids["phq-9"], append(wholePHQ9, ":do", "submit")...).wantTo(thanks)
	}
	mia.get(thanks).want(200, "Thank you", "call 988", "One more form waits for you", "Next: Generalized Anxiety")
	read := mia.get("/portal/forms/"+ids["phq-9"]).want(200, "You sent this to Willow Street Counseling", "Little interest or pleasure", "Several days")
	if read.doc.Find("form#form, .flag, .score").Length() != 0 {
		t.Error("a client sees what is for staff, or may change a completed form")
	}
	mia.get("/portal").want(200, "1 of 2 forms done", "Read")
	if strings.Contains(s.log.String(), "LA6569") || strings.Contains(s.log.String(), "Mia") {
		t.Error(s.log)
	}
}

func TestQuestionsSaveThemselves(t *testing.T) {
	s := newSite(t)
	ids := askFor(t, s.Cast, s.Mia, "phq-9", "intake")
	mia := s.as("Mia")
	phq, intake := "/portal/forms/"+ids["phq-9"], "/portal/forms/"+ids["intake"]
	a := mia.htmx().post(phq, "44250-9", "LA6569-3", ":shown", "44250-9").want(200, "All answers saved", "1 of 10 answered")
	if a.doc.Find("#status output[role=status]").Length() != 1 || a.doc.Find("h1, .question").Length() != 0 {
		t.Error(a.body)
	}
	// The ninth question's concern shows at once, beside it, and goes when the answer does.
	a = mia.htmx().post(phq, "44260-8", "LA6569-3", ":shown", "44260-8").want(200, "If you are in danger, call 988 now.")
	if a.doc.Find(`[id="crisis-44260-8"][role=alert][hx-swap-oob] a[href="tel:988"]`).Length() != 1 {
		t.Error(a.body)
	}
	mia.get(phq).want(200, "call 988 now")
	a = mia.htmx().post(phq, "44260-8", "LA6568-5", ":shown", "44260-8").want(200)
	if strings.Contains(a.body, "988") {
		t.Error(a.body)
	}
	if page := mia.get(phq); page.doc.Find(".crisis").Length() != 0 {
		t.Error(page.main())
	}
	// What is asked now comes in the header, for the page to show.
	type questions struct{ Asked, NotAsked []string }
	asked := func(a answer) questions {
		t.Helper()
		var events struct{ Questions questions }
		if err := json.Unmarshal([]byte(a.header.Get("HX-Trigger")), &events); err != nil {
			t.Fatal(err, a.header)
		}
		return events.Questions
	}
	if now := asked(mia.htmx().post(intake, "medicines", "true", ":shown", "medicines").want(200)); !slices.Contains(now.Asked, "medicine-list") {
		t.Error(now)
	}
	if now := asked(mia.htmx().post(intake, "medicines", "false", ":shown", "medicines").want(200)); !slices.Contains(now.NotAsked, "medicine-list") {
		t.Error(now)
	}
	page := mia.get(intake)
	if page.doc.Find("#q-medicine-list.not-asked").Length() != 1 || !strings.Contains(page.text("#q-medicine-list .condition"), "Do you take any medicines") {
		t.Error("the condition is not told to those without script")
	}
	if page.doc.Find("#q-medicine-list [disabled]").Length() != 0 {
		t.Error("without script the question can't be answered")
	}
	// Wrong is said in its place, and kept.
	a = mia.htmx().post(intake, "sleep", "many", ":shown", "sleep").want(200, "Please enter a whole number")
	if a.doc.Find("#q-sleep-error[hx-swap-oob] .error").Length() != 1 {
		t.Error(a.body)
	}
	if mia.get(intake).doc.Find("#f-sleep").AttrOr("value", "") != "many" {
		t.Error("what was typed is lost")
	}
	// Cleared by the button, without script.
	mia.post(intake, wholePage(mia.get(intake), ":clear", "medicines")...).wantTo(intake + "#q-medicines")
	if mia.get(intake).doc.Find("#q-medicines [checked]").Length() != 0 {
		t.Error("not cleared")
	}
}

func TestHostileAnswers(t *testing.T) {
	s := newSite(t)
	ids := askFor(t, s.Cast, s.Mia, "intake")
	mia, path := s.as("Mia"), "/portal/forms/"+ids["intake"]
	mia.post(path, "story", strings.Repeat("a", maxAnswers), ":do", "submit").want(413)
	mia.htmx().post(path, "story", strings.Repeat("a", maxAnswers), ":shown", "story").want(413)
	mia.htmx().post(path, "story", strings.Repeat("a", 1<<20), ":shown", "story").want(422, "One answer is too long to be saved", "Please shorten")
	long := mia.post(path, "story", strings.Repeat("a", 1<<20), ":shown", "story", ":do", "save").wantError("q-story", "too long")
	if len(long.text("#f-story")) != 1<<20 {
		t.Error("what was typed is lost")
	}
	many := make([]string, 0, 2*maxInputs+2)
	for range maxInputs + 1 {
		many = append(many, "x", "")
	}
	mia.post(path, many...).want(413)
	script := `</textarea><script>alert(1)</script>`
	mia.htmx().post(path, "story", script, "pronouns:text", `"><b>`, ":shown", "story").want(200)
	page := mia.get(path)
	if page.doc.Find("main script, main b").Length() != 0 || !strings.Contains(page.text("#f-story"), script) {
		t.Error("markup in an answer")
	}
	mia.post(path, ":clear", "no-such-question").want(303)
	mia.post(path).want(303)
	mia.get("/portal/forms/%2e%2e").want(404)
}

func TestPortalAfterTheSessionOrTheFormEnded(t *testing.T) {
	s := newSite(t)
	ids := askFor(t, s.Cast, s.Mia, "phq-9")
	path := "/portal/forms/" + ids["phq-9"]
	mia, nobody := s.as("Mia"), s.as("")
	mia.get(path).want(200)
	signIn := "/sign-in?next=" + url.QueryEscape(path)
	if a := nobody.htmx().with("HX-Current-URL", cast.Public.String()+path+"#q-44250-9").post(path, "44250-9", "LA6569-3").want(204); a.header.Get("HX-Redirect") != signIn {
		t.Error(a.header)
	}
	nobody.with("Referer", cast.Public.String()+path).post(path, "44250-9", "LA6569-3").wantTo(signIn)
	nobody.post("/sign-in", "email", "mia@mail.example", "password", cast.Password, "next", path).wantTo(path)
	s.as("Tom").post("/form-requests/" + ids["phq-9"] + "/revoke").want(303)
	if a := mia.htmx().post(path, "44250-9", "LA6569-3").want(204); a.header.Get("HX-Redirect") != path {
		t.Error(a.header)
	}
	for _, a := range []answer{mia.get(path), mia.post(path, append(wholePHQ9, ":do", "submit")...)} {
		if a.want(409, "This form is closed"); strings.Contains(a.body, "Health Questionnaire") {
			t.Error(a.main())
		}
	}
}

func TestFormsAreForTheirClient(t *testing.T) {
	s := newSite(t)
	ids := askFor(t, s.Cast, s.Mia, "phq-9")
	path := "/portal/forms/" + ids["phq-9"]
	s.as("Mia").get(path).want(200) // there is a form
	for _, who := range []string{"Leo", "Tom", "Olga"} {
		b := s.as(who)
		for _, a := range []answer{b.get(path), b.post(path, wholePHQ9...), b.htmx().post(path, wholePHQ9...), b.post(path, append(wholePHQ9, ":do", "submit")...), b.get(path + "/thank-you")} {
			if a.want(404); strings.Contains(a.body, "Health Questionnaire") {
				t.Error(who, a.main())
			}
		}
	}
	s.as("Tom").get("/form-requests/" + ids["phq-9"]).want(404) // not completed
	if page := s.as("Mia").get(path); page.doc.Find("[checked]").Length() != 0 {
		t.Error("somebody else answered")
	}
}

func TestCompletedForm(t *testing.T) {
	s := newSite(t)
	ids := askFor(t, s.Cast, s.Mia, "phq-9", "privacy-practices")
	mia := s.as("Mia")
	mia.post("/portal/forms/"+ids["phq-9"], append(wholePHQ9, ":do", "submit")...).want(303)
	mia.post("/portal/forms/"+ids["privacy-practices"], "offered", "true", "signer", "client", "signature", "Mia Moreno", "signature:consent", "true", ":do", "submit").want(303)
	path := "/form-requests/" + ids["phq-9"]
	page := s.as("Tom").get(path).want(200, "Willow Street Counseling", "Mia Moreno", "May 17, 1990", "Total score 9", "of 27 · Mild", "Needs a look",
		"Several days (1)", "Not answered", "No permission required to reproduce")
	if page.doc.Find("dd .flag").Length() != 1 {
		t.Error("the answer that needs a look is not marked")
	}
	for _, who := range []string{"Tess", "Finn", "Mia", "Leo"} {
		for _, a := range []answer{s.as(who).get(path), s.as(who).get(path + "/response.json"), s.as(who).post(path + "/review")} {
			if a.want(404); strings.Contains(a.body, "Health Questionnaire") || strings.Contains(a.body, "Moreno") {
				t.Error(who, a.body)
			}
		}
	}
	tom := s.as("Tom")
	tom.follow(tom.post(path+"/review").wantTo(path)).want(200, "Marked as reviewed.", "reviewed by Tom Tran, Nov 2, 2026, 10:04 AM")
	signed := tom.get("/form-requests/"+ids["privacy-practices"]).want(200, "Mia Moreno", "Signed by typing the name, Nov 2, 2026, 10:04 AM", "electronic signature")
	if signed.doc.Find(".score, .flag, .banner.bad").Length() != 0 {
		t.Error(signed.main())
	}
	file := tom.get(path + "/response.json").want(200)
	var response struct{ ResourceType, Status string }
	if err := json.Unmarshal([]byte(file.body), &response); err != nil || response.ResourceType != "QuestionnaireResponse" || response.Status != "completed" {
		t.Error(file.body, err)
	}
	if got := file.header.Get("Content-Disposition"); got != `attachment; filename="phq-9.json"` {
		t.Error(got)
	}
}

// A page and the parts of it that saves answer with, rendered side by side.
func TestPortalRendersSideBySide(t *testing.T) {
	s := newSite(t)
	ids := askFor(t, s.Cast, s.Mia, "phq-9", "intake")
	leos := askFor(t, s.Cast, s.Leo, "phq-9")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			who, path, other := "Mia", "/portal/forms/"+ids["intake"], "Standard Intake"
			if i%2 == 1 {
				who, path, other = "Leo", "/portal/forms/"+leos["phq-9"], "Patient Health"
			}
			b := s.as(who)
			for n := range 6 {
				text := fmt.Sprintf("%s %d", who, n)
				if a := b.htmx().post(path, "story", text, "44250-9", "LA6569-3", ":shown", "story", ":shown", "44250-9"); a.status != 200 || !strings.Contains(a.body, "All answers saved") {
					t.Error(a.status, a.body)
				}
				page := b.get(path)
				if page.status != 200 || !strings.Contains(page.text("h1"), other) || strings.Contains(page.text("#form"), map[string]string{"Mia": "Leo ", "Leo": "Mia "}[who]) {
					t.Error(page.status, page.main())
				}
			}
		})
	}
	all.Wait()
}
