package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"anteroom/db"
	"anteroom/mail"
	"anteroom/practice"
)

// library keeps the forms that ship, as the program does at its start.
func (s *testSite) library() {
	s.t.Helper()
	if err := s.Practice.KeepLibrary(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// olgasDraft begins Olga's draft on the Organization page, for these clients.
func (s *testSite) olgasDraft(clients ...db.Client) string {
	s.t.Helper()
	var ids []string
	for _, c := range clients {
		ids = append(ids, c.PublicID)
	}
	if _, err := s.Practice.ChangeSelection(s.t.Context(), s.Olga, practice.SelectionChange{On: ids}); err != nil {
		s.t.Fatal(err)
	}
	_, id, err := s.Practice.Selection(s.t.Context(), s.Olga)
	if err != nil {
		s.t.Fatal(err)
	}
	return draftPath(id)
}

func TestComposePreviewSend(t *testing.T) {
	s := newSite(t)
	s.library()
	olga := s.as("Olga")
	draft := s.olgasDraft(s.Ann, s.Mia)
	page := olga.get(draft).want(http.StatusOK, "1 client is invited.", "1 client has an account already", "Available Placeholders")
	if n := page.doc.Find("textarea").Length(); n != 2 {
		t.Errorf("%d messages, want one for each kind", n)
	}

	// What is wrong is said at its field, and what was typed stays.
	wrong := olga.post(draft, "invitation.subject", "Come in", "invitation.body", "Hello {client_nickname}", "forms.subject", "Forms", "forms.body", "Ready", "do", "preview")
	wrong.wantError("invitation-body", "{client_nickname}")
	if got := wrong.doc.Find("#invitation-subject").AttrOr("value", ""); got != "Come in" {
		t.Errorf("the subject came back as %q", got)
	}
	part := olga.htmx().post(draft, "invitation.subject", "Come in", "invitation.body", "Hello {client_nickname}", "forms.subject", "Forms", "forms.body", "Ready", "do", "preview")
	part.wantError("invitation-body", "{client_nickname}")
	if part.header.Get("HX-Retarget") != "#compose" || part.doc.Find("html > head > title").Length() != 0 {
		t.Error("the fragment does not take the form's place")
	}

	olga.htmx().post(draft, "invitation.subject", "Kept", "invitation.body", "Kept {portal_link}", "forms.subject", "Forms", "forms.body", "Ready", "do", "keep").want(http.StatusOK)
	if got := olga.get(draft).doc.Find("#invitation-subject").AttrOr("value", ""); got != "Kept" {
		t.Errorf("what was typed was not kept by itself: %q", got)
	}

	typed := []string{"invitation.subject", "Come in, {client_first_name}", "invitation.body", "Hello {client_first_name}\n\n{portal_link}", "forms.subject", "Forms", "forms.body", "Ready", "form_key", "intake", "do", "preview"}
	olga.post(draft, typed...).wantTo(draft + "/preview")
	preview := olga.get(draft+"/preview").want(http.StatusOK, "What Ann Abbott will receive", "Come in, Ann", "Client 1 of 2", "FormsStandard Intake Questionnaire")
	if !strings.Contains(preview.text("pre.mail-text"), mail.Slot) {
		t.Error("the preview does not show where the link will stand")
	}
	frame := olga.get(preview.doc.Find("iframe").AttrOr("src", ""))
	if frame.want(http.StatusOK); !strings.Contains(frame.body, "Hello Ann") {
		t.Error("the frame does not show the letter")
	}
	if csp := frame.header.Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || !strings.Contains(csp, "frame-ancestors 'self'") {
		t.Errorf("the frame's policy is %q", csp)
	}
	olga.htmx().post(draft, typed...).want(http.StatusOK, "What Ann Abbott will receive")

	olga.post(draft+"/message", "client", s.Ann.PublicID, "subject", "Only Ann", "body", "Hi {nobody}", "for", "one").wantError("body", "{nobody}")
	olga.post(draft+"/message", "client", s.Ann.PublicID, "subject", "Only Ann", "body", "Hi", "for", "one").wantTo(draft + "/preview?client=" + s.Ann.PublicID)
	olga.get(draft+"/preview?client="+s.Ann.PublicID).want(http.StatusOK, "Only Ann", "Use what all others get")
	olga.post(draft+"/message", "client", s.Ann.PublicID, "for", "drop").wantTo(draft + "/preview?client=" + s.Ann.PublicID)
	olga.get(draft+"/preview").want(http.StatusOK, "Come in, Ann")

	olga.post(draft+"/send", "version", "of another tab").want(http.StatusConflict, "Nothing was sent yet", "What Ann Abbott will receive")
	seen := olga.get(draft+"/preview").doc.Find("[name=version]").AttrOr("value", "")
	olga.post(draft+"/send", "version", seen).wantTo(draft + "/sent")
	olga.post(draft + "/send").wantTo(draft + "/sent") // pressed twice
	olga.get(draft+"/sent").want(http.StatusOK, "Sending: 0 of 2 done.", "Abbott, Ann", "Queued")
	if got := olga.get(draft); got.status != http.StatusSeeOther {
		t.Errorf("a sent draft can be changed: %d", got.status)
	}
	if n := len(olga.htmx().get(draft + "/sent?poll=1").doc.Find("html > body > header").Nodes); n != 0 {
		t.Error("the page asks for its progress and gets a whole page")
	}
}

// A client with an account and no form ticked: the page says that a form is missing, where the forms are.
func TestSendIntakeFormsNeedsAForm(t *testing.T) {
	s := newSite(t)
	s.library()
	olga := s.as("Olga")
	start := olga.post("/clients/" + s.Mia.PublicID + "/drafts").want(http.StatusSeeOther)
	draft := start.header.Get("Location")
	olga.get(draft).want(http.StatusOK, "Send Intake Forms", "Tick the forms that Mia should fill in.", "Message")
	olga.post(draft, "forms.subject", "Forms", "forms.body", "Ready", "do", "preview").wantError("form_key", "Tick at least one form")
}

func TestDraftsAreTheirAuthors(t *testing.T) {
	s := newSite(t)
	s.library()
	draft := s.olgasDraft(s.Ann)
	s.as("Olga").get(draft).want(http.StatusOK) // there is one
	for _, who := range []string{"Tom", "Tess", "Finn"} {
		for _, path := range []string{"", "/preview", "/letter", "/sent"} {
			s.as(who).get(draft + path).want(http.StatusNotFound)
		}
		s.as(who).post(draft + "/send").want(http.StatusNotFound)
	}
	s.as("Mia").get(draft).want(http.StatusNotFound)
	s.as("").get(draft).want(http.StatusSeeOther)
}

func TestClientDetailsDraft(t *testing.T) {
	s := newSite(t)
	s.library()
	tom := s.as("Tom")
	start := tom.post("/clients/" + s.Ann.PublicID + "/drafts").want(http.StatusSeeOther)
	page := tom.follow(start).want(http.StatusOK, "Invite to Client Portal", "Preview Message")
	if page.doc.Find("[name=save_default]").Length() != 0 {
		t.Error("a therapist is offered to save the default")
	}
	s.as("Tess").post("/clients/" + s.Ben.PublicID + "/drafts").want(http.StatusNotFound)
	s.as("Tom").post("/clients/" + s.Ben.PublicID + "/drafts").want(http.StatusNotFound)
}

func TestSettings(t *testing.T) {
	s := newSite(t)
	olga := s.as("Olga")
	olga.post("/organization/settings", "name", " ", "phone", "none", "time_zone", "Mars/Olympus").want(http.StatusUnprocessableEntity,
		"Enter the practice's name", "Enter a phone number", "Choose a time zone")
	olga.post("/organization/settings", "name", "Elm House", "phone", "555-0199", "time_zone", "Europe/Berlin").wantTo("/organization/settings")
	olga.get("/organization/settings").want(http.StatusOK, "Saved.", "Elm House")
	olga.post("/organization/client-portal/settings", "invitation_days", "31", "crisis", "").want(http.StatusUnprocessableEntity, "from 1 to 30", "whom to call")
	olga.post("/organization/client-portal/settings", "invitation_days", "14", "crisis", "Call 988.").wantTo("/organization/client-portal/settings")
	s.as("Tom").get("/organization/settings").want(http.StatusForbidden)
}

// A page that watches its letters by itself does not keep somebody signed in who went away.
func TestWatchingKeepsNobodySignedIn(t *testing.T) {
	s := newSite(t)
	s.library()
	olga, draft := s.as("Olga"), s.olgasDraft(s.Ann)
	olga.post(draft + "/send").wantTo(draft + "/sent")
	s.Clock.Move(10 * time.Minute)
	olga.htmx().get(draft + "/sent?poll=1").want(http.StatusOK)
	s.Clock.Move(10 * time.Minute)
	olga.get(draft + "/sent").wantTo("/sign-in?next=" + url.QueryEscape(draft+"/sent"))
}

// Who reads Spanish gets the Spanish default; the pages say so before anything is sent.
func TestDraftTellsWhoReadsWhat(t *testing.T) {
	s := newSite(t)
	s.library()
	s.Ann.Language = "es"
	s.update(func(tx *db.Tx) error { return tx.ChangeClient(s.Ann) })
	olga := s.as("Olga")
	draft := s.olgasDraft(s.Ann, s.Ben)
	page := olga.get(draft).want(200, "1 of them gets the Spanish default. A changed message goes to all as written.")
	olga.get(draft+"/preview?client="+s.Ann.PublicID).want(200, "Spanish", "su portal para clientes", "1 of them gets the Spanish default")
	subject, _ := page.doc.Find("#invitation-subject").Attr("value")
	body := page.doc.Find("#invitation-body").Text()
	olga.post(draft, "invitation.subject", subject, "invitation.body", strings.ReplaceAll(body, "\n", "\r\n"), "do", "keep").want(204)
	olga.get(draft).want(200, "gets the Spanish default")
	olga.post(draft, "invitation.subject", "Welcome", "invitation.body", body, "do", "keep").want(204)
	olga.get(draft).want(200, "1 of them reads Spanish. A changed message goes to all as written.")

	alone := s.as("Tom")
	draft = alone.post("/clients/" + s.Ann.PublicID + "/drafts").header.Get("Location")
	alone.get(draft).want(200, "The client reads Spanish: this is the Spanish default.", "su portal para clientes")
	alone.post(draft, "invitation.subject", "Hola", "invitation.body", "Hola", "do", "keep").want(204)
	alone.get(draft).want(200, "The client reads Spanish. The changed message goes out as written.")
}

// What others shouldn't read in a mail is named at the field, when the page is opened, while it is typed, and in the preview.
func TestMessagesAreLookedOver(t *testing.T) {
	s := newSite(t)
	s.library()
	olga := s.as("Olga")
	draft := s.olgasDraft(s.Ann)
	if page := olga.get(draft).want(200); page.text("#invitation-body-warnings") != "" || page.doc.Find("#invitation-subject-warnings[role=status]").Length() != 1 {
		t.Error("it warns of what is built in, or has no place for warnings")
	}
	typed := []string{"invitation.subject", "{client_last_name}", "invitation.body", "Your PHQ-9, born 5/17/1990. [Pay](http://evil.example)"}
	kept := olga.htmx().post(draft, append(typed, "do", "keep")...).want(200)
	if kept.doc.Find("#invitation-body-warnings[hx-swap-oob] li").Length() != 4 || kept.doc.Find("#invitation-subject-warnings[hx-swap-oob] li").Length() != 1 {
		t.Errorf("while it is typed: %s", kept.body)
	}
	page := olga.get(draft).want(200)
	for at, words := range map[string]string{"#invitation-subject-warnings": "locked phone", "#invitation-body-warnings": "PHQ-9. The name of a form"} {
		if text := page.text(at); !strings.Contains(text, words) {
			t.Errorf("%s: %q", at, text)
		}
	}
	preview := olga.follow(olga.post(draft, append(typed, "do", "preview")...)).want(200)
	if text := preview.text("#warnings"); !strings.Contains(text, "the date of birth of a client") || !strings.Contains(text, "use https") {
		t.Errorf("the preview warns %q", text)
	}
	olga.post(draft + "/send").wantTo(draft + "/sent") // a warning keeps nothing from being sent

	const path = messagesPath + "/invitation"
	olga.post(path, "invitation.subject", "Welcome", "invitation.body", "About your anxiety").wantTo(messagesPath)
	if text := olga.get(messagesPath).text("#invitation-warnings"); !strings.Contains(text, "anxiety. A clinical word") {
		t.Errorf("the list of defaults warns %q", text)
	}
	if text := olga.get(path).text("#invitation-body-warnings"); !strings.Contains(text, "anxiety") {
		t.Errorf("the default's page warns %q", text)
	}
}
